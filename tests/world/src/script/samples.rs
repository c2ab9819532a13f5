//! Files that are found in place of a DLL.

/// A text file, as left by a checkout without Git LFS.
pub(super) const JUNK: &[u8] = b"version https://git-lfs.github.com/spec/v1
oid sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
size 1048576
";

/// A web page, as left by a failed download.
pub(super) const HTML: &[u8] = b"<!DOCTYPE html>
<html><head><title>404 Not Found</title></head><body>Not Found</body></html>
";

/// An archive that contains an empty file named `a`.
pub(super) const ZIP: &[u8] = b"\
    PK\x03\x04\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0a\
    PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a\
    PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0\x1f\0\0\0\0\0";

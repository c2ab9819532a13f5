#!/usr/bin/env bash
# pelite 0.10 cannot read the imports of the OpenBLAS in numpy's wheels: "Misaligned", for each DLL.
#
# The import lookup tables of that DLL begin at addresses that are multiples of 4 but not of 8;
# their entries have 8 bytes in a PE32+ file. Microsoft's "PE Format" requires no alignment there,
# and loaders accept the file: everyone's numpy runs with it. pelite returns tables as slices of the
# file (`&[u64]`), which have to be aligned, so it can only return an error (`derva_slice_s` in
# src/pe64/pe.rs). object, which reads entry by entry, finds all of them.
#
# Needs Python 3 with pip, and Rust. Downloads 15 MB.
#
# Seen on 2026-11-30, pelite 0.10.0, object 0.40.0, numpy 2.5.5 (cp313-win_amd64):
#   KERNEL32.dll at 0x13a512c: pelite Err(Misaligned), object Ok(61)
#   … and so on for each of the 14 DLLs that it imports
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --platform win_amd64 \
    --python-version 3.13 --dest "$work" numpy==2.5.5
python3 - "$work" <<'PYTHON'
import sys
import zipfile
from pathlib import Path

work = Path(sys.argv[1])
[wheel] = work.glob("*.whl")
with zipfile.ZipFile(wheel) as archive:
    [entry] = [name for name in archive.namelist() if "/libscipy_openblas64_" in name]
    (work / "openblas.dll").write_bytes(archive.read(entry))
PYTHON

mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "reads-imports"
version = "0.0.0"
edition = "2024"

[dependencies]
object = { version = "=0.40.0", default-features = false, features = ["read_core", "pe", "std"] }
pelite = "=0.10.0"
TOML
cat >"$work/src/main.rs" <<'RUST'
use object::pe::ImageNtHeaders64;
use object::read::pe::PeFile64;
use pelite::Error::Misaligned;
use pelite::pe64::{Pe, PeFile};

fn main() {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let file = PeFile::from_bytes(&bytes).unwrap();
    let same = PeFile64::parse(&*bytes).unwrap();
    let table = same.import_table().unwrap().unwrap();
    let mut imported = 0;
    for import in file.imports().unwrap() {
        let start = import.image().OriginalFirstThunk;
        let by_pelite = import.int().map(|entries| entries.count());
        let mut entries = table.thunks(start).unwrap();
        let mut by_object = 0;
        while entries.next::<ImageNtHeaders64>().unwrap().is_some() {
            by_object += 1;
        }
        println!("{} at {start:#x}: pelite {by_pelite:?}, object Ok({by_object})", import.dll_name().unwrap());
        assert!(start % 8 == 4 && by_pelite == Err(Misaligned) && by_object > 0, "this has changed");
        imported += 1;
    }
    assert_eq!(imported, 14, "this has changed");
}
RUST
cargo run --quiet --manifest-path "$work/Cargo.toml" -- "$work/openblas.dll"

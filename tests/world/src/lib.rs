//! A Windows machine in one string.
//!
//! A test describes a machine as text, and [`World`] makes it true: a folder with
//! real files, among them PE images that a real Windows loader accepts.
//!
//! ```
//! let world = world::World::new(
//!     "
//!     machine windows-10 x86_64, no redistributable
//!     /env/pkg/__init__.py   text
//!         from . import _native
//!     /env/pkg/_native.pyd   imports python38.dll, b.dll!f, b.dll!#7
//!     /env/pkg/b.dll         exports f, g=c.h, x@7, version 14.0.24210.0
//!     /env/pkg/c.dll         x86, exports h
//!     load /env/pkg/_native.pyd like CPython 3.8
//!     ",
//! )?;
//! assert!(world.path("/env/pkg/b.dll").is_file());
//! assert_eq!(world.directives()[1], "load /env/pkg/_native.pyd like CPython 3.8");
//! # Ok::<(), world::WorldError>(())
//! ```
//!
//! # The language
//!
//! Indentation that all lines have in common does not count. Blank lines and lines
//! that begin with `#` say nothing. A line that begins with `/` (or `"`, for a path
//! with spaces in quotation marks) declares a file, as below. Every other line is a
//! *directive*, which means nothing to this crate and is kept for the test: see
//! [`World::directives`].
//!
//! A declaration is a path, with slashes, from the root of the world, then
//! attributes with commas between them. A path that ends in `/` is a folder and has
//! none. Folders on the way to a file need no declaration. No path can be declared
//! twice, in any letter case.
//!
//! ## Any file
//!
//! | attribute | the file |
//! | --- | --- |
//! | `text` | has as its content the lines below, indented by four spaces |
//! | `empty`, `junk`, `html`, `zip` | is empty, a text, a page, an archive |
//! | `cut N` | is cut to its first N bytes |
//! | `size N` | is filled up with zeros to N bytes, sparse where the system can |
//! | `readonly` | cannot be written |
//! | `unreadable` | cannot be read by anyone but root; no effect on Windows |
//!
//! Inside a text blank lines count, except at its end. Numbers are decimal or, after
//! `0x`, hexadecimal. A file that no attribute gives a content is empty, unless it is
//! an image. The last few hundred bytes of an image are padding, which a loader may
//! not miss if they alone are cut off.
//!
//! ## Images
//!
//! A file is a PE image if its name ends in `.dll`, `.pyd`, `.so` or `.exe` and no
//! attribute says otherwise, or if it has one of these attributes:
//!
//! | attribute | the image |
//! | --- | --- |
//! | `x86`, `x86_64`, `arm64`, `arm64ec`, `arm64x` | is for this machine (x86_64) |
//! | `x64 imports a.dll`, `x64 exports f` | of an `arm64x` image: what x64 processes see in their place |
//! | `exe` | is a program even if its name does not end in `.exe` |
//! | `imports a.dll, b.dll!f, b.dll!#7` | imports the DLL, its symbol, its ordinal |
//! | `delay imports a.dll, b.dll!f` | imports them at the first call |
//! | `exports f, x@7, @9, g=c.h, k@8=c.#2` | exports a name, a name with an ordinal, an ordinal only, forwarders |
//! | `version 14.0.24210.0` | has a version resource |
//! | `manifest "<assembly ...>"` | has a manifest, without `"` in it |
//! | `manifest` | has a manifest, the lines below, indented by four spaces |
//! | `starts C:\Python\python.exe` | is a trampoline of uv for this program |
//! | `linker 14.26` | was linked by this version (14.0) |
//! | `needs windows 6.1` | asks for this version of Windows (6.0) |
//! | `dependent load flags 0x800` | has a load configuration with these flags |
//! | `clr` | is a .NET assembly; a mixed one if it has `imports`, else pure IL |
//! | `crashes`, `refuses` | has a `DllMain` that crashes or returns `FALSE` (has none) |
//! | `cimports a, b.c` | has a `PyInit_…` that imports these Python modules by calls into `python3.dll`, as Cython's does, on x86_64 |
//! | `uses avx` | has a `DllMain` that begins with an AVX instruction, on x86_64 |
//! | `calls its first import as it is initialized` | has a `PyInit_…` that does so, on x86_64 |
//! | `calls its first import` | has a `DllMain` that calls the first function that is imported, on x86_64 |
//!
//! A list ends at the next attribute: an item that is an attribute is never one of
//! a list, except its first. The items of one DLL are one import, in the place of
//! the first of them.
//!
//! An export's ordinal is a number from 1 to 32767 behind the last `@`, so a name that
//! itself ends like that needs one: `_f@8@1`. Exports without an ordinal are numbered,
//! in order, above the highest that is given.
//!
//! Loaders skip a DLL of which nothing is imported. So every image exports one name
//! more, `whydll`, with the last ordinal, and an import without a symbol imports it.
//! Of a DLL that is not declared in the world, a test that goes as far as symbols
//! has to name one. `a.dll!` is the import that loaders skip.

mod error;
pub mod pe;
mod script;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use error::{Mistake, WorldError};
use script::{File, Script};

/// A machine's files, as a text describes them, in a folder that stands for its
/// drive.
#[derive(Debug)]
pub struct World {
    root: Root,
    files: Vec<String>,
    directives: Vec<String>,
}

impl World {
    /// Writes a world into a fresh temporary folder, which lives as long as it does.
    pub fn new(text: &str) -> Result<World, WorldError> {
        let script = Script::read(text)?;
        let folder = tempfile::Builder::new().prefix("world-").tempdir().map_err(WorldError::NoFolder)?;
        World::build(script, Root::Temporary(folder))
    }

    /// Writes a world into a folder that exists, and leaves it there.
    pub fn at(text: &str, root: &Path) -> Result<World, WorldError> {
        World::build(Script::read(text)?, Root::Kept(root.to_owned()))
    }

    /// The folder that stands for the machine's drive.
    pub fn root(&self) -> &Path {
        match &self.root {
            Root::Temporary(folder) => folder.path(),
            Root::Kept(folder) => folder,
        }
    }

    /// Where a file of the world is: `/env/x` is `env/x` in the root.
    pub fn path(&self, path: &str) -> PathBuf {
        let names = path.split('/').filter(|name| !name.is_empty());
        let mut real = self.root().to_owned();
        real.extend(names);
        real
    }

    /// The paths that it declares, in order; folders too, without a slash at the end.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// The lines that declare no file, in order.
    pub fn directives(&self) -> &[String] {
        &self.directives
    }

    /// Takes the root out of a text, so that `/tmp/world-x/env/a.dll` reads
    /// `/env/a.dll` in every run. The root is found with slashes and backslashes,
    /// with backslashes escaped, in a file URI (which becomes `file:///env/a.dll`)
    /// and by its real path if links lead to it.
    pub fn hide_root(&self, text: &str) -> String {
        let mut spellings = spellings(self.root());
        if let Ok(real) = self.root().canonicalize() {
            spellings.extend(self::spellings(&real));
        }
        // One spelling can be part of another.
        spellings.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        spellings.iter().fold(text.to_owned(), |text, spelling| text.replace(spelling, ""))
    }

    fn build(script: Script, root: Root) -> Result<World, WorldError> {
        let files = script.files.iter().map(|file| file.path.clone()).collect();
        let world = World { root, files, directives: script.directives };
        for file in &script.files {
            let path = world.path(&file.path);
            write(file, &path).map_err(|source| WorldError::Unwritable { line: file.line, path, source })?;
        }
        Ok(world)
    }
}

#[derive(Debug)]
enum Root {
    Temporary(TempDir),
    Kept(PathBuf),
}

fn write(file: &File, path: &Path) -> io::Result<()> {
    let Some(content) = &file.content else {
        return fs::create_dir_all(path);
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, content)?;
    if let Some(len) = file.padded_to {
        fs::File::options().write(true).open(path)?.set_len(len)?;
    }
    if file.readonly {
        let mut permissions = fs::metadata(path)?.permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path, permissions)?;
    }
    if file.unreadable {
        forbid_reading(path)?;
    }
    Ok(())
}

#[cfg(unix)]
fn forbid_reading(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o000))
}

/// Windows would need an access control list, which only its own API can write.
#[cfg(not(unix))]
fn forbid_reading(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The ways in which a program can spell a folder.
fn spellings(folder: &Path) -> Vec<String> {
    let native = folder.to_string_lossy();
    let native = native.trim_end_matches(['/', '\\']);
    // What Windows puts before a real path means nothing in a URI.
    let short = native.strip_prefix(r"\\?\").unwrap_or(native);
    let slashes = short.replace('\\', "/");
    let backslashes = short.replace('/', "\\");
    // The path in a URI begins with a slash, before a drive too.
    let in_uri = format!("/{}", percent_encoded(slashes.trim_start_matches('/')));
    let mut spellings = vec![
        native.to_owned(),
        native.replace('\\', r"\\"),
        backslashes.replace('\\', r"\\"),
        backslashes,
        slashes,
        in_uri,
    ];
    spellings.retain(|spelling| spelling.len() > 1);
    spellings
}

fn percent_encoded(path: &str) -> String {
    let mut encoded = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

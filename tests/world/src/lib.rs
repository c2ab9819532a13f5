//! A Windows machine in one string.
//!
//! A test describes a machine in a string, and [`World`] creates it: a directory with real
//! files, including PE images that a real Windows loader accepts.
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
//! Common indentation of all lines is removed. Blank lines and lines that begin with `#`
//! are ignored. A line that begins with `/` (or `"`, for a path
//! with spaces in quotation marks) declares a file, as below. Every other line is a
//! *directive*, which this crate doesn't interpret and keeps for the test: see
//! [`World::directives`].
//!
//! A declaration is a path, with slashes, from the root of the world, then attributes
//! separated by commas. A path that ends in `/` is a directory and has no attributes.
//! Directories that contain a declared file need no declaration. A path can only be
//! declared once, whatever its letter case.
//!
//! ## Any file
//!
//! | attribute | the file |
//! | --- | --- |
//! | `text` | contains the lines below, which are indented by four spaces |
//! | `empty`, `junk`, `html`, `zip` | is empty, a text file, a web page, an archive |
//! | `cut N` | is cut to its first N bytes |
//! | `size N` | is padded with zeros to N bytes, sparse if the system supports that |
//! | `readonly` | cannot be written |
//! | `unreadable` | can only be read by root; no effect on Windows |
//!
//! Blank lines inside a `text` count, except at its end. Numbers are decimal or, after
//! `0x`, hexadecimal. A file without an attribute for its content is empty, unless it is
//! an image. The last few hundred bytes of an image are padding; a loader may not notice
//! if only they are cut off.
//!
//! ## Images
//!
//! A file is a PE image if its name ends in `.dll`, `.pyd`, `.so` or `.exe` and no
//! attribute says otherwise, or if it has one of these attributes:
//!
//! | attribute | the image |
//! | --- | --- |
//! | `x86`, `x86_64`, `arm64`, `arm64ec`, `arm64x` | is for this machine (default: x86_64) |
//! | `x64 imports a.dll`, `x64 exports f` | of an `arm64x` image: what x64 processes see instead |
//! | `exe` | is a program even if its name does not end in `.exe` |
//! | `imports a.dll, b.dll!f, b.dll!#7` | imports the DLL, its symbol, its ordinal |
//! | `delay imports a.dll, b.dll!f` | imports them at the first call |
//! | `exports f, x@7, @9, g=c.h, k@8=c.#2` | exports a name, a name with an ordinal, an ordinal only, forwarders |
//! | `version 14.0.24210.0` | has a version resource |
//! | `manifest "<assembly ...>"` | has a manifest that doesn't contain `"` |
//! | `manifest` | has the lines below, indented by four spaces, as its manifest |
//! | `starts C:\Python\python.exe` | is a trampoline of uv that starts this program |
//! | `linker 14.26` | was linked by this version (default: 14.0) |
//! | `needs windows 6.1` | requires this version of Windows (default: 6.0) |
//! | `dependent load flags 0x800` | has a load configuration with these flags |
//! | `clr` | is a .NET assembly; a mixed one if it has `imports`, else pure IL |
//! | `crashes`, `refuses` | has a `DllMain` that crashes or returns `FALSE` (default: no `DllMain`) |
//! | `cimports a, b.c` | has a `PyInit_…` that imports these Python modules by calls into `python3.dll`, as Cython's does, on x86_64 |
//! | `uses avx` | has a `DllMain` that begins with an AVX instruction, on x86_64 |
//! | `calls its first import as it is initialized` | has a `PyInit_…` that calls the first imported function, on x86_64 |
//! | `calls its first import` | has a `DllMain` that calls the first imported function, on x86_64 |
//!
//! A list ends at the next attribute: an item that could be an attribute is never part
//! of a list, except as its first item. The items of one DLL are one import, at the
//! position of the first of them.
//!
//! An export's ordinal is a number from 1 to 32767 after the last `@`, so a name that
//! itself ends like that needs one: `_f@8@1`. Exports without an ordinal are numbered in
//! order, above the highest given ordinal.
//!
//! Loaders skip a DLL from which nothing is imported. So every image also exports the
//! name `whydll`, with the last ordinal, and an import without a symbol imports it. If a
//! DLL isn't declared in the world, a test in which symbols matter has to name one.
//! `a.dll!` is the import that loaders skip.

mod error;
pub mod pe;
mod script;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use error::{Mistake, WorldError};
use script::{File, Script};

/// The files of a machine, in a directory that stands for its drive.
#[derive(Debug)]
pub struct World {
    root: Root,
    files: Vec<String>,
    directives: Vec<String>,
}

impl World {
    /// Writes a world into a new temporary directory, which is removed with it.
    ///
    /// # Errors
    /// The world has a mistake, or a file cannot be written.
    pub fn new(text: &str) -> Result<World, WorldError> {
        let script = Script::read(text)?;
        let folder = tempfile::Builder::new().prefix("world-").tempdir().map_err(WorldError::NoFolder)?;
        World::build(script, Root::Temporary(folder))
    }

    /// Writes a world into an existing directory, and leaves it there.
    ///
    /// # Errors
    /// The world has a mistake, or a file cannot be written.
    pub fn at(text: &str, root: &Path) -> Result<World, WorldError> {
        World::build(Script::read(text)?, Root::Kept(root.to_owned()))
    }

    /// Returns the directory that stands for the machine's drive.
    pub fn root(&self) -> &Path {
        match &self.root {
            Root::Temporary(folder) => folder.path(),
            Root::Kept(folder) => folder,
        }
    }

    /// Returns the real path of a file of the world: `/env/x` is `env/x` in the root.
    pub fn path(&self, path: &str) -> PathBuf {
        let names = path.split('/').filter(|name| !name.is_empty());
        let mut real = self.root().to_owned();
        real.extend(names);
        real
    }

    /// Returns the declared paths in order, including directories, without a slash at the end.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// Returns the lines that don't declare a file, in order.
    pub fn directives(&self) -> &[String] {
        &self.directives
    }

    /// Removes the root from a string, so that `/tmp/world-x/env/a.dll` becomes
    /// `/env/a.dll` in every run. The root is found with slashes, backslashes, and
    /// escaped backslashes, in a file URI (which becomes `file:///env/a.dll`), and as
    /// its real path if it contains links.
    pub fn hide_root(&self, text: &str) -> String {
        let mut spellings = spellings(self.root());
        if let Ok(real) = self.root().canonicalize() {
            spellings.extend(self::spellings(&real));
        }
        // Longest first: one spelling can be part of another.
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

/// Does nothing: Windows would need an access control list, which only its own API can write.
#[cfg(not(unix))]
fn forbid_reading(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Returns the ways in which a program can spell a directory.
fn spellings(folder: &Path) -> Vec<String> {
    let native = folder.to_string_lossy();
    let native = native.trim_end_matches(['/', '\\']);
    // The prefix of Windows' real paths is not part of a URI.
    let short = native.strip_prefix(r"\\?\").unwrap_or(native);
    let slashes = short.replace('\\', "/");
    let backslashes = short.replace('/', "\\");
    // The path in a URI begins with a slash, also before a drive.
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

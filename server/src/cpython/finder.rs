//! CPython's module finders: built-in modules, `sys.path`, and a package's `__path__`.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use rustc_hash::FxHashMap;

use super::tag::{BuiltFor, System};
use crate::environment::{Environment, Platform};
use crate::host::{EntryKind, FileError, Files, Folder, Host, WinPath};
use crate::source::is_standard;

/// The result of a module lookup.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A package with its `__init__.py`.
    Package {
        /// The path of the `__init__.py`.
        init: WinPath,
        /// The folder of the package.
        folder: WinPath,
    },
    /// One or more folders without `__init__.py`.
    Namespace(Vec<WinPath>),
    /// A `.py` file, or a lone `.pyc`.
    Source(WinPath),
    /// A native extension module. `folder` is set if it is a package's `__init__`.
    Extension {
        /// The path of the file.
        path: WinPath,
        /// The folder of the package of which this is the `__init__`.
        folder: Option<WinPath>,
    },
    /// A module that is part of pythonXY.dll.
    Builtin,
    /// A module that exists, but whose code can't be read.
    Opaque {
        /// The path of the module, if it is known.
        path: Option<WinPath>,
    },
    /// The module would be this file or folder, or in it, but Python can't access it.
    Inaccessible(Inaccessible),
    /// No such module. `for_other_python` is a file that would provide it in another Python
    /// version.
    NotFound {
        /// The path of an extension module that was built for another Python version or system.
        for_other_python: Option<WinPath>,
    },
}

/// A file or folder that exists but that Python can't access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inaccessible {
    /// The file or folder.
    pub path: WinPath,
    /// The error on access.
    pub why: FileError,
}

/// The modules that are compiled into pythonXY.dll on Windows, in any version since 3.5
/// (`PC/config.c`).
const BUILTIN: &str = "_abc _ast _bisect _blake2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 \
    _codecs_jp _codecs_kr _codecs_tw _collections _contextvars _csv _datetime _functools _heapq _imp \
    _interpchannels _interpqueues _interpreters _io _json _locale _lsprof _md5 _multibytecodec _opcode \
    _operator _peg_parser _pickle _random _sha1 _sha2 _sha256 _sha3 _sha512 _signal _sre _stat \
    _statistics _string _struct _suggestions _symtable _sysconfig _thread _tokenize _tracemalloc _types \
    _typing _warnings _weakref _winapi _xxinterpchannels _xxsubinterpreters array atexit audioop \
    binascii builtins cmath errno faulthandler gc itertools marshal math mmap msvcrt nt parser sys time \
    winreg xxsubtype zlib";

static BUILTIN_NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| BUILTIN.split_whitespace().collect());

/// The modules that were removed from the standard library, by the first minor version without them
/// ("What's New in Python").
const REMOVED: [(u16, &[&str]); 2] = [
    (12, &["asynchat", "asyncore", "distutils", "imp", "smtpd"]),
    (
        13,
        &[
            "aifc",
            "audioop",
            "cgi",
            "cgitb",
            "chunk",
            "crypt",
            "imghdr",
            "lib2to3",
            "mailcap",
            "msilib",
            "nis",
            "nntplib",
            "ossaudiodev",
            "pipes",
            "sndhdr",
            "spwd",
            "sunau",
            "telnetlib",
            "uu",
            "xdrlib",
        ],
    ),
];

/// The finders of one environment.
pub struct Finder<'a> {
    environment: &'a Environment,
    files: &'a dyn Files,
    /// Whether Python can't use paths of 260 or more characters. Its manifest enables them, but the
    /// machine's policy doesn't.
    short_paths: bool,
    suffixes: Vec<String>,
    searched_modules: RefCell<BTreeSet<String>>,
    /// The native files in each folder whose names contain a platform tag, by module name.
    foreign: RefCell<FxHashMap<WinPath, FxHashMap<String, Vec<String>>>>,
}

impl<'a> Finder<'a> {
    /// Creates the finders for the Python of `environment` on a machine.
    pub fn new(environment: &'a Environment, host: &'a Host) -> Finder<'a> {
        Finder {
            environment,
            files: &*host.files,
            short_paths: host.running.long_paths == Some(false),
            suffixes: environment.extension_suffixes(),
            searched_modules: RefCell::default(),
            foreign: RefCell::default(),
        }
    }

    /// Returns the names of all top-level modules that were looked up on `sys.path` so far,
    /// including misses. A folder that offers none of them changes nothing, regardless of its
    /// position on `sys.path`.
    pub fn searched_modules(&self) -> BTreeSet<String> {
        self.searched_modules.borrow().clone()
    }

    /// Finds a top-level module. `path` is the program's current `sys.path`.
    pub fn top_level(&self, name: &str, path: &[WinPath]) -> Found {
        // `__main__` exists before any import.
        if BUILTIN_NAMES.contains(name) || name == "__main__" {
            return Found::Builtin;
        }
        if !self.searched_modules.borrow().contains(name) {
            self.searched_modules.borrow_mut().insert(name.to_owned());
        }
        match self.on_path(name, path) {
            Found::NotFound { for_other_python: None } if self.environment.editable.contains_key(name) => {
                self.editable_module(name)
            }
            Found::NotFound { .. } if self.is_removed(name) => Found::NotFound { for_other_python: None },
            Found::NotFound { .. } | Found::Inaccessible(_) if is_standard(name) => {
                Found::Opaque { path: None }
            }
            found => found,
        }
    }

    /// Whether this version's standard library no longer contains the module. For `distutils`,
    /// setuptools installs a hook through a `.pth` file.
    fn is_removed(&self, name: &str) -> bool {
        let removed = REMOVED.iter().find(|(_, names)| names.contains(&name));
        let Some((minor, _)) = removed.filter(|(minor, _)| self.environment.version.at_least(3, *minor))
        else {
            return false;
        };
        let folders = self.environment.site_packages.iter();
        let mut hooks = folders.map(|folder| folder.join("_distutils_hack\\__init__.py"));
        !(*minor == 12 && name == "distutils" && hooks.any(|hook| self.files.is_file(&hook)))
    }

    /// Implements `_EditableFinder.find_spec` of setuptools: a package at the path, or a module at
    /// the path with a suffix.
    fn editable_module(&self, name: &str) -> Found {
        let nothing = Found::NotFound { for_other_python: None };
        let Some(path) = self.environment.editable.get(name) else {
            return nothing;
        };
        match self.in_folder(path, "__init__") {
            Some(Found::Source(init)) => return Found::Package { init, folder: path.clone() },
            Some(Found::Extension { path: init, .. }) => {
                return Found::Extension { path: init, folder: Some(path.clone()) };
            }
            _ => {}
        }
        let module = path.parent().and_then(|folder| self.in_folder(&folder, path.file_name()));
        module.unwrap_or(nothing)
    }

    /// Finds the submodule `name` of a package with this `__path__`.
    pub fn submodule(&self, name: &str, path: &[WinPath]) -> Found {
        self.on_path(name, path)
    }

    /// Implements `FileFinder.find_spec` for directories and `zipimporter` for archives.
    fn on_path(&self, name: &str, path: &[WinPath]) -> Found {
        let mut portions = Vec::new();
        let mut for_other_python = None;
        let mut inaccessible = None;
        for entry in path {
            if let Some((archive, inside)) = entry.in_archive() {
                match self.in_archive(&archive, &inside, name) {
                    Some(found) => return found,
                    None => continue,
                }
            }
            let folder = match self.files.folder(entry) {
                Ok(folder) => folder,
                Err(FileError::AccessDenied) => {
                    // Python treats it as empty and reports a missing module.
                    inaccessible.get_or_insert_with(|| Inaccessible {
                        path: entry.clone(),
                        why: FileError::AccessDenied,
                    });
                    continue;
                }
                Err(_) => continue,
            };
            // Matching is case-sensitive, since PYTHONCASEOK isn't set.
            let is_folder = has_entry(&folder, name, EntryKind::Folder);
            if is_folder {
                let package = entry.join(name);
                if self.files.folder(&package) == Err(FileError::AccessDenied) {
                    return Found::Inaccessible(Inaccessible { path: package, why: FileError::AccessDenied });
                }
                match self.in_folder(&package, "__init__") {
                    Some(Found::Source(init)) => return Found::Package { init, folder: package },
                    Some(Found::Extension { path, .. }) => {
                        return Found::Extension { path, folder: Some(package) };
                    }
                    Some(Found::Inaccessible(it)) => drop(inaccessible.get_or_insert(it)),
                    Some(found) => return found,
                    None => {}
                }
            }
            match self.in_folder(entry, name) {
                Some(Found::Inaccessible(it)) => drop(inaccessible.get_or_insert(it)),
                Some(found) => return found,
                None => {}
            }
            if is_folder {
                portions.push(entry.join(name));
            } else if for_other_python.is_none() {
                for_other_python = self.other_python(entry, &folder, name);
            }
        }
        match (portions.is_empty(), inaccessible) {
            (_, Some(it)) if it.why == FileError::PathTooLong => Found::Inaccessible(it),
            (false, _) => Found::Namespace(portions),
            (true, Some(it)) if for_other_python.is_none() => Found::Inaccessible(it),
            (true, _) => Found::NotFound { for_other_python },
        }
    }

    /// Finds a module in an archive, or in a folder inside it (`zipimport._zip_searchorder`).
    fn in_archive(&self, archive: &WinPath, inside: &str, name: &str) -> Option<Found> {
        let modules = self.files.archive(archive).ok()?;
        let stem = if inside.is_empty() { name.to_owned() } else { format!("{inside}/{name}") };
        let holds = |file: &str| modules.binary_search_by(|known| known.as_str().cmp(file)).is_ok();
        let file = |suffix: &str| {
            let file = format!("{stem}{suffix}");
            holds(&file).then(|| archive.join(&file))
        };
        if let Some(init) = file("/__init__.pyc").or_else(|| file("/__init__.py")) {
            return Some(Found::Package { init, folder: archive.join(&stem) });
        }
        if let Some(source) = file(".pyc").or_else(|| file(".py")) {
            return Some(Found::Source(source));
        }
        // Older snapshots contain only the names of modules.
        holds(&stem).then(|| Found::Opaque { path: Some(archive.join(&stem)) })
    }

    /// Finds a module file in a folder. Extension modules take precedence over source
    /// (`_get_supported_file_loaders`). If a file's path is too long, `os.stat` reports it as
    /// missing, and the next suffix is tried.
    fn in_folder(&self, path: &WinPath, name: &str) -> Option<Found> {
        let found = self.any_in_folder(path, name)?;
        let file = match &found {
            Found::Extension { path, .. } | Found::Source(path) | Found::Opaque { path: Some(path) } => path,
            _ => return Some(found),
        };
        match self.short_paths && file.is_long() {
            true => {
                Some(Found::Inaccessible(Inaccessible { path: file.clone(), why: FileError::PathTooLong }))
            }
            false => Some(found),
        }
    }

    fn any_in_folder(&self, path: &WinPath, name: &str) -> Option<Found> {
        let folder = self.files.folder(path).ok()?;
        // Most lookups find nothing, so a single string is reused for all suffixes.
        let mut file = name.to_owned();
        let mut has = |suffix: &str| {
            file.truncate(name.len());
            file += suffix;
            has_entry(&folder, &file, EntryKind::File).then(|| path.join(&file))
        };
        if let Some(path) = self.suffixes.iter().find_map(|suffix| has(suffix)) {
            return Some(Found::Extension { path, folder: None });
        }
        [".py", ".pyw", ".pyc"].into_iter().find_map(has).map(Found::Source)
    }

    /// Finds a file such as `name.cp39-win_amd64.pyd` for a Python other than 3.9, or
    /// `name.cpython-313-x86_64-linux-gnu.so`. Of several, returns the one for the most similar
    /// system and the newest Python.
    fn other_python(&self, path: &WinPath, folder: &Folder, name: &str) -> Option<WinPath> {
        if self.environment.platform == Platform::Linux {
            return None;
        }
        let own = self.environment.machine;
        let distance = |built: &BuiltFor| match &built.system {
            System::Windows(machine) if *machine == own => 0,
            System::Windows(_) => 1,
            System::Msys2 => 2,
            System::Linux(_) | System::MacOs | System::Unix => 3,
        };
        // Most names have none, and a folder may be very large, so each folder is scanned once.
        let mut foreign = self.foreign.borrow_mut();
        let foreign = foreign.entry(path.clone()).or_insert_with(|| tagged_files(folder));
        let files = foreign.get(name).into_iter().flatten();
        let built = files.filter_map(|file| Some((BuiltFor::of(name, file)?, file)));
        let best = built.min_by_key(|(built, name)| {
            (distance(built), built.free_threaded, std::cmp::Reverse(built.minor), *name)
        });
        best.map(|(_, file)| path.join(file))
    }
}

fn tagged_files(folder: &Folder) -> FxHashMap<String, Vec<String>> {
    let mut files: FxHashMap<String, Vec<String>> = FxHashMap::default();
    for name in folder.files_ending_in(&[".pyd", ".so"]) {
        let module = name.split('.').next().unwrap_or_default();
        if BuiltFor::of(module, name).is_some() {
            files.entry(module.to_owned()).or_default().push(name.to_owned());
        }
    }
    files
}

/// Returns the names of top-level modules that a folder on `sys.path` may provide. Every file
/// counts, whatever its contents.
pub fn offered_by(folder: &Folder) -> BTreeSet<String> {
    let names = folder.entries().into_iter();
    names.map(|entry| entry.name.split('.').next().unwrap_or_default().to_owned()).collect()
}

/// The modules of the standard library that Python on Windows imports at every start, before the
/// program's folder is on `sys.path` (`python -X importtime -c pass`, 3.5 to 3.13). Files in that
/// folder can't shadow them.
pub const IMPORTED_AT_START: [&str; 12] = [
    "_bootlocale",
    "_collections_abc",
    "_sitebuiltins",
    "abc",
    "codecs",
    "encodings",
    "genericpath",
    "io",
    "ntpath",
    "os",
    "site",
    "stat",
];

fn has_entry(folder: &Folder, name: &str, kind: EntryKind) -> bool {
    folder.entry(name).is_some_and(|entry| entry.kind == kind && entry.name == name)
}

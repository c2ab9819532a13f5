//! Which directories a load searches, in which order, and by which rule.

use std::fmt;

use crate::host::WinPath;

/// The `LOAD_*` bits of LoadLibraryExW's third parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadFlags(pub u32);

impl LoadFlags {
    /// No flags: what LoadLibraryW does.
    pub const NONE: LoadFlags = LoadFlags(0);
    /// `LOAD_WITH_ALTERED_SEARCH_PATH`: the DLL's directory takes the application's place.
    pub const ALTERED_SEARCH_PATH: LoadFlags = LoadFlags(0x8);
    /// `LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR`
    pub const SEARCH_DLL_LOAD_DIR: LoadFlags = LoadFlags(0x100);
    /// `LOAD_LIBRARY_SEARCH_APPLICATION_DIR`
    pub const SEARCH_APPLICATION_DIR: LoadFlags = LoadFlags(0x200);
    /// `LOAD_LIBRARY_SEARCH_USER_DIRS`: those that AddDllDirectory and SetDllDirectory added.
    pub const SEARCH_USER_DIRS: LoadFlags = LoadFlags(0x400);
    /// `LOAD_LIBRARY_SEARCH_SYSTEM32`
    pub const SEARCH_SYSTEM32: LoadFlags = LoadFlags(0x800);
    /// `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`: application, user and System32.
    pub const SEARCH_DEFAULT_DIRS: LoadFlags = LoadFlags(0x1000);

    /// These and those.
    #[must_use]
    pub const fn with(self, other: LoadFlags) -> LoadFlags {
        LoadFlags(self.0 | other.0)
    }

    fn has(self, other: LoadFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Any `LOAD_LIBRARY_SEARCH_*` bit replaces the standard search altogether.
    fn is_restricted(self) -> bool {
        self.0 & 0x1f00 != 0
    }
}

/// Why a module is taken from where it is taken.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A module of this base name is loaded already; where it lies does not matter.
    AlreadyLoaded,
    /// The name is a contract which this DLL of System32 implements.
    ApiSet,
    /// The name is a KnownDLL: always System32's.
    KnownDll,
    /// The load names the file by its full path.
    FullPath,
    /// The directory of the DLL that the load is for.
    DllDirectory,
    /// The directory of the program.
    ApplicationDirectory,
    /// AddDllDirectory, called by this piece of the program.
    AddedDirectory(String),
    /// The system directory.
    System32,
    /// The 16-bit system directory, `C:\Windows\System`.
    System,
    /// `C:\Windows`.
    Windows,
    /// The current directory.
    CurrentDirectory,
    /// A directory of PATH.
    Path,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::AlreadyLoaded => "already loaded",
            Rule::ApiSet => "API set",
            Rule::KnownDll => "KnownDLLs",
            Rule::FullPath => "full path",
            Rule::DllDirectory => "the DLL's own directory",
            Rule::ApplicationDirectory => "application directory",
            Rule::AddedDirectory(by) => return write!(f, "added by {by}"),
            Rule::System32 => "System32",
            Rule::System => "16-bit system directory",
            Rule::Windows => "Windows directory",
            Rule::CurrentDirectory => "current directory",
            Rule::Path => "PATH",
        })
    }
}

/// A directory that AddDllDirectory added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedDirectory {
    /// Where it is.
    pub path: WinPath,
    /// What in the program added it: `numpy/__init__.py:12`.
    pub by: String,
}

/// What a process gives to every search.
pub(super) struct SearchContext<'a> {
    pub application: &'a WinPath,
    pub added: &'a [AddedDirectory],
    pub system: &'a WinPath,
    pub windows: &'a WinPath,
    pub current: Option<&'a WinPath>,
    pub path: &'a [WinPath],
}

/// The directories that a load with `flags` searches for it and for all that it needs; `top` is the
/// directory of the DLL that the load names by full path.
pub(super) fn directories(
    flags: LoadFlags,
    top: Option<&WinPath>,
    context: &SearchContext<'_>,
) -> Vec<(WinPath, Rule)> {
    let mut order: Vec<(WinPath, Rule)> = Vec::new();
    let mut add = |path: &WinPath, rule: Rule| {
        if !order.iter().any(|(known, _)| known == path) {
            order.push((path.clone(), rule));
        }
    };
    if flags.is_restricted() {
        let default = flags.has(LoadFlags::SEARCH_DEFAULT_DIRS);
        if let Some(top) = top.filter(|_| flags.has(LoadFlags::SEARCH_DLL_LOAD_DIR)) {
            add(top, Rule::DllDirectory);
        }
        if default || flags.has(LoadFlags::SEARCH_APPLICATION_DIR) {
            add(context.application, Rule::ApplicationDirectory);
        }
        if default || flags.has(LoadFlags::SEARCH_USER_DIRS) {
            // The order among them is unspecified by Microsoft; the newest first is what Wine does.
            for added in context.added.iter().rev() {
                add(&added.path, Rule::AddedDirectory(added.by.clone()));
            }
        }
        if default || flags.has(LoadFlags::SEARCH_SYSTEM32) {
            add(context.system, Rule::System32);
        }
        return order;
    }
    match top.filter(|_| flags.has(LoadFlags::ALTERED_SEARCH_PATH)) {
        Some(top) => add(top, Rule::DllDirectory),
        None => add(context.application, Rule::ApplicationDirectory),
    }
    add(context.system, Rule::System32);
    add(&context.windows.join("System"), Rule::System);
    add(context.windows, Rule::Windows);
    // Safe DLL search mode, the default, puts the current directory behind the system's.
    if let Some(current) = context.current {
        add(current, Rule::CurrentDirectory);
    }
    for path in context.path {
        add(path, Rule::Path);
    }
    order
}

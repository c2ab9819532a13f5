//! Which directories a load searches, in which order, and by which rule.

use std::fmt;

use crate::host::WinPath;

/// The `LOAD_*` bits of LoadLibraryExW's third parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadFlags(pub u32);

impl LoadFlags {
    /// No flags: what LoadLibraryW does.
    pub const NONE: LoadFlags = LoadFlags(0);
    /// `DONT_RESOLVE_DLL_REFERENCES`: the file is mapped, and nothing that it needs.
    pub const DONT_RESOLVE_REFERENCES: LoadFlags = LoadFlags(0x1);
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

    pub(super) fn has(self, other: LoadFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Any `LOAD_LIBRARY_SEARCH_*` bit replaces the standard search altogether.
    pub(super) fn is_restricted(self) -> bool {
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
    /// SetDllDirectory.
    SetDirectory,
    /// `program.exe.local` redirects it.
    Local,
    /// A manifest redirects it to the assembly of this name.
    SideBySide(String),
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
            Rule::SetDirectory => "SetDllDirectory",
            Rule::Local => "redirected by .local",
            Rule::SideBySide(assembly) => return write!(f, "side-by-side assembly {assembly}"),
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
    pub dll_directory: Option<&'a WinPath>,
    pub default_directories: LoadFlags,
    pub system: WinPath,
    pub windows: &'a WinPath,
    pub current: Option<&'a WinPath>,
    pub safe: bool,
    /// The program is a package of the Store.
    pub packaged: bool,
    pub path: &'a [WinPath],
}

impl SearchContext<'_> {
    /// The directories that a load of `name` with `flags` searches for it and for all that it needs; none where
    /// Windows refuses the flags (error 87). After Wine's `LdrGetDllPath`.
    pub fn directories(&self, name: &str, flags: LoadFlags) -> Option<Vec<(WinPath, Rule)>> {
        let top = Some(WinPath::new(name)).filter(WinPath::is_absolute).and_then(|path| path.parent());
        let altered = flags.has(LoadFlags::ALTERED_SEARCH_PATH);
        // `C:/x/a.dll` alters no search: only a backslash tells a path there (Wine's `LdrGetDllPath`; Microsoft: "be sure
        // to use backslashes"). A path of the system that we run on stands for the one that Windows would have.
        let tells_directory = name.contains('\\') || name.starts_with('/');
        let default = self.default_directories;
        let flags = match (flags.is_restricted(), altered) {
            (true, true) => return None,
            (true, false) => flags,
            (false, true) if default.is_restricted() => default.with(LoadFlags::SEARCH_DLL_LOAD_DIR),
            (false, false) if default.is_restricted() => default,
            (false, _) => return Some(self.standard(top.filter(|_| altered && tells_directory))),
        };
        if flags.has(LoadFlags::SEARCH_DLL_LOAD_DIR) && top.is_none() {
            return None;
        }
        Some(self.restricted(top, flags))
    }

    /// The standard search, with `instead` of the application's directory.
    fn standard(&self, instead: Option<WinPath>) -> Vec<(WinPath, Rule)> {
        let mut order = Order::default();
        if self.packaged {
            // The package, then what else takes the application's place, then System32, and nothing more (Microsoft:
            // "Dynamic-link library search order", packaged apps). The Store's Pythons depend on no other package.
            order.add(self.application, Rule::ApplicationDirectory);
            instead.iter().for_each(|directory| order.add(directory, Rule::DllDirectory));
            order.add(&self.system, Rule::System32);
            return order.0;
        }
        match &instead {
            Some(directory) => order.add(directory, Rule::DllDirectory),
            None => order.add(self.application, Rule::ApplicationDirectory),
        }
        // SetDllDirectory takes the current directory out of the search and its own place in it.
        match (self.dll_directory, self.current) {
            (Some(directory), _) => order.add(directory, Rule::SetDirectory),
            (None, Some(current)) if !self.safe => order.add(current, Rule::CurrentDirectory),
            _ => {}
        }
        order.add(&self.system, Rule::System32);
        order.add(&self.windows.join("System"), Rule::System);
        order.add(self.windows, Rule::Windows);
        // Safe DLL search mode, the default, puts the current directory behind the system's.
        if let (None, Some(current)) = (self.dll_directory, self.current) {
            order.add(current, Rule::CurrentDirectory);
        }
        for path in self.path {
            order.add(path, Rule::Path);
        }
        order.0
    }

    /// The search that `LOAD_LIBRARY_SEARCH_*` flags ask for.
    fn restricted(&self, top: Option<WinPath>, flags: LoadFlags) -> Vec<(WinPath, Rule)> {
        let mut order = Order::default();
        let asks = |flag| flags.has(LoadFlags::SEARCH_DEFAULT_DIRS) || flags.has(flag);
        if let Some(top) = top.filter(|_| flags.has(LoadFlags::SEARCH_DLL_LOAD_DIR)) {
            order.add(&top, Rule::DllDirectory);
        }
        if asks(LoadFlags::SEARCH_APPLICATION_DIR) {
            order.add(self.application, Rule::ApplicationDirectory);
        }
        if asks(LoadFlags::SEARCH_USER_DIRS) {
            // The order among them is unspecified by Microsoft; the newest first is what Wine does.
            for added in self.added.iter().rev() {
                order.add(&added.path, Rule::AddedDirectory(added.by.clone()));
            }
            if let Some(directory) = self.dll_directory {
                order.add(directory, Rule::SetDirectory);
            }
        }
        if asks(LoadFlags::SEARCH_SYSTEM32) {
            order.add(&self.system, Rule::System32);
        }
        order.0
    }
}

/// Directories, each of them once.
#[derive(Default)]
struct Order(Vec<(WinPath, Rule)>);

impl Order {
    fn add(&mut self, path: &WinPath, rule: Rule) {
        if !self.0.iter().any(|(known, _)| known == path) {
            self.0.push((path.clone(), rule));
        }
    }
}

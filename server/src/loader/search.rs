//! The directories that a load searches, in order, each with its rule.

use std::fmt;

use crate::host::WinPath;

/// The `LOAD_*` bits of LoadLibraryExW's third parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadFlags(pub u32);

impl LoadFlags {
    /// No flags, as in `LoadLibraryW`.
    pub const NONE: LoadFlags = LoadFlags(0);
    /// `DONT_RESOLVE_DLL_REFERENCES`: maps the file without its dependencies.
    pub const DONT_RESOLVE_REFERENCES: LoadFlags = LoadFlags(0x1);
    /// `LOAD_WITH_ALTERED_SEARCH_PATH`: the DLL's directory replaces the application directory.
    pub const ALTERED_SEARCH_PATH: LoadFlags = LoadFlags(0x8);
    /// `LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR`: the directory of the DLL.
    pub const SEARCH_DLL_LOAD_DIR: LoadFlags = LoadFlags(0x100);
    /// `LOAD_LIBRARY_SEARCH_APPLICATION_DIR`: the application directory.
    pub const SEARCH_APPLICATION_DIR: LoadFlags = LoadFlags(0x200);
    /// `LOAD_LIBRARY_SEARCH_USER_DIRS`: the directories added by `AddDllDirectory` and
    /// `SetDllDirectory`.
    pub const SEARCH_USER_DIRS: LoadFlags = LoadFlags(0x400);
    /// `LOAD_LIBRARY_SEARCH_SYSTEM32`: System32.
    pub const SEARCH_SYSTEM32: LoadFlags = LoadFlags(0x800);
    /// `LOAD_LIBRARY_SEARCH_DEFAULT_DIRS`: application directory, user directories, and System32.
    pub const SEARCH_DEFAULT_DIRS: LoadFlags = LoadFlags(0x1000);

    /// Combines two sets of flags.
    #[must_use]
    pub const fn with(self, other: LoadFlags) -> LoadFlags {
        LoadFlags(self.0 | other.0)
    }

    pub(super) fn has(self, other: LoadFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether the flags replace the standard search, as any `LOAD_LIBRARY_SEARCH_*` bit does.
    pub(super) fn is_restricted(self) -> bool {
        self.0 & 0x1f00 != 0
    }
}

/// The rule by which a module's file was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A module of this base name is already loaded, from whatever directory.
    AlreadyLoaded,
    /// The name is an API set contract that this DLL in System32 implements.
    ApiSet,
    /// The name is a KnownDLL, which always comes from System32.
    KnownDll,
    /// The load names the file by its full path.
    FullPath,
    /// The directory of the DLL that the program loads.
    DllDirectory,
    /// The directory of the program.
    ApplicationDirectory,
    /// A directory added by `AddDllDirectory`, with the place in the program that called it.
    AddedDirectory(String),
    /// The system directory.
    System32,
    /// The 16-bit system directory, `C:\Windows\System`.
    System,
    /// `C:\Windows`.
    Windows,
    /// The current directory.
    CurrentDirectory,
    /// A directory in `PATH`.
    Path,
    /// The directory set by `SetDllDirectory`.
    SetDirectory,
    /// `program.exe.local` redirects the name.
    Local,
    /// A manifest redirects the name to the assembly of this name.
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

/// A directory that was added by `AddDllDirectory`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedDirectory {
    /// The path of the directory.
    pub path: WinPath,
    /// The place in the program that added it, such as `numpy/__init__.py:12`.
    pub by: String,
}

/// The parts of a process's state that influence every search.
pub(super) struct SearchContext<'a> {
    pub application: &'a WinPath,
    pub added: &'a [AddedDirectory],
    pub dll_directory: Option<&'a WinPath>,
    pub default_directories: LoadFlags,
    pub system: WinPath,
    pub windows: &'a WinPath,
    pub current: Option<&'a WinPath>,
    pub safe: bool,
    /// Whether the program is a package of the Microsoft Store.
    pub packaged: bool,
    pub path: &'a [WinPath],
}

impl SearchContext<'_> {
    /// Returns the directories that a load of `name` with `flags` searches for the module and
    /// everything that it needs. Returns `None` if Windows refuses the flags (error 87). Modelled
    /// on Wine's `LdrGetDllPath`.
    pub fn directories(&self, name: &str, flags: LoadFlags) -> Option<Vec<(WinPath, Rule)>> {
        let top = Some(WinPath::new(name)).filter(WinPath::is_absolute).and_then(|path| path.parent());
        let altered = flags.has(LoadFlags::ALTERED_SEARCH_PATH);
        // `C:/x/a.dll` doesn't alter the search, because only a backslash marks a path there
        // (Wine's `LdrGetDllPath`; Microsoft: "be sure to use backslashes"). A native path of
        // another system stands for the path that the file would have on Windows.
        let has_directory = name.contains('\\') || name.starts_with('/');
        let default = self.default_directories;
        let flags = match (flags.is_restricted(), altered) {
            (true, true) => return None,
            (true, false) => flags,
            (false, true) if default.is_restricted() => default.with(LoadFlags::SEARCH_DLL_LOAD_DIR),
            (false, false) if default.is_restricted() => default,
            (false, _) => return Some(self.standard(top.filter(|_| altered && has_directory))),
        };
        if flags.has(LoadFlags::SEARCH_DLL_LOAD_DIR) && top.is_none() {
            return None;
        }
        Some(self.restricted(top, flags))
    }

    /// Returns the standard search order, with `instead` in place of the application directory.
    fn standard(&self, instead: Option<WinPath>) -> Vec<(WinPath, Rule)> {
        let mut order = SearchOrder::default();
        if self.packaged {
            // The package, then the directory that replaces the application directory, then
            // System32, and nothing else (Microsoft, "Dynamic-link library search order", packaged
            // apps). The Store's Pythons depend on no other package.
            order.add(self.application, Rule::ApplicationDirectory);
            instead.iter().for_each(|directory| order.add(directory, Rule::DllDirectory));
            order.add(&self.system, Rule::System32);
            return order.0;
        }
        match &instead {
            Some(directory) => order.add(directory, Rule::DllDirectory),
            None => order.add(self.application, Rule::ApplicationDirectory),
        }
        // A directory set by SetDllDirectory replaces the current directory, and is searched
        // earlier.
        match (self.dll_directory, self.current) {
            (Some(directory), _) => order.add(directory, Rule::SetDirectory),
            (None, Some(current)) if !self.safe => order.add(current, Rule::CurrentDirectory),
            _ => {}
        }
        order.add(&self.system, Rule::System32);
        order.add(&self.windows.join("System"), Rule::System);
        order.add(self.windows, Rule::Windows);
        // Safe DLL search mode, the default, searches the current directory after the system
        // directories.
        if let (None, Some(current)) = (self.dll_directory, self.current) {
            order.add(current, Rule::CurrentDirectory);
        }
        for path in self.path {
            order.add(path, Rule::Path);
        }
        order.0
    }

    /// Returns the search order that `LOAD_LIBRARY_SEARCH_*` flags select.
    fn restricted(&self, top: Option<WinPath>, flags: LoadFlags) -> Vec<(WinPath, Rule)> {
        let mut order = SearchOrder::default();
        let asks = |flag| flags.has(LoadFlags::SEARCH_DEFAULT_DIRS) || flags.has(flag);
        if let Some(top) = top.filter(|_| flags.has(LoadFlags::SEARCH_DLL_LOAD_DIR)) {
            order.add(&top, Rule::DllDirectory);
        }
        if asks(LoadFlags::SEARCH_APPLICATION_DIR) {
            order.add(self.application, Rule::ApplicationDirectory);
        }
        if asks(LoadFlags::SEARCH_USER_DIRS) {
            // Microsoft leaves the order of added directories unspecified. Wine searches the newest
            // first.
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

/// A list of distinct directories.
#[derive(Default)]
struct SearchOrder(Vec<(WinPath, Rule)>);

impl SearchOrder {
    fn add(&mut self, path: &WinPath, rule: Rule) {
        if !self.0.iter().any(|(known, _)| known == path) {
            self.0.push((path.clone(), rule));
        }
    }
}

//! The program of a world, read from its directives.

use whydll::host::WinPath;
use whydll::loader::LoadFlags;

/// A program and its steps.
#[derive(Debug, Clone)]
pub struct Program {
    /// The directory that it is in.
    pub application: WinPath,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// One call of the Windows API.
#[derive(Debug, Clone)]
pub enum Step {
    /// SetCurrentDirectory.
    CurrentDirectory(WinPath),
    /// SetEnvironmentVariable of PATH.
    Path(Vec<WinPath>),
    /// SetDllDirectory.
    DllDirectory(Option<WinPath>),
    /// AddDllDirectory.
    AddDirectory(WinPath),
    /// RemoveDllDirectory of the directory that was added last under this name.
    RemoveDirectory(WinPath),
    /// SetDefaultDllDirectories.
    DefaultDirectories(LoadFlags),
    /// LoadLibrary, or LoadLibraryEx if there are flags.
    Load { name: String, flags: LoadFlags },
}

impl Program {
    /// Reads the directives of a world.
    ///
    /// # Errors
    /// A directive is unknown.
    pub fn read(directives: &[String]) -> Result<Program, String> {
        let mut application = WinPath::new(r"C:\app");
        let mut steps = Vec::new();
        for directive in directives {
            match directive.strip_prefix("application ") {
                Some(folder) => application = on_drive(folder),
                None => steps.push(step(directive).ok_or_else(|| format!("unknown directive: {directive}"))?),
            }
        }
        Ok(Program { application, steps })
    }

    /// Returns the path of its file.
    pub fn executable(&self) -> WinPath {
        self.application.join("probe.exe")
    }

    /// Returns the names that it loads, in order.
    pub fn loads(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Load { name, .. } => Some(name.as_str()),
            _ => None,
        })
    }
}

fn step(directive: &str) -> Option<Step> {
    let after = |verb| directive.strip_prefix(verb).map(str::trim);
    if let Some(folder) = after("current ") {
        Some(Step::CurrentDirectory(on_drive(folder)))
    } else if let Some(folders) = after("path ") {
        Some(Step::Path(folders.split(';').map(on_drive).collect()))
    } else if let Some(folder) = after("set dll directory") {
        Some(Step::DllDirectory(Some(folder).filter(|folder| !folder.is_empty()).map(on_drive)))
    } else if let Some(folder) = after("add directory ") {
        Some(Step::AddDirectory(on_drive(folder)))
    } else if let Some(folder) = after("remove directory ") {
        Some(Step::RemoveDirectory(on_drive(folder)))
    } else if let Some(flags) = after("default directories ") {
        Some(Step::DefaultDirectories(number(flags)?))
    } else {
        after("load ").and_then(load)
    }
}

fn load(rest: &str) -> Option<Step> {
    let default = LoadFlags::SEARCH_DEFAULT_DIRS;
    let modern = default.with(LoadFlags::SEARCH_DLL_LOAD_DIR);
    let named = [
        (" plain", LoadFlags::NONE),
        (" altered", LoadFlags::ALTERED_SEARCH_PATH),
        (" ctypes", default),
        (" modern", modern),
    ];
    let (name, flags) = match rest.split_once(" flags ") {
        Some((name, flags)) => (name, number(flags)?),
        None => named
            .iter()
            .find_map(|(how, flags)| Some((rest.strip_suffix(how)?, *flags)))
            .unwrap_or((rest, modern)),
    };
    let name = name.trim();
    let name = if name.starts_with('/') { on_drive(name).as_str().to_owned() } else { name.to_owned() };
    (!name.is_empty()).then_some(Step::Load { name, flags })
}

fn number(text: &str) -> Option<LoadFlags> {
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok().map(LoadFlags)
}

/// Turns `/app/a.dll` into `C:\app\a.dll`.
fn on_drive(path: &str) -> WinPath {
    WinPath::new(format!("C:{}", path.trim().replace('/', r"\")))
}

//! The outcome of one load, in a form that fits both loaders.

use std::fmt;

/// The outcome of one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The result of GetLastError; 0 if the load succeeded.
    pub code: u32,
    /// The file of the requested module.
    pub module: Option<String>,
    /// The faults in the order in which the loader meets them, each culprit once.
    pub faults: Vec<Fault>,
    /// The modules of the world that are loaded afterwards, in the order of the process's list.
    pub modules: Vec<String>,
}

/// One culprit of a load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Its Win32 code.
    pub code: u32,
    /// The base name of the module that needs it; `None` if the program itself requested it.
    pub importer: Option<String>,
    /// Its base name.
    pub culprit: String,
}

impl Fault {
    /// Makes a fault from names or paths in any spelling.
    pub fn new(code: u32, importer: Option<&str>, culprit: &str) -> Fault {
        Fault { code, importer: importer.map(base_name), culprit: base_name(culprit) }
    }
}

/// Returns `b.dll` for `C:\dlls\B.DLL` and for `B`.
pub fn base_name(name: &str) -> String {
    let name = name.rsplit(['\\', '/']).next().unwrap_or(name).to_ascii_lowercase();
    match name.strip_suffix('.') {
        Some(bare) => bare.to_owned(),
        None if name.contains('.') => name,
        None => format!("{name}.dll"),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let importer = self.importer.as_deref().unwrap_or("the program");
        write!(f, "{} for {}, needed by {importer}", self.code, self.culprit)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{module}")?,
            None => write!(f, "error {}", self.code)?,
        }
        for fault in &self.faults {
            write!(f, "; {fault}")?;
        }
        write!(f, "; loaded: {}", self.modules.join(", "))
    }
}

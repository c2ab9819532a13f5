//! What a loader says of one load, in a form that both can be brought into.

use std::fmt;

/// The outcome of one load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What GetLastError says; 0 if the load succeeded.
    pub code: u32,
    /// The file of the module that was asked for.
    pub module: Option<String>,
    /// What is wrong, in the order in which the loader meets it, each culprit once.
    pub faults: Vec<Fault>,
    /// The world's modules that are loaded afterwards, in the order of the process's list.
    pub modules: Vec<String>,
}

/// One culprit of a load.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Its Win32 code.
    pub code: u32,
    /// The base name of the module that needs it; none for what the program itself asked for.
    pub importer: Option<String>,
    /// Its base name.
    pub culprit: String,
}

impl Fault {
    /// A culprit, by names or paths in any spelling.
    pub fn new(code: u32, importer: Option<&str>, culprit: &str) -> Fault {
        Fault { code, importer: importer.map(base_name), culprit: base_name(culprit) }
    }
}

/// `C:\dlls\B.DLL` and `B` are `b.dll`.
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

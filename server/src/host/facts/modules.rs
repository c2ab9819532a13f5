//! Python modules, in files and in zip archives.

use crate::host::fact::{Fact, Retention};
use crate::host::fault::FileError;
use crate::host::native_files::NativeFiles;
use crate::host::path::WinPath;
use crate::source::{self, Script, Span};

/// What importing a module does, or what the definition in a part of it does.
#[derive(Debug, Clone)]
pub struct ScriptOf {
    /// The module.
    pub file: WinPath,
    /// The place of the definition.
    pub part: Option<Span>,
}

impl ScriptOf {
    /// Creates the question about a module, or about a [part](WinPath::with_part) of one.
    pub fn at(path: &WinPath) -> ScriptOf {
        match path.as_part() {
            Some((file, part)) => ScriptOf { file, part: Some(part) },
            None => ScriptOf { file: path.clone(), part: None },
        }
    }
}

impl Fact for ScriptOf {
    type Answer = Script;
    type Fault = FileError;

    const NAME: &'static str = "scripts";
    const RETENTION: Retention = Retention::Cache;

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.file)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.file)
    }

    fn detail(&self) -> String {
        self.part.map_or_else(String::new, |Span { start, end, line }| format!("{start}-{end}:{line}"))
    }

    fn read(&self, disk: &NativeFiles) -> Result<Script, FileError> {
        if let Some(part) = self.part {
            return Ok(source::lower_part(&disk.module_source(&self.file)?, part));
        }
        let bytes = disk.module(&self.file)?;
        if self.file.has_extension("pyc") {
            return source::lower_compiled(&bytes).map_err(|error| FileError::BadModule(error.to_string()));
        }
        Ok(source::lower(&String::from_utf8_lossy(&bytes)))
    }
}

/// The modules in a zip archive on `sys.path` as paths with `/` between packages, such as
/// `encodings/utf_8.pyc`, sorted.
#[derive(Debug, Clone)]
pub struct ModulesIn(pub WinPath);

impl Fact for ModulesIn {
    type Answer = Vec<String>;
    type Fault = FileError;

    const NAME: &'static str = "archives";
    const RETENTION: Retention = Retention::MemoryAndCache;

    fn files(&self) -> &[WinPath] {
        std::slice::from_ref(&self.0)
    }

    fn files_mut(&mut self) -> &mut [WinPath] {
        std::slice::from_mut(&mut self.0)
    }

    fn read(&self, disk: &NativeFiles) -> Result<Vec<String>, FileError> {
        Ok(disk.archive(&self.0)?.modules())
    }
}

//! The packages that a diagnosis is about.

use serde::{Deserialize, Serialize};

use super::coverage::Coverage;
use super::wording::name_of;
use crate::cpython::{Finder, Found};
use crate::environment::Environment;
use crate::host::{Host, WinPath};

/// The top-level package or module of a diagnosed import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosedPackage {
    /// The top-level name.
    pub import: String,
    /// The distribution that provides it, if known.
    pub distribution: Option<String>,
    /// The version of that distribution.
    pub version: Option<String>,
    /// The package's directory or the module's file.
    pub path: Option<WinPath>,
    /// The extent to which its import could be followed.
    pub coverage: Coverage,
}

impl DiagnosedPackage {
    /// Returns `tensorflow-cpu 2.3.0`, or as much of it as is known.
    pub fn installed(&self) -> String {
        let name = self.distribution.as_deref().unwrap_or(&self.import);
        self.version.as_ref().map_or_else(|| name.to_owned(), |version| format!("{name} {version}"))
    }

    /// Returns the text that follows "works" if there are gaps, see [`Coverage::extent`]. Files are
    /// named as by [`DiagnosedPackage::short`].
    pub fn extent(&self) -> String {
        self.coverage.extent(|file| self.short(file))
    }

    /// Returns the path of a file relative to the directory that contains the package. For a file
    /// elsewhere, returns its name.
    pub fn short(&self, file: &WinPath) -> String {
        let folder = self.path.as_ref().and_then(WinPath::parent);
        match folder.and_then(|folder| file.below(&folder).map(|tail| tail.replace('\\', "/"))) {
            Some(tail) => tail,
            None => file.file_name().to_owned(),
        }
    }
}

/// Returns the package's directory or the module's file, including a file for another Python.
pub(super) fn path_of(found: Found) -> Option<WinPath> {
    match found {
        Found::Package { folder, .. } => Some(folder),
        Found::Namespace(portions) => portions.into_iter().next(),
        Found::Source(path) | Found::Extension { path, .. } => Some(path),
        Found::Opaque { path } => path,
        Found::NotFound { for_other_python } => for_other_python,
        Found::Builtin | Found::Inaccessible(_) => None,
    }
}

/// Returns the package that is installed under a top-level name.
pub fn package(host: &Host, environment: &Environment, import: &str) -> DiagnosedPackage {
    let files = &*host.files;
    let finder = Finder::new(environment, host);
    let sys_path: Vec<WinPath> = environment.sys_path.iter().map(|entry| entry.path.clone()).collect();
    let path = path_of(finder.top_level(import, &sys_path));
    // Leftovers of a removed distribution don't provide a package.
    let provider = path.is_some().then(|| environment.find(import)).flatten();
    let provider = match provider {
        Some(provider) if provider.shim_for(files).is_none() => Some(provider),
        _ if path.is_some() => environment.providers(import, files).into_iter().next(),
        _ => None,
    };
    DiagnosedPackage {
        import: import.to_owned(),
        distribution: provider.map(|provider| name_of(provider, files)),
        version: provider.and_then(|provider| provider.version.clone()),
        path,
        coverage: Coverage::default(),
    }
}

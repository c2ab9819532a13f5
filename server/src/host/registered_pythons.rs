//! Pythons that the registry tells of: those that registered themselves (PEP 514), as python.org's installer, conda's and Visual
//! Studio's do, and packages of the Microsoft Store.
//!
//! The rest of the program sees entries only, whether they come from the registry of the system that we run on, from a
//! snapshot, or from a test.

use serde::{Deserialize, Serialize};

use super::{Host, WinPath};

/// An interpreter that the registry tells of. It need not exist any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredPython {
    /// Where it is told of.
    pub registration: Registration,
    /// Who registered it: `PythonCore` for python.org's.
    pub company: String,
    /// Which one it is: `3.11`, `3.11-32`; of a package its full name.
    pub tag: String,
    /// Its `python.exe`.
    pub executable: WinPath,
}

/// Where the registry tells of an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// `HKEY_CURRENT_USER\Software\Python`
    User,
    /// `HKEY_LOCAL_MACHINE\Software\Python` as 64-bit programs see it.
    Machine,
    /// The same as 32-bit programs see it.
    Machine32,
    /// A package of the Store that this user has.
    Package,
}

/// Below it each company has a key, and below that each tag (PEP 514).
const PYTHON: &str = r"Software\Python";

/// The view of 32-bit programs, as 64-bit ones can name it (Microsoft, "Registry Keys Affected by WOW64").
const PYTHON_32: &str = r"Software\WOW6432Node\Python";

/// Packages of this user; the value `PackageRootFolder` says where each lies. `GetPackagePathByFullName` would
/// say the same.
#[cfg(windows)]
const PACKAGES: &str =
    r"Software\Classes\Local Settings\Software\Microsoft\Windows\CurrentVersion\AppModel\Repository\Packages";

/// What the names of the Store's Pythons begin with (PC/layout/support/appxmanifest.py).
pub const STORE_PACKAGE: &str = "PythonSoftwareFoundation.Python.";

impl RegisteredPython {
    /// The key, for people.
    pub fn key(&self) -> String {
        let (hive, python) = match self.registration {
            Registration::User => ("HKEY_CURRENT_USER", PYTHON),
            Registration::Machine => ("HKEY_LOCAL_MACHINE", PYTHON),
            Registration::Machine32 => ("HKEY_LOCAL_MACHINE", PYTHON_32),
            Registration::Package => return format!("package {}", self.tag),
        };
        format!(r"{hive}\{python}\{}\{}", self.company, self.tag)
    }
}

impl Host {
    /// With these entries of its registry.
    pub fn with_registered_pythons(mut self, pythons: Vec<RegisteredPython>) -> Host {
        self.registered_pythons = pythons.into();
        self
    }
}

/// What the registry of the system that we run on tells. A key that cannot be read tells nothing.
#[cfg(windows)]
pub(super) fn of_this_system() -> Vec<RegisteredPython> {
    use windows_registry::{CURRENT_USER, LOCAL_MACHINE};

    let mut found = Vec::new();
    // Both views show the same keys of the user.
    let hives = [
        (Registration::User, CURRENT_USER, PYTHON),
        (Registration::Machine, LOCAL_MACHINE, PYTHON),
        (Registration::Machine32, LOCAL_MACHINE, PYTHON_32),
    ];
    for (registration, hive, path) in hives {
        let Ok(python) = hive.open(path) else { continue };
        for company in names_below(&python) {
            let Ok(key) = python.open(&company) else { continue };
            for tag in names_below(&key) {
                let Ok(install) = key.open(format!(r"{tag}\InstallPath")) else { continue };
                let folder = || install.get_string("").ok().filter(|folder| !folder.is_empty());
                let executable = install.get_string("ExecutablePath").ok().map(WinPath::new);
                let executable = executable.or_else(|| Some(WinPath::new(folder()?).join("python.exe")));
                let company = company.clone();
                found.extend(executable.map(|executable| RegisteredPython {
                    registration,
                    company,
                    tag,
                    executable,
                }));
            }
        }
    }
    let Ok(packages) = CURRENT_USER.open(PACKAGES) else { return found };
    for tag in names_below(&packages).filter(|name| name.starts_with(STORE_PACKAGE)) {
        let folder = packages.open(&tag).and_then(|package| package.get_string("PackageRootFolder"));
        found.extend(folder.ok().map(|folder| RegisteredPython {
            registration: Registration::Package,
            company: "PythonSoftwareFoundation".to_owned(),
            executable: WinPath::new(folder).join("python.exe"),
            tag,
        }));
    }
    found
}

#[cfg(windows)]
fn names_below(key: &windows_registry::Key) -> impl Iterator<Item = String> {
    /// More than any registry has.
    const MOST: usize = 10_000;
    key.keys().ok().into_iter().flatten().take(MOST).collect::<Vec<_>>().into_iter()
}

//! The Pythons in the registry: those that registered themselves (PEP 514), such as python.org's,
//! conda's, and Visual Studio's, and packages of the Microsoft Store.
//!
//! The rest of the program only sees entries, whether they come from the registry of this machine,
//! from a snapshot, or from a test.

use serde::{Deserialize, Serialize};

use super::WinPath;

/// An interpreter in the registry. It may not exist any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredPython {
    /// The part of the registry that it comes from.
    pub registration: Registration,
    /// The company that registered it, such as `PythonCore` for python.org.
    pub company: String,
    /// The tag that identifies it, such as `3.11` or `3.11-32`; for a package, its full name.
    pub tag: String,
    /// The path of its `python.exe`.
    pub executable: WinPath,
}

/// The part of the registry that describes an interpreter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// `HKEY_CURRENT_USER\Software\Python`.
    User,
    /// `HKEY_LOCAL_MACHINE\Software\Python` in the view of 64-bit programs.
    Machine,
    /// `HKEY_LOCAL_MACHINE\Software\Python` in the view of 32-bit programs.
    Machine32,
    /// A package of the Store that is installed for this user.
    Package,
}

/// The key that has a subkey for each company, which in turn has one for each tag (PEP 514).
const PYTHON: &str = r"Software\Python";

/// The same key in the view of 32-bit programs, by the name that 64-bit programs can use
/// (Microsoft, "Registry Keys Affected by WOW64").
const PYTHON_32: &str = r"Software\WOW6432Node\Python";

/// The key of this user's packages. The value `PackageRootFolder` of each is its directory, which
/// `GetPackagePathByFullName` would also return.
#[cfg(windows)]
const PACKAGES: &str =
    r"Software\Classes\Local Settings\Software\Microsoft\Windows\CurrentVersion\AppModel\Repository\Packages";

/// The prefix of the names of the Store's Pythons (PC/layout/support/appxmanifest.py).
pub const STORE_PACKAGE: &str = "PythonSoftwareFoundation.Python.";

impl RegisteredPython {
    /// Returns the registry key in human-readable form.
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

/// Returns the interpreters in the registry of this machine. A key that cannot be read is skipped.
#[cfg(windows)]
pub(super) fn of_this_system() -> Vec<RegisteredPython> {
    use windows_registry::{CURRENT_USER, LOCAL_MACHINE};

    let mut found = Vec::new();
    // Both views show the same keys below HKEY_CURRENT_USER.
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
    /// The maximum number of subkeys. No registry has more.
    const MAX_KEYS: usize = 10_000;
    key.keys().ok().into_iter().flatten().take(MAX_KEYS).collect::<Vec<_>>().into_iter()
}

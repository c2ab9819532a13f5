//! Properties of every Windows account: the variables of each of its processes, and the directories
//! of its profile.

use std::collections::BTreeMap;

use super::{EntryKind, Host, HostKind, WinPath};
use crate::image::Machine;

/// The variables that every process has, regardless of their values (Microsoft, "Recognized
/// environment variables").
const ALWAYS_SET: [&str; 28] = [
    "ALLUSERSPROFILE",
    "APPDATA",
    "COMMONPROGRAMFILES",
    "COMMONPROGRAMFILES(X86)",
    "COMMONPROGRAMW6432",
    "COMPUTERNAME",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "PROCESSOR_IDENTIFIER",
    "PROCESSOR_LEVEL",
    "PROCESSOR_REVISION",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "PROGRAMFILES(X86)",
    "PROGRAMW6432",
    "PUBLIC",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "WINDIR",
];

/// The profile of the account that uses a clean Windows, unless another one is known.
const HOME: &str = r"C:\Users\user";

/// The directories of that profile that its variables name, outermost first.
pub(super) const PROFILE: [&str; 6] = [
    r"C:\Users",
    HOME,
    r"C:\Users\user\AppData",
    r"C:\Users\user\AppData\Local",
    r"C:\Users\user\AppData\Local\Temp",
    r"C:\Users\user\AppData\Roaming",
];

/// Directories in `C:\Users` that are not the profile of an account.
const NOT_PROFILES: [&str; 4] = ["All Users", "Default", "Default User", "Public"];

/// Whether every process on Windows has a variable with this upper-case name.
pub fn is_always_set(name: &str) -> bool {
    ALWAYS_SET.binary_search(&name).is_ok()
}

/// Returns the profile that contains `path`, such as `C:\Users\me`.
pub fn profile_of(path: &WinPath) -> Option<WinPath> {
    std::iter::successors(Some(path.clone()), WinPath::parent).find(|folder| {
        folder.parent().is_some_and(|users| {
            users.file_name().eq_ignore_ascii_case("Users")
                && users.parent().is_some_and(|root| root.file_name().is_empty())
        })
    })
}

impl Host {
    /// Returns the profiles of its accounts, such as `C:\Users\me`.
    pub fn profiles(&self) -> Vec<WinPath> {
        let drive = self.windows_directory.parent().unwrap_or_else(|| WinPath::new(r"C:\"));
        let users = drive.join("Users");
        let listing = self.files.folder(&users).unwrap_or_default();
        let folders = listing.entries().into_iter().filter(|entry| {
            entry.kind == EntryKind::Folder
                && !NOT_PROFILES.iter().any(|name| entry.name.eq_ignore_ascii_case(name))
        });
        folders.map(|entry| users.join(&entry.name)).collect()
    }

    /// Returns the profile of the drive's only account, or `None` if there are several.
    fn only_profile(&self) -> Option<WinPath> {
        match self.profiles().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Returns the profile of the account that runs `program`: the profile that contains the
    /// program, or else the only one on the drive.
    fn profile_for(&self, program: &WinPath) -> Option<WinPath> {
        profile_of(program).or_else(|| self.only_profile())
    }

    /// Returns `%APPDATA%`. On a drive with only one account, it is derived from that account's
    /// profile.
    pub fn roaming_data(&self) -> Option<WinPath> {
        let variable = self.variables.get("APPDATA").filter(|value| !value.is_empty());
        variable.map(WinPath::new).or_else(|| match self.kind {
            HostKind::Directory => Some(roaming_of(&self.only_profile()?)),
            // Known with certainty from the recording.
            HostKind::Snapshot { .. } => self.recorded_roaming_data.clone(),
            _ => None,
        })
    }

    /// Whether processes have the PATH of a new Windows, which starts with
    /// `C:\Windows\system32;C:\Windows`, unless something else is known.
    pub fn has_new_path(&self) -> bool {
        matches!(self.kind, HostKind::Baseline(_)) || self.recorded_new_path
    }

    /// Returns the environment variables of a process of `program` that follow from the machine and
    /// the account, by upper-case name. [`Host::variables`] takes precedence. All variables are
    /// known on a clean Windows; on a drive, only those that name directories of the profile.
    ///
    /// Sources: the variables of a new account of Windows 11 23H2; Microsoft, "WOW64 Implementation
    /// Details".
    pub fn usual_variables(&self, program: &WinPath, machine: Machine) -> BTreeMap<String, String> {
        let is_clean = match self.kind {
            HostKind::Live => return BTreeMap::new(),
            HostKind::Snapshot { .. } => return self.recorded_variables.clone(),
            HostKind::Directory => false,
            HostKind::Baseline(_) => true,
        };
        let home = self.profile_for(program).or_else(|| is_clean.then(|| WinPath::new(HOME)));
        let mut variables = home.map_or_else(Vec::new, |home| account_variables(&home));
        if is_clean {
            variables.extend(self.clean_system_variables(machine));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Returns the variables that are the same for all accounts of a clean Windows.
    fn clean_system_variables(&self, machine: Machine) -> Vec<(&'static str, String)> {
        let windows = self.windows_directory.to_string();
        let (programs, architecture) = match machine {
            Machine::X86 => (r"C:\Program Files (x86)", "x86"),
            Machine::Arm64 => (r"C:\Program Files", "ARM64"),
            _ => (r"C:\Program Files", "AMD64"),
        };
        vec![
            ("ALLUSERSPROFILE", r"C:\ProgramData".to_owned()),
            ("COMMONPROGRAMFILES", format!(r"{programs}\Common Files")),
            ("COMSPEC", format!(r"{windows}\system32\cmd.exe")),
            ("OS", "Windows_NT".to_owned()),
            ("PATHEXT", ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC".to_owned()),
            ("PROCESSOR_ARCHITECTURE", architecture.to_owned()),
            ("PROGRAMDATA", r"C:\ProgramData".to_owned()),
            ("PROGRAMFILES", programs.to_owned()),
            ("PROGRAMFILES(X86)", r"C:\Program Files (x86)".to_owned()),
            ("PROGRAMW6432", r"C:\Program Files".to_owned()),
            ("PUBLIC", r"C:\Users\Public".to_owned()),
            ("SYSTEMDRIVE", "C:".to_owned()),
            ("SYSTEMROOT", windows.clone()),
            ("WINDIR", windows),
        ]
    }
}

fn roaming_of(home: &WinPath) -> WinPath {
    home.join(r"AppData\Roaming")
}

/// Returns the variables that name the directories of an account.
fn account_variables(home: &WinPath) -> Vec<(&'static str, String)> {
    let local = home.join(r"AppData\Local");
    let temporary = local.join("Temp").to_string();
    let (drive, below) = home.as_str().split_at(home.as_str().find('\\').unwrap_or_default());
    vec![
        ("APPDATA", roaming_of(home).to_string()),
        ("HOMEDRIVE", drive.to_owned()),
        ("HOMEPATH", below.to_owned()),
        ("LOCALAPPDATA", local.to_string()),
        ("TEMP", temporary.clone()),
        ("TMP", temporary),
        ("USERPROFILE", home.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Baseline;

    #[test]
    fn the_names_are_sorted() {
        assert!(ALWAYS_SET.is_sorted());
    }

    #[test]
    fn the_account_is_the_one_whose_profile_contains_the_program() {
        // This drive has no profiles.
        let drive = tempfile::tempdir().unwrap();
        let host = Host::baseline(Baseline::DEFAULT, Some(drive.path()), std::sync::Arc::default());
        for (program, home) in [
            (r"C:\Users\me\venv\Scripts\python.exe", r"C:\Users\me"),
            (r"D:\Users\me\python.exe", r"D:\Users\me"),
            (r"C:\Python\python.exe", HOME),
            (r"C:\data\Users\me\python.exe", HOME),
        ] {
            let variables = host.usual_variables(&WinPath::new(program), Machine::X64);
            assert_eq!(variables["USERPROFILE"], home, "{program}");
            assert!(variables.keys().all(|name| is_always_set(name)));
        }
    }
}

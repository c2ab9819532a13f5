//! What every account of Windows has: variables that each of its processes starts with, and the folders of its profile.

use std::collections::BTreeMap;

use super::{EntryKind, Host, HostKind, WinPath};
use crate::image::Machine;

/// Variables that every process has, whatever their values are (Microsoft, "Recognized environment variables").
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

/// The profile of the account that a clean Windows is used by, unless there is another.
const HOME: &str = r"C:\Users\user";

/// The folders of that profile which its variables name, outermost first.
pub(super) const PROFILE: [&str; 6] = [
    r"C:\Users",
    HOME,
    r"C:\Users\user\AppData",
    r"C:\Users\user\AppData\Local",
    r"C:\Users\user\AppData\Local\Temp",
    r"C:\Users\user\AppData\Roaming",
];

/// Folders in `C:\Users` that are nobody's.
const NOBODYS: [&str; 4] = ["All Users", "Default", "Default User", "Public"];

/// Whether every process on Windows has a variable of this name, which is in upper case.
pub fn is_always_set(name: &str) -> bool {
    ALWAYS_SET.binary_search(&name).is_ok()
}

/// The profile that contains `path`: `C:\Users\me`.
pub fn profile_of(path: &WinPath) -> Option<WinPath> {
    std::iter::successors(Some(path.clone()), WinPath::parent).find(|folder| {
        folder.parent().is_some_and(|users| {
            users.file_name().eq_ignore_ascii_case("Users")
                && users.parent().is_some_and(|root| root.file_name().is_empty())
        })
    })
}

impl Host {
    /// The profiles of its accounts: `C:\Users\me`.
    pub fn profiles(&self) -> Vec<WinPath> {
        let drive = self.windows_directory.parent().unwrap_or_else(|| WinPath::new(r"C:\"));
        let users = drive.join("Users");
        let listing = self.files.folder(&users).unwrap_or_default();
        let folders = listing.entries().into_iter().filter(|entry| {
            entry.kind == EntryKind::Folder
                && !NOBODYS.iter().any(|name| entry.name.eq_ignore_ascii_case(name))
        });
        folders.map(|entry| users.join(&entry.name)).collect()
    }

    /// The profile of the only account of a drive; none if there are several.
    fn only_profile(&self) -> Option<WinPath> {
        match self.profiles().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// The profile of the account that runs `program`: the profile that contains the program, or else the only one on the drive.
    fn profile_for(&self, program: &WinPath) -> Option<WinPath> {
        profile_of(program).or_else(|| self.only_profile())
    }

    /// `%APPDATA%`, of a drive that only one account uses by that account's profile.
    pub fn roaming_data(&self) -> Option<WinPath> {
        let variable = self.variables.get("APPDATA").filter(|value| !value.is_empty());
        variable.map(WinPath::new).or_else(|| match self.kind {
            HostKind::Directory => Some(roaming_of(&self.only_profile()?)),
            // Of a recorded machine it is known where it is for sure.
            HostKind::Snapshot { .. } => self.recorded_roaming_data.clone(),
            _ => None,
        })
    }

    /// Whether processes have the PATH of a new Windows, `C:\Windows\system32;C:\Windows` first of all, if nothing else is known.
    pub fn has_new_path(&self) -> bool {
        matches!(self.kind, HostKind::Baseline(_)) || self.recorded_new_path
    }

    /// The environment variables of a process of `program`, as far as they follow from the machine and the account, by their names in
    /// upper case; [`Host::variables`] comes before them. All are known on a clean Windows, and on a drive those that name folders of
    /// the profile.
    ///
    /// Sources: the variables of a new account of Windows 11 23H2; Microsoft, "WOW64 Implementation Details".
    pub fn usual_variables(&self, program: &WinPath, machine: Machine) -> BTreeMap<String, String> {
        let is_clean = match self.kind {
            HostKind::Live => return BTreeMap::new(),
            HostKind::Snapshot { .. } => return self.recorded_variables.clone(),
            HostKind::Directory => false,
            HostKind::Baseline(_) => true,
        };
        let home = self.profile_for(program).or_else(|| is_clean.then(|| WinPath::new(HOME)));
        let mut variables = home.map_or_else(Vec::new, |home| of_account(&home));
        if is_clean {
            variables.extend(self.of_clean_system(machine));
        }
        variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The variables that are the same for all accounts of a clean Windows.
    fn of_clean_system(&self, machine: Machine) -> Vec<(&'static str, String)> {
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

/// The variables that name the folders of an account.
fn of_account(home: &WinPath) -> Vec<(&'static str, String)> {
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

    #[test]
    fn the_names_are_in_order() {
        assert!(ALWAYS_SET.is_sorted());
    }

    #[test]
    fn the_account_is_the_one_whose_profile_holds_the_program() {
        // Nobody has a profile on this drive.
        let drive = tempfile::tempdir().unwrap();
        let host = Host::named_on_drive("windows-11", Some(drive.path()), std::sync::Arc::default()).unwrap();
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

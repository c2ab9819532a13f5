//! What every account of Windows has: variables that each of its processes starts with, and the folders of its profile.

use super::{Host, HostKind, WinPath};
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

/// Where the profile of the account lies that a clean Windows is used by, unless the interpreter lies in one.
pub(super) const HOME: &str = r"C:\Users\user";

/// The folders of that profile which its variables name, outermost first.
pub(super) const PROFILE: [&str; 6] = [
    r"C:\Users",
    HOME,
    r"C:\Users\user\AppData",
    r"C:\Users\user\AppData\Local",
    r"C:\Users\user\AppData\Local\Temp",
    r"C:\Users\user\AppData\Roaming",
];

/// Whether every process on Windows has a variable of this name, which is in upper case.
pub fn is_always_set(name: &str) -> bool {
    ALWAYS_SET.binary_search(&name).is_ok()
}

/// The profile that `path` lies in: `C:\Users\me`.
pub fn profile_of(path: &WinPath) -> Option<WinPath> {
    std::iter::successors(Some(path.clone()), WinPath::parent).find(|folder| {
        folder.parent().is_some_and(|users| {
            users.file_name().eq_ignore_ascii_case("Users")
                && users.parent().is_some_and(|root| root.file_name().is_empty())
        })
    })
}

impl Host {
    /// With the variables that a process starts with on a clean Windows, where the host is one, in names of upper case. The
    /// account is the one in whose profile `program` lies, or a new one.
    ///
    /// Sources: the variables of a new account of Windows 11 23H2; Microsoft, "WOW64 Implementation Details".
    pub fn clean_variables(&self, program: &WinPath, machine: Machine) -> Vec<(&'static str, String)> {
        if !matches!(self.kind, HostKind::Baseline(_)) {
            return Vec::new();
        }
        let home = profile_of(program).unwrap_or_else(|| WinPath::new(HOME));
        let local = home.join(r"AppData\Local");
        let temporary = local.join("Temp").to_string();
        let windows = self.windows_directory.to_string();
        let (programs, architecture) = match machine {
            Machine::X86 => (r"C:\Program Files (x86)", "x86"),
            Machine::Arm64 => (r"C:\Program Files", "ARM64"),
            _ => (r"C:\Program Files", "AMD64"),
        };
        let (drive, below) = home.as_str().split_at(home.as_str().find('\\').unwrap_or_default());
        vec![
            ("ALLUSERSPROFILE", r"C:\ProgramData".to_owned()),
            ("APPDATA", home.join(r"AppData\Roaming").to_string()),
            ("COMMONPROGRAMFILES", format!(r"{programs}\Common Files")),
            ("COMSPEC", format!(r"{windows}\system32\cmd.exe")),
            ("HOMEDRIVE", drive.to_owned()),
            ("HOMEPATH", below.to_owned()),
            ("LOCALAPPDATA", local.to_string()),
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
            ("TEMP", temporary.clone()),
            ("TMP", temporary),
            ("USERPROFILE", home.to_string()),
            ("WINDIR", windows),
        ]
    }
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
        for (program, home) in [
            (r"C:\Users\me\venv\Scripts\python.exe", r"C:\Users\me"),
            (r"D:\Users\me\python.exe", r"D:\Users\me"),
            (r"C:\Python\python.exe", HOME),
            (r"C:\data\Users\me\python.exe", HOME),
        ] {
            let host = Host::named("windows-11", std::sync::Arc::default()).unwrap();
            let variables = host.clean_variables(&WinPath::new(program), Machine::X64);
            assert!(variables.contains(&("USERPROFILE", home.to_owned())), "{program}");
            assert!(variables.iter().all(|(name, _)| is_always_set(name)));
        }
    }
}

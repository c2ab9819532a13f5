//! Whose folders are looked into.

use crate::host::{EntryKind, Host, WinPath};

/// A user of the machine.
pub(super) struct User {
    /// `C:\Users\me`
    pub home: WinPath,
    /// `%APPDATA%`
    pub roaming: WinPath,
    /// `%LOCALAPPDATA%`
    pub local: WinPath,
}

/// Folders in `C:\Users` that are nobody's.
const NOBODYS: [&str; 4] = ["All Users", "Default", "Default User", "Public"];

impl User {
    /// The one whose variables are known, or else everybody who has a folder on the drive.
    pub fn of(host: &Host) -> Vec<User> {
        let variable = |name: &str| host.variables.get(name).map(WinPath::new);
        if let Some(home) = variable("USERPROFILE") {
            let user = User::at(home);
            return vec![User {
                roaming: variable("APPDATA").unwrap_or(user.roaming),
                local: variable("LOCALAPPDATA").unwrap_or(user.local),
                home: user.home,
            }];
        }
        let drive = host.windows_directory.parent().unwrap_or_else(|| WinPath::new(r"C:\"));
        let users = drive.join("Users");
        let listing = host.files.folder(&users).unwrap_or_default();
        let folders = listing.entries().into_iter().filter(|entry| {
            entry.kind == EntryKind::Folder
                && !NOBODYS.iter().any(|name| entry.name.eq_ignore_ascii_case(name))
        });
        folders.take(super::MOST).map(|entry| User::at(users.join(&entry.name))).collect()
    }

    fn at(home: WinPath) -> User {
        let data = home.join("AppData");
        User { roaming: data.join("Roaming"), local: data.join("Local"), home }
    }
}

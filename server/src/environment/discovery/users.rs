//! Whose folders are looked into.

use crate::host::{Host, WinPath};

/// A user of the machine.
pub(super) struct User {
    /// `C:\Users\me`
    pub home: WinPath,
    /// `%APPDATA%`
    pub roaming: WinPath,
    /// `%LOCALAPPDATA%`
    pub local: WinPath,
}

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
        host.profiles().into_iter().take(super::MOST).map(User::at).collect()
    }

    fn at(home: WinPath) -> User {
        let data = home.join("AppData");
        User { roaming: data.join("Roaming"), local: data.join("Local"), home }
    }
}

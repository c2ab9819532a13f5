//! The users whose directories are searched.

use crate::host::{Host, WinPath};

/// A user of the machine.
pub(super) struct User {
    /// The home directory, such as `C:\Users\me`.
    pub home: WinPath,
    /// The value of `%APPDATA%`.
    pub roaming: WinPath,
    /// The value of `%LOCALAPPDATA%`.
    pub local: WinPath,
}

impl User {
    /// Returns the user whose variables are known, or else all users with a profile on the drive.
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
        host.profiles().into_iter().take(super::MAX_ENTRIES).map(User::at).collect()
    }

    fn at(home: WinPath) -> User {
        let data = home.join("AppData");
        User { roaming: data.join("Roaming"), local: data.join("Local"), home }
    }
}

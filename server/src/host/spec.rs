//! Names of machines: the values of `--host` and of the setting `whydll.host`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Baseline, FactCache, Host, HostError, snapshot};

/// The machine to analyse, as the user names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostSpec {
    /// `live`: the Windows that WhyDLL runs on.
    Live,
    /// A clean Windows, such as `windows-11`.
    Baseline(Baseline),
    /// A directory that holds a system drive, or a snapshot file. Which of them is only known when
    /// it is opened, because it may appear after an editor's settings were read.
    Path(PathBuf),
}

impl Host {
    /// Opens the machine that `name` names as a value of `--host`.
    ///
    /// # Errors
    /// As for [`HostSpec::open`].
    pub fn named(name: &str, cache: Arc<FactCache>) -> Result<Host, HostError> {
        HostSpec::from(name).open(None, cache)
    }
}

impl From<&str> for HostSpec {
    fn from(name: &str) -> HostSpec {
        match Baseline::named(name) {
            Some(baseline) => HostSpec::Baseline(baseline),
            None if name == "live" => HostSpec::Live,
            None => HostSpec::Path(PathBuf::from(name)),
        }
    }
}

impl fmt::Display for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostSpec::Live => f.write_str("live"),
            HostSpec::Baseline(baseline) => f.write_str(baseline.name),
            HostSpec::Path(path) => path.display().fmt(f),
        }
    }
}

impl HostSpec {
    /// Opens the machine. Next to a baseline, the directory `drive` stands for `C:`.
    ///
    /// # Errors
    /// The reason why there is no such machine, or why it can't be read.
    pub fn open(&self, drive: Option<&Path>, cache: Arc<FactCache>) -> Result<Host, HostError> {
        match self {
            HostSpec::Live => Host::live(cache),
            HostSpec::Baseline(baseline) => Ok(Host::baseline(*baseline, drive, cache)),
            HostSpec::Path(path) if path.is_dir() => Host::directory(path, cache),
            HostSpec::Path(path) if path.is_file() => Ok(snapshot::open(path)?),
            HostSpec::Path(path) => Err(HostError::Unknown(path.display().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_live_a_baseline_or_a_path() {
        assert_eq!(HostSpec::from("live"), HostSpec::Live);
        for baseline in Baseline::ALL {
            assert_eq!(HostSpec::from(baseline.name), HostSpec::Baseline(baseline));
        }
        assert_eq!(HostSpec::from("windows-12"), HostSpec::Path("windows-12".into()));
        for name in ["live", "windows-11+vcredist", "machine.snapshot.xz"] {
            assert_eq!(HostSpec::from(name).to_string(), name);
        }
    }

    #[test]
    fn a_path_that_does_not_exist_is_an_unknown_host() {
        let opened = HostSpec::from("windows-12").open(None, Arc::default());
        assert_eq!(opened.err(), Some(HostError::Unknown("windows-12".to_owned())));
    }
}

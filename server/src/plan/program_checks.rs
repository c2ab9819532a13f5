//! Checks that a program makes before it loads anything: for DLLs, and for distributions that
//! conflict.

use rustc_hash::FxHashSet;

use super::value::{Exception, Value};
use super::{LoadFailure, LoadKind, Place, Plan};
use crate::cpython::LoadError;
use crate::host::{WinPath, path_directories};
use crate::loader::{Cause, Failure, Fault, Link, Rule, Searched};
use crate::source::Name;

impl Plan<'_> {
    /// Determines whether an exception that the program raised results from one of its own checks.
    pub(super) fn find_reason(&mut self, raised: &mut Exception, at: &Place) {
        // "Cannot find the library": it was installed and is missing now.
        raised.missing_recorded_file = self.lost_file();
        if raised.missing_recorded_file.is_none() {
            raised.failures = self.missing_on_path(raised, at);
        }
        if raised.is_unfounded() {
            raised.conflicting_distributions = self.named_distributions(raised);
        }
    }

    /// Returns failed loads for the DLLs that the program did not find in the folders of PATH,
    /// where it checked without loading them, and that the exception names. TensorFlow 2.22 checks
    /// for the VC++ runtime in this way (`tensorflow/python/platform/self_check.py`).
    fn missing_on_path(&mut self, exception: &Exception, at: &Place) -> Vec<usize> {
        let Some(message) = exception.message.clone() else { return Vec::new() };
        let Some(path) = self.world.variable(&Value::str("PATH")).text() else { return Vec::new() };
        let folders = path_directories(&path);
        let is_on_path = |file: &&WinPath| file.parent().is_some_and(|folder| folders.contains(&folder));
        let names = self.world.missing_native_files.iter().filter(is_on_path).map(WinPath::file_name);
        let mut names: Vec<String> =
            names.filter(|name| message.contains(*name)).map(str::to_owned).collect();
        let mut seen = FxHashSet::default();
        names.retain(|name| seen.insert(name.clone()));
        let searched = |directory: &WinPath| Searched {
            directory: directory.clone(),
            rule: Rule::Path,
            passed_over: None,
        };
        let failed = names.into_iter().map(|name| {
            let cause = Cause::NotFound { searched: folders.iter().map(searched).collect() };
            let chain = vec![Link { name: name.clone(), path: None }];
            let failure = Failure { first: Fault { chain, cause }, others: Vec::new(), found: Vec::new() };
            LoadFailure {
                target: name,
                kind: LoadKind::FileCheck,
                at: at.clone(),
                error: LoadError::Windows(failure),
                sentence: exception.sentence().unwrap_or_default(),
                uncertain: false,
                doubt: None,
            }
        });
        let failed: Vec<LoadFailure> = failed.collect();
        failed.into_iter().map(|failure| self.failed(failure)).collect()
    }

    /// Returns the installed distributions that an exception names with their versions, if the
    /// program queried these and they differ. Those of TensorFlow install the same files
    /// (`tensorflow/python/platform/self_check.py`, since 2.22).
    fn named_distributions(&self, exception: &Exception) -> Vec<Name> {
        let Some(message) = &exception.message else { return Vec::new() };
        let is_named = |(name, version): &&(Name, Name)| message.contains(&*format!("{name} {version}"));
        let named: Vec<&(Name, Name)> = self.world.requested_versions.iter().filter(is_named).collect();
        let differ =
            named.iter().any(|(_, version)| named.first().is_some_and(|(_, first)| version != first));
        if differ { named.into_iter().map(|(name, _)| name.clone()).collect() } else { Vec::new() }
    }
}

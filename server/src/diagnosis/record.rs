//! Records a snapshot of everything that a diagnosis reads.

use std::collections::BTreeSet;

use super::{Diagnosis, Import, diagnose};
use crate::environment::{Environment, EnvironmentKind, Note};
use crate::host::snapshot::{FinishedSnapshot, Recorder, Recording, SnapshotError};
use crate::host::{Host, WinPath};
use crate::source::placeholders;

/// The private contents that the user allows in a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// The names of users, servers, and companies.
    pub names: bool,
    /// The behavior of modules outside of the environment: those of the user's own projects.
    pub own_modules: bool,
}

/// A snapshot that hasn't been written to a file yet.
pub struct UnsavedSnapshot {
    /// The snapshot itself.
    pub snapshot: FinishedSnapshot,
    /// The number of strings in modules, files, and variables that could be withheld.
    pub withholdable: usize,
    /// The number of these strings that the snapshot contains.
    pub included: usize,
    /// Whether a replay reproduces the recorded diagnosis. If not, it isn't known which strings are
    /// missing.
    pub is_exact: bool,
    /// The modules outside of the environment that the snapshot contains.
    pub own_modules: Vec<WinPath>,
}

/// Diagnoses `imports` on the machine that `recorder` observes, and creates a snapshot of what was
/// read. Of the strings in modules, unknown files, and variables, the snapshot contains those that
/// the diagnosis needs. `asked` describes how the user consents to including modules of their own
/// projects.
///
/// Needs as much stack as [`diagnose`].
pub fn record(
    recorder: &Recorder,
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    consent: Consent,
    asked: &'static str,
) -> Result<UnsavedSnapshot, SnapshotError> {
    let diagnosis = diagnose(host, environment, imports);
    host.vc_runtimes();
    let prefixes = [&environment.prefix, &environment.base_prefix];
    let recording = recorder.recording(host, &prefixes);
    // A virtual environment may also be the directory of a project.
    let installed = prefixes.map(|prefix| [prefix.join("Lib"), prefix.join("DLLs")]);
    // The embeddable package has no other directory for modules.
    let embedded =
        (environment.base_kind == EnvironmentKind::Embeddable).then(|| environment.base_prefix.clone());
    let installed: Vec<WinPath> =
        installed.into_iter().flatten().chain(environment.user_site.clone()).chain(embedded).collect();
    let own_modules: Vec<WinPath> = recording.modules_outside(&installed).into_iter().cloned().collect();
    if !own_modules.is_empty() && !consent.own_modules {
        return Err(SnapshotError::OwnModules { modules: own_modules, asked });
    }
    let replay = Replay {
        recording: &recording,
        host,
        interpreter: &environment.selected,
        imports,
        diagnosis: &diagnosis,
        description_before: description(environment),
    };
    let (kept, is_exact) = replay.needed()?;
    let withholdable = recording.texts();
    let snapshot = recording.finished(host, &environment.selected, &kept, consent.names)?;
    // Replacing names may have changed paths that a program evaluates.
    let is_exact = is_exact && (consent.names || has_same_faults(&snapshot.replayed()?, imports, &diagnosis));
    let snapshot = if is_exact { snapshot } else { snapshot.inexact() };
    Ok(UnsavedSnapshot { snapshot, withholdable, included: kept.len(), is_exact, own_modules })
}

/// Whether the replayed machine, on which names are replaced, has the same faults.
fn has_same_faults(replayed: &Host, imports: &[Import], diagnosis: &Diagnosis) -> bool {
    let Some(interpreter) = &replayed.recorded_interpreter else { return false };
    let Ok(environment) = Environment::on(interpreter, replayed) else { return false };
    let faults = |diagnosis: &Diagnosis| -> Vec<_> {
        diagnosis
            .findings
            .iter()
            .map(|finding| (finding.code, finding.severity, finding.dlls.clone()))
            .collect()
    };
    faults(&diagnose(replayed, &environment, imports)) == faults(diagnosis)
}

/// The recorded diagnosis, to be compared with a replay's.
struct Replay<'a> {
    recording: &'a Recording,
    host: &'a Host,
    interpreter: &'a WinPath,
    imports: &'a [Import],
    diagnosis: &'a Diagnosis,
    description_before: String,
}

/// The maximum number of rounds. A replay that deviates from the recorded diagnosis shows which
/// strings it needs to continue; no known recording needed more rounds.
const MOST_ROUNDS: usize = 100;

/// The maximum number of replays that find out which packages and files have required strings.
const MOST_OF_OWNERS: usize = 30;

/// In a recording with more strings than [`SMALL_RECORDING`], a package is not examined if more of
/// its strings than this were evaluated. Such a package is widely used and needs most of its
/// strings.
const LARGEST_OWNER: usize = 400;

/// The number of strings in a recording that can be replayed in a tenth of a second.
const SMALL_RECORDING: usize = 4_000;

/// The maximum number of strings that are read in all replays that examine single strings: a few
/// seconds' worth.
const MOST_READ: usize = 85_000;

/// The maximum number of replays that examine single strings.
const MOST_OF_TEXTS: usize = 500;

impl Replay<'_> {
    /// Returns the strings that a replay needs, and whether it reproduces the recorded diagnosis
    /// with them. They are found by replaying: first without any, then with those that were
    /// evaluated. If that doesn't suffice, the other strings are withheld anyway.
    fn needed(&self) -> Result<(BTreeSet<usize>, bool), SnapshotError> {
        let mut kept = BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            let (answer, noted) = self.answer(&kept)?;
            if self.is_recorded(answer.as_ref()) {
                return Ok((self.deciding(kept)?, true));
            }
            // A finding may quote a string that wasn't evaluated.
            let said = serde_json::to_string(&answer).unwrap_or_default();
            let before = kept.len();
            kept.extend(noted);
            kept.extend(placeholders::numbers_in(&said));
            kept.retain(|number| *number < self.recording.texts());
            if kept.len() == before {
                break;
            }
        }
        Ok((kept, false))
    }

    /// Reduces strings with which a replay reproduces the diagnosis to those that are required.
    /// Whole packages and files are dropped first if a replay doesn't need them, then single
    /// strings as far as the time allows. The smallest packages come first, because they are the
    /// least common. The largest are left as they are.
    fn deciding(&self, mut kept: BTreeSet<usize>) -> Result<BTreeSet<usize>, SnapshotError> {
        let mut owners = self.recording.by_owner(&kept);
        owners.retain(|texts| texts.len() <= LARGEST_OWNER || self.recording.texts() <= SMALL_RECORDING);
        let mut trials = MOST_OF_OWNERS;
        let owners = self.narrowed(&mut kept, owners, &mut trials)?;
        let mut trials = (MOST_READ / self.recording.texts().max(1)).min(MOST_OF_TEXTS);
        for texts in owners {
            self.narrowed(&mut kept, texts.into_iter().map(|text| vec![text]).collect(), &mut trials)?;
        }
        Ok(kept)
    }

    /// Removes those of `parts` from `kept` that a replay doesn't need, and returns the others.
    fn narrowed(
        &self,
        kept: &mut BTreeSet<usize>,
        parts: Vec<Vec<usize>>,
        trials: &mut usize,
    ) -> Result<Vec<Vec<usize>>, SnapshotError> {
        let mut needed = Vec::new();
        let mut open = vec![parts];
        while let Some(mut parts) = open.pop() {
            if *trials == 0 {
                needed.extend(parts);
                continue;
            }
            *trials -= 1;
            let without = &*kept - &parts.iter().flatten().copied().collect();
            if self.is_recorded(self.answer(&without)?.0.as_ref()) {
                *kept = without;
            } else if parts.len() > 1 {
                let second = parts.split_off(parts.len() / 2);
                open.extend([second, parts]);
            } else {
                needed.extend(parts);
            }
        }
        Ok(needed)
    }

    /// Replays with these strings. Returns the diagnosis and the description of the environment,
    /// and the strings that were evaluated.
    #[allow(clippy::type_complexity)]
    fn answer(
        &self,
        kept: &BTreeSet<usize>,
    ) -> Result<(Option<(Diagnosis, String)>, BTreeSet<usize>), SnapshotError> {
        let replayed = self.recording.replayed(self.host, self.interpreter, kept)?;
        Ok(placeholders::recording_reads(|| {
            let environment = Environment::on(self.interpreter, &replayed).ok()?;
            let answer = diagnose(&replayed, &environment, self.imports);
            Some((answer, description(&environment)))
        }))
    }

    fn is_recorded(&self, answer: Option<&(Diagnosis, String)>) -> bool {
        answer.is_some_and(|(answer, description)| {
            answer == self.diagnosis && *description == self.description_before
        })
    }
}

/// Serializes an environment, without the code in `.pth` files, which is executed but not shown.
fn description(environment: &Environment) -> String {
    let mut environment = environment.clone();
    for note in &mut environment.notes {
        if let Note::PthCode { text, .. } = note {
            text.clear();
        }
    }
    serde_json::to_string(&environment).unwrap_or_default()
}

//! A snapshot of all that a diagnosis reads.

use std::collections::BTreeSet;

use super::{Diagnosis, Import, diagnose};
use crate::environment::{Environment, Kind, Note};
use crate::host::snapshot::{Finished, Recorder, Recording, SnapshotError};
use crate::host::{Host, WinPath};
use crate::source::withheld;

/// What somebody agrees to that a snapshot has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consent {
    /// The names of users, servers and companies.
    pub names: bool,
    /// What modules do that lie outside of the environment: those of the person's own projects.
    pub own_modules: bool,
}

/// A snapshot that is not written yet.
pub struct Recorded {
    /// The snapshot itself.
    pub snapshot: Finished,
    /// So many texts of modules, files and variables could be withheld.
    pub texts: usize,
    /// So many of these are in the snapshot.
    pub kept: usize,
    /// A replay says what was recorded. If not, it is not known which texts it lacks.
    pub is_exact: bool,
    /// The modules outside of the environment that are in it.
    pub own_modules: Vec<WinPath>,
}

/// Diagnoses `imports` on a machine that `recorder` stands over, and makes a snapshot of what was read. Of the texts in modules, unknown
/// files and variables it has those that the diagnosis needs. `asked` says how a person consents to modules of their own.
///
/// Needs as much stack as [`diagnose`].
pub fn record(
    recorder: &Recorder,
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    consent: Consent,
    asked: &'static str,
) -> Result<Recorded, SnapshotError> {
    let diagnosis = diagnose(host, environment, imports);
    host.vc_runtimes();
    let prefixes = [&environment.prefix, &environment.base_prefix];
    let recording = recorder.recording(host, &prefixes);
    // A virtual environment may be the folder of a project, too.
    let installed = prefixes.map(|prefix| [prefix.join("Lib"), prefix.join("DLLs")]);
    // The embeddable package has no other place.
    let beside = (environment.base_kind == Kind::Embeddable).then(|| environment.base_prefix.clone());
    let installed: Vec<WinPath> =
        installed.into_iter().flatten().chain(environment.user_site.clone()).chain(beside).collect();
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
        described: description(environment),
    };
    let (kept, is_exact) = replay.needed()?;
    let texts = recording.texts();
    let snapshot = recording.finished(host, &environment.selected, &kept, consent.names)?;
    // Other names may have changed what a program finds out of a path.
    let is_exact = is_exact && (consent.names || says_the_same(&snapshot.replayed()?, imports, &diagnosis));
    let snapshot = if is_exact { snapshot } else { snapshot.inexact() };
    Ok(Recorded { snapshot, texts, kept: kept.len(), is_exact, own_modules })
}

/// Whether a machine on which users have other names has the same faults.
fn says_the_same(replayed: &Host, imports: &[Import], diagnosis: &Diagnosis) -> bool {
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

/// What a snapshot must say when it is replayed.
struct Replay<'a> {
    recording: &'a Recording,
    host: &'a Host,
    interpreter: &'a WinPath,
    imports: &'a [Import],
    diagnosis: &'a Diagnosis,
    described: String,
}

/// A replay that goes another way than the recorded diagnosis shows what it needs to go on; more rounds than this were never needed.
const MOST_ROUNDS: usize = 100;

/// So many replays at most find out which packages and files have texts that decide something.
const MOST_OF_OWNERS: usize = 30;

/// In a recording with more texts than [`FEW`], a package of which more texts than this are looked into is not tried: it is one that
/// many people have, and needs most of them.
const LARGEST_OWNER: usize = 400;

/// So many texts a recording has that replays in a tenth of a second.
const FEW: usize = 4_000;

/// So many texts are read in all the replays that find out which texts of these decide something: some seconds' worth.
const MOST_READ: usize = 85_000;

/// So many replays find that out at most.
const MOST_OF_TEXTS: usize = 500;

impl Replay<'_> {
    /// The texts without which a replay says something else, and whether it says what was recorded with them. Found by replaying:
    /// without any at first, then with those that were looked into. Where that does not suffice, the others are withheld all the same.
    fn needed(&self) -> Result<(BTreeSet<usize>, bool), SnapshotError> {
        let mut kept = BTreeSet::new();
        for _ in 0..MOST_ROUNDS {
            let (answer, noted) = self.answer(&kept)?;
            if self.is_recorded(answer.as_ref()) {
                return Ok((self.deciding(kept)?, true));
            }
            // What is said of a finding may quote one that nobody looked into.
            let said = serde_json::to_string(&answer).unwrap_or_default();
            let before = kept.len();
            kept.extend(noted);
            kept.extend(withheld::numbers_in(&said));
            kept.retain(|number| *number < self.recording.texts());
            if kept.len() == before {
                break;
            }
        }
        Ok((kept, false))
    }

    /// Of these texts, with which a replay says what was recorded, those that decide something: none of packages and files without
    /// which a replay says the same, and no others of the rest as far as the time allows. The smallest come first: they are the ones
    /// that few people have, and the largest are left as they are.
    fn deciding(&self, mut kept: BTreeSet<usize>) -> Result<BTreeSet<usize>, SnapshotError> {
        let mut owners = self.recording.by_owner(&kept);
        owners.retain(|texts| texts.len() <= LARGEST_OWNER || self.recording.texts() <= FEW);
        let mut trials = MOST_OF_OWNERS;
        let owners = self.narrowed(&mut kept, owners, &mut trials)?;
        let mut trials = (MOST_READ / self.recording.texts().max(1)).min(MOST_OF_TEXTS);
        for texts in owners {
            self.narrowed(&mut kept, texts.into_iter().map(|text| vec![text]).collect(), &mut trials)?;
        }
        Ok(kept)
    }

    /// Takes those of `parts` out of `kept` without which a replay says what was recorded, and gives the others.
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

    /// What a replay with these texts says of the imports and of the environment, and the texts that were looked into.
    #[allow(clippy::type_complexity)]
    fn answer(
        &self,
        kept: &BTreeSet<usize>,
    ) -> Result<(Option<(Diagnosis, String)>, BTreeSet<usize>), SnapshotError> {
        let replayed = self.recording.replayed(self.host, self.interpreter, kept)?;
        Ok(withheld::noting(|| {
            let environment = Environment::on(self.interpreter, &replayed).ok()?;
            let answer = diagnose(&replayed, &environment, self.imports);
            Some((answer, description(&environment)))
        }))
    }

    fn is_recorded(&self, answer: Option<&(Diagnosis, String)>) -> bool {
        answer.is_some_and(|(answer, described)| answer == self.diagnosis && *described == self.described)
    }
}

/// All that is known of an environment, but for the code in `.pth` files, which is run and not shown.
fn description(environment: &Environment) -> String {
    let mut environment = environment.clone();
    for note in &mut environment.notes {
        if let Note::PthCode { text, .. } = note {
            text.clear();
        }
    }
    serde_json::to_string(&environment).unwrap_or_default()
}

//! A snapshot of all that a diagnosis reads.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Diagnosis, Import, diagnose};
use crate::environment::Environment;
use crate::host::Host;
use crate::host::snapshot::{Recorder, Recording, SnapshotError};
use crate::source::withheld;

/// What a snapshot holds of the machine's users and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// So many users were given other names.
    pub renamed: usize,
    /// So many texts stand in the modules as constants.
    pub constants: usize,
    /// So many of these are in the snapshot.
    pub kept: usize,
}

/// Diagnoses `imports` on a machine that `recorder` stands over, and writes what was read into a file. Users keep their names only
/// with `keep_names`; of the constants of modules only those are written that the diagnosis needs.
///
/// Needs as much stack as [`diagnose`].
pub fn record(
    recorder: &Recorder,
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    keep_names: bool,
    file: &Path,
) -> Result<Recorded, SnapshotError> {
    let diagnosis = diagnose(host, environment, imports);
    host.vc_runtimes();
    let prefixes = [&environment.prefix, &environment.base_prefix];
    let recording = recorder.recording(&prefixes);
    let kept = needed(&recording, host, environment, imports, &diagnosis)?;
    let (constants, kept_count) = (recording.constants().len(), kept.len());
    let renamed = recording.write(host, &environment.interpreter, &kept, keep_names, file)?;
    Ok(Recorded { renamed, constants, kept: kept_count })
}

/// A replay that goes another way than the recorded diagnosis shows what it needs to go on; more rounds than this were never needed.
const MOST_ROUNDS: usize = 100;

/// The constants without which a replay says something else. Found by replaying: without any at first, then with those that were
/// looked into, until it says what was recorded.
fn needed(
    recording: &Recording,
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    diagnosis: &Diagnosis,
) -> Result<BTreeSet<usize>, SnapshotError> {
    let mut kept = BTreeSet::new();
    for _ in 0..MOST_ROUNDS {
        let replayed = recording.replayed(host, &environment.interpreter, &kept)?;
        let (answer, noted) = withheld::noting(|| diagnose(&replayed, environment, imports));
        if answer == *diagnosis {
            return Ok(kept);
        }
        // What is said of a finding may quote one that nobody looked into.
        let said = serde_json::to_string(&answer).unwrap_or_default();
        let before = kept.len();
        kept.extend(noted);
        kept.extend(withheld::numbers_in(&said));
        kept.retain(|number| *number < recording.constants().len());
        if kept.len() == before {
            break;
        }
    }
    Ok((0..recording.constants().len()).collect())
}

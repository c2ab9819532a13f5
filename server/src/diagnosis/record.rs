//! A snapshot of all that a diagnosis reads.

use std::path::Path;

use super::{Import, diagnose};
use crate::environment::Environment;
use crate::host::Host;
use crate::host::snapshot::{Recorder, SnapshotError};

/// Diagnoses `imports` on a machine that `recorder` stands over, and writes what was read into a file. Says how many users were given
/// other names; none are, with `keep_names`.
///
/// Needs as much stack as [`diagnose`].
pub fn record(
    recorder: &Recorder,
    host: &Host,
    environment: &Environment,
    imports: &[Import],
    keep_names: bool,
    file: &Path,
) -> Result<usize, SnapshotError> {
    diagnose(host, environment, imports);
    host.vc_runtimes();
    let prefixes = [&environment.prefix, &environment.base_prefix];
    recorder.write(host, &environment.interpreter, &prefixes, keep_names, file)
}

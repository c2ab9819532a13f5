//! # access-denied
//!
//! A DLL or extension module is there, but this user may not read it.
//!
//! ## What it means
//! Windows refuses to open the file (error 5). Usual reasons: the package was installed by an administrator with
//! narrower rights, or an antivirus program holds the file back.
//!
//! ## How we know
//! Opening the file for reading fails with "access denied".
//!
//! ## What to do
//! Give yourself the right to read and execute the file and its folder, or install the package again as the user who
//! runs it. If it comes back, look at the antivirus program's messages.

use crate::diagnosis::{Case, Finding, Problem};
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::Unreadable { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(Cause::Unreadable { path, error }) =
        problems.first().and_then(Problem::fault).map(|fault| &fault.cause)
    else {
        return;
    };
    finding.what = format!("{}: {} cannot be read.", case.consequence(finding.severity), case.short(path));
    finding.evidence = format!("Opening {path} fails: {error}.");
    finding.advice = "Mend the rights of the file and its folder, or install its package again.".to_owned();
    if let Some(mut fix) = case.reinstall_owner(path) {
        fix.preferred = true;
        finding.fixes.push(fix);
    }
}

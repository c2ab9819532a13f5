//! # bad-image
//!
//! A DLL or extension module is there, but the file is damaged: empty, cut short, or no DLL at all.
//!
//! ## What it means
//! Windows finds the file and cannot load it ("%1 is not a valid Win32 application", error 193). Usual
//! reasons: a download or installation that was interrupted, a full disk, an antivirus program that emptied
//! the file, a Git LFS pointer or a web page saved in place of the file.
//!
//! ## How we know
//! The file was read as Windows reads it. The message says what is wrong with it and, where the package's list of
//! installed files (RECORD) tells it, which size the file should have.
//!
//! ## What to do
//! Install the package again. If the file is damaged again afterwards, look at the antivirus program's
//! quarantine and at the free space of the disk.

use crate::diagnosis::case::name_of;
use crate::diagnosis::{Case, Finding, Problem};
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::BadImage { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(fault) = problems.first().and_then(Problem::fault) else {
        return;
    };
    let Cause::BadImage { path, error } = &fault.cause else {
        return;
    };
    let name = case.short(path);
    finding.what = format!("{}: {name} is damaged.", case.consequence(finding.severity));
    let files = &*case.host.files;
    let recorded = case.environment.owner_of(path, files).and_then(|owner| {
        let rows = owner.expected_files(files).ok()?;
        let row = rows.into_iter().find(|row| row.path == *path)?;
        Some(format!(" {} recorded it with {} bytes when it was installed.", name_of(owner, files), row.size?))
    });
    finding.evidence = format!("Windows refuses the file (error 193): {error}.{}", recorded.unwrap_or_default());
    match case.reinstall_owner(path) {
        Some(mut fix) => {
            finding.advice = "Install the package again.".to_owned();
            fix.preferred = true;
            finding.fixes.push(fix);
        }
        None => finding.advice = format!("Replace {path} by a good copy from where it came."),
    }
}

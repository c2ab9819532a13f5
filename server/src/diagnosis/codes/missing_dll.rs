//! # missing-dll
//!
//! A DLL that a module imports is nowhere to be found.
//!
//! ## What it means
//! Windows says "The specified module could not be found" (error 126) and does not say which. It means the DLL that
//! the message of this finding names, not the module that Python was importing.
//!
//! ## How we know
//! The load was simulated down the import tables; the message shows the module that imports the DLL, and every directory that was
//! searched for it.
//!
//! ## What to do
//! Install the package again, or install what the DLL belongs to. Never take single DLLs from download sites.

use crate::diagnosis::{Case, Finding, Problem};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some()
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, fault)) = problems.first().and_then(|problem| Some((problem, problem.fault()?))) else {
        return;
    };
    let package = match problem.loaded_by {
        Some(_) => case.consequence(finding.severity),
        None => "Python itself cannot start".to_owned(),
    };
    finding.what = format!("{package}: {} is missing.", fault.culprit());
    finding.evidence = format!("{}; {}.", case.who_needs(problem), case.where_searched(problem));
    let importer = fault.importer().and_then(|link| link.path.as_ref());
    match importer.and_then(|path| case.reinstall_owner(path)) {
        Some(mut fix) => {
            finding.advice = "Install the package that needs it again, or install what the DLL belongs to.".to_owned();
            fix.preferred = true;
            finding.fixes.push(fix);
        }
        None => finding.advice = "Install the program or package that the DLL belongs to.".to_owned(),
    }
}

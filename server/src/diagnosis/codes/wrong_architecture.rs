//! # wrong-architecture
//!
//! A DLL or extension module is for another kind of processor than this Python: 32-bit against 64-bit, or ARM64.
//!
//! ## What it means
//! A process can load only images of its own architecture. Windows refuses others with error 193, "%1 is
//! not a valid Win32 application". While it searches directories it passes over files of the wrong architecture, so
//! a good copy in a later directory would be taken.
//!
//! ## How we know
//! The architecture of Python is read from its `pythonXY.dll`, that of the file from its header.
//!
//! ## What to do
//! If Python itself is the odd one (a 32-bit Python on a 64-bit Windows), choose a 64-bit Python: TensorFlow exists for
//! that only. If a single file is wrong, install its package again.

use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::fix::{Action, Fix};
use crate::image::Machine;
use crate::loader::Cause;

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.fault().is_some_and(|fault| matches!(fault.cause, Cause::WrongMachine { .. }))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let Some(Cause::WrongMachine { path, machine, searched }) = problem.fault().map(|fault| &fault.cause) else {
        return;
    };
    let own = case.environment.machine;
    finding.what = format!(
        "{}: {} is {}, but this Python is {}.",
        case.consequence(finding.severity),
        case.short(path),
        machine.words(),
        own.words()
    );
    let nowhere_else = if searched.is_empty() { "" } else { ", and no other copy lies where it is searched" };
    finding.evidence = format!("The file's header says so{nowhere_else}; Windows refuses it (error 193).");
    let name = path.file_name();
    if redistributable::contains(name) {
        finding.advice = format!("Install the {}.", redistributable::name(own));
        finding.fixes.extend(redistributable::fixes(case.environment));
        return;
    }
    let choose = Fix::new("Choose a 64-bit interpreter", Action::ChooseInterpreter);
    match case.reinstall_owner(path) {
        // The file should be for this Python, so the file is wrong rather than the Python.
        Some(mut fix) => {
            finding.advice = "Install the package again with this Python.".to_owned();
            fix.preferred = true;
            finding.fixes.push(fix);
            if own == Machine::X86 {
                finding.fixes.push(choose);
            }
        }
        None => {
            finding.advice = format!("Choose a Python that is {} like it, or replace the file.", machine.words());
            finding.fixes.push(Fix { preferred: true, ..choose });
        }
    }
}

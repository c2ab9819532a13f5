//! # missing-vc-runtime
//!
//! A DLL of Microsoft's Visual C++ Redistributable is needed, and it is not on this machine.
//!
//! ## What it means
//! TensorFlow and most compiled packages are built with Microsoft's C++ compiler and need its runtime:
//! `msvcp140.dll`, `msvcp140_1.dll`, `vcruntime140.dll`, `vcruntime140_1.dll` and a few more. Windows does not
//! come with it. `msvcp140_1.dll` came with the redistributable of 2019, so an older one is not enough; TensorFlow asks for it
//! by name before it loads anything ("Could not find the DLL(s) 'msvcp140_1.dll'").
//!
//! TensorFlow's own message can name the wrong DLL: if `vcruntime140_1.dll` is absent, `msvcp140.dll` cannot be loaded, and
//! TensorFlow says that *that* is missing.
//!
//! ## How we know
//! The load was simulated: which module asks for the DLL, and in which directories this version of Python
//! looks for it. It is in none of them, nor on `PATH`.
//!
//! ## What to do
//! Install the Microsoft Visual C++ Redistributable 2015–2022 for the architecture of your Python (x64 for
//! TensorFlow). Without administrator rights: `python -m pip install msvc-runtime` puts the DLLs beside `python.exe`.
//! Never take single DLLs from download sites.

use crate::diagnosis::case::list;
use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::fix::{Action, Command, Fix};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    problem.not_found().is_some_and(|fault| redistributable::contains(fault.culprit()))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let (is, part) = match finding.dlls.len() {
        1 => ("is missing", "It is part"),
        _ => ("are missing", "They are part"),
    };
    let package = match problem.loaded_by {
        Some(_) => case.consequence(finding.severity),
        None => "Python itself cannot start".to_owned(),
    };
    finding.what = format!(
        "{package}: {} {is}. {part} of the {}.",
        list(&finding.dlls, "and"),
        redistributable::name(case.environment.machine)
    );
    finding.evidence = format!("{}; {}.", case.who_needs(problem), case.where_searched(problem));
    let mut fixes = redistributable::fixes(case.environment);
    if problem.loaded_by.is_none() {
        // A Python that cannot start cannot run pip.
        fixes.retain(|fix| !matches!(fix.action, Action::Run(_)));
    }
    finding.advice = match fixes.len() {
        1 => "Install it.".to_owned(),
        _ => "Install it, or put the DLLs beside this Python with `pip install msvc-runtime`.".to_owned(),
    };
    if case.is_conda() {
        let command = Command::new("conda", ["install", "-c", "conda-forge", "vc14_runtime"]);
        fixes.push(Fix::new("Install the runtime into this environment with conda", Action::Run(command)));
    }
    finding.fixes = fixes;
}

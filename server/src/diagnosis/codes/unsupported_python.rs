//! # unsupported-python
//!
//! The package's native modules were built for another version of Python.
//!
//! ## What it means
//! A compiled module works with one version of Python only. Its name says which
//! (`_multiarray_umath.cp38-win_amd64.pyd` is for Python 3.8), and it imports that version's
//! `python38.dll`. Another version does not even look at it, or cannot load it.
//!
//! It happens when packages are copied from one environment to another, when `PYTHONPATH` points into another
//! Python's packages, or when an environment's Python was replaced.
//!
//! ## How we know
//! The module that Python asks for is not there, but the same module for another version is; or an image
//! imports the `pythonXY.dll` of another version. The version of the selected Python is read from its own
//! `pythonXY.dll`.
//!
//! ## What to do
//! Choose the interpreter that the packages were installed for, or install the package again with the one that
//! is selected. If there is no wheel of it for your Python, make an environment with a version that the
//! package supports.

use crate::cpython::is_versioned_python;
use crate::diagnosis::{Case, Culprit, Finding, Problem};
use crate::fix::{Action, Fix};

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    match &problem.culprit {
        Culprit::OtherPython { .. } => true,
        Culprit::Module(missing) => missing.for_other_python.is_some(),
        Culprit::Image(_) => problem.not_found().is_some_and(|fault| {
            let own = case.environment.python_dll.file_name();
            is_versioned_python(fault.culprit()) && !fault.culprit().eq_ignore_ascii_case(own)
        }),
    }
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let version = case.environment.version;
    let own = format!("{}.{}", version.major, version.minor);
    let (module, built_for) = match problems.first().map(|problem| &problem.culprit) {
        Some(Culprit::OtherPython { module, dll }) => (case.short(module), version_of_dll(dll)),
        Some(Culprit::Module(missing)) => {
            let file = missing.for_other_python.as_ref();
            (file.map_or_else(String::new, |file| case.short(file)), file.and_then(|f| version_of_tag(f.file_name())))
        }
        Some(Culprit::Image(fault)) => {
            let importer = fault.importer();
            let path = importer.and_then(|link| link.path.as_ref());
            (path.map_or_else(String::new, |path| case.short(path)), version_of_dll(fault.culprit()))
        }
        None => return,
    };
    let built_for = built_for.unwrap_or_else(|| "another Python".to_owned());
    finding.what = format!(
        "{}: its native modules are built for {built_for}, and this environment runs Python {own}.",
        case.consequence(finding.severity)
    );
    finding.evidence = format!("{module} is for {built_for}; {} is Python {version}.", case.environment.python_dll);
    finding.advice = format!(
        "Choose an interpreter with {built_for}, or install {} again with this one.",
        case.import.split('.').next().unwrap_or(case.import)
    );
    let mut choose = Fix::new(format!("Choose an interpreter with {built_for}"), Action::ChooseInterpreter);
    choose.preferred = true;
    finding.fixes.push(choose);
    let top_level = case.import.split('.').next().unwrap_or(case.import);
    let files = &*case.host.files;
    if let Some(owner) = case.environment.providers(top_level, files).first() {
        let action = case.pip(&["install", "--force-reinstall", &owner.name]);
        finding.fixes.push(Fix::new(format!("Install {} anew for Python {own}", owner.name), action));
    }
}

/// `python38.dll` → "Python 3.8"
fn version_of_dll(dll: &str) -> Option<String> {
    let digits: String = dll.chars().filter(char::is_ascii_digit).collect();
    let (major, minor) = digits.split_at_checked(1)?;
    Some(format!("Python {major}.{minor}"))
}

/// `x.cp38-win_amd64.pyd` → "Python 3.8"
fn version_of_tag(file: &str) -> Option<String> {
    let tag = file.split('.').find_map(|part| part.strip_prefix("cp3"))?;
    let minor: String = tag.chars().take_while(char::is_ascii_digit).collect();
    Some(format!("Python 3.{minor}"))
}

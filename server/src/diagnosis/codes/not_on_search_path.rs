//! # not-on-search-path
//!
//! The DLL is on this machine, but not where this Python's loader looks for it.
//!
//! ## What it means
//! From version 3.8 on Python does not search the directories of `PATH` for the DLLs of extension modules (and
//! neither does `ctypes.WinDLL` for a bare name). It looks into the folder of the module, the folder of `python.exe`, the
//! directories given to `os.add_dll_directory`, and System32. A DLL that lies elsewhere is not found (error
//! 126), even if every other program finds it, and even if the message of a package tells you to put it on `PATH`.
//!
//! ## How we know
//! The load was simulated with the rules of this version of Python, and the DLL was in none of the directories that
//! it searches. A file of that name and of the right architecture lies in the directory that the message names.
//!
//! ## What to do
//! Add the directory with `os.add_dll_directory(r"…")` before the import. For DLLs of the VC++ redistributable, install
//! that instead: it puts them into System32.

use crate::diagnosis::case::list;
use crate::diagnosis::{Case, Finding, Problem, redistributable};
use crate::fix::{Action, Fix};
use crate::host::WinPath;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    problem.not_found().is_some_and(|fault| !case.elsewhere(fault.culprit()).is_empty())
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(problem) = problems.first() else {
        return;
    };
    let mut directories: Vec<WinPath> = Vec::new();
    for fault in problems.iter().filter_map(Problem::fault) {
        let found = case.elsewhere(fault.culprit());
        // One directory that holds the next culprit too is as good as two.
        let known = found.iter().filter_map(WinPath::parent).any(|folder| directories.contains(&folder));
        if !known {
            directories.extend(found.first().and_then(WinPath::parent));
        }
    }
    let names: Vec<String> = directories.iter().map(|directory| directory.as_str().to_owned()).collect();
    let version = case.environment.version;
    let on_path = directories.iter().any(|directory| case.host.path_directories().contains(directory));
    finding.what = format!(
        "{}: {} in {}, where Python {}.{} does not look.",
        case.consequence(finding.severity),
        match finding.dlls.as_slice() {
            [only] => format!("{only} lies"),
            dlls => format!("{} lie", list(dlls, "and")),
        },
        list(&names, "and"),
        version.major,
        version.minor,
    );
    let path_rule = if on_path && version.at_least(3, 8) {
        " That directory is on PATH, which Python does not search for DLLs since version 3.8."
    } else {
        ""
    };
    finding.evidence = format!("{}; {}.{path_rule}", case.who_needs(problem), case.where_searched(problem));
    let runtime = finding.dlls.iter().all(|dll| redistributable::contains(dll));
    if runtime {
        finding.advice = format!(
            "Install the {}, or add the directory before the import.",
            redistributable::name(case.environment.machine)
        );
        finding.fixes.extend(redistributable::fixes(case.environment));
    } else {
        finding.advice = "Add the directory before the import.".to_owned();
    }
    for (at, directory) in directories.iter().enumerate() {
        let title = format!("Add {directory} with os.add_dll_directory before the import");
        let mut fix = Fix::new(title, Action::AddDllDirectory(directory.as_str().to_owned()));
        fix.preferred = at == 0 && !runtime;
        finding.fixes.push(fix);
    }
}

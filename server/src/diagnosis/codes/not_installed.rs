//! # not-installed
//!
//! The package is not in the selected environment.
//!
//! ## What it means
//! Python finds no module of that name in any directory of `sys.path`. Most often the package is installed, but in
//! another environment than the one that the editor or the terminal uses.
//!
//! ## How we know
//! `sys.path` of the selected interpreter was worked out as Python itself does it, and each of its directories was
//! looked into.
//!
//! ## What to do
//! Choose the environment that has the package, or install it into this one.

use crate::diagnosis::{Case, Culprit, Finding, Problem};
use crate::environment::{Note, normalized};
use crate::fix::{Action, Fix};

pub(super) fn recognizes(_: &Case<'_>, problem: &Problem) -> bool {
    matches!(problem.culprit, Culprit::Module(_))
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some(Culprit::Module(missing)) = problems.first().map(|problem| &problem.culprit) else {
        return;
    };
    let top_level = case.import.split('.').next().unwrap_or(case.import);
    let asked = missing.name == case.import || missing.name == top_level;
    let environment = case.environment;
    let interpreter = &environment.interpreter;
    finding.python_error.get_or_insert_with(|| format!("ModuleNotFoundError: No module named '{}'", missing.name));
    let folders: Vec<String> = environment.site_packages.iter().map(|folder| folder.as_str().to_owned()).collect();
    let no_site = environment.notes.iter().find_map(|note| match note {
        Note::NoSite { file } => Some(file),
        _ => None,
    });
    finding.what = if asked {
        format!("{} is not installed in the selected environment, so `import {}` will fail.", missing.name, case.import)
    } else {
        format!("{}: it needs {}, which is not installed.", case.consequence(finding.severity), missing.name)
    };
    finding.evidence = match (no_site, folders.is_empty()) {
        (Some(file), _) => format!("{file} does not say `import site`, so that no folder of packages is searched."),
        (None, true) => format!("{interpreter} has no folder of packages."),
        (None, false) => format!("{} is not in {}.", missing.name, folders.join(" or ")),
    };
    finding.advice = "Choose the environment that has it, or install it into this one.".to_owned();
    // The names of a distribution and of what it provides differ at times; for the well-known they agree.
    let distribution = normalized(missing.name.split('.').next().unwrap_or(&missing.name));
    let install = Fix::new(
        format!("Install {distribution} into this environment"),
        case.pip(&["install", &distribution]),
    );
    let mut choose = Fix::new("Choose another interpreter", Action::ChooseInterpreter);
    choose.preferred = true;
    finding.fixes = if no_site.is_some() { vec![choose] } else { vec![choose, install] };
}

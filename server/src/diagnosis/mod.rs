//! What failed → findings: what is wrong, how we know, what to do.
//!
//! [`diagnose`] lets the [`plan`](crate::plan) follow the imports, takes the failures that come out, and
//! asks each of the [`codes`] in turn whether a failure is its own. A code never decides *that* something
//! fails; it only explains and cures.
//!
//! **Where does a new diagnosis go?** One file in `codes/`, listed in `codes/mod.rs`.

mod case;
mod chain;
pub mod codes;
mod finding;
mod old_runtime;
mod redistributable;
mod remembered;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cpython::{Finder, Found, Interpreter};
use crate::environment::Environment;
use crate::host::{Host, WinPath};
use crate::loader::Fault;
use crate::plan::{Event, LoadKind, Plan};
use crate::source::{self, ImportStatement};

pub use case::{Case, Culprit, Problem};
pub use chain::{Chain, ChainError, chain};
pub use codes::Code;
pub use finding::{ChainLink, Finding, Health, Related, SearchedDirectory, Severity};
pub use remembered::diagnose_or_recall;

/// The answer for some imports in one environment on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// In order of the imports; errors first among those of one import.
    pub findings: Vec<Finding>,
    /// The packages that were asked about.
    pub packages: Vec<Package>,
    /// In one word.
    pub health: Health,
}

/// An import to be diagnosed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Import {
    /// Dotted name.
    pub name: String,
    /// What the program does before, as Python text; mostly empty.
    pub before: Arc<str>,
}

impl Import {
    /// An import that a program begins with.
    pub fn first(name: &str) -> Import {
        Import { name: name.to_owned(), before: Arc::default() }
    }

    /// An import of a document.
    pub fn of(statement: &ImportStatement) -> Import {
        Import { name: statement.module.to_string(), before: statement.before.clone() }
    }

    /// The same of the package that it is in.
    pub fn top_level(&self) -> Import {
        Import { name: source::top_level(&self.name).to_owned(), before: self.before.clone() }
    }
}

/// An import that was asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its top-level name.
    pub import: String,
    /// Which distribution provides it, where that is known.
    pub distribution: Option<String>,
    /// That distribution's version.
    pub version: Option<String>,
    /// Where it lies: the package's folder, or the module's file.
    pub path: Option<WinPath>,
}

/// Diagnoses each of `imports`, each in a fresh process.
///
/// Run it on a thread with [`crate::source::STACK`] bytes of stack: Python is followed by recursion.
pub fn diagnose(host: &Host, environment: &Environment, imports: &[Import]) -> Diagnosis {
    let mut findings = Vec::new();
    let mut packages: Vec<Package> = Vec::new();
    for import in imports {
        let top_level = import.top_level().name;
        if !packages.iter().any(|package| package.import == top_level) {
            packages.push(package(host, environment, &top_level));
        }
        findings.extend(of_import(host, environment, import));
    }
    let health = Health::of(&findings);
    Diagnosis { findings, packages, health }
}

fn package(host: &Host, environment: &Environment, import: &str) -> Package {
    let files = &*host.files;
    let finder = Finder::new(environment, files);
    let sys_path: Vec<WinPath> = environment.sys_path.iter().map(|entry| entry.path.clone()).collect();
    let path = match finder.top_level(import, &sys_path) {
        Found::Package { folder, .. } => Some(folder),
        Found::Namespace(portions) => portions.into_iter().next(),
        Found::Source(path) | Found::Extension { path, .. } => Some(path),
        Found::Opaque { path } => path,
        Found::Builtin | Found::Denied(_) | Found::NotFound { .. } => None,
    };
    // Only what lies there can be provided; leftovers of a removed distribution are not asked.
    let provider = path.is_some().then(|| environment.find(import)).flatten();
    let provider = match provider {
        Some(provider) if provider.shim_for(files).is_none() => Some(provider),
        _ if path.is_some() => environment.providers(import, files).into_iter().next(),
        _ => None,
    };
    Package {
        import: import.to_owned(),
        distribution: provider.map(|provider| case::name_of(provider, files)),
        version: provider.and_then(|provider| provider.version.clone()),
        path,
    }
}

fn of_import(host: &Host, environment: &Environment, import: &Import) -> Vec<Finding> {
    let case = Case { host, environment, import: &import.name };
    let interpreter = match Interpreter::start(host, environment) {
        Ok(interpreter) => interpreter,
        Err(failure) => return case.explain(vec![Problem::of_start(failure)], Severity::Error, None),
    };
    let mut plan = Plan::new(interpreter, Finder::new(environment, &*host.files));
    plan.run(&import.before);
    // What fails before belongs to other statements.
    let (first_failure, first_step) = (plan.failures().len(), plan.steps().len());
    let imported = plan.import(&import.name);
    let mut findings = Vec::new();
    let mut reported: Vec<usize> = Vec::new();
    if let Some(error) = &imported.error {
        let mut problems: Vec<Problem> = Vec::new();
        for &at in &error.loads {
            if let Some(load) = plan.failures().get(at).filter(|_| !reported.contains(&at)) {
                reported.push(at);
                problems.extend(Problem::of_load(load));
            }
        }
        if let (true, Some(missing)) = (problems.is_empty(), &error.missing) {
            problems.push(Problem::of_missing_module(missing.clone(), &error.trace));
        }
        findings.extend(case.explain(problems, Severity::Error, Some(error)));
    }
    // What a package tries and does without: it works, but something that it uses is broken.
    let mut guarded: Vec<Problem> = Vec::new();
    for (at, load) in plan.failures().iter().enumerate().skip(first_failure) {
        let counts = load.kind == LoadKind::Extension && !load.uncertain;
        if counts && !reported.contains(&at) {
            guarded.extend(Problem::of_load(load));
        }
    }
    // A culprit that is told already is left out, but not the others that the same module lacks.
    let told: Vec<String> = findings.iter().flat_map(|finding| finding.dlls.clone()).collect();
    guarded.retain(|problem| {
        let culprit = problem.fault().map(Fault::culprit);
        culprit.is_none_or(|culprit| !told.iter().any(|dll| dll.eq_ignore_ascii_case(culprit)))
    });
    for finding in case.explain(guarded, Severity::Warning, None) {
        merge(&mut findings, finding);
    }
    let process = &plan.interpreter().process;
    let old = old_runtime::older_than_toolset(&case, process);
    for finding in case.explain(old.into_iter().collect(), Severity::Hint, None) {
        merge(&mut findings, finding);
    }
    for finding in codes::damaged_install::of_installed_files(&case, &executed(&plan, first_step), &findings)
    {
        merge(&mut findings, finding);
    }
    findings
}

/// The top-level names of all modules that ran from a step on.
fn executed(plan: &Plan<'_>, first_step: usize) -> Vec<String> {
    let mut names = BTreeMap::new();
    for step in plan.steps().iter().skip(first_step) {
        if let Event::Module { name, .. } | Event::Extension { name, .. } = &step.event {
            names.entry(source::top_level(name).to_owned()).or_insert(());
        }
    }
    names.into_keys().collect()
}

/// One cause is one finding: what has the same culprit as a finding before it is left out.
fn merge(findings: &mut Vec<Finding>, new: Finding) {
    let same = |old: &Finding| {
        old.dlls.iter().any(|dll| new.dlls.iter().any(|other| dll.eq_ignore_ascii_case(other)))
    };
    if !findings.iter().any(same) {
        findings.push(new);
    }
}

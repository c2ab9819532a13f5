//! # damaged-install
//!
//! Native files that the installer wrote are missing, or have another size than it recorded.
//!
//! ## What it means
//! When pip installs a package it writes down each file with its size (RECORD). A file of that list that is gone
//! was removed afterwards: most often by an antivirus program that put it into quarantine, by an interrupted
//! installation or update, or by another package that overwrote it.
//!
//! ## How we know
//! The list of the installed distribution names the file, and it is not there, or has another size. If the import
//! fails because of it, the message shows which module needs it.
//!
//! ## What to do
//! Install the package again. If the file vanishes again, look into the quarantine of the antivirus program (Windows
//! Security: Protection history) and allow it there first.

use crate::diagnosis::case::{list, name_of};
use crate::diagnosis::finding::Severity;
use crate::diagnosis::{Case, Code, Culprit, Finding, Problem};
use crate::environment::{DamagedFile, Distribution, Found};
use crate::host::WinPath;

pub(super) fn recognizes(case: &Case<'_>, problem: &Problem) -> bool {
    missing_path(case, problem).is_some()
}

/// The recorded file that is missing, if that is the problem.
fn missing_path(case: &Case<'_>, problem: &Problem) -> Option<WinPath> {
    if let Culprit::Module(missing) = &problem.culprit {
        return missing.recorded.clone();
    }
    let fault = problem.not_found()?;
    let files = &*case.host.files;
    let name = fault.culprit();
    case.environment
        .distributions
        .iter()
        .filter_map(|distribution| distribution.missing_files(files).ok())
        .flatten()
        .find(|damaged| {
            damaged.found == Found::Missing && damaged.path.file_name().eq_ignore_ascii_case(name)
        })
        .map(|damaged| damaged.path)
}

pub(super) fn tell(case: &Case<'_>, problems: &[Problem], finding: &mut Finding) {
    let Some((problem, path)) =
        problems.iter().find_map(|problem| Some((problem, missing_path(case, problem)?)))
    else {
        return;
    };
    if finding.dlls.is_empty() {
        finding.dlls.push(path.file_name().to_owned());
    }
    let name = case.short(&path);
    finding.what = format!("{}: {name} has disappeared.", case.consequence(finding.severity));
    let owner = case.environment.owner_of(&path, &*case.host.files);
    let recorded = match owner {
        Some(owner) => format!("{} installed it, as its RECORD says", name_of(owner, &*case.host.files)),
        None => "an installed package lists it".to_owned(),
    };
    finding.evidence = match problem.fault() {
        Some(_) => format!("{recorded}, but it is gone; {} ({}).", case.who_needs(problem), code(problem)),
        None => format!("{recorded}, but it is gone."),
    };
    cure(case, owner, finding);
}

fn code(problem: &Problem) -> String {
    problem.code.map_or_else(String::new, |code| format!("Windows error {code}"))
}

fn cure(case: &Case<'_>, owner: Option<&Distribution>, finding: &mut Finding) {
    finding.advice =
        "Install the package again; if the file vanishes again, look into your antivirus program's quarantine."
            .to_owned();
    if let Some(owner) = owner {
        let mut fix = case.reinstall(owner);
        fix.preferred = true;
        finding.fixes.push(fix);
    }
}

/// Damage that the import does not run into: in the distributions that it uses, beside what `known`
/// findings tell already.
pub(in crate::diagnosis) fn of_installed_files(
    case: &Case<'_>,
    top_level_names: &[String],
    known: &[Finding],
) -> Vec<Finding> {
    let files = &*case.host.files;
    let mut findings = Vec::new();
    for distribution in &case.environment.distributions {
        let Ok(mut damaged) = distribution.missing_files(files) else {
            continue;
        };
        let told = |file: &DamagedFile| {
            known.iter().any(|finding| {
                finding.dlls.iter().any(|dll| dll.eq_ignore_ascii_case(file.path.file_name()))
            })
        };
        damaged.retain(|file| !told(file));
        if damaged.is_empty() || !distribution.top_level(files).iter().any(|name| top_level_names.contains(name)) {
            continue;
        }
        let severity = Severity::Warning;
        let mut finding = case.finding(Code::DamagedInstall, &[], severity, None);
        finding.dlls = damaged.iter().map(|file| file.path.file_name().to_owned()).collect();
        let names: Vec<String> = damaged.iter().take(3).map(|file| case.short(&file.path)).collect();
        let more = damaged.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
        finding.what = format!(
            "{} is damaged: {}{more} {}.",
            name_of(distribution, files),
            list(&names, "and"),
            if damaged.iter().all(|file| file.found == Found::Missing) {
                "disappeared since it was installed"
            } else {
                "changed since it was installed"
            }
        );
        finding.evidence = match damaged.first() {
            Some(DamagedFile { expected: Some(expected), found: Found::Size(size), .. }) => {
                format!("RECORD says {expected} bytes, the file has {size}.")
            }
            _ => "RECORD lists what was installed.".to_owned(),
        };
        cure(case, Some(distribution), &mut finding);
        findings.push(finding);
    }
    findings
}

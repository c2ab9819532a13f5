//! The JSON of `check`, schema 1.

use serde::Serialize;

use super::{Located, Report};
use crate::action::Action;
use crate::diagnosis::{self, Fix};
use crate::environment::Assumption;
use crate::host::WinPath;
use crate::source;
use crate::visible::visible_json;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCheck<'a, T> {
    schema: u32,
    environment: JsonEnvironment<'a>,
    host: JsonHost<'a>,
    health: &'static str,
    packages: Vec<JsonPackage<'a>>,
    findings: Vec<JsonFinding<'a>>,
    /// Findings that are not known to make anything fail.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<JsonFinding<'a>>,
    /// The traceback that was explained.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<&'a T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonEnvironment<'a> {
    interpreter: &'a str,
    /// The program that was selected, if it only starts the interpreter.
    #[serde(skip_serializing_if = "Option::is_none")]
    launcher: Option<&'a str>,
    version: String,
    free_threaded: bool,
    machine: String,
    kind: String,
    prefix: &'a str,
    base_prefix: &'a str,
    site_packages: Vec<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonHost<'a> {
    kind: String,
    windows: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed: Option<String>,
    vc_runtimes: Vec<JsonVcRuntime>,
    /// The runtimes in the registry, if it was read; they can differ from the DLLs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    registered_runtimes: Vec<JsonRegisteredRuntime>,
}

#[derive(Serialize)]
struct JsonVcRuntime {
    machine: String,
    version: String,
    path: String,
}

#[derive(Serialize)]
struct JsonRegisteredRuntime {
    machine: String,
    version: String,
}

#[derive(Serialize)]
struct JsonPackage<'a> {
    import: &'a str,
    distribution: Option<&'a str>,
    version: Option<&'a str>,
    path: Option<&'a str>,
    coverage: JsonCoverage<'a>,
}

/// The extent to which the import was followed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonCoverage<'a> {
    full: bool,
    unknown: Vec<JsonUnknown<'a>>,
    not_reached: Vec<JsonNotReached<'a>>,
}

#[derive(Serialize)]
struct JsonUnknown<'a> {
    file: Option<&'a str>,
    line: u32,
    what: &'a str,
}

#[derive(Serialize)]
struct JsonNotReached<'a> {
    distribution: &'a str,
    /// The first files of `count`.
    files: Vec<&'a str>,
    count: usize,
    failing: Vec<JsonFailing<'a>>,
}

/// A file whose load would fail.
#[derive(Serialize)]
struct JsonFailing<'a> {
    file: &'a str,
    why: &'a str,
}

impl<'a> JsonCoverage<'a> {
    fn of(coverage: &'a diagnosis::Coverage) -> JsonCoverage<'a> {
        let unknown = coverage.gaps.iter().map(|gap| JsonUnknown {
            file: gap.file.as_ref().map(WinPath::as_str),
            line: gap.line,
            what: &gap.what,
        });
        let not_reached = coverage.not_reached.iter().map(|missed| JsonNotReached {
            distribution: &missed.distribution,
            files: missed.files.iter().map(WinPath::as_str).collect(),
            count: missed.count,
            failing: missed
                .failing
                .iter()
                .map(|failing| JsonFailing { file: failing.file.as_str(), why: &failing.why })
                .collect(),
        });
        JsonCoverage {
            full: coverage.is_full(),
            unknown: unknown.collect(),
            not_reached: not_reached.collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFinding<'a> {
    code: &'static str,
    severity: &'static str,
    message: String,
    package: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    /// The 0-based index of a notebook's cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    cell: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<JsonRange>,
    dll: Option<&'a str>,
    dlls: &'a [String],
    chain: Vec<&'a str>,
    searched: Vec<&'a str>,
    win_error: Option<u32>,
    python_error: Option<&'a str>,
    help: String,
    related: Vec<JsonRelated<'a>>,
    fixes: Vec<JsonFix<'a>>,
}

#[derive(Serialize)]
struct JsonRange {
    start: JsonPosition,
    end: JsonPosition,
}

#[derive(Serialize)]
struct JsonPosition {
    line: u32,
    character: u32,
}

#[derive(Serialize)]
struct JsonRelated<'a> {
    file: &'a str,
    line: u32,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonFix<'a> {
    title: &'a str,
    kind: &'static str,
    value: String,
    /// The command as a list of arguments, so that programs needn't parse a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<&'a str>>,
    /// The full path of a file to rename to `to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    /// The 1-based line before which an edit inserts the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// The steps to take, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<JsonFix<'a>>,
    preferred: bool,
    /// Its outcome in the simulation: `cures`, `fails`, or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    /// Why the outcome is unknown, or how the import then fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome_note: Option<&'a str>,
}

/// Renders the report as one JSON object, on several lines.
pub fn check_json(report: &Report<'_>) -> String {
    check_json_with(report, None::<&()>)
}

/// Renders the report as JSON, with the explanation of a traceback.
pub(super) fn check_json_with(report: &Report<'_>, traceback: Option<&impl Serialize>) -> String {
    let environment = report.environment;
    let check = JsonCheck {
        schema: 1,
        environment: JsonEnvironment {
            interpreter: environment.interpreter.as_str(),
            launcher: environment.launcher().map(WinPath::as_str),
            version: environment.version.to_string(),
            free_threaded: environment.free_threaded,
            machine: environment.machine.to_string(),
            kind: environment.kind.to_string(),
            prefix: environment.prefix.as_str(),
            base_prefix: environment.base_prefix.as_str(),
            site_packages: environment.site_packages.iter().map(|folder| folder.as_str()).collect(),
        },
        host: JsonHost {
            kind: report.host.kind.to_string(),
            windows: report.host.windows_version.as_deref(),
            assumed: report.assumed.as_ref().map(Assumption::to_string),
            vc_runtimes: vc_runtimes(report),
            registered_runtimes: registered_runtimes(report),
        },
        health: report.health().name(),
        packages: report
            .packages
            .iter()
            .map(|package| JsonPackage {
                import: &package.import,
                distribution: package.distribution.as_deref(),
                version: package.version.as_deref(),
                path: package.path.as_ref().map(|path| path.as_str()),
                coverage: JsonCoverage::of(&package.coverage),
            })
            .collect(),
        findings: findings(report, false),
        notes: findings(report, true),
        traceback,
    };
    // Serializing strings and numbers can't fail.
    visible_json(&serde_json::to_string_pretty(&check).unwrap_or_default()).into_owned()
}

fn vc_runtimes(report: &Report<'_>) -> Vec<JsonVcRuntime> {
    let runtimes = report.host.vc_runtimes().into_iter();
    runtimes
        .map(|runtime| JsonVcRuntime {
            machine: runtime.machine.to_string(),
            version: runtime.version.to_string(),
            path: runtime.path.to_string(),
        })
        .collect()
}

fn registered_runtimes(report: &Report<'_>) -> Vec<JsonRegisteredRuntime> {
    let registered = report.host.running.registered_runtimes.iter();
    registered
        .map(|runtime| JsonRegisteredRuntime {
            machine: runtime.machine.to_string(),
            version: runtime.version.to_string(),
        })
        .collect()
}

fn findings<'a>(report: &'a Report<'_>, notes: bool) -> Vec<JsonFinding<'a>> {
    let shown = report.findings.iter().filter(|located| located.finding.is_note == notes);
    shown.map(|located| finding(report, located)).collect()
}

fn finding<'a>(report: &'a Report<'_>, located: &'a Located) -> JsonFinding<'a> {
    let finding = &located.finding;
    let document = located.at.and_then(|(document, _)| report.documents.get(document));
    JsonFinding {
        code: finding.code.name(),
        severity: finding.severity.name(),
        message: finding.message(),
        package: &finding.package,
        file: document.map(|document| document.name.as_str()),
        cell: document.and_then(|document| document.cell),
        range: located
            .at
            .map(|(_, range)| JsonRange { start: position(range.start), end: position(range.end) }),
        dll: finding.dlls.first().map(String::as_str),
        dlls: &finding.dlls,
        chain: finding
            .chain
            .iter()
            .map(|link| link.path.as_ref().map_or(link.name.as_str(), |path| path.as_str()))
            .collect(),
        searched: finding.searched.iter().map(|searched| searched.directory.as_str()).collect(),
        win_error: finding.win_error,
        python_error: finding.python_error.as_deref(),
        help: finding.code.url(),
        related: finding
            .related
            .iter()
            .map(|related| JsonRelated {
                file: related.file.as_str(),
                line: related.line,
                message: &related.message,
            })
            .collect(),
        fixes: finding.fixes.iter().map(|it| fix(report, located, it)).collect(),
    }
}

fn position(position: source::Position) -> JsonPosition {
    JsonPosition { line: position.line, character: position.character }
}

fn fix<'a>(report: &Report<'_>, located: &Located, fix: &'a Fix) -> JsonFix<'a> {
    JsonFix {
        preferred: fix.preferred,
        outcome: Some(fix.outcome.name()),
        outcome_note: fix.outcome.note(),
        ..action(report, located, &fix.title, &fix.action)
    }
}

fn action<'a>(report: &Report<'_>, located: &Located, title: &'a str, action: &'a Action) -> JsonFix<'a> {
    let command = match action {
        Action::Run(command) => {
            let words = std::iter::once(&command.program).chain(&command.arguments);
            Some(words.map(String::as_str).collect())
        }
        _ => None,
    };
    let (from, to) = match action {
        Action::Rename { from, to } => (Some(from.as_str()), Some(to.as_str())),
        _ => (None, None),
    };
    let steps = match action {
        Action::Steps(steps) => {
            steps.iter().map(|(title, step)| self::action(report, located, title, step)).collect()
        }
        _ => Vec::new(),
    };
    JsonFix {
        title,
        kind: action.kind(),
        value: report.value_of(located, action),
        command,
        from,
        to,
        line: report.line_of(located, action).map(|line| line + 1),
        steps,
        preferred: false,
        outcome: None,
        outcome_note: None,
    }
}

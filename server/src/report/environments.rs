//! The output of `environments` as text and JSON (see `docs/environments.md`).

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::diagnosis::DiagnosedPackage;
use crate::environment::discovery::{Candidate, FoundEnvironment};
use crate::environment::{Assumption, Environment};
use crate::host::{Host, WinPath};
use crate::visible::{visible, visible_json};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GREEN: Style = AnsiColor::Green.on_default().bold();
const RED: Style = AnsiColor::Red.on_default();

/// The environments of a machine.
pub struct Environments<'a> {
    /// The machine.
    pub host: &'a Host,
    /// What was assumed about the machine because the user didn't select one.
    pub assumed: Option<Assumption>,
    /// The folder that an environment is selected for.
    pub folder: Option<WinPath>,
    /// Why the selected environment is selected; it is the first in the list.
    pub chosen: Option<Candidate>,
    /// All environments.
    pub listed: Vec<Listed>,
}

/// An environment in the list.
pub struct Listed {
    /// The environment.
    pub found: FoundEnvironment,
    /// The TensorFlow that is installed there.
    pub tensorflow: Option<DiagnosedPackage>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonEnvironments<'a> {
    schema: u32,
    host: JsonMachine<'a>,
    folder: Option<&'a str>,
    chosen: Option<JsonChosen<'a>>,
    environments: Vec<JsonListed<'a>>,
}

#[derive(Serialize)]
struct JsonMachine<'a> {
    kind: String,
    windows: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed: Option<String>,
}

#[derive(Serialize)]
struct JsonChosen<'a> {
    interpreter: &'a str,
    source: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonListed<'a> {
    interpreter: &'a str,
    /// The interpreter that it starts, if it is a launcher.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts: Option<&'a str>,
    version: Option<String>,
    free_threaded: Option<bool>,
    machine: Option<String>,
    kind: Option<String>,
    base_kind: Option<String>,
    prefix: Option<&'a str>,
    base_prefix: Option<&'a str>,
    tensorflow: Option<JsonTensorFlow<'a>>,
    found: Vec<JsonSource<'a>>,
    error: Option<String>,
}

#[derive(Serialize)]
struct JsonTensorFlow<'a> {
    distribution: Option<&'a str>,
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonSource<'a> {
    source: &'static str,
    reason: &'a str,
}

/// Renders the list as one JSON object, on several lines.
pub fn environments_json(environments: &Environments<'_>) -> String {
    let first = environments.listed.first();
    let json = JsonEnvironments {
        schema: 1,
        host: JsonMachine {
            kind: environments.host.kind.to_string(),
            windows: environments.host.windows_version.as_deref(),
            assumed: environments.assumed.as_ref().map(Assumption::to_string),
        },
        folder: environments.folder.as_ref().map(WinPath::as_str),
        chosen: environments.chosen.as_ref().zip(first).map(|(chosen, listed)| JsonChosen {
            interpreter: listed.found.interpreter.as_str(),
            source: chosen.source.name(),
            reason: &chosen.reason,
        }),
        environments: environments.listed.iter().map(item).collect(),
    };
    // Serializing strings and numbers can't fail.
    visible_json(&serde_json::to_string_pretty(&json).unwrap_or_default()).into_owned()
}

fn item(listed: &Listed) -> JsonListed<'_> {
    let Listed { found, tensorflow } = listed;
    let environment = found.environment.as_ref().ok();
    JsonListed {
        interpreter: found.interpreter.as_str(),
        starts: environment
            .filter(|environment| environment.launcher().is_some())
            .map(|environment| environment.interpreter.as_str()),
        version: environment.map(|environment| environment.version.to_string()),
        free_threaded: environment.map(|environment| environment.free_threaded),
        machine: environment.map(|environment| environment.machine.to_string()),
        kind: environment.map(|environment| environment.kind.to_string()),
        base_kind: environment.map(|environment| environment.base_kind.to_string()),
        prefix: environment.map(|environment| environment.prefix.as_str()),
        base_prefix: environment.map(|environment| environment.base_prefix.as_str()),
        tensorflow: tensorflow.as_ref().map(|package| JsonTensorFlow {
            distribution: package.distribution.as_deref(),
            version: package.version.as_deref(),
        }),
        found: found
            .candidates
            .iter()
            .map(|candidate| JsonSource { source: candidate.source.name(), reason: &candidate.reason })
            .collect(),
        error: found.environment.as_ref().err().map(ToString::to_string),
    }
}

/// Renders the list with ANSI styles, a paragraph for each environment; the selected one is marked.
pub fn environments_text(environments: &Environments<'_>) -> String {
    let mut out = String::new();
    for (at, listed) in environments.listed.iter().enumerate() {
        let is_chosen = at == 0 && environments.chosen.is_some();
        let mark = if is_chosen { format!("{GREEN}*{GREEN:#}") } else { " ".to_owned() };
        let _ = writeln!(out, "{mark} {BOLD}{}{BOLD:#}", visible(listed.found.interpreter.as_str()));
        let _ = match &listed.found.environment {
            Ok(environment) => {
                writeln!(out, "    {}", visible(&description(environment, listed.tensorflow.as_ref())))
            }
            Err(error) => writeln!(out, "    {RED}{}{RED:#}", visible(&error.to_string())),
        };
        let reasons: Vec<&str> =
            listed.found.candidates.iter().map(|candidate| candidate.reason.as_str()).collect();
        let _ = writeln!(out, "    {DIM}{}{DIM:#}", visible(&reasons.join("; ")));
    }
    if !out.is_empty() {
        out.push('\n');
    }
    let count = match environments.listed.len() {
        0 => "no Python was found".to_owned(),
        1 => "1 Python".to_owned(),
        n => format!("{n} Pythons"),
    };
    let selected = match (&environments.folder, &environments.chosen) {
        (Some(folder), Some(chosen)) => format!("; * is selected in {folder}: {}", chosen.reason),
        (None, Some(chosen)) => format!("; * is selected: {}", chosen.reason),
        _ => String::new(),
    };
    let _ = writeln!(out, "{}", visible(&format!("{count} on {}{selected}", environments.host.kind)));
    if let Some(assumed) = &environments.assumed {
        let _ = writeln!(out, "  {DIM}machine: {}{DIM:#}", visible(&assumed.to_string()));
    }
    out
}

/// Describes an environment: "Python 3.8.10, 64-bit x86-64 code, venv, tensorflow-cpu 2.3.0".
fn description(environment: &Environment, tensorflow: Option<&DiagnosedPackage>) -> String {
    let Environment { machine, kind, base_kind, .. } = environment;
    let mut words = format!("Python {}, {machine}, {kind}", environment.full_version());
    if base_kind != kind {
        let _ = write!(words, " of {base_kind}");
    }
    if environment.launcher().is_some() {
        let _ = write!(words, ", starts {}", environment.interpreter);
    }
    if let Some(package) = tensorflow {
        let name = package.distribution.as_deref().unwrap_or(&package.import);
        let _ = write!(words, ", {name} {}", package.version.as_deref().unwrap_or("of unknown version"));
    }
    words
}

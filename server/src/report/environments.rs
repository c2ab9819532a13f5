//! The answer of `environments`, for people and for programs (`docs/environments.md`).

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::diagnosis::Package;
use crate::environment::Environment;
use crate::environment::discovery::{FoundEnvironment, Sighting};
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
    /// What was assumed without being told, for people.
    pub assumed: Option<String>,
    /// The folder that somebody works in.
    pub folder: Option<WinPath>,
    /// What is meant there; it stands first in the list.
    pub chosen: Option<Sighting>,
    /// All of them.
    pub listed: Vec<Listed>,
}

/// One of them.
pub struct Listed {
    /// What was found.
    pub found: FoundEnvironment,
    /// The TensorFlow that is installed there.
    pub tensorflow: Option<Package>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    schema: u32,
    host: Machine<'a>,
    folder: Option<&'a str>,
    chosen: Option<Chosen<'a>>,
    environments: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Machine<'a> {
    kind: String,
    windows: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    assumed: Option<&'a str>,
}

#[derive(Serialize)]
struct Chosen<'a> {
    interpreter: &'a str,
    source: &'static str,
    reason: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    interpreter: &'a str,
    /// What it starts, if it is a launcher.
    #[serde(skip_serializing_if = "Option::is_none")]
    starts: Option<&'a str>,
    version: Option<String>,
    free_threaded: Option<bool>,
    machine: Option<String>,
    kind: Option<String>,
    base_kind: Option<String>,
    prefix: Option<&'a str>,
    base_prefix: Option<&'a str>,
    tensorflow: Option<TensorFlow<'a>>,
    found: Vec<Trace<'a>>,
    error: Option<String>,
}

#[derive(Serialize)]
struct TensorFlow<'a> {
    distribution: Option<&'a str>,
    version: Option<&'a str>,
}

#[derive(Serialize)]
struct Trace<'a> {
    source: &'static str,
    reason: &'a str,
}

/// One JSON object, on several lines.
pub fn environments_json(environments: &Environments<'_>) -> String {
    let first = environments.listed.first();
    let answer = Answer {
        schema: 1,
        host: Machine {
            kind: environments.host.kind.to_string(),
            windows: environments.host.windows_version.as_deref(),
            assumed: environments.assumed.as_deref(),
        },
        folder: environments.folder.as_ref().map(WinPath::as_str),
        chosen: environments.chosen.as_ref().zip(first).map(|(chosen, listed)| Chosen {
            interpreter: listed.found.interpreter.as_str(),
            source: chosen.source.name(),
            reason: &chosen.reason,
        }),
        environments: environments.listed.iter().map(item).collect(),
    };
    // A structure of text and numbers always has a JSON form.
    visible_json(&serde_json::to_string_pretty(&answer).unwrap_or_default()).into_owned()
}

fn item(listed: &Listed) -> Item<'_> {
    let Listed { found, tensorflow } = listed;
    let environment = found.environment.as_ref().ok();
    Item {
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
        tensorflow: tensorflow.as_ref().map(|package| TensorFlow {
            distribution: package.distribution.as_deref(),
            version: package.version.as_deref(),
        }),
        found: found
            .sightings
            .iter()
            .map(|sighting| Trace { source: sighting.source.name(), reason: &sighting.reason })
            .collect(),
        error: found.environment.as_ref().err().map(ToString::to_string),
    }
}

/// A paragraph for each, with ANSI styles; the one that is meant is marked.
pub fn environments_text(environments: &Environments<'_>) -> String {
    let mut out = String::new();
    for (at, listed) in environments.listed.iter().enumerate() {
        let is_chosen = at == 0 && environments.chosen.is_some();
        let mark = if is_chosen { format!("{GREEN}*{GREEN:#}") } else { " ".to_owned() };
        let _ = writeln!(out, "{mark} {BOLD}{}{BOLD:#}", visible(listed.found.interpreter.as_str()));
        let _ = match &listed.found.environment {
            Ok(environment) => {
                writeln!(out, "    {}", visible(&described(environment, listed.tensorflow.as_ref())))
            }
            Err(error) => writeln!(out, "    {RED}{}{RED:#}", visible(&error.to_string())),
        };
        let reasons: Vec<&str> =
            listed.found.sightings.iter().map(|sighting| sighting.reason.as_str()).collect();
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
    let meant = match (&environments.folder, &environments.chosen) {
        (Some(folder), Some(chosen)) => format!("; * is meant in {folder}: {}", chosen.reason),
        (None, Some(chosen)) => format!("; * is meant: {}", chosen.reason),
        _ => String::new(),
    };
    let _ = writeln!(out, "{}", visible(&format!("{count} on {}{meant}", environments.host.kind)));
    if let Some(assumed) = &environments.assumed {
        let _ = writeln!(out, "  {DIM}machine: {}{DIM:#}", visible(assumed));
    }
    out
}

/// "Python 3.8.10, 64-bit x86-64 code, venv, tensorflow-cpu 2.3.0"
fn described(environment: &Environment, tensorflow: Option<&Package>) -> String {
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

//! `whydll/health`: the health of a scope's environment, for the status bar.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tower_lsp::lsp_types::Url;
use tower_lsp::lsp_types::notification::Notification;

use super::analysis::{Absence, Answer};
use super::settings::Settings;
use crate::diagnosis::{self, DiagnosedPackage, Finding, Import, LoadedRuntime, Severity};
use crate::environment::Target;
use crate::report::markdown::{code, escaped};
use crate::source::{Guard, Ignores, top_level};
use crate::visible::visible;

/// The custom notification from server to client.
pub enum HealthChanged {}

impl Notification for HealthChanged {
    type Params = HealthParams;
    const METHOD: &'static str = "whydll/health";
}

/// The parameters of [`HealthChanged`].
#[derive(Serialize, Deserialize)]
pub struct HealthParams {
    #[serde(flatten)]
    health: ScopeHealth,
    details: String,
}

impl From<ScopeHealth> for HealthParams {
    fn from(mut health: ScopeHealth) -> HealthParams {
        let details = health.details();
        health.label = visible(&health.label).into_owned();
        health.summary = visible(&health.summary).into_owned();
        HealthParams { details, health }
    }
}

/// The health of a scope's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScopeHealth {
    /// The URI of the folder as the editor writes it; `null` for documents outside all folders.
    pub scope_uri: Option<Url>,
    /// The health in one word.
    pub state: State,
    /// A short label for the status bar: `tensorflow: 2 DLLs missing`.
    pub label: String,
    /// The health in one sentence.
    pub summary: String,
    /// Full path of its `python.exe`.
    pub interpreter: Option<String>,
    /// `3.8.10`
    pub version: Option<String>,
    /// The packages that it covers, as they are installed.
    #[serde(default)]
    pub packages: Vec<Installed>,
    /// The VC++ runtime that their imports load.
    #[serde(default)]
    pub vc_runtime: Option<Runtime>,
    /// The number of findings.
    pub findings: usize,
}

/// A watched import of an open document.
pub struct WatchedImport {
    /// The import.
    pub import: Import,
    /// What surrounds it, such as a `try` statement.
    pub guard: Guard,
    /// The codes that comments silence on it.
    pub ignores: Ignores,
}

/// A package of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The name that it is imported by.
    pub import: String,
    /// `tensorflow-cpu`
    pub distribution: Option<String>,
    /// `2.3.0`
    pub version: Option<String>,
}

/// The VC++ runtime that is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Full path of the DLL that the version is read from.
    pub path: String,
    /// `14.38.33130.0`
    pub version: Option<String>,
}

/// The health of an environment in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Checking,
    Healthy,
    Degraded,
    Broken,
    Unknown,
    /// The Python isn't for Windows, so no Windows DLLs are involved.
    #[serde(rename = "notApplicable")]
    NotApplicable,
}

impl From<diagnosis::Health> for State {
    fn from(health: diagnosis::Health) -> State {
        match health {
            diagnosis::Health::Healthy => State::Healthy,
            diagnosis::Health::Degraded => State::Degraded,
            diagnosis::Health::Broken => State::Broken,
            diagnosis::Health::Unknown => State::Unknown,
        }
    }
}

impl ScopeHealth {
    /// Returns the health while an analysis is running.
    pub fn checking(scope_uri: Option<Url>, target: &Target, settings: &Settings) -> ScopeHealth {
        ScopeHealth {
            scope_uri,
            state: State::Checking,
            label: "checking DLLs".to_owned(),
            summary: format!("checking {}", list(&settings.packages.always_reported())),
            interpreter: target.interpreter.path().map(|path| path.display().to_string()),
            version: None,
            packages: Vec::new(),
            vc_runtime: None,
            findings: 0,
        }
    }

    /// Returns the health according to an answer.
    ///
    /// A package that the settings name counts if it is installed or `imported` by an open
    /// document. Any other package counts only for the imports in `imported`.
    pub fn of(
        scope_uri: Option<Url>,
        answer: &Answer,
        settings: &Settings,
        imported: &[WatchedImport],
    ) -> ScopeHealth {
        let examined = match &answer.environment {
            Ok(examined) => examined,
            Err(reason) => {
                let (state, label) = match reason.absence {
                    Absence::NotForWindows => (State::NotApplicable, "no Windows Python"),
                    Absence::NoInterpreter => (State::Unknown, "no Python selected"),
                    Absence::Gone => (State::Unknown, "Python is gone"),
                    Absence::Other => (State::Unknown, "DLLs not checked"),
                };
                return ScopeHealth {
                    scope_uri,
                    state,
                    label: label.to_owned(),
                    summary: reason.reason.clone(),
                    interpreter: reason.interpreter.clone(),
                    version: None,
                    packages: Vec::new(),
                    vc_runtime: None,
                    findings: 0,
                };
            }
        };
        let mut packages: Vec<&DiagnosedPackage> = Vec::new();
        let mut findings: Vec<Cow<'_, Finding>> = Vec::new();
        let mut runtime = None;
        let names = settings.packages.always_reported();
        for &name in &names {
            let Some(diagnosis) = answer.diagnosis(&Import::first(name)) else { continue };
            runtime = runtime.or(diagnosis.runtime.as_ref());
            let package = diagnosis.packages.iter().find(|package| package.import == name);
            let installed = package.filter(|package| package.path.is_some());
            packages.extend(installed);
            let own = imported.iter().filter(|it| top_level(&it.import.name) == name);
            // An attribute access follows an import of the package.
            let own: Vec<&WatchedImport> = own.filter(|it| !it.import.is_access).collect();
            if installed.is_some() || !own.is_empty() {
                // A finding that is silenced on every import of the package is not shown.
                let is_silenced = |finding: &Finding| {
                    !own.is_empty() && own.iter().all(|it| it.ignores.covers(finding.code.name()))
                };
                let guard = own.iter().map(|it| it.guard).min_by_key(|guard| guard.strength());
                let shown = diagnosis.findings.iter().filter(|finding| !finding.is_note);
                let shown = shown.filter(|finding| !is_silenced(finding));
                let guard = guard.unwrap_or_default();
                findings.extend(shown.filter_map(|finding| finding.under(&settings.severity, guard)));
            }
        }
        for WatchedImport { import, guard, ignores } in imported {
            let Some(diagnosis) = answer.diagnosis(import) else { continue };
            if names.contains(&top_level(&import.name)) {
                continue;
            }
            runtime = runtime.or(diagnosis.runtime.as_ref());
            let new =
                |package: &&DiagnosedPackage| !packages.iter().any(|known| known.import == package.import);
            packages.extend(diagnosis.packages.iter().filter(new).collect::<Vec<&DiagnosedPackage>>());
            let unsilenced = diagnosis.findings.iter().filter(|finding| !finding.is_note);
            for finding in unsilenced.filter(|finding| !ignores.covers(finding.code.name())) {
                let Some(shown) = finding.under(&settings.severity, *guard) else { continue };
                // Several documents may have the same finding.
                if !findings.contains(&shown) {
                    findings.push(shown);
                }
            }
        }
        let worst = findings.iter().min_by_key(|finding| finding.severity);
        let state = worst.map_or(State::Healthy, |finding| State::of(finding.severity));
        let shown: BTreeSet<String> = findings
            .iter()
            .filter(|finding| finding.severity <= Severity::Warning)
            .map(|finding| finding.brief())
            .collect();
        let label = match worst {
            Some(finding) if state != State::Healthy && shown.len() > 1 => {
                format!("{} (+{})", finding.brief(), shown.len() - 1)
            }
            Some(finding) if state != State::Healthy => finding.brief(),
            _ => "DLLs".to_owned(),
        };
        let summary = match worst {
            Some(finding) if state != State::Healthy || finding.is_handled => {
                finding.headline().trim_end_matches('.').to_owned()
            }
            _ if packages.is_empty() => match names.as_slice() {
                [] => "no package is watched".to_owned(),
                names => format!("{} is not installed, and no open file imports it", list(names)),
            },
            _ => {
                let names: Vec<String> = packages.iter().map(|package| package.installed()).collect();
                let imports = if names.len() == 1 { "imports" } else { "import" };
                let partial = packages.iter().copied().find(|package| !package.coverage.is_full());
                let extent = partial.map_or(String::new(), DiagnosedPackage::extent);
                format!("{} {imports} without errors{extent}", list(&names))
            }
        };
        ScopeHealth {
            scope_uri,
            state,
            label,
            summary,
            interpreter: Some(examined.interpreter.clone()),
            version: Some(examined.version.clone()),
            packages: packages.iter().map(|package| Installed::of(package)).collect(),
            vc_runtime: runtime.map(Runtime::of),
            findings: findings.len(),
        }
    }

    /// Returns all details in Markdown, for a tooltip.
    fn details(&self) -> String {
        let mut facts = Vec::new();
        facts.extend(self.version.as_ref().map(|version| format!("Python {version}")));
        for Installed { import, distribution, version } in &self.packages {
            let name = escaped(distribution.as_ref().unwrap_or(import));
            facts.push(format!(
                "{name} {}",
                version.as_ref().map_or("is not installed".into(), |v| escaped(v))
            ));
        }
        if let Some(Runtime { path, version }) = &self.vc_runtime {
            let version = version.as_deref().unwrap_or("of an unknown version");
            facts.push(format!("VC++ runtime {}, {}", escaped(version), code(path)));
        }
        match self.findings {
            0 => {}
            1 => facts.push("1 finding".to_owned()),
            number => facts.push(format!("{number} findings")),
        }
        facts.extend(self.interpreter.as_deref().map(code));
        format!("{}\n\n- {}", escaped(&self.summary), facts.join("\n- "))
    }

    /// Whether there may be something to fix.
    pub fn is_unhealthy(&self) -> bool {
        matches!(self.state, State::Broken | State::Degraded | State::Unknown)
    }
}

impl Installed {
    fn of(package: &DiagnosedPackage) -> Installed {
        Installed {
            import: package.import.clone(),
            distribution: package.distribution.clone(),
            version: package.version.clone(),
        }
    }
}

impl Runtime {
    fn of(loaded: &LoadedRuntime) -> Runtime {
        Runtime { path: loaded.path.to_string(), version: loaded.version.clone() }
    }
}

impl State {
    /// Returns the state for the severity of the worst finding.
    pub fn of(worst: Severity) -> State {
        match worst {
            Severity::Error => State::Broken,
            Severity::Warning => State::Degraded,
            Severity::Information | Severity::Hint => State::Healthy,
        }
    }

    /// Returns its name in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            State::Checking => "checking",
            State::Healthy => "healthy",
            State::Degraded => "degraded",
            State::Broken => "broken",
            State::Unknown => "unknown",
            State::NotApplicable => "notApplicable",
        }
    }
}

fn list<T: AsRef<str>>(names: &[T]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.as_slice() {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

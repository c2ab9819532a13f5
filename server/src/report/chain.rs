//! The DLL tree of `whydll chain`.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::diagnosis::{Chain, ChainError};
use crate::loader::{Dependency, DependencyKind, DependencyTarget, Fault, LoadedModule, ModuleId};
use crate::plan::{Event, Step};
use crate::visible::{visible, visible_json, visible_lines};

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default().bold();
const BLUE: Style = AnsiColor::Blue.on_default().bold();

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonChain<'a> {
    schema: u32,
    loaded: bool,
    win_error: Option<u32>,
    culprit: Option<&'a str>,
    chain: Vec<&'a str>,
    python_error: Option<&'a str>,
    modules: Vec<JsonModule<'a>>,
    steps: Vec<JsonStep<'a>>,
}

/// A step of Python. `event` is `module` (its code runs), `extension` (it is imported), `library`
/// (loaded by ctypes), `directory` (added to the search path), `not-found` (no such module), or
/// `unknown` (the source doesn't determine what happens).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonStep<'a> {
    event: &'static str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    /// Whether it could be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    loaded: Option<bool>,
    /// Whether it depends on an unknown condition.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    uncertain: bool,
    /// The location of the statement.
    file: Option<&'a str>,
    line: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonModule<'a> {
    name: &'a str,
    path: &'a str,
    reason: String,
    required_by: Option<&'a str>,
    /// The location in Python that loaded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<&'a str>,
    /// The files with its name that the search passed over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    passed_over: Vec<JsonPassedOver<'a>>,
    /// The DLLs that it needs, and where they are.
    dependencies: Vec<JsonDependency<'a>>,
}

#[derive(Serialize)]
struct JsonPassedOver<'a> {
    path: &'a str,
    machine: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonDependency<'a> {
    name: &'a str,
    /// `import`, `delay import` or `forwarder`.
    kind: &'static str,
    /// `None` if it isn't found, or if it is a part of Windows whose file isn't available.
    path: Option<&'a str>,
    reason: String,
}

/// Renders the chain as one JSON object.
pub fn chain_json(chain: &Chain) -> String {
    let fault = fault(chain);
    let modules = all_modules(chain);
    let named =
        |link: &'_ crate::loader::Link| link.path.as_ref().map_or(link.name.clone(), |path| path.to_string());
    let links: Vec<String> = fault.map(|fault| fault.chain.iter().map(named).collect()).unwrap_or_default();
    let json = JsonChain {
        schema: 1,
        loaded: chain.error.is_none(),
        win_error: fault.map(|fault| fault.cause.code()),
        culprit: links.last().map(String::as_str),
        chain: links.iter().map(String::as_str).collect(),
        python_error: chain.error.as_ref().map(ChainError::sentence),
        modules: modules
            .iter()
            .take(chain.modules.len())
            .map(|module| JsonModule {
                name: &module.name,
                path: module.path.as_str(),
                reason: module.rule.to_string(),
                required_by: module.required_by.and_then(|id| modules.get(id)).map(|by| by.path.as_str()),
                asked_by: module.loaded_at.as_deref(),
                passed_over: module
                    .passed_over
                    .iter()
                    .map(|(path, machine)| JsonPassedOver {
                        path: path.as_str(),
                        machine: machine.to_string(),
                    })
                    .collect(),
                dependencies: module.dependencies.iter().map(|one| dependency(&modules, one)).collect(),
            })
            .collect(),
        steps: chain.steps.iter().map(step).collect(),
    };
    visible_json(&serde_json::to_string_pretty(&json).unwrap_or_default()).into_owned()
}

fn step(step: &Step) -> JsonStep<'_> {
    let (event, name, path, loaded) = match &step.event {
        Event::Module { name, path } => ("module", name.as_str(), Some(path.as_str()), None),
        Event::Extension { name, path, loaded } => {
            ("extension", name.as_str(), Some(path.as_str()), Some(*loaded))
        }
        Event::Library { name, loaded } => ("library", name.as_str(), None, Some(*loaded)),
        Event::DirectoryAdded(path) => ("directory", path.as_str(), None, None),
        Event::Unknown(what) | Event::UnknownLoad(what) => ("unknown", what.as_str(), None, None),
        Event::NotFound(module) => ("not-found", module.as_str(), None, None),
    };
    let file = step.at.file.as_ref().map(|file| file.as_str());
    JsonStep { event, name, path, loaded, uncertain: step.uncertain, file, line: step.at.line }
}

fn dependency<'a>(modules: &[&'a LoadedModule], dependency: &'a Dependency) -> JsonDependency<'a> {
    let of = |id: ModuleId| modules.get(id).map(|module| module.path.as_str());
    let (path, reason) = match &dependency.target {
        DependencyTarget::Loaded(id) => {
            (of(*id), modules.get(*id).map_or_else(String::new, |m| m.rule.to_string()))
        }
        DependencyTarget::AlreadyLoaded(id, rule) => (of(*id), rule.to_string()),
        DependencyTarget::PartOfWindows => (None, "part of Windows".to_owned()),
        DependencyTarget::DelayLoaded(path, rule) => (Some(path.as_str()), format!("not loaded yet; {rule}")),
        DependencyTarget::NotFound => (None, "not found".to_owned()),
    };
    JsonDependency { name: &dependency.name, kind: kind(dependency.kind), path, reason }
}

pub(super) fn kind(kind: DependencyKind) -> &'static str {
    match kind {
        DependencyKind::Import => "import",
        DependencyKind::DelayImport => "delay import",
        DependencyKind::Forwarder => "forwarder",
    }
}

/// Returns the modules of the process, followed by those that a failed load found and that Windows
/// unloads again.
pub(super) fn all_modules(chain: &Chain) -> Vec<&LoadedModule> {
    let mut modules: Vec<&LoadedModule> = chain.modules.iter().collect();
    if let Some(ChainError::Load { failure, .. }) = &chain.error {
        modules.extend(&failure.found);
    }
    modules
}

fn fault(chain: &Chain) -> Option<&Fault> {
    match &chain.error {
        Some(ChainError::Load { failure, .. }) => Some(&failure.first),
        _ => None,
    }
}

/// Renders the chain as a tree for a terminal.
pub fn chain_text(chain: &Chain) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{DIM}Python itself: {} modules{DIM:#}", chain.of_interpreter);
    let modules = all_modules(chain);
    for (id, module) in modules.iter().enumerate().skip(chain.of_interpreter) {
        if module.required_by.is_none() {
            branch(&mut out, &modules, chain, id, 0);
        }
    }
    for step in &chain.steps {
        if let Event::Unknown(what) | Event::UnknownLoad(what) = &step.event {
            let _ = writeln!(out, "{DIM}unknown: {}{DIM:#}", visible(&format!("{what} ({})", step.at)));
        }
    }
    match &chain.error {
        None => {
            let loaded = chain.modules.len() - chain.of_interpreter;
            let _ = writeln!(out, "loaded: {loaded} modules besides Python's own");
        }
        Some(ChainError::Python(sentence)) => {
            let _ = writeln!(out, "{RED}{}{RED:#}", visible_lines(sentence));
        }
        Some(ChainError::Load { failure, sentence }) => {
            for fault in failure.faults() {
                let culprit = visible(fault.culprit());
                let _ = writeln!(out, "\n{RED}{culprit}{RED:#}  Windows error {}", fault.cause.code());
                for (depth, link) in fault.chain.iter().enumerate() {
                    let name = link.path.as_ref().map_or(link.name.as_str(), |path| path.as_str());
                    let _ = writeln!(out, "  {}{}", "   ".repeat(depth), visible(name));
                }
                for searched in fault.cause.searched() {
                    let remark = match &searched.passed_over {
                        Some(over) => format!(", the file there is {}", over.machine.words()),
                        None => String::new(),
                    };
                    let place = format!("{} ({}){remark}", searched.directory, searched.rule);
                    let _ = writeln!(out, "  {DIM}not in {}{DIM:#}", visible(&place));
                }
            }
            let _ = writeln!(out, "\n{}", visible_lines(sentence));
        }
    }
    out
}

/// Draws a module, and below it everything that it needs.
fn branch(out: &mut String, modules: &[&LoadedModule], chain: &Chain, id: usize, depth: usize) {
    let Some(module) = modules.get(id) else {
        return;
    };
    let gone = if id >= chain.modules.len() { " (unloaded again)" } else { "" };
    let by = module.loaded_at.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let indent = "   ".repeat(depth);
    let place = format!("{} [{}{by}]", module.path, module.rule);
    let _ = writeln!(
        out,
        "{indent}{BLUE}{}{BLUE:#}  {DIM}{}{gone}{DIM:#}",
        visible(&module.name),
        visible(&place)
    );
    for (path, machine) in &module.passed_over {
        let path = visible(path.as_str());
        let _ = writeln!(out, "{indent}   {DIM}passed over: {path} is {}{DIM:#}", machine.words());
    }
    for dependency in &module.dependencies {
        let name = visible(&dependency.name);
        let indent = "   ".repeat(depth + 1);
        let kind = match dependency.kind {
            DependencyKind::Import => "",
            other => &format!(" ({})", kind(other)),
        };
        match &dependency.target {
            // Each module is drawn once, where it was loaded.
            DependencyTarget::Loaded(inner)
                if modules.get(*inner).is_some_and(|m| m.required_by == Some(id)) =>
            {
                branch(out, modules, chain, *inner, depth + 1);
            }
            DependencyTarget::Loaded(_) | DependencyTarget::AlreadyLoaded(..) => {
                let _ = writeln!(out, "{indent}{DIM}{name}{kind}  already loaded{DIM:#}");
            }
            DependencyTarget::PartOfWindows => {
                let _ = writeln!(out, "{indent}{DIM}{name}{kind}  part of Windows{DIM:#}");
            }
            DependencyTarget::DelayLoaded(path, rule) => {
                let path = visible(path.as_str());
                let _ = writeln!(out, "{indent}{DIM}{name}{kind}  {path} [{rule}], at the first call{DIM:#}");
            }
            DependencyTarget::NotFound if dependency.kind == DependencyKind::Import => {
                let _ = writeln!(out, "{indent}{RED}{name}  fails{RED:#}");
            }
            DependencyTarget::NotFound => drop(writeln!(out, "{indent}{DIM}{name}{kind}  not found{DIM:#}")),
        }
    }
}

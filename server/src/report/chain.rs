//! The DLL tree of `whydll chain`.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::diagnosis::{Chain, ChainError};
use crate::loader::{Fault, Module};

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
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct JsonModule<'a> {
    name: &'a str,
    path: &'a str,
    reason: String,
    required_by: Option<&'a str>,
}

/// The chain as one JSON object.
pub fn chain_json(chain: &Chain) -> String {
    let fault = fault(chain);
    let named =
        |link: &'_ crate::loader::Link| link.path.as_ref().map_or(link.name.clone(), |path| path.to_string());
    let links: Vec<String> = fault.map(|fault| fault.chain.iter().map(named).collect()).unwrap_or_default();
    let json = JsonChain {
        schema: 1,
        loaded: chain.error.is_none(),
        win_error: fault.map(|fault| fault.cause.code()),
        culprit: links.last().map(String::as_str),
        chain: links.iter().map(String::as_str).collect(),
        python_error: match &chain.error {
            Some(ChainError::Load { sentence, .. } | ChainError::Python(sentence)) => Some(sentence),
            None => None,
        },
        modules: chain
            .modules
            .iter()
            .map(|module| JsonModule {
                name: &module.name,
                path: module.path.as_str(),
                reason: module.rule.to_string(),
                required_by: module
                    .required_by
                    .and_then(|id| chain.modules.get(id))
                    .map(|by| by.path.as_str()),
            })
            .collect(),
    };
    serde_json::to_string_pretty(&json).unwrap_or_default()
}

fn fault(chain: &Chain) -> Option<&Fault> {
    match &chain.error {
        Some(ChainError::Load { failure, .. }) => Some(&failure.first),
        _ => None,
    }
}

/// The chain as a tree for a terminal.
pub fn chain_text(chain: &Chain) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{DIM}Python itself: {} modules{DIM:#}", chain.of_interpreter);
    let mut modules: Vec<&Module> = chain.modules.iter().collect();
    if let Some(ChainError::Load { failure, .. }) = &chain.error {
        // What was found before the culprit; Windows unloads it again.
        modules.extend(&failure.found);
    }
    for (id, module) in modules.iter().enumerate().skip(chain.of_interpreter) {
        if module.required_by.is_none() {
            branch(&mut out, &modules, chain, id, 0);
        }
    }
    match &chain.error {
        None => {
            let loaded = chain.modules.len() - chain.of_interpreter;
            let _ = writeln!(out, "loaded: {loaded} modules beside Python's own");
        }
        Some(ChainError::Python(sentence)) => drop(writeln!(out, "{RED}{sentence}{RED:#}")),
        Some(ChainError::Load { failure, sentence }) => {
            for fault in failure.faults() {
                let _ =
                    writeln!(out, "\n{RED}{}{RED:#}  Windows error {}", fault.culprit(), fault.cause.code());
                for (depth, link) in fault.chain.iter().enumerate() {
                    let name = link.path.as_ref().map_or(link.name.as_str(), |path| path.as_str());
                    let _ = writeln!(out, "  {}{name}", "   ".repeat(depth));
                }
                for searched in fault.cause.searched() {
                    let _ = writeln!(out, "  {DIM}not in {} ({}){DIM:#}", searched.directory, searched.rule);
                }
            }
            let _ = writeln!(out, "\n{sentence}");
        }
    }
    out
}

fn branch(out: &mut String, modules: &[&Module], chain: &Chain, id: usize, depth: usize) {
    let Some(module) = modules.get(id) else {
        return;
    };
    let gone = if id >= chain.modules.len() { " (unloaded again)" } else { "" };
    let indent = "   ".repeat(depth);
    let _ = writeln!(
        out,
        "{indent}{BLUE}{}{BLUE:#}  {DIM}{} [{}]{gone}{DIM:#}",
        module.name, module.path, module.rule
    );
    for (inner, candidate) in modules.iter().enumerate().skip(id + 1) {
        if candidate.required_by == Some(id) {
            branch(out, modules, chain, inner, depth + 1);
        }
    }
}

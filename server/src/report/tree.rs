//! The DLL tree as nodes, for an editor's tree view.

use serde::Serialize;

use super::chain::{all_modules, kind};
use crate::diagnosis::{Chain, ChainError};
use crate::host::{Host, WinPath};
use crate::loader::{Dependency, DependencyKind, DependencyTarget, Fault, LoadedModule};

/// The state of a DLL in the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeState {
    /// It was loaded.
    Loaded,
    /// It is a part of Windows.
    System,
    /// It was already loaded, and is drawn where that happened.
    AlreadyLoaded,
    /// It will be loaded at the first call.
    Waiting,
    /// It could be loaded, but a DLL that it needs couldn't, so Windows unloads it again.
    Unloaded,
    /// It wasn't found, or can't be loaded.
    Missing,
    /// The search passed over it.
    Skipped,
}

/// A DLL, or a directory that was searched for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Node {
    /// The base name, or the path of the directory.
    pub name: String,
    /// Its file, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// VERSIONINFO's file version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its state.
    pub state: NodeState,
    /// The rule that found it, or why it wasn't found.
    pub rule: String,
    /// The DLLs that it needs, in the order in which the loader resolves them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Node>,
}

/// Returns the modules that the program loads, each with what it needs as its children. The first
/// node contains the modules of the interpreter itself.
pub fn chain_tree(chain: &Chain, host: &Host) -> Vec<Node> {
    let drawing = Drawing { modules: all_modules(chain), loaded: chain.modules.len(), host, chain };
    let roots = |from: usize, to: usize| {
        let ids = (from..to).filter(|id| drawing.modules.get(*id).is_some_and(|m| m.required_by.is_none()));
        ids.filter_map(|id| drawing.module(id)).collect::<Vec<Node>>()
    };
    let mut nodes = Vec::new();
    if chain.of_interpreter > 0 {
        nodes.push(Node {
            name: "Python itself".to_owned(),
            path: None,
            version: None,
            state: NodeState::System,
            rule: format!("{} modules", chain.of_interpreter),
            children: roots(0, chain.of_interpreter),
        });
    }
    nodes.extend(roots(chain.of_interpreter, drawing.modules.len()));
    // Missing modules requested by the program have no parent module.
    let asked_for = drawing.faults().filter(|fault| fault.chain.len() == 1);
    let is_drawn = |fault: &&Fault| !nodes.iter().any(|node| node.name.eq_ignore_ascii_case(fault.culprit()));
    let missing: Vec<Node> = asked_for.filter(is_drawn).map(|fault| drawing.fault(fault)).collect();
    nodes.extend(missing);
    nodes
}

struct Drawing<'a> {
    modules: Vec<&'a LoadedModule>,
    /// The number of modules that stay loaded; those after them are unloaded again.
    loaded: usize,
    host: &'a Host,
    chain: &'a Chain,
}

impl<'a> Drawing<'a> {
    fn faults(&self) -> impl Iterator<Item = &'a Fault> {
        let failure = match &self.chain.error {
            Some(ChainError::Load { failure, .. }) => Some(failure),
            _ => None,
        };
        failure.into_iter().flat_map(|failure| failure.faults())
    }

    fn module(&self, id: usize) -> Option<Node> {
        let module = *self.modules.get(id)?;
        let of_windows = module.path.is_within(&self.host.windows_directory);
        let state = match () {
            () if id >= self.loaded => NodeState::Unloaded,
            () if of_windows => NodeState::System,
            () => NodeState::Loaded,
        };
        let rule = match &module.loaded_at {
            Some(by) => format!("{}, loaded by {by}", module.rule),
            None => module.rule.to_string(),
        };
        let skipped = module.passed_over.iter().map(|(path, machine)| Node {
            name: path.file_name().to_owned(),
            path: Some(path.to_string()),
            version: self.version(path),
            state: NodeState::Skipped,
            rule: format!("passed over: it is {}", machine.words()),
            children: Vec::new(),
        });
        let needed = module.dependencies.iter().map(|dependency| self.dependency(id, dependency));
        Some(Node {
            name: module.name.clone(),
            version: self.version(&module.path),
            path: Some(module.path.to_string()),
            state,
            rule,
            children: skipped.chain(needed).collect(),
        })
    }

    fn dependency(&self, of: usize, dependency: &Dependency) -> Node {
        let leaf = |path: Option<&WinPath>, state: NodeState, rule: String| Node {
            name: dependency.name.clone(),
            path: path.map(WinPath::to_string),
            version: path.and_then(|path| self.version(path)),
            state,
            rule: match dependency.kind {
                DependencyKind::Import => rule,
                other => format!("{rule} ({})", kind(other)),
            },
            children: Vec::new(),
        };
        let path_of = |id: usize| self.modules.get(id).map(|module| &module.path);
        match &dependency.target {
            DependencyTarget::Loaded(id)
                if self.modules.get(*id).is_some_and(|m| m.required_by == Some(of)) =>
            {
                self.module(*id).unwrap_or_else(|| leaf(None, NodeState::Missing, "not found".to_owned()))
            }
            DependencyTarget::Loaded(id) => {
                leaf(path_of(*id), NodeState::AlreadyLoaded, "already loaded".to_owned())
            }
            DependencyTarget::AlreadyLoaded(id, rule) => {
                leaf(path_of(*id), NodeState::AlreadyLoaded, rule.to_string())
            }
            DependencyTarget::PartOfWindows => leaf(None, NodeState::System, "part of Windows".to_owned()),
            DependencyTarget::DelayLoaded(path, rule) => {
                leaf(Some(path), NodeState::Waiting, rule.to_string())
            }
            DependencyTarget::NotFound => {
                let importer = self.modules.get(of).map(|module| &module.path);
                let mut faults = self.faults().filter(|fault| {
                    fault.culprit().eq_ignore_ascii_case(&dependency.name)
                        && fault.importer().and_then(|link| link.path.as_ref()) == importer
                });
                match faults.next() {
                    Some(fault) => self.fault(fault),
                    // It is drawn in full below another module that needs it, or isn't needed now.
                    None if dependency.kind == DependencyKind::Import => {
                        leaf(None, NodeState::Missing, "cannot be loaded".to_owned())
                    }
                    None => leaf(None, NodeState::Skipped, "not found".to_owned()),
                }
            }
        }
    }

    /// Returns a culprit with the searched directories as its children.
    fn fault(&self, fault: &Fault) -> Node {
        let path = fault.cause.path();
        let places = fault.cause.searched().iter().map(|searched| Node {
            name: searched.directory.to_string(),
            path: None,
            version: None,
            state: NodeState::Skipped,
            rule: match &searched.passed_over {
                Some(over) => format!("{}, the file there is {}", searched.rule, over.machine.words()),
                None => format!("{}, not there", searched.rule),
            },
            children: Vec::new(),
        });
        Node {
            name: fault.culprit().to_owned(),
            path: path.map(WinPath::to_string),
            version: path.and_then(|path| self.version(path)),
            state: NodeState::Missing,
            rule: match path {
                Some(_) => format!("cannot be loaded: Windows error {}", fault.cause.code()),
                None => format!("not found: Windows error {}", fault.cause.code()),
            },
            children: places.collect(),
        }
    }

    fn version(&self, path: &WinPath) -> Option<String> {
        self.host.files.image(path).ok()?.version.map(|version| version.to_string())
    }
}

//! Drops what turned out not to matter, once a module is lowered.
//!
//! The outline keeps a function whose text speaks of importing; often only its docstring does. Here the
//! statements themselves tell.

use std::collections::HashSet;
use std::sync::Arc;

use super::script::{Expr, Function, Name, Script, Stmt, StmtKind};

/// Names whose use in a function means that it may load something, or change where is searched.
const LOADING_NAMES: [&str; 16] = [
    "TF_LoadLibrary",
    "_getframe",
    "WinDLL",
    "CDLL",
    "PyDLL",
    "OleDLL",
    "windll",
    "cdll",
    "oledll",
    "pydll",
    "add_dll_directory",
    "import_module",
    "__import__",
    "environ",
    "putenv",
    "exec",
];

/// How the names of native files end.
pub(super) const NATIVE: [&str; 3] = [".dll", ".pyd", ".so"];

/// Functions that say something by their names alone: a module with the first may have any name, and the second returns the file of
/// what it is given.
const KEPT: [&str; 2] = ["__getattr__", "getfile"];

/// A body of at most so many statements is kept for the value that it returns.
const SHORT: usize = 3;

/// A function of which calling it tells nothing, so that its parameters do not either, nor what decorates it.
pub(super) fn without_body(name: Name) -> Function {
    Function { name, parameters: Vec::new(), body: None, decorators: Vec::new() }
}

/// The definition of what tells nothing: its name is all that matters.
pub(super) fn opaque(name: Name) -> StmtKind {
    match KEPT.contains(&name.as_str()) {
        true => StmtKind::Function(Arc::new(without_body(name))),
        false => StmtKind::Assign { targets: vec![Expr::Name(name)], value: Expr::Opaque },
    }
}

/// Replaces the functions that neither import nor load nor name a DLL, nor call one of this module that does, by
/// their names.
pub(super) fn prune(script: &mut Script) {
    let mut loading: HashSet<Name> = HashSet::new();
    loop {
        let before = loading.len();
        for_each_function(&script.body, &mut |name, body| {
            if loads(body, &loading) {
                loading.insert(name.clone());
            }
        });
        if loading.len() == before {
            break;
        }
    }
    drop_bodies(&mut script.body, &loading);
    merge_unknown(&mut script.body);
}

/// Names that follow each other and cannot be known are bound in one statement.
fn merge_unknown(body: &mut Vec<Stmt>) {
    body.dedup_by(|next, kept| match (&mut kept.kind, &mut next.kind) {
        (
            StmtKind::Assign { targets, value: Expr::Opaque },
            StmtKind::Assign { targets: more, value: Expr::Opaque },
        ) if targets.iter().chain(&*more).all(|target| matches!(target, Expr::Name(_))) => {
            targets.append(more);
            true
        }
        _ => false,
    });
}

fn for_each_function(body: &[Stmt], visit: &mut impl FnMut(&Name, &[Stmt])) {
    for stmt in body {
        match &stmt.kind {
            StmtKind::Function(function) => {
                if let Some(body) = &function.body {
                    visit(&function.name, body);
                }
            }
            kind => blocks(kind).into_iter().for_each(|block| for_each_function(block, visit)),
        }
    }
}

fn drop_bodies(body: &mut [Stmt], loading: &HashSet<Name>) {
    for stmt in body {
        match &mut stmt.kind {
            StmtKind::Function(function) => {
                let keep = loading.contains(&function.name)
                    || KEPT.contains(&function.name.as_str())
                    || function.body.as_ref().is_some_and(|body| body.len() <= SHORT);
                if !keep {
                    let target = Expr::Name(function.name.clone());
                    stmt.kind = StmtKind::Assign { targets: vec![target], value: Expr::Opaque };
                }
            }
            StmtKind::If { then, otherwise, .. } => {
                drop_bodies(then, loading);
                drop_bodies(otherwise, loading);
            }
            StmtKind::Try(attempt) => {
                drop_bodies(&mut attempt.body, loading);
                drop_bodies(&mut attempt.otherwise, loading);
                drop_bodies(&mut attempt.finally, loading);
                for handler in &mut attempt.handlers {
                    drop_bodies(&mut handler.body, loading);
                }
            }
            StmtKind::With { body, .. } => drop_bodies(body, loading),
            _ => {}
        }
    }
}

/// The blocks within a statement that run with it; not the body of a function.
fn blocks(kind: &StmtKind) -> Vec<&[Stmt]> {
    match kind {
        StmtKind::If { then, otherwise, .. } => vec![then, otherwise],
        StmtKind::For { body, otherwise, .. } => vec![body, otherwise],
        StmtKind::While { body, .. } | StmtKind::With { body, .. } | StmtKind::Class { body, .. } => {
            vec![body]
        }
        StmtKind::Try(attempt) => {
            let handlers = attempt.handlers.iter().map(|handler| handler.body.as_slice());
            [attempt.body.as_slice(), &attempt.otherwise, &attempt.finally]
                .into_iter()
                .chain(handlers)
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Whether running these statements, or a function that they define, may import or load.
fn loads(body: &[Stmt], loading: &HashSet<Name>) -> bool {
    body.iter().any(|stmt| {
        let here = match &stmt.kind {
            StmtKind::Import { .. } | StmtKind::ImportFrom { .. } => true,
            StmtKind::Assign { targets, value } => {
                any(value, loading) || targets.iter().any(|t| any(t, loading))
            }
            StmtKind::Augment { target, value } => any(value, loading) || any(target, loading),
            StmtKind::Expr(value) | StmtKind::Return(Some(value)) => any(value, loading),
            StmtKind::If { test, .. } | StmtKind::While { test, .. } => any(test, loading),
            StmtKind::For { iter, .. } => any(iter, loading),
            StmtKind::With { items, .. } => items.iter().any(|(context, _)| any(context, loading)),
            StmtKind::Function(inner) => inner.body.as_ref().is_some_and(|body| loads(body, loading)),
            _ => false,
        };
        here || blocks(&stmt.kind).into_iter().any(|block| loads(block, loading))
    })
}

/// Whether an expression names something that loads.
fn any(expr: &Expr, loading: &HashSet<Name>) -> bool {
    let inner = |expr: &Expr| any(expr, loading);
    match expr {
        Expr::Name(name) => LOADING_NAMES.contains(&name.as_str()) || loading.contains(name),
        Expr::Attribute(object, name) => {
            let path = name == "path" && matches!(&**object, Expr::Name(module) if module == "sys");
            path || LOADING_NAMES.contains(&name.as_str()) || name.starts_with("LoadLibrary") || inner(object)
        }
        Expr::Call(call) => {
            inner(&call.function)
                || call.arguments.iter().any(inner)
                || call.keywords.iter().any(|(_, value)| inner(value))
        }
        Expr::Not(operand) | Expr::Named(_, operand) => inner(operand),
        Expr::Binary(parts) => inner(&parts.0) || inner(&parts.2),
        Expr::Compare(parts) => inner(&parts.0) || inner(&parts.2),
        Expr::Subscript(parts) => inner(&parts.0) || inner(&parts.1),
        Expr::Slice(parts) => inner(&parts.0),
        Expr::Conditional(parts) => inner(&parts.0) || inner(&parts.1) || inner(&parts.2),
        Expr::And(values)
        | Expr::Or(values)
        | Expr::Tuple(values)
        | Expr::List(values)
        | Expr::Joined(values) => values.iter().any(inner),
        Expr::Dict(items) => items.iter().any(|(key, value)| inner(key) || inner(value)),
        Expr::Comprehension(comprehension) => inner(&comprehension.element) || inner(&comprehension.iter),
        // Who finds the path of a DLL returns it to who loads it.
        Expr::Str(text) => NATIVE.iter().any(|ending| text.ends_with(ending)),
        Expr::Opaque | Expr::None | Expr::Bool(_) | Expr::Int(_) => false,
    }
}

//! Python source: removing parts of a module before it is parsed must not change its meaning.

use std::sync::Arc;

use whydll::source::{
    Document, Expr, Function, Handler, Stmt, StmtKind, Try, lower, lower_part, lower_whole,
};

use crate::{Target, texts};

pub const SOURCE: Target = Target { name: "source", run, seeds };

fn run(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let outlined = lower(&text);
    let in_full = comparable(&outlined.body, &text);
    let whole = lower_whole(&text);
    // If the source has syntax errors, they may be in the removed parts.
    if whole.syntax_error.is_none() {
        assert_eq!(outlined.syntax_error, None);
        assert_eq!(in_full, comparable(&whole.body, &text));
    }
    Document::parse(&text);
}

/// Returns the statements with the removed definitions in their places, and without what an outline
/// may lose.
fn comparable(body: &[Stmt], text: &str) -> Vec<Stmt> {
    let again = |body: &[Stmt]| comparable(body, text);
    let mut out = Vec::new();
    for Stmt { line, kind } in body {
        let kind = match kind {
            StmtKind::LeftOut(definitions) => {
                out.extend(
                    definitions.iter().flat_map(|definition| again(&lower_part(text, definition.at).body)),
                );
                continue;
            }
            // The setter of a property is not kept.
            StmtKind::Function(function) if function.decorators.iter().any(is_setter) => continue,
            StmtKind::Function(function) => StmtKind::Function(Arc::new(Function {
                body: function.body.as_deref().map(again),
                ..(**function).clone()
            })),
            StmtKind::Assign { targets, value } => {
                let value = without_arguments(targets, value);
                if is_number(&value) && targets.iter().all(|target| matches!(target, Expr::Name(_))) {
                    // Such statements are merged.
                    let one = |target: &Expr| StmtKind::Assign {
                        targets: vec![target.clone()],
                        value: Expr::Opaque,
                    };
                    out.extend(targets.iter().map(|target| Stmt { line: 0, kind: one(target) }));
                    continue;
                }
                StmtKind::Assign { targets: targets.clone(), value }
            }
            StmtKind::If { test, then, otherwise } => {
                StmtKind::If { test: test.clone(), then: again(then), otherwise: again(otherwise) }
            }
            StmtKind::For { target, iter, body, otherwise } => StmtKind::For {
                target: target.clone(),
                iter: iter.clone(),
                body: again(body),
                otherwise: again(otherwise),
            },
            StmtKind::While { test, body } => StmtKind::While { test: test.clone(), body: again(body) },
            StmtKind::With { items, body } => StmtKind::With { items: items.clone(), body: again(body) },
            StmtKind::Try(attempt) => StmtKind::Try(Box::new(Try {
                body: again(&attempt.body),
                handlers: attempt
                    .handlers
                    .iter()
                    .map(|handler| Handler { body: again(&handler.body), ..handler.clone() })
                    .collect(),
                otherwise: again(&attempt.otherwise),
                finally: again(&attempt.finally),
            })),
            StmtKind::Class { name, bases, body, decorators } => StmtKind::Class {
                name: name.clone(),
                bases: bases.clone(),
                body: again(body),
                decorators: decorators.clone(),
            },
            other => other.clone(),
        };
        out.push(Stmt { line: *line, kind });
    }
    out
}

/// Returns the last name of `a.b.c` or `a.b.c(…)`.
fn last_name(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Name(name) | Expr::Attribute(_, name) => Some(name),
        Expr::Call(call) => last_name(&call.function),
        _ => None,
    }
}

fn is_setter(decorator: &Expr) -> bool {
    matches!(last_name(decorator), Some("setter" | "deleter"))
}

/// Removes the arguments of `name = Class(…)`, which an outline may remove.
fn without_arguments(targets: &[Expr], value: &Expr) -> Expr {
    let mut value = value.clone();
    if let ([Expr::Name(_)], Expr::Call(call)) = (targets, &mut value)
        && last_name(&call.function)
            .is_some_and(|class| class.starts_with(|first: char| first.is_ascii_uppercase()))
    {
        call.arguments.clear();
        call.keywords.clear();
    }
    value
}

/// Whether a value consists of numbers or is unknown: long tables of numbers are removed.
fn is_number(value: &Expr) -> bool {
    match value {
        Expr::Opaque | Expr::Int(_) => true,
        Expr::Tuple(values) | Expr::List(values) => values.iter().all(is_number),
        Expr::And(values) | Expr::Or(values) => values.iter().all(is_number),
        Expr::Dict(items) => items.iter().all(|(key, value)| is_number(key) && is_number(value)),
        Expr::Binary(parts) => is_number(&parts.0) && is_number(&parts.2),
        Expr::Compare(parts) => is_number(&parts.0) && is_number(&parts.2),
        Expr::Subscript(parts) => is_number(&parts.0) && is_number(&parts.1),
        Expr::Slice(parts) => {
            is_number(&parts.0) && [&parts.1, &parts.2].into_iter().flatten().all(is_number)
        }
        Expr::Conditional(parts) => is_number(&parts.0) && is_number(&parts.1) && is_number(&parts.2),
        Expr::Not(value) => is_number(value),
        Expr::Call(call) => is_number(&call.function) && call.arguments.iter().all(is_number),
        _ => false,
    }
}

fn seeds() -> Vec<Vec<u8>> {
    // Longer than the length up to which bodies are kept.
    let long = "        x = compute(x) + 'text' + str({'a': [1, 2]})  # and so on\n".repeat(4);
    let table = "0x1F, (-1, 2.5e3), # all\n".repeat(60);
    let module = include_str!("../../server/src/source/compiled/samples/module.py");
    let outlined = format!(
        r#"# -*- coding: utf-8 -*-
"""About it.
{long}"""
from __future__ import annotations
import os, sys as system
from .a import (b, # one
    c as d)
@decorated(1)
def left_out(x, y=1):
{long}
async def later():
{long}
if system.platform == "win32":
    def within():
{long}
    import ctypes
class A(B, metaclass=M):
    r'''Docs
{long}'''
    value = Field(
{long}    )
    @property
    def p(self): return 1
    @property
    def q(self):
{long}
    @q.setter
    def q(self, value):
{long}
    @staticmethod
    def s(*args, **kwargs):
{long}
    class C:
        def f(self):
{long}
table = ({table})
def loads():
    def inner():
{long}
    import e
{long}
def calls():
    loads()
{long}
try:
    import f
except (ImportError, OSError) as error:
    raise RuntimeError('no') from error
else:
    x = [y for y in z if y]
finally:
    del x
for a, b in {{'x': 1}}.items():
    while a: break
with open(f"{{x!r}}.dll") as g, h: g.read()
"#
    );
    let mut seeds =
        texts(&[&outlined, module, &outlined.replace('\n', "\r\n"), "import a\nfrom b import c\n"]);
    // Single bodies, so that an altered seed stays short.
    for header in
        ["def f():\n", "class A:\n    def f(self):\n", "if 1:\n  @a\n  def f(x): # f\n", "x = Class(\n"]
    {
        let end = if header.contains('(') && header.contains('=') { "    )\n" } else { "import g\nf()\n" };
        seeds.push(format!("{header}{long}{end}").into_bytes());
    }
    seeds
}

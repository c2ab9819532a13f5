//! Accesses to attributes of imported modules at the top level of a program: `pyvista.Sphere()`. A
//! lazy module imports something at that point. Modules of the standard library don't.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::script::{Name, top_level};
use super::standard::is_standard;

/// The maximum number of accesses per document. Programs with more are generated.
const MAX_ACCESSES: usize = 200;

/// The modules that names refer to at the current statement.
#[derive(Default)]
pub(super) struct Modules {
    /// Dotted module names, by the names that they are bound to.
    names: FxHashMap<Name, Name>,
    /// The dotted names of all imported modules.
    imported: FxHashSet<Name>,
    /// The modules and attributes that were already accessed.
    accessed: FxHashSet<(Name, Name)>,
}

/// The first access to an attribute.
pub(super) struct Access {
    /// The dotted name of the module.
    pub module: Name,
    pub name: Name,
    /// The range of the whole expression.
    pub range: TextRange,
}

impl Modules {
    /// Processes a statement: returns the accesses that it makes before any block in it runs, and
    /// updates the bindings.
    pub fn process(&mut self, stmt: &Stmt) -> Vec<Access> {
        let mut finder = AccessVisitor { modules: self, found: Vec::new() };
        match stmt {
            Stmt::Expr(one) => finder.visit_expr(&one.value),
            Stmt::Assign(one) => finder.visit_expr(&one.value),
            Stmt::AugAssign(one) => finder.visit_expr(&one.value),
            Stmt::AnnAssign(one) => one.value.iter().for_each(|value| finder.visit_expr(value)),
            Stmt::Assert(one) => finder.visit_expr(&one.test),
            Stmt::Raise(one) => one.exc.iter().for_each(|exception| finder.visit_expr(exception)),
            Stmt::If(one) => finder.visit_expr(&one.test),
            Stmt::While(one) => finder.visit_expr(&one.test),
            Stmt::For(one) => finder.visit_expr(&one.iter),
            Stmt::With(one) => one.items.iter().for_each(|item| finder.visit_expr(&item.context_expr)),
            Stmt::FunctionDef(one) => {
                one.decorator_list.iter().for_each(|decorator| finder.visit_expr(&decorator.expression));
            }
            _ => {}
        }
        let found = finder.found;
        self.bind(stmt);
        found
    }

    fn bind(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let dotted = Name::from(alias.name.as_str());
                    if is_standard(top_level(&dotted)) {
                        continue;
                    }
                    let (name, module) = match &alias.asname {
                        Some(name) => (Name::from(name.as_str()), dotted.clone()),
                        None => (Name::from(top_level(&dotted)), Name::from(top_level(&dotted))),
                    };
                    self.names.insert(name, module);
                    self.imported.insert(dotted);
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    self.names.remove(alias.asname.as_ref().unwrap_or(&alias.name).as_str());
                }
            }
            Stmt::Assign(assign) => assign.targets.iter().for_each(|target| self.unbind(target)),
            Stmt::AnnAssign(assign) => self.unbind(&assign.target),
            Stmt::For(each) => self.unbind(&each.target),
            Stmt::FunctionDef(def) => drop(self.names.remove(def.name.as_str())),
            Stmt::ClassDef(class) => drop(self.names.remove(class.name.as_str())),
            _ => {}
        }
    }

    fn unbind(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => drop(self.names.remove(name.id.as_str())),
            Expr::Tuple(ast::ExprTuple { elts, .. }) | Expr::List(ast::ExprList { elts, .. }) => {
                elts.iter().for_each(|target| self.unbind(target));
            }
            _ => {}
        }
    }

    /// Returns the access that a chain of attributes makes, given innermost first. It's the first
    /// attribute that isn't a module.
    fn access(&self, first: &str, chain: &[&ast::ExprAttribute]) -> Option<Access> {
        let mut module = self.names.get(first)?.clone();
        for attribute in chain {
            let name = Name::from(attribute.attr.as_str());
            let dotted = Name::from([&module, ".", &name].concat());
            if !self.imported.contains(&dotted) {
                return Some(Access { module, name, range: attribute.range() });
            }
            module = dotted;
        }
        None
    }
}

struct AccessVisitor<'m> {
    modules: &'m mut Modules,
    found: Vec<Access>,
}

impl<'a> Visitor<'a> for AccessVisitor<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // The body runs when the lambda is called.
            Expr::Lambda(_) => {}
            // Handled without recursion, because chains may be long.
            Expr::Attribute(outermost) => {
                let mut chain = vec![outermost];
                let mut value = &*outermost.value;
                while let Expr::Attribute(inner) = value {
                    chain.push(inner);
                    value = &inner.value;
                }
                chain.reverse();
                let Expr::Name(first) = value else { return self.visit_expr(value) };
                let access = self.modules.access(&first.id, &chain);
                let is_new = |one: &Access| {
                    let accessed = &mut self.modules.accessed;
                    accessed.len() < MAX_ACCESSES && accessed.insert((one.module.clone(), one.name.clone()))
                };
                self.found.extend(access.filter(is_new));
            }
            _ => walk_expr(self, expr),
        }
    }
}

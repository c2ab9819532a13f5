//! Attributes of imported modules that a program takes at its top level: `pyvista.Sphere()`. A module that is lazy imports something
//! then; those of the standard library are not.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{self as ast, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::script::{Name, top_level};
use super::standard::is_standard;

/// More of them are not looked at: no person wrote such a program.
const MOST: usize = 200;

/// The modules that names stand for so far.
#[derive(Default)]
pub(super) struct Modules {
    /// Dotted names, by the names that the program has for them.
    names: FxHashMap<Name, Name>,
    /// Dotted names of all that were imported.
    imported: FxHashSet<Name>,
    /// Modules and attributes that were taken already.
    taken: FxHashSet<(Name, Name)>,
}

/// The first use of an attribute.
pub(super) struct Access {
    /// Dotted name of the module.
    pub module: Name,
    pub name: Name,
    /// The whole expression.
    pub range: TextRange,
}

impl Modules {
    /// What a statement takes, as far as it does so before a block in it runs; what it binds counts from here on.
    pub fn pass(&mut self, stmt: &Stmt) -> Vec<Access> {
        let mut finder = Finder { modules: self, found: Vec::new() };
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

    /// What is taken of a module by a chain of attributes, the innermost first, that begins with a name: the first that is no module.
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

struct Finder<'m> {
    modules: &'m mut Modules,
    found: Vec<Access>,
}

impl<'a> Visitor<'a> for Finder<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            // Its body runs when it is called.
            Expr::Lambda(_) => {}
            // As a whole: chains may be long.
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
                    let taken = &mut self.modules.taken;
                    taken.len() < MOST && taken.insert((one.module.clone(), one.name.clone()))
                };
                self.found.extend(access.filter(is_new));
            }
            _ => walk_expr(self, expr),
        }
    }
}

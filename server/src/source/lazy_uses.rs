//! Uses of lazy imports in a document (PEP 810), which is where the imports are made.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprContext, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::script::{Name, top_level};

/// The maximum number of lazy imports that are tracked at a time. Programs with more are generated.
const MAX_PENDING: usize = 200;

/// The lazy imports that have not been used so far.
#[derive(Default)]
pub(super) struct LazyImports(Vec<PendingImport>);

struct PendingImport {
    /// The name that it binds.
    name: Name,
    /// `a.b` for `import a.b`, because a use of `a.c` doesn't import it.
    dotted: Option<Name>,
    /// Its index among the document's imports.
    import: usize,
    /// Whether it was used in a function, which runs later.
    later: bool,
}

/// The first use of a lazy import.
pub(super) struct Use {
    /// Its index among the document's imports.
    pub import: usize,
    /// The name or attribute that uses it, up to the part that imports the module.
    pub range: TextRange,
    /// The same as a dotted name.
    pub dotted: Name,
}

impl LazyImports {
    /// Adds a lazy import. It binds `name` or, without one, the first part of `dotted`.
    pub fn add(&mut self, import: usize, name: Option<&str>, dotted: &str) {
        if self.0.len() < MAX_PENDING {
            let (name, dotted) = match name {
                Some(name) => (name, None),
                None => (top_level(dotted), Some(dotted.into())),
            };
            self.0.push(PendingImport { name: name.into(), dotted, import, later: false });
        }
    }

    /// Returns the uses in a statement before any block in it runs. `later` means that it is in a
    /// function, whose uses don't end the search.
    pub fn uses_in(&mut self, stmt: &Stmt, later: bool) -> Vec<Use> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let mut finder = UseVisitor { imports: self, later, found: Vec::new() };
        finder.header(stmt);
        finder.found
    }
}

struct UseVisitor<'l> {
    imports: &'l mut LazyImports,
    later: bool,
    found: Vec<Use>,
}

impl UseVisitor<'_> {
    /// Visits a statement without its blocks.
    fn header(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::If(one) => self.visit_expr(&one.test),
            Stmt::While(one) => self.visit_expr(&one.test),
            Stmt::For(one) => self.visit_expr(&one.iter),
            Stmt::With(one) => one.items.iter().for_each(|item| self.visit_expr(&item.context_expr)),
            Stmt::Match(one) => self.visit_expr(&one.subject),
            Stmt::Try(_) => {}
            Stmt::FunctionDef(one) => {
                one.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                let defaults = one.parameters.iter_non_variadic_params().filter_map(|it| it.default());
                defaults.for_each(|default| self.visit_expr(default));
                self.rebound(&one.name);
            }
            Stmt::ClassDef(one) => {
                one.decorator_list.iter().for_each(|decorator| self.visit_expr(&decorator.expression));
                one.bases().iter().for_each(|base| self.visit_expr(base));
                self.rebound(&one.name);
            }
            // Annotations aren't evaluated.
            Stmt::AnnAssign(one) => {
                one.value.iter().for_each(|value| self.visit_expr(value));
                self.visit_expr(&one.target);
            }
            _ => walk_stmt(self, stmt),
        }
    }

    /// Handles an assignment of another value to the name.
    fn rebound(&mut self, name: &str) {
        if !self.later {
            self.imports.0.retain(|one| one.name != name);
        }
    }

    /// Handles a chain of attributes that begins with a name: its expressions, innermost first.
    fn used(&mut self, chain: &[&Expr], dotted: &str) {
        let later = self.later;
        let found = &mut self.found;
        self.imports.0.retain_mut(|one| {
            let imports = match &one.dotted {
                None => top_level(dotted) == one.name,
                Some(module) => is_within(dotted, module) || is_within(module, dotted),
            };
            if !imports {
                return true;
            }
            if !std::mem::replace(&mut one.later, true) || !later {
                let parts = one.dotted.as_ref().map_or(1, |module| module.split('.').count());
                let parts = parts.min(chain.len());
                let range = chain.get(parts - 1).map_or_else(TextRange::default, |it| it.range());
                let dotted = dotted.split('.').take(parts).collect::<Vec<&str>>().join(".").into();
                found.push(Use { import: one.import, range, dotted });
            }
            later
        });
    }
}

fn is_within(name: &str, package: &str) -> bool {
    name.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl<'a> Visitor<'a> for UseVisitor<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Lambda(_) => {
                let later = std::mem::replace(&mut self.later, true);
                walk_expr(self, expr);
                self.later = later;
            }
            Expr::Name(name) if name.ctx == ExprContext::Load => self.used(&[expr], &name.id),
            Expr::Name(name) => self.rebound(&name.id),
            // Handled without recursion, because chains may be long.
            Expr::Attribute(_) => {
                let mut chain = vec![expr];
                while let Some(Expr::Attribute(outer)) = chain.last() {
                    chain.push(&outer.value);
                }
                chain.reverse();
                let Some(Expr::Name(first)) = chain.first() else {
                    return chain.first().into_iter().for_each(|inner| self.visit_expr(inner));
                };
                let mut dotted = first.id.to_string();
                for attribute in chain.iter().filter_map(|part| part.as_attribute_expr()) {
                    dotted.push('.');
                    dotted.push_str(&attribute.attr);
                }
                self.used(&chain, &dotted);
            }
            _ => walk_expr(self, expr),
        }
    }
}

//! Lazy imports (PEP 810, Python 3.15): what they bind, and when they are made.
//!
//! The behavior was verified with CPython 3.15.2, whose `Python/import.c` implements them
//! (`_PyImport_LazyImportModuleLevelObject`, `_PyImport_LoadLazyImportTstate`).

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::exceptions::traced;
use super::frame::Frame;
use super::operators::compare;
use super::value::{Exception, LazyImport, ModuleRef, Value};
use super::{Place, Plan};
use crate::cpython::Interpreter;
use crate::source::{CompareOp, LAZY_IMPORTS, Name, StmtKind, absolute_name, top_level};

/// The environment variable that makes imports lazy, like `-X lazy_imports`
/// (`config_init_lazy_imports` in Python/initconfig.c).
const VARIABLE: &str = "PYTHON_LAZY_IMPORTS";

/// The state of lazy imports.
pub(super) struct LazyState {
    /// Whether this Python supports lazy imports.
    is_known: bool,
    /// Whether every import is lazy that can be.
    all: bool,
    /// Whether anything was imported lazily.
    any: bool,
    /// Submodules that are imported on access to their packages: `a.b` for `lazy import a.b`.
    submodules: FxHashSet<Name>,
    /// The lazy imports in progress, outermost first.
    in_progress: Vec<Rc<LazyImport>>,
}

impl LazyState {
    pub fn of(interpreter: &Interpreter<'_>) -> LazyState {
        let is_known = interpreter.environment.version.minor >= LAZY_IMPORTS;
        let all = is_known && interpreter.process.variable(VARIABLE) == Some("all");
        LazyState { is_known, all, any: false, submodules: FxHashSet::default(), in_progress: Vec::new() }
    }
}

impl Plan<'_> {
    /// Whether this Python supports lazy imports.
    pub(super) fn has_lazy_imports(&self) -> bool {
        self.world.lazy.is_known
    }

    /// Implements `sys.set_lazy_imports(mode)`.
    pub(super) fn set_lazy_imports(&mut self, mode: &Value) {
        self.world.lazy.all = self.world.lazy.is_known && mode.text().is_some_and(|mode| *mode == *"all");
    }

    /// Executes an import without `lazy`, which is lazy nevertheless if the module lists it in
    /// `__lazy_modules__`.
    pub(super) fn import_or_defer(
        &mut self,
        import: &StmtKind,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        if !self.may_be_lazy(frame) {
            return self.import_eagerly(import, frame);
        }
        if self.world.lazy.all {
            return self.defer_import(import, frame);
        }
        let named = frame.module.get("__lazy_modules__").zip(absolute(import, frame));
        let is_named = named.map_or(Some(false), |(named, module)| {
            compare(&Value::str(&*module), CompareOp::In, &named, self).truth()
        });
        match is_named {
            Some(true) => self.defer_import(import, frame),
            Some(false) => self.import_eagerly(import, frame),
            // The import is made either here or on first use, if ever.
            None => {
                self.execution.uncertain += 1;
                let result = self.import_eagerly(import, frame);
                self.execution.uncertain -= 1;
                result.or_else(|_| self.defer_import(import, frame))
            }
        }
    }

    /// Executes `lazy import …`. In a function, class, or `try`, it is a syntax error, which would
    /// stop Python first.
    pub(super) fn lazy_statement(
        &mut self,
        import: &StmtKind,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        if self.may_be_lazy(frame) {
            self.defer_import(import, frame)
        } else {
            self.import_eagerly(import, frame)
        }
    }

    /// Whether the compiler permits a lazy import in this position.
    fn may_be_lazy(&self, frame: &Frame) -> bool {
        self.world.lazy.is_known && frame.locals.is_none() && !frame.is_class_body && frame.tries == 0
    }

    fn import_eagerly(&mut self, import: &StmtKind, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        match import {
            StmtKind::Import { module, alias } => self.import_statement(module, alias.as_ref(), frame),
            StmtKind::ImportFrom { level, module, names } => self.import_from(*level, module, names, frame),
            _ => Ok(()),
        }
    }

    /// Binds the names of a lazy import.
    fn defer_import(&mut self, import: &StmtKind, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        let names = match import {
            StmtKind::ImportFrom { names, .. } if names.iter().any(|(name, _)| name == "*") => {
                return self.import_eagerly(import, frame);
            }
            StmtKind::ImportFrom { names, .. } => names.as_slice(),
            _ => &[],
        };
        // A relative import beyond the package, or another statement, fails when it's executed.
        let Some(dotted) = absolute(import, frame) else { return self.import_eagerly(import, frame) };
        self.world.lazy.any = true;
        if let StmtKind::Import { module, alias } = import {
            let (name, module) = match alias {
                Some(alias) => (alias.as_str(), module.clone()),
                None => {
                    let inner = module.match_indices('.').filter_map(|(dot, _)| module.get(..dot));
                    self.world.lazy.submodules.extend(inner.skip(1).chain([module.as_str()]).map(Name::from));
                    (top_level(module), top_level(module).into())
                }
            };
            self.bind(name, Value::Lazy(Rc::new(LazyImport { module, imported_name: None })), frame);
        }
        for (imported_name, alias) in names {
            // An attribute of a module that was already imported is bound at once.
            let had = self.world.modules.get(dotted.as_str()).and_then(|source| source.get(imported_name));
            let lazy = || LazyImport { module: dotted.clone(), imported_name: Some(imported_name.clone()) };
            let value = had.unwrap_or_else(|| Value::Lazy(Rc::new(lazy())));
            self.bind(alias.as_ref().unwrap_or(imported_name), value, frame);
        }
        Ok(())
    }

    /// Resolves the value of `name` in `module` if it is a lazy import.
    pub(super) fn resolve_if_lazy(
        &mut self,
        value: Value,
        module: &ModuleRef,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        match value {
            Value::Lazy(lazy) => self.resolve_lazy(&lazy, module, name, place),
            value => Ok(value),
        }
    }

    /// Makes a lazy import and binds `name` in `module` to the result.
    pub(super) fn resolve_lazy(
        &mut self,
        lazy: &Rc<LazyImport>,
        module: &ModuleRef,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        if self.is_in_progress(lazy) {
            let text = format!("cannot import name '{name}' (most likely due to a circular import)");
            return Err(traced(Rc::new(Exception::new("ImportCycleError", Some(text.into()))), place));
        }
        self.world.lazy.in_progress.push(lazy.clone());
        let result = self.import_deferred(lazy, module, place);
        self.world.lazy.in_progress.pop();
        if let Ok(value) = &result {
            module.set(name, value.clone());
        }
        result
    }

    fn import_deferred(
        &mut self,
        lazy: &LazyImport,
        module: &ModuleRef,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        let source = self.import_dotted(&lazy.module, place)?;
        let Some(imported_name) = &lazy.imported_name else { return Ok(Value::Module(source)) };
        let frame = Frame::of_module(module.clone());
        match source.get(imported_name) {
            // `lazy from . import name` in the package itself refers to a submodule.
            Some(Value::Lazy(own))
                if self.is_in_progress(&own) && self.submodule_exists(&source, imported_name) =>
            {
                self.import_dotted(&[source.name.as_str(), ".", imported_name].concat(), place)
                    .map(Value::Module)
            }
            _ => self.imported_value(&source, imported_name, &frame, place),
        }
    }

    fn is_in_progress(&self, lazy: &Rc<LazyImport>) -> bool {
        self.world.lazy.in_progress.iter().any(|other| Rc::ptr_eq(other, lazy))
    }

    /// Imports what a module imports on access: a lazy import of its own, or a submodule. Returns
    /// `None` for any other name.
    pub(super) fn lazily_imported(
        &mut self,
        module: &ModuleRef,
        name: &Name,
        place: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        if !self.world.lazy.any {
            return Ok(None);
        }
        match module.get(name) {
            Some(Value::Lazy(lazy)) => self.resolve_lazy(&lazy, module, name, place).map(Some),
            Some(_) => Ok(None),
            None => {
                let dotted = Name::from([module.name.as_str(), ".", name].concat());
                match self.world.lazy.submodules.contains(&dotted) {
                    true => self.import_dotted(&dotted, place).map(|module| Some(Value::Module(module))),
                    false => Ok(None),
                }
            }
        }
    }
}

/// Returns the absolute name of the module that a statement imports, or imports from.
fn absolute(import: &StmtKind, frame: &Frame) -> Option<Name> {
    match import {
        StmtKind::Import { module, .. } => Some(module.clone()),
        StmtKind::ImportFrom { level, module, .. } => {
            absolute_name(frame.module.package(), *level, module).map(|name| Name::from(&*name))
        }
        _ => None,
    }
}

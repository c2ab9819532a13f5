//! Lazy imports (PEP 810, Python 3.15): what they bind, and when they are made.
//!
//! All of it was tried with CPython 3.15.2, whose `Python/import.c` makes them (`_PyImport_LazyImportModuleLevelObject`,
//! `_PyImport_LoadLazyImportTstate`).

use std::rc::Rc;

use rustc_hash::FxHashSet;

use super::evaluate::compare;
use super::frame::Frame;
use super::import::traced;
use super::import_statement::absolute_name;
use super::value::{Exception, ModuleRef, Postponed, Value};
use super::{Place, Plan};
use crate::cpython::Interpreter;
use crate::source::{CompareOp, LAZY_IMPORTS, Name, StmtKind, top_level};

/// The variable that makes imports lazy, as `-X lazy_imports` does (`config_init_lazy_imports` in Python/initconfig.c).
const VARIABLE: &str = "PYTHON_LAZY_IMPORTS";

/// Which imports are lazy.
pub(super) struct Laziness {
    /// Whether this Python has lazy imports.
    is_known: bool,
    /// Whether all are lazy that can be.
    all: bool,
    /// Something was imported lazily.
    any: bool,
    /// Modules that their packages import when they are asked for them: of `lazy import a.b`, `a.b`.
    submodules: FxHashSet<Name>,
    /// Those that are being made, the outermost first.
    making: Vec<Rc<Postponed>>,
}

impl Laziness {
    pub fn of(interpreter: &Interpreter<'_>) -> Laziness {
        let is_known = interpreter.environment.version.minor >= LAZY_IMPORTS;
        let all = is_known && interpreter.process.variable(VARIABLE) == Some("all");
        Laziness { is_known, all, any: false, submodules: FxHashSet::default(), making: Vec::new() }
    }
}

impl Plan<'_> {
    /// Whether this Python has lazy imports.
    pub(super) fn has_lazy_imports(&self) -> bool {
        self.lazy.is_known
    }

    /// `sys.set_lazy_imports(mode)`
    pub(super) fn set_lazy_imports(&mut self, mode: &Value) {
        self.lazy.all = self.lazy.is_known && mode.text().is_some_and(|mode| *mode == *"all");
    }

    /// An import without `lazy`, which is lazy all the same where a module names it in `__lazy_modules__`.
    pub(super) fn import_now_or_later(
        &mut self,
        import: &StmtKind,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        if !self.may_be_lazy(frame) {
            return self.import_at_once(import, frame);
        }
        if self.lazy.all {
            return self.import_later(import, frame);
        }
        let named = frame.module.get("__lazy_modules__").zip(absolute(import, frame));
        let is_named = named.map_or(Some(false), |(named, module)| {
            compare(&Value::str(&*module), CompareOp::In, &named, self).truth()
        });
        match is_named {
            Some(true) => self.import_later(import, frame),
            Some(false) => self.import_at_once(import, frame),
            // It is made here or where it is used, if ever.
            None => {
                self.uncertain += 1;
                let made = self.import_at_once(import, frame);
                self.uncertain -= 1;
                made.or_else(|_| self.import_later(import, frame))
            }
        }
    }

    /// `lazy import …`: in a function, a class or a `try` it is a syntax error, which whoever runs the module meets first.
    pub(super) fn lazy_statement(
        &mut self,
        import: &StmtKind,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        if self.may_be_lazy(frame) {
            self.import_later(import, frame)
        } else {
            self.import_at_once(import, frame)
        }
    }

    /// Whether the compiler lets an import be lazy that stands here.
    fn may_be_lazy(&self, frame: &Frame) -> bool {
        self.lazy.is_known && frame.locals.is_none() && !frame.is_class_body && frame.tries == 0
    }

    fn import_at_once(&mut self, import: &StmtKind, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        match import {
            StmtKind::Import { module, alias } => self.import_statement(module, alias.as_ref(), frame),
            StmtKind::ImportFrom { level, module, names } => self.import_from(*level, module, names, frame),
            _ => Ok(()),
        }
    }

    /// Binds the names of an import that is made later.
    fn import_later(&mut self, import: &StmtKind, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        let names = match import {
            StmtKind::ImportFrom { names, .. } if names.iter().any(|(name, _)| name == "*") => {
                return self.import_at_once(import, frame);
            }
            StmtKind::ImportFrom { names, .. } => names.as_slice(),
            _ => &[],
        };
        // What lies outside of a package, or is no import, is found out by importing.
        let Some(dotted) = absolute(import, frame) else { return self.import_at_once(import, frame) };
        self.lazy.any = true;
        if let StmtKind::Import { module, alias } = import {
            let (name, module) = match alias {
                Some(alias) => (alias.as_str(), module.clone()),
                None => {
                    let inner = module.match_indices('.').filter_map(|(dot, _)| module.get(..dot));
                    self.lazy.submodules.extend(inner.skip(1).chain([module.as_str()]).map(Name::from));
                    (top_level(module), top_level(module).into())
                }
            };
            self.bind(name, Value::Lazy(Rc::new(Postponed { module, taken: None })), frame);
        }
        for (taken, alias) in names {
            // What a module has that was imported already is taken at once.
            let had = self.modules.get(dotted.as_str()).and_then(|source| source.get(taken));
            let postponed = || Postponed { module: dotted.clone(), taken: Some(taken.clone()) };
            let value = had.unwrap_or_else(|| Value::Lazy(Rc::new(postponed())));
            self.bind(alias.as_ref().unwrap_or(taken), value, frame);
        }
        Ok(())
    }

    /// What `name` of `module` is bound to, where that is `value`: a lazy import is made now.
    pub(super) fn settled(
        &mut self,
        value: Value,
        module: &ModuleRef,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        match value {
            Value::Lazy(postponed) => self.resolved(&postponed, module, name, place),
            value => Ok(value),
        }
    }

    /// What a lazy import stands for, which is made now: `name` of `module` is bound to it.
    pub(super) fn resolved(
        &mut self,
        postponed: &Rc<Postponed>,
        module: &ModuleRef,
        name: &str,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        if self.is_being_made(postponed) {
            let text = format!("cannot import name '{name}' (most likely due to a circular import)");
            return Err(traced(Rc::new(Exception::new("ImportCycleError", Some(text.into()))), place));
        }
        self.lazy.making.push(postponed.clone());
        let made = self.made(postponed, module, place);
        self.lazy.making.pop();
        if let Ok(value) = &made {
            module.set(name, value.clone());
        }
        made
    }

    fn made(
        &mut self,
        postponed: &Postponed,
        module: &ModuleRef,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        let source = self.import_dotted(&postponed.module, place)?;
        let Some(taken) = &postponed.taken else { return Ok(Value::Module(source)) };
        let frame = Frame::of_module(module.clone());
        match source.get(taken) {
            // `lazy from . import name` in the package itself: a submodule.
            Some(Value::Lazy(own)) if self.is_being_made(&own) && self.submodule_exists(&source, taken) => {
                self.import_dotted(&[source.name.as_str(), ".", taken].concat(), place).map(Value::Module)
            }
            _ => self.taken_from(&source, taken, &frame, place),
        }
    }

    fn is_being_made(&self, postponed: &Rc<Postponed>) -> bool {
        self.lazy.making.iter().any(|made| Rc::ptr_eq(made, postponed))
    }

    /// What a module has not imported yet when somebody asks for it: a lazy import of its own, or a submodule. None if it is no such
    /// thing.
    pub(super) fn lazily_imported(
        &mut self,
        module: &ModuleRef,
        name: &Name,
        place: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        if !self.lazy.any {
            return Ok(None);
        }
        match module.get(name) {
            Some(Value::Lazy(postponed)) => self.resolved(&postponed, module, name, place).map(Some),
            Some(_) => Ok(None),
            None => {
                let dotted = Name::from([module.name.as_str(), ".", name].concat());
                match self.lazy.submodules.contains(&dotted) {
                    true => self.import_dotted(&dotted, place).map(|module| Some(Value::Module(module))),
                    false => Ok(None),
                }
            }
        }
    }
}

/// The module that a statement imports, or imports from, by its absolute name.
fn absolute(import: &StmtKind, frame: &Frame) -> Option<Name> {
    match import {
        StmtKind::Import { module, .. } => Some(module.clone()),
        StmtKind::ImportFrom { level, module, .. } => {
            absolute_name(frame.module.package(), *level, module).map(|name| Name::from(&*name))
        }
        _ => None,
    }
}

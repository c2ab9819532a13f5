//! Statements, followed in order.

use rustc_hash::FxHashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::import::{LONGEST_TRACE, traced};
use super::value::{Class, Closure, Exception, LONGEST, ModuleRef, Value};
use super::{Flow, Place, Plan};
use crate::cpython::Found;
use crate::source::{Expr, Function, Handler, Name, Stmt, StmtKind, Try, top_level};

/// More rounds of a loop than any module makes to load something.
const MOST_ROUNDS: usize = 2_000;

/// A module's top level, or a function's call.
pub(super) struct Frame {
    pub module: ModuleRef,
    /// None at module level, where names are the module's.
    pub locals: Option<FxHashMap<Name, Value>>,
    globals: Vec<Name>,
    /// What each `try` around the current statement catches, innermost last.
    handlers: Vec<Catches>,
    /// Loads whose failure this frame caught: if it raises later, they are why.
    caught: Vec<usize>,
    /// The exception that is being handled.
    handling: Option<Rc<Exception>>,
    /// For each unknown condition around the current statement, the names bound under it and what they were
    /// before.
    journals: Vec<Vec<(Name, Option<Value>)>>,
    /// It may have returned already, under a condition that is not known.
    may_have_returned: bool,
    /// Line of the current statement.
    pub line: u32,
}

/// What the handlers of a `try` catch.
struct Catches {
    classes: Vec<Name>,
    everything: bool,
}

impl Catches {
    fn any_of(&self, classes: &[&str]) -> bool {
        self.everything || self.classes.iter().any(|class| classes.contains(&class.as_str()))
    }
}

impl Frame {
    pub fn of_module(module: ModuleRef) -> Frame {
        Frame {
            module,
            locals: None,
            globals: Vec::new(),
            handlers: Vec::new(),
            caught: Vec::new(),
            handling: None,
            journals: Vec::new(),
            may_have_returned: false,
            line: 0,
        }
    }

    fn of_call(module: ModuleRef, locals: FxHashMap<Name, Value>) -> Frame {
        Frame { locals: Some(locals), ..Frame::of_module(module) }
    }

    /// The current statement.
    pub fn place(&self) -> Place {
        Place { file: self.module.file.clone(), line: self.line }
    }

    /// Whether a `try` of this frame is ready for one of these exceptions: then the program means to
    /// try it out, and it is raised where otherwise nothing would be known.
    pub fn expects(&self, classes: &[&str]) -> bool {
        self.handlers.iter().any(|catches| catches.any_of(classes))
    }

    /// The text of the exception that is being handled, as traceback.format_exc ends.
    pub fn handled_sentence(&self) -> Option<String> {
        self.handling.as_ref()?.sentence()
    }

    /// Remembers failed loads whose exceptions were caught.
    pub fn has_caught(&mut self, failures: impl IntoIterator<Item = usize>) {
        for failure in failures {
            if !self.caught.contains(&failure) {
                self.caught.push(failure);
            }
        }
    }

    /// The value of a name in the scope that a statement binds it in.
    fn bound(&self, name: &str) -> Option<Value> {
        match &self.locals {
            Some(locals) if !self.is_global(name) => locals.get(name).cloned(),
            _ => self.module.get(name),
        }
    }

    fn set(&mut self, name: &str, value: Option<Value>) {
        let is_global = self.is_global(name);
        let mut names = self.module.names.borrow_mut();
        let scope = match &mut self.locals {
            Some(locals) if !is_global => locals,
            _ => &mut *names,
        };
        match value {
            Some(value) => drop(scope.insert(name.into(), value)),
            None => drop(scope.remove(name)),
        }
    }

    fn is_global(&self, name: &str) -> bool {
        self.locals.is_none() || self.globals.iter().any(|global| global == name)
    }
}

impl Plan<'_> {
    pub(super) fn block(&mut self, body: &[Stmt], frame: &mut Frame) -> Flow {
        for stmt in body {
            if !self.spend() {
                return Flow::Next;
            }
            frame.line = stmt.line;
            match self.stmt(&stmt.kind, frame) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    /// Takes one from the budget; false when nothing is left.
    pub(super) fn spend(&mut self) -> bool {
        self.spend_many(1);
        self.budget > 0
    }

    pub(super) fn spend_many(&mut self, steps: u64) {
        self.budget = self.budget.saturating_sub(steps);
    }

    fn stmt(&mut self, stmt: &StmtKind, frame: &mut Frame) -> Flow {
        let outcome = match stmt {
            StmtKind::Import { module, alias } => self.import_statement(module, alias.as_ref(), frame),
            StmtKind::ImportFrom { level, module, names } => self.import_from(*level, module, names, frame),
            StmtKind::Assign { targets, value } => self.evaluate(value, frame).map(|value| {
                for target in targets {
                    self.assign(target, value.clone(), frame);
                }
            }),
            StmtKind::Augment { target, value } => self.augment(target, value, frame),
            StmtKind::Expr(value) => self.evaluate(value, frame).map(drop),
            StmtKind::If { test, then, otherwise } => return self.branch(test, then, otherwise, frame),
            StmtKind::For { target, iter, body, otherwise } => {
                return self.looped(frame, |plan, frame| plan.each(target, iter, body, otherwise, frame));
            }
            StmtKind::While { test, body } => {
                return self.looped(frame, |plan, frame| plan.repeat(test, body, frame));
            }
            StmtKind::Try(attempt) => return self.attempt(attempt, frame),
            StmtKind::With { items, body } => return self.with(items, body, frame),
            StmtKind::Function(function) => self.define(function, frame),
            StmtKind::Class { name, bases, body } => return self.class(name, bases, body, frame),
            StmtKind::Return(value) => {
                return match value.as_ref().map(|value| self.evaluate(value, frame)) {
                    None => Flow::Return(Value::None),
                    Some(Ok(value)) => Flow::Return(value),
                    Some(Err(exception)) => Flow::Raise(exception),
                };
            }
            StmtKind::Raise { exception } => self.raise(exception.as_ref(), frame),
            StmtKind::Global(names) => {
                frame.globals.extend(names.iter().cloned());
                Ok(())
            }
            StmtKind::Delete(targets) => {
                for target in targets {
                    if let Expr::Name(name) = target {
                        match &mut frame.locals {
                            Some(locals) => drop(locals.remove(name)),
                            None => drop(frame.module.names.borrow_mut().remove(name)),
                        }
                    }
                }
                Ok(())
            }
            StmtKind::Break => return Flow::Break,
            StmtKind::Continue => return Flow::Continue,
        };
        match outcome {
            Ok(()) => Flow::Next,
            Err(exception) => Flow::Raise(exception),
        }
    }

    fn import_statement(
        &mut self,
        module: &Name,
        alias: Option<&Name>,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        let place = frame.place();
        let last = self.import_expected(module, frame, &place)?;
        let (name, value) = match alias {
            Some(alias) => (alias.as_str(), last),
            None => {
                let first = top_level(module);
                match self.modules.get(first) {
                    Some(top) => (first, top.clone()),
                    None => (first, last),
                }
            }
        };
        self.bind(name, Value::Module(value), frame);
        Ok(())
    }

    /// Imports a module; one that the finders do not see is an error where the frame expects that.
    pub(super) fn import_expected(
        &mut self,
        dotted: &str,
        frame: &Frame,
        place: &Place,
    ) -> Result<ModuleRef, Rc<Exception>> {
        if frame.expects(&["ImportError", "ModuleNotFoundError", "Exception", "BaseException"])
            && let Some(missing) = self.certainly_missing(dotted)
        {
            return Err(traced(Rc::new(self.module_not_found(&missing)), place));
        }
        self.import_dotted(dotted, place)
    }

    /// The part of a dotted name that does not exist, if its parent is imported already or it is a
    /// top-level name; importing the parents tells the rest.
    fn certainly_missing(&mut self, dotted: &str) -> Option<String> {
        if self.modules.contains_key(dotted) {
            return None;
        }
        self.spend_many(200);
        match dotted.rsplit_once('.') {
            Some((parent, name)) => {
                let parent = self.modules.get(parent)?;
                let unknown = parent.path.is_none() && parent.open.get();
                (!unknown && !self.submodule_exists(parent, name)).then(|| dotted.to_owned())
            }
            None => {
                let found = self.finder.top_level(dotted, &self.sys_path);
                matches!(found, Found::NotFound { .. }).then(|| dotted.to_owned())
            }
        }
    }

    fn import_from(
        &mut self,
        level: u32,
        module: &Name,
        names: &[(Name, Option<Name>)],
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        let place = frame.place();
        let Some(dotted) = absolute_name(frame.module.package(), level, module) else {
            let text = "attempted relative import beyond top-level package";
            return Err(traced(Rc::new(Exception::new("ImportError", Some(text.into()))), &place));
        };
        let source = self.import_expected(&dotted, frame, &place)?;
        for (name, alias) in names {
            if name == "*" {
                self.import_star(&source, frame, &place)?;
                continue;
            }
            let value = match source.get(name) {
                Some(value) => value,
                None => self.import_name(&source, name, frame, &place)?,
            };
            self.bind(alias.as_ref().unwrap_or(name), value, frame);
        }
        Ok(())
    }

    /// `from source import name` where source has no such attribute: a submodule, or something that the
    /// text does not show.
    fn import_name(
        &mut self,
        source: &ModuleRef,
        name: &Name,
        frame: &Frame,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        let dotted = format!("{}.{name}", source.name);
        if let Some(known) = super::standard::attribute(&source.name, name, self) {
            return Ok(known);
        }
        if self.modules.contains_key(dotted.as_str()) {
            return self.import_dotted(&dotted, place).map(Value::Module);
        }
        if let Some(path) = &source.path {
            match self.finder.submodule(&source.name, name, path) {
                Found::NotFound { for_other_python: None } => {
                    if !source.open.get() && self.recorded_file(&dotted).is_some() {
                        return Err(traced(Rc::new(self.module_not_found(&dotted)), place));
                    }
                }
                Found::NotFound { .. } => {
                    return Err(traced(Rc::new(self.module_not_found(&dotted)), place));
                }
                _ => return self.import_dotted(&dotted, place).map(Value::Module),
            }
        }
        if !source.open.get() && frame.expects(&["ImportError", "Exception", "BaseException"]) {
            let text = format!("cannot import name '{name}' from '{}'", source.name);
            return Err(traced(Rc::new(Exception::new("ImportError", Some(text.into()))), place));
        }
        Ok(Value::Unknown)
    }

    fn import_star(
        &mut self,
        source: &ModuleRef,
        frame: &mut Frame,
        place: &Place,
    ) -> Result<(), Rc<Exception>> {
        if source.open.get() {
            frame.module.open.set(true);
        }
        match source.get("__all__").and_then(|all| all.items()) {
            Some(all) => {
                for name in all {
                    let Some(name) = name.text() else {
                        frame.module.open.set(true);
                        continue;
                    };
                    let value = match source.get(&name) {
                        Some(value) => value,
                        // `__all__` may name submodules, which are imported then.
                        None if self.submodule_exists(source, &name) => {
                            let dotted = format!("{}.{name}", source.name);
                            Value::Module(self.import_dotted(&dotted, place)?)
                        }
                        None => Value::Unknown,
                    };
                    self.bind(&name, value, frame);
                }
            }
            None => {
                let names: Vec<(Name, Value)> = source
                    .names
                    .borrow()
                    .iter()
                    .filter(|(name, _)| !name.starts_with('_'))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                for (name, value) in names {
                    self.bind(&name, value, frame);
                }
            }
        }
        Ok(())
    }

    /// Binds a name.
    pub(super) fn bind(&mut self, name: &str, value: Value, frame: &mut Frame) {
        let old = frame.bound(name);
        // A global that a function binds belongs to others too, who may never see it happen.
        let value = match &old {
            Some(old) if self.uncertain > 0 && frame.locals.is_some() && frame.is_global(name) => {
                either(old, value)
            }
            _ => value,
        };
        if let Some(journal) = frame.journals.last_mut()
            && !journal.iter().any(|(known, _)| known == name)
        {
            journal.push((name.into(), old));
        }
        frame.set(name, Some(value));
    }

    fn assign(&mut self, target: &Expr, value: Value, frame: &mut Frame) {
        match target {
            Expr::Name(name) => self.bind(name, value, frame),
            Expr::Tuple(targets) | Expr::List(targets) => {
                let items = value.items().filter(|items| items.len() == targets.len());
                for (at, target) in targets.iter().enumerate() {
                    let item = items.as_ref().and_then(|items| items.get(at)).cloned();
                    self.assign(target, item.unwrap_or(Value::Unknown), frame);
                }
            }
            Expr::Attribute(object, name) => match self.evaluate(object, frame) {
                Ok(Value::Module(module)) => module.set(name, value),
                Ok(Value::Known(known)) if known == "sys" && name == "path" => {
                    self.set_sys_path(&value);
                }
                _ => {}
            },
            Expr::Subscript(pair) => {
                let (object, index) = &**pair;
                let (Ok(object), Ok(index)) = (self.evaluate(object, frame), self.evaluate(index, frame))
                else {
                    return;
                };
                match object {
                    Value::Dict(items) if self.may_nest([&index, &value]) => {
                        let mut items = items.borrow_mut();
                        items.retain(|(key, _)| key.equals(&index) != Some(true));
                        items.push((index, value));
                    }
                    Value::Known(name) if name == "os.environ" => {
                        self.set_variable(&index, &value, frame);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn augment(&mut self, target: &Expr, value: &Expr, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        let old = self.evaluate(target, frame)?;
        let new = self.evaluate(value, frame)?;
        if let (Value::List(list), Some(items)) = (&old, new.items()) {
            // In place: all who hold the list see it grow.
            let items_known = !Rc::ptr_eq(
                list,
                &match &new {
                    Value::List(other) => other.clone(),
                    _ => Rc::default(),
                },
            );
            if items_known && list.borrow().len() + items.len() <= LONGEST {
                list.borrow_mut().extend(items);
                return Ok(());
            }
        }
        let sum = super::evaluate::add(&old, &new);
        self.assign(target, sum, frame);
        Ok(())
    }

    fn branch(&mut self, test: &Expr, then: &[Stmt], otherwise: &[Stmt], frame: &mut Frame) -> Flow {
        match self.evaluate(test, frame) {
            Err(exception) => Flow::Raise(exception),
            Ok(value) => match value.truth() {
                Some(true) => self.block(then, frame),
                Some(false) => self.block(otherwise, frame),
                None => {
                    let flows = [self.perhaps(then, frame), self.perhaps(otherwise, frame)];
                    // Where a loop was perhaps left, the rest of it perhaps does not run.
                    if flows.iter().any(|flow| matches!(flow, Flow::Break | Flow::Continue)) {
                        self.uncertain += 1;
                    }
                    Flow::Next
                }
            },
        }
    }

    /// Runs a block that perhaps does not run. What it raises is not known to happen; if it returns, the rest
    /// of the function perhaps does not run. Names that it binds may have kept their old values.
    fn perhaps(&mut self, body: &[Stmt], frame: &mut Frame) -> Flow {
        self.uncertain += 1;
        frame.journals.push(Vec::new());
        let flow = self.block(body, frame);
        self.uncertain -= 1;
        for (name, old) in frame.journals.pop().unwrap_or_default() {
            let Some(new) = frame.bound(&name) else {
                continue;
            };
            let merged = match &old {
                Some(old) => either(old, new),
                None => new,
            };
            // What is around it may be unknown as well, and remembers the old value too.
            frame.set(&name, old);
            self.bind(&name, merged, frame);
        }
        if matches!(flow, Flow::Return(_)) && !frame.may_have_returned {
            frame.may_have_returned = true;
            self.uncertain += 1;
        }
        flow
    }

    /// Runs a loop, after which it no longer matters whether it was perhaps left.
    fn looped(&mut self, frame: &mut Frame, run: impl FnOnce(&mut Self, &mut Frame) -> Flow) -> Flow {
        let (before, had_returned) = (self.uncertain, frame.may_have_returned);
        let flow = run(self, frame);
        let perhaps_left = self.uncertain > before;
        self.uncertain = before + u32::from(frame.may_have_returned && !had_returned);
        match flow {
            Flow::Raise(_) if perhaps_left => Flow::Next,
            flow => flow,
        }
    }

    fn each(
        &mut self,
        target: &Expr,
        iter: &Expr,
        body: &[Stmt],
        otherwise: &[Stmt],
        frame: &mut Frame,
    ) -> Flow {
        let items = match self.evaluate(iter, frame) {
            Err(exception) => return Flow::Raise(exception),
            Ok(value) => value.items(),
        };
        let Some(items) = items else {
            self.assign(target, Value::Unknown, frame);
            self.perhaps(body, frame);
            return Flow::Next;
        };
        for item in items.into_iter().take(MOST_ROUNDS) {
            self.assign(target, item, frame);
            match self.block(body, frame) {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Flow::Next,
                flow => return flow,
            }
        }
        self.block(otherwise, frame)
    }

    fn repeat(&mut self, test: &Expr, body: &[Stmt], frame: &mut Frame) -> Flow {
        let before = self.uncertain;
        for _ in 0..MOST_ROUNDS {
            // Once it was perhaps left, more rounds would tell no more.
            if self.uncertain > before {
                break;
            }
            match self.evaluate(test, frame).map(|value| value.truth()) {
                Err(exception) => return Flow::Raise(exception),
                Ok(Some(false)) => break,
                Ok(None) => {
                    self.perhaps(body, frame);
                    break;
                }
                Ok(Some(true)) => match self.block(body, frame) {
                    Flow::Next | Flow::Continue if self.spend() => {}
                    Flow::Next | Flow::Continue | Flow::Break => break,
                    flow => return flow,
                },
            }
        }
        Flow::Next
    }

    fn attempt(&mut self, attempt: &Try, frame: &mut Frame) -> Flow {
        let catches = self.catches(&attempt.handlers, frame);
        let ready = catches.any_of(&["ImportError", "ModuleNotFoundError", "Exception", "BaseException"]);
        frame.handlers.push(catches);
        self.import_handlers += u32::from(ready);
        let flow = self.block(&attempt.body, frame);
        self.import_handlers -= u32::from(ready);
        frame.handlers.pop();
        let flow = match flow {
            Flow::Raise(exception) => self.handle(&attempt.handlers, exception, frame),
            Flow::Next => self.block(&attempt.otherwise, frame),
            flow => flow,
        };
        let before = frame.handling.clone();
        if let Flow::Raise(exception) = &flow {
            frame.handling = Some(exception.clone());
        }
        let last = self.block(&attempt.finally, frame);
        frame.handling = before;
        match last {
            Flow::Next => flow,
            other => other,
        }
    }

    fn catches(&mut self, handlers: &[Handler], frame: &mut Frame) -> Catches {
        let mut catches = Catches { classes: Vec::new(), everything: false };
        for handler in handlers {
            match handler.catches.as_ref().map(|class| self.evaluate(class, frame)) {
                None => catches.everything = true,
                Some(Ok(class)) => catches.classes.extend(class_names(&class)),
                Some(Err(_)) => {}
            }
        }
        catches
    }

    fn handle(&mut self, handlers: &[Handler], exception: Rc<Exception>, frame: &mut Frame) -> Flow {
        for handler in handlers {
            let caught = match handler.catches.as_ref().map(|class| self.evaluate(class, frame)) {
                None => true,
                Some(Ok(Value::Unknown)) => true,
                Some(Ok(class)) => class_names(&class).iter().any(|class| exception.is_a(class)),
                Some(Err(_)) => false,
            };
            if !caught {
                continue;
            }
            frame.has_caught(exception.failures.iter().copied());
            if let Some(name) = &handler.name {
                self.bind(name, Value::Exception(exception.clone()), frame);
            }
            let before = frame.handling.replace(exception);
            let flow = self.block(&handler.body, frame);
            frame.handling = before;
            return flow;
        }
        Flow::Raise(exception)
    }

    fn raise(&mut self, exception: Option<&Expr>, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        self.spend_many(100);
        let place = frame.place();
        let Some(expr) = exception else {
            let again = frame.handling.clone();
            return Err(again.unwrap_or_else(|| Rc::new(Exception::new("RuntimeError", None))));
        };
        let mut raised = match self.evaluate(expr, frame)? {
            Value::Exception(exception) => (*exception).clone(),
            Value::Class(class) => {
                Exception { bases: class.bases.clone(), ..Exception::new(&class.name, Some("".into())) }
            }
            Value::Known(name) => Exception::new(&name, Some("".into())),
            _ => Exception::new("Exception", None),
        };
        if raised.trace.is_empty() {
            if raised.context.is_none() {
                raised.context = frame.handling.clone().filter(|context| {
                    context.context.is_none() || self.may_nest([&Value::Exception(context.clone())])
                });
            }
            if let Some(context) = raised.context.clone() {
                raised.failures.extend(&context.failures);
                raised.missing = raised.missing.or_else(|| context.missing.clone());
                raised.denied = raised.denied.or_else(|| context.denied.clone());
                raised.trace.extend(context.trace.iter().take(LONGEST_TRACE).cloned());
            }
            // A function that has caught failed loads and raises afterwards does so because of them.
            if raised.failures.is_empty() {
                raised.failures.extend(&frame.caught);
            }
        }
        Err(traced(Rc::new(raised), &place))
    }

    fn with(&mut self, items: &[(Expr, Option<Expr>)], body: &[Stmt], frame: &mut Frame) -> Flow {
        let mut suppressed: Vec<Name> = Vec::new();
        let mut added = Vec::new();
        for (context, target) in items {
            match self.evaluate(context, frame) {
                Err(exception) => return Flow::Raise(exception),
                Ok(value) => {
                    let bound = match &value {
                        Value::Suppress(classes) => {
                            suppressed.extend(classes.iter().flat_map(class_names));
                            Value::Unknown
                        }
                        Value::AddedDirectory(path) => {
                            added.push(path.clone());
                            value
                        }
                        Value::File(_) => value,
                        _ => Value::Unknown,
                    };
                    if let Some(target) = target {
                        self.assign(target, bound, frame);
                    }
                }
            }
        }
        let catches = Catches { classes: suppressed.clone(), everything: false };
        let ready = catches.any_of(&["ImportError", "ModuleNotFoundError", "Exception", "BaseException"]);
        frame.handlers.push(catches);
        self.import_handlers += u32::from(ready);
        let flow = self.block(body, frame);
        self.import_handlers -= u32::from(ready);
        frame.handlers.pop();
        for path in added {
            self.interpreter.process.remove_dll_directory(&path);
        }
        match flow {
            Flow::Raise(exception) if suppressed.iter().any(|class| exception.is_a(class)) => Flow::Next,
            flow => flow,
        }
    }

    fn define(
        &mut self,
        function: &std::sync::Arc<Function>,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        for decorator in &function.decorators {
            self.evaluate(decorator, frame)?;
        }
        let mut defaults = Vec::with_capacity(function.parameters.len());
        for parameter in &function.parameters {
            defaults.push(match &parameter.default {
                Some(default) => Some(self.evaluate(default, frame)?),
                None => None,
            });
        }
        if !self.may_nest(defaults.iter().flatten()) {
            defaults.fill(None);
        }
        let name = function.name.clone();
        let closure = Closure { function: function.clone(), module: frame.module.clone(), defaults };
        if name == "__getattr__" && frame.locals.is_none() {
            frame.module.open.set(true);
        }
        self.bind(&name, Value::Function(Rc::new(closure)), frame);
        Ok(())
    }

    fn class(&mut self, name: &Name, bases: &[Expr], body: &[Stmt], frame: &mut Frame) -> Flow {
        let mut values = Vec::with_capacity(bases.len());
        for base in bases {
            match self.evaluate(base, frame) {
                Ok(value) => values.push(value),
                Err(exception) => return Flow::Raise(exception),
            }
        }
        // The body runs at once, in a scope of its own.
        let mut inner = Frame::of_call(frame.module.clone(), FxHashMap::default());
        inner.locals = Some(frame.locals.clone().unwrap_or_default());
        inner.handling = frame.handling.clone();
        match self.block(body, &mut inner) {
            Flow::Raise(exception) => Flow::Raise(exception),
            _ => {
                let mut bases: Vec<Name> = Vec::new();
                for value in &values {
                    let inherited: &[Name] = match value {
                        Value::Class(class) => &class.bases,
                        _ => &[],
                    };
                    for base in class_names(value).iter().chain(inherited) {
                        if !bases.contains(base) {
                            bases.push(base.clone());
                        }
                    }
                }
                let class = Class { name: name.clone(), bases };
                self.bind(name, Value::Class(Rc::new(class)), frame);
                Flow::Next
            }
        }
    }

    /// Calls a function of the program. One whose body was not kept does nothing that matters.
    pub(super) fn call_function(
        &mut self,
        closure: &Closure,
        arguments: Vec<Value>,
        keywords: Vec<(Name, Value)>,
        at: &Place,
    ) -> Result<Value, Rc<Exception>> {
        const DEEPEST_CALL: u32 = 400;
        let Some(body) = &closure.function.body else {
            return Ok(Value::Unknown);
        };
        // A recursion under a condition that is not known need not come to an end.
        let function = Arc::as_ptr(&closure.function);
        let may_not_end = self.uncertain > 0 && self.running.contains(&function);
        if may_not_end || self.depth >= DEEPEST_CALL {
            return Ok(Value::Unknown);
        }
        let mut locals = FxHashMap::default();
        let mut arguments = arguments.into_iter();
        let parameters = &closure.function.parameters;
        for (parameter, default) in parameters.iter().zip(&closure.defaults) {
            let given = keywords.iter().find(|(name, _)| *name == parameter.name);
            let value = match (given, arguments.next()) {
                (Some((_, value)), _) => value.clone(),
                (None, Some(value)) => value,
                (None, None) => default.clone().unwrap_or(Value::Unknown),
            };
            locals.insert(parameter.name.clone(), value);
        }
        let mut frame = Frame::of_call(closure.module.clone(), locals);
        let before = self.uncertain;
        self.depth += 1;
        self.running.push(function);
        let flow = self.block(body, &mut frame);
        self.running.pop();
        self.depth -= 1;
        self.uncertain = before;
        match flow {
            // Perhaps it returned before, so that what it did last is not known to happen.
            _ if frame.may_have_returned => Ok(Value::Unknown),
            Flow::Raise(exception) => Err(traced(exception, at)),
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }
}

/// A value that is one of these, it is not known which.
fn either(old: &Value, new: Value) -> Value {
    if old.equals(&new) == Some(true) { new } else { Value::Unknown }
}

/// The names of an exception class, or of a tuple of them.
fn class_names(value: &Value) -> Vec<Name> {
    let name = |value: &Value| match value {
        Value::Known(name) => Some(name.clone()),
        Value::Class(class) => Some(class.name.clone()),
        _ => None,
    };
    match value {
        // Tuples may hold each other; nobody writes more than a few classes.
        Value::Tuple(values) => {
            let inner = values.iter().flat_map(|value| match value {
                Value::Tuple(values) => values.iter().filter_map(name).collect(),
                value => Vec::from_iter(name(value)),
            });
            inner.collect()
        }
        value => Vec::from_iter(name(value)),
    }
}

/// `from ..module` in a package, as an absolute name.
pub(super) fn absolute_name(package: &str, level: u32, module: &str) -> Option<String> {
    if level == 0 {
        return Some(module.to_owned());
    }
    let mut base = package;
    for _ in 1..level {
        base = base.rsplit_once('.')?.0;
    }
    if base.is_empty() {
        return None;
    }
    Some(if module.is_empty() { base.to_owned() } else { format!("{base}.{module}") })
}

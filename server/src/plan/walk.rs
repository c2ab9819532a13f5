//! Statements, executed in order.

use std::rc::Rc;

use super::frame::Frame;
use super::operators::put;
use super::value::{Exception, MAX_LENGTH, Value};
use super::{Event, Flow, Place, Plan};
use crate::source::standard::{OsName, StandardName, SysName};
use crate::source::{Expr, Stmt, StmtKind};

/// The maximum number of iterations of a loop. No known module needs more to load something.
const MAX_ITERATIONS: usize = 2_000;

impl Plan<'_> {
    pub(super) fn block(&mut self, body: &[Stmt], frame: &mut Frame) -> Flow {
        for stmt in body {
            if self.is_over_limit() {
                return Flow::Next;
            }
            if !self.spend() {
                if !std::mem::replace(&mut self.execution.gave_up, true) {
                    let what = "this takes too long to analyze; nothing after this point was followed";
                    self.step(Event::Unknown(what.to_owned()), &Place { line: stmt.line, ..frame.place() });
                }
                return Flow::Next;
            }
            frame.line = frame.exec_line.unwrap_or(stmt.line);
            match self.stmt(&stmt.kind, frame) {
                Flow::Next => {}
                flow => return flow,
            }
        }
        Flow::Next
    }

    fn stmt(&mut self, stmt: &StmtKind, frame: &mut Frame) -> Flow {
        let outcome = match stmt {
            StmtKind::Import { .. } | StmtKind::ImportFrom { .. } => self.import_or_defer(stmt, frame),
            StmtKind::Lazy(import) => self.lazy_statement(import, frame),
            StmtKind::Assign { targets, value } => self.evaluate(value, frame).and_then(|value| {
                targets.iter().try_for_each(|target| self.assign(target, value.clone(), frame))
            }),
            StmtKind::Augment { target, value } => self.augment(target, value, frame),
            StmtKind::Expr(value) => self.evaluate(value, frame).map(drop),
            StmtKind::If { test, then, otherwise } => return self.run_if(test, then, otherwise, frame),
            StmtKind::For { target, iter, body, otherwise } => {
                return self
                    .run_loop(frame, |plan, frame| plan.run_for(target, iter, body, otherwise, frame));
            }
            StmtKind::While { test, body } => {
                return self.run_loop(frame, |plan, frame| plan.run_while(test, body, frame));
            }
            StmtKind::Try(attempt) => return self.run_try(attempt, frame),
            StmtKind::With { items, body } => return self.run_with(items, body, frame),
            StmtKind::Function(function) => self.define(function, frame),
            StmtKind::LeftOut(definitions) => {
                self.define_left_out(definitions, frame);
                Ok(())
            }
            StmtKind::Class { name, bases, body, decorators } => {
                return self.class((name, bases, body, decorators), frame);
            }
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
            // The variable of the enclosing function keeps the value that it had when this function
            // was defined.
            StmtKind::Nonlocal(_) => Ok(()),
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

    /// Binds a name in the scope of the frame.
    pub(super) fn bind(&mut self, name: &str, value: Value, frame: &mut Frame) {
        // Other code also reads a global that a function binds, and the assignment may not happen.
        let is_shared = self.execution.uncertain > 0 && frame.locals.is_some() && frame.is_global(name);
        if !is_shared && frame.journals.is_empty() {
            return frame.set(name, Some(value));
        }
        let old = frame.bound(name);
        let value = match &old {
            Some(old) if is_shared => either(old, value),
            _ => value,
        };
        if let Some(journal) = frame.journals.last_mut()
            && !journal.iter().any(|(known, _)| known == name)
        {
            journal.push((name.into(), old));
        }
        frame.set(name, Some(value));
    }

    pub(super) fn assign(
        &mut self,
        target: &Expr,
        value: Value,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        match target {
            Expr::Name(name) => self.bind(name, value, frame),
            Expr::Tuple(targets) | Expr::List(targets) => {
                let starred = targets.iter().position(|target| matches!(target, Expr::Starred(_)));
                let fits = match starred {
                    None => value.count() == Some(targets.len()),
                    Some(_) => value.count().is_some_and(|count| count + 1 >= targets.len()),
                };
                let mut items = fits.then(|| value.items()).flatten();
                if let (Some(at), Some(items)) = (starred, &mut items) {
                    let rest = items.len() + 1 - targets.len();
                    let rest: Vec<Value> = items.splice(at..at + rest, [Value::Unknown]).collect();
                    items[at] = if self.may_nest(&rest) { Value::list(rest) } else { Value::Unknown };
                }
                for (at, target) in targets.iter().enumerate() {
                    let item = items.as_ref().and_then(|items| items.get(at)).cloned();
                    self.assign(target, item.unwrap_or(Value::Unknown), frame)?;
                }
            }
            Expr::Starred(target) => self.assign(target, value, frame)?,
            Expr::Attribute(object, name) => match self.evaluate(object, frame)? {
                Value::Module(module) => module.set(name, value),
                Value::Instance(instance) => self.set_attribute(&instance, name, value),
                Value::Class(class) if self.execution.uncertain == 0 && self.may_nest([&value]) => {
                    class.set(name, value);
                }
                _ => {}
            },
            Expr::Subscript(pair) => {
                let (object, index) = &**pair;
                let (object, index) = (self.evaluate(object, frame)?, self.evaluate(index, frame)?);
                match object {
                    Value::Dict(items) if self.may_nest([&index, &value]) => {
                        put(&mut items.borrow_mut(), index, value);
                    }
                    Value::Known(StandardName::Os(OsName::Environ)) => {
                        self.set_variable(&index, &value, &frame.place());
                    }
                    Value::Known(StandardName::Sys(SysName::Modules)) if self.execution.uncertain == 0 => {
                        if let (Some(dotted), Value::Module(module)) = (index.text(), value) {
                            self.world
                                .failed_modules
                                .extend(self.world.modules.insert((&*dotted).into(), module));
                        }
                    }
                    Value::Globals(module) => {
                        if let Some(name) = index.text() {
                            module.set(&name, value);
                        }
                    }
                    Value::Instance(instance) => {
                        let place = frame.place();
                        self.call_special(&instance, "__setitem__", vec![index, value], &place)?;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn augment(&mut self, target: &Expr, value: &Expr, frame: &mut Frame) -> Result<(), Rc<Exception>> {
        // `error.strerror += "…"` extends the message that Python prints for an OSError
        // (`OSError_str` in Objects/exceptions.c).
        if let Expr::Attribute(object, attribute) = target
            && attribute == "strerror"
            && let Expr::Name(name) = &**object
            && let Value::Exception(exception) = self.evaluate(object, frame)?
        {
            let more = self.evaluate(value, frame)?.text();
            let message =
                exception.message.as_ref().zip(more).map(|(known, more)| format!("{known}{more}").into());
            self.bind(name, Value::Exception(Rc::new(Exception { message, ..(*exception).clone() })), frame);
            return Ok(());
        }
        let old = self.evaluate(target, frame)?;
        let new = self.evaluate(value, frame)?;
        if let (Value::List(list), Some(items)) = (&old, new.items()) {
            // In place, so that every reference to the list sees the change.
            let items_known = !Rc::ptr_eq(
                list,
                &match &new {
                    Value::List(other) => other.clone(),
                    _ => Rc::default(),
                },
            );
            if items_known && list.borrow().len() + items.len() <= MAX_LENGTH {
                list.borrow_mut().extend(items);
                return Ok(());
            }
        }
        let sum = super::operators::add(&old, &new);
        self.assign(target, sum, frame)
    }

    fn run_if(&mut self, test: &Expr, then: &[Stmt], otherwise: &[Stmt], frame: &mut Frame) -> Flow {
        match self.evaluate(test, frame) {
            Err(exception) => Flow::Raise(exception),
            Ok(value) => match value.truth() {
                Some(true) => self.block(then, frame),
                Some(false) => self.block(otherwise, frame),
                None => {
                    let flows = [self.run_uncertain(then, frame), self.run_uncertain(otherwise, frame)];
                    if let [Flow::Raise(one), Flow::Raise(other)] = &flows
                        && self.fails_alike(one, other)
                    {
                        return Flow::Raise(one.clone());
                    }
                    // If the loop may have been left here, the rest of its body may not run.
                    if flows.iter().any(|flow| matches!(flow, Flow::Break | Flow::Continue)) {
                        self.execution.uncertain += 1;
                    }
                    Flow::Next
                }
            },
        }
    }

    /// Whether both branches of an unknown condition end in failed loads with the same culprit, so
    /// that the condition doesn't matter.
    fn fails_alike(&mut self, one: &Exception, other: &Exception) -> bool {
        let culprit = |exception: &Exception| {
            let failure = self.trace.failures.get(*exception.failures.first()?)?;
            failure.doubt.is_none().then(|| failure.error.culprit(&failure.target).to_lowercase())
        };
        if culprit(one).is_none() || culprit(one) != culprit(other) {
            return false;
        }
        if self.execution.uncertain == 0 {
            for at in one.failures.iter().chain(&other.failures) {
                let Some(failure) = self.trace.failures.get_mut(*at) else { continue };
                failure.uncertain = failure.doubt.is_some();
                for step in self.trace.steps.iter_mut().filter(|step| step.at == failure.at) {
                    step.uncertain &= !step.event.is_failed_load_of(&failure.target);
                }
            }
        }
        true
    }

    /// Runs a block that may not run. An exception that it raises may never happen. If it returns,
    /// the rest of the function may not run. Names that it binds may still have their old values.
    fn run_uncertain(&mut self, body: &[Stmt], frame: &mut Frame) -> Flow {
        self.execution.uncertain += 1;
        frame.journals.push(Vec::new());
        let flow = self.block(body, frame);
        self.execution.uncertain -= 1;
        for (name, old) in frame.journals.pop().unwrap_or_default() {
            let Some(new) = frame.bound(&name) else {
                continue;
            };
            let merged = match &old {
                Some(old) => either(old, new),
                None => new,
            };
            // An enclosing block may be uncertain too and needs the old value in its journal.
            frame.set(&name, old);
            self.bind(&name, merged, frame);
        }
        if matches!(flow, Flow::Return(_)) && !frame.may_have_returned {
            frame.may_have_returned = true;
            self.execution.uncertain += 1;
        }
        flow
    }

    /// Runs a loop. After the loop, it no longer matters whether it may have been left early.
    fn run_loop(&mut self, frame: &mut Frame, run: impl FnOnce(&mut Self, &mut Frame) -> Flow) -> Flow {
        let (before, had_returned) = (self.execution.uncertain, frame.may_have_returned);
        let flow = run(self, frame);
        let may_have_left = self.execution.uncertain > before;
        self.execution.uncertain = before + u32::from(frame.may_have_returned && !had_returned);
        match flow {
            Flow::Raise(_) if may_have_left => Flow::Next,
            flow => flow,
        }
    }

    fn run_for(
        &mut self,
        target: &Expr,
        iter: &Expr,
        body: &[Stmt],
        otherwise: &[Stmt],
        frame: &mut Frame,
    ) -> Flow {
        let items = match self.evaluate(iter, frame) {
            Err(exception) => return Flow::Raise(exception),
            Ok(value) => match self.items_of(&value, &frame.place()) {
                Err(exception) => return Flow::Raise(exception),
                Ok(items) => items,
            },
        };
        let Some(items) = items else {
            if let Err(exception) = self.assign(target, Value::Unknown, frame) {
                return Flow::Raise(exception);
            }
            self.execution.unknown_loops += 1;
            self.run_uncertain(body, frame);
            self.execution.unknown_loops -= 1;
            return Flow::Next;
        };
        for item in items.into_iter().take(MAX_ITERATIONS) {
            if let Err(exception) = self.assign(target, item, frame) {
                return Flow::Raise(exception);
            }
            match self.block(body, frame) {
                Flow::Next | Flow::Continue => {}
                Flow::Break => return Flow::Next,
                flow => return flow,
            }
        }
        self.block(otherwise, frame)
    }

    fn run_while(&mut self, test: &Expr, body: &[Stmt], frame: &mut Frame) -> Flow {
        let before = self.execution.uncertain;
        for _ in 0..MAX_ITERATIONS {
            // Once the loop may have been left, further iterations add nothing.
            if self.execution.uncertain > before {
                break;
            }
            match self.evaluate(test, frame).map(|value| value.truth()) {
                Err(exception) => return Flow::Raise(exception),
                Ok(Some(false)) => break,
                Ok(None) => {
                    self.run_uncertain(body, frame);
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
}

/// Returns the common value if both are equal, and an unknown value otherwise.
fn either(old: &Value, new: Value) -> Value {
    if old.equals(&new) == Some(true) { new } else { Value::Unknown }
}

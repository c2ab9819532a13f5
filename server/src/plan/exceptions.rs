//! The `try`, `raise`, and `with` statements.

use std::rc::Rc;

use super::frame::{Catches, Frame};
use super::value::{Exception, Value, class_names};
use super::{Flow, Place, Plan};
use crate::source::{Expr, Handler, Stmt, StmtKind, Try};

/// The maximum number of statements in the trace of an exception.
const MAX_TRACE: usize = 100;

/// The exception classes whose handlers catch a missing module.
const ABSENCE: [&str; 4] = ["ImportError", "ModuleNotFoundError", "Exception", "BaseException"];

impl Plan<'_> {
    pub(super) fn run_try(&mut self, attempt: &Try, frame: &mut Frame) -> Flow {
        frame.tries += 1;
        let flow = self.run_try_blocks(attempt, frame);
        frame.tries -= 1;
        flow
    }

    fn run_try_blocks(&mut self, attempt: &Try, frame: &mut Frame) -> Flow {
        let catches = self.catches(&attempt.handlers, frame);
        let flow = self.with_handlers(catches, frame, |plan, frame| plan.block(&attempt.body, frame));
        let flow = match flow {
            Flow::Raise(exception) if exception.ends_process => return Flow::Raise(exception),
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

    /// Runs a function while handlers for these exceptions are active.
    fn with_handlers(
        &mut self,
        catches: Catches,
        frame: &mut Frame,
        run: impl FnOnce(&mut Self, &mut Frame) -> Flow,
    ) -> Flow {
        frame.handlers.push(catches.clone());
        self.execution.active_handlers.push(catches);
        let flow = run(self, frame);
        self.execution.active_handlers.pop();
        frame.handlers.pop();
        flow
    }

    /// Whether a handler in any frame expects that a module may be missing.
    pub(super) fn absence_is_expected(&self) -> bool {
        self.execution.active_handlers.iter().any(|catches| catches.any_of(&ABSENCE))
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
            frame.record_caught(exception.failures.iter().copied());
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

    pub(super) fn raise(&mut self, exception: Option<&Expr>, frame: &mut Frame) -> Result<(), Rc<Exception>> {
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
            Value::Known(known) => Exception::new(known.dotted(), Some("".into())),
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
                raised.inaccessible = raised.inaccessible.or_else(|| context.inaccessible.clone());
                raised.missing_recorded_file =
                    raised.missing_recorded_file.or_else(|| context.missing_recorded_file.clone());
                raised.conflicting_distributions.extend(context.conflicting_distributions.iter().cloned());
                raised.trace.extend(context.trace.iter().take(MAX_TRACE).cloned());
            }
            // If a function catches failed loads and later raises an exception, the loads are its
            // cause.
            if raised.failures.is_empty() {
                raised.failures.extend(&frame.caught);
            }
            if raised.is_unfounded() && self.execution.uncertain == 0 {
                self.find_reason(&mut raised, &place);
            }
        }
        Err(traced(Rc::new(raised), &place))
    }

    pub(super) fn run_with(
        &mut self,
        items: &[(Expr, Option<Expr>)],
        body: &[Stmt],
        frame: &mut Frame,
    ) -> Flow {
        let Some(((context, target), rest)) = items.split_first() else { return self.block(body, frame) };
        let context = match self.evaluate(context, frame) {
            Err(exception) => return Flow::Raise(exception),
            Ok(context) => context,
        };
        if let Value::Generator(generator, true) = &context {
            let inner;
            let body = match rest {
                [] => body,
                _ => {
                    let kind = StmtKind::With { items: rest.to_vec(), body: body.to_vec() };
                    inner = [Stmt { line: frame.line, kind }];
                    &inner
                }
            };
            return self.within_generator(generator, target.as_ref(), body, frame);
        }
        let bound = match self.enter(&context, &frame.place()) {
            Err(exception) => return Flow::Raise(exception),
            Ok(bound) => bound,
        };
        if let Some(target) = target
            && let Err(exception) = self.assign(target, bound, frame)
        {
            return Flow::Raise(exception);
        }
        let classes = match &context {
            Value::Suppress(classes) => classes.iter().flat_map(class_names).collect(),
            _ => Vec::new(),
        };
        let catches = Catches { classes, everything: false };
        let flow = self.with_handlers(catches.clone(), frame, |plan, frame| plan.run_with(rest, body, frame));
        if let Err(exception) = self.leave_context(&context, &frame.place()) {
            return Flow::Raise(exception);
        }
        match flow {
            Flow::Raise(exception) if catches.catches(&exception) => Flow::Next,
            flow => flow,
        }
    }

    /// Returns the value that `with context as name` binds.
    pub(super) fn enter(&mut self, context: &Value, at: &Place) -> Result<Value, Rc<Exception>> {
        Ok(match context {
            Value::Instance(instance) => {
                let entered = self.call_special(instance, "__enter__", Vec::new(), at)?;
                entered.unwrap_or(Value::Unknown)
            }
            context => return self.call_method(context, "__enter__", Vec::new(), &[], at),
        })
    }

    /// Leaves a context manager at the end of its `with`.
    pub(super) fn leave_context(&mut self, context: &Value, at: &Place) -> Result<(), Rc<Exception>> {
        match context {
            Value::AddedDirectory(path) => self.world.interpreter.process.remove_dll_directory(path),
            Value::ExitStack(contexts) => {
                let contexts = contexts.take();
                for context in contexts.iter().rev() {
                    self.leave_context(context, at)?;
                }
            }
            Value::Instance(instance) => {
                let nothing = vec![Value::None, Value::None, Value::None];
                self.call_special(instance, "__exit__", nothing, at)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Adds the statement `at` to the trace of an exception.
pub(super) fn traced(mut exception: Rc<Exception>, at: &Place) -> Rc<Exception> {
    if let Some(file) = &at.file
        && exception.trace.len() < MAX_TRACE
    {
        Rc::make_mut(&mut exception).trace.push((file.clone(), at.line));
    }
    exception
}

/// Returns the message of an exception created with these arguments.
pub(super) fn message_of(arguments: &[Value]) -> Option<Rc<str>> {
    match arguments {
        [] => Some("".into()),
        [only] => only.to_text().map(Rc::from),
        _ => None,
    }
}

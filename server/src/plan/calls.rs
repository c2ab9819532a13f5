//! Calls: evaluates the arguments and calls the function.

use std::rc::Rc;

use super::Plan;
use super::definitions::Closure;
use super::frame::Frame;
use super::value::{Arguments, Exception, Value};
use crate::source::{Call, Decoration, Expr};

type Outcome = Result<Value, Rc<Exception>>;

impl Plan<'_> {
    /// Records the loads that failed during a call without an exception. They may be the cause if
    /// the caller raises one later.
    fn record_swallowed(&self, before: usize, file: Option<&crate::host::WinPath>, frame: &mut Frame) {
        for (at, failure) in self.trace.failures.iter().enumerate().skip(before) {
            if !failure.uncertain && failure.at.file.as_ref() == file {
                frame.record_caught([at]);
            }
        }
    }

    pub(super) fn call(&mut self, call: &Call, frame: &mut Frame) -> Outcome {
        let function = self.evaluate(&call.function, frame)?;
        let mut arguments = Arguments::of(Vec::with_capacity(call.arguments.len()));
        for argument in &call.arguments {
            let value = self.evaluate(argument, frame)?;
            match argument {
                Expr::Starred(_) => match self.items_of(&value, &frame.place())? {
                    Some(items) if !arguments.open => arguments.positional.extend(items),
                    _ => arguments.open = true,
                },
                // Its position is unknown.
                _ if arguments.open => {}
                _ => arguments.positional.push(value),
            }
        }
        for (name, value) in &call.keywords {
            let value = self.evaluate(value, frame)?;
            match (&value, name.is_empty()) {
                (_, false) => arguments.keywords.push((name.clone(), value)),
                (Value::Dict(items), true) => {
                    for (key, value) in items.borrow().iter() {
                        match key.text() {
                            Some(key) => arguments.keywords.push(((&*key).into(), value.clone())),
                            None => arguments.open = true,
                        }
                    }
                }
                (_, true) => arguments.open = true,
            }
        }
        // A statement at the top level of a module or of the program.
        match frame.locals.is_none() && self.execution.call_ends_at.is_none() {
            true => self.within_limit(&frame.place(), |plan| plan.call_value(&function, arguments, frame)),
            false => self.call_value(&function, arguments, frame),
        }
    }

    /// Calls any callable value.
    pub(super) fn call_value(
        &mut self,
        function: &Value,
        arguments: Arguments,
        frame: &mut Frame,
    ) -> Outcome {
        let place = frame.place();
        match function {
            Value::Function(closure) => self.call_closure(closure, arguments, frame),
            Value::Bound(method) => {
                let (object, closure) = &**method;
                self.call_closure(closure, arguments.with_receiver(object.clone()), frame)
            }
            // The only descriptor that a function at module level can be.
            Value::Descriptor(Decoration::Context, closure) => {
                Ok(match self.call_closure(closure, arguments, frame)? {
                    Value::Generator(generator, _) => Value::Generator(generator, true),
                    other => other,
                })
            }
            Value::Class(class) => self.instantiate(class, arguments, &place),
            Value::Instance(instance) => match instance.class.find("__call__") {
                Some(Value::Function(call) | Value::Descriptor(_, call)) => {
                    self.call_closure(&call, arguments.with_receiver(function.clone()), frame)
                }
                _ => Ok(Value::Unknown),
            },
            Value::Known(name) => {
                let (positional, keywords) = arguments.closed();
                self.call_known(*name, &positional, &keywords, frame, &place)
            }
            Value::Method(method) => {
                let before = self.trace.failures.len();
                let (positional, keywords) = arguments.closed();
                let result = self.call_method(&method.0, &method.1, positional, &keywords, &place)?;
                self.record_swallowed(before, place.file.as_ref(), frame);
                Ok(result)
            }
            _ => Ok(Value::Unknown),
        }
    }

    /// Calls a function that the program defines. Those of the standard library are either
    /// implemented here or irrelevant.
    fn call_closure(&mut self, closure: &Rc<Closure>, arguments: Arguments, frame: &mut Frame) -> Outcome {
        if closure.is_of_library() && !frame.module.is_of_library {
            return Ok(Value::Unknown);
        }
        let before = self.trace.failures.len();
        let result = self.call_function(closure, arguments, &frame.place())?;
        self.record_swallowed(before, closure.module.file.as_ref(), frame);
        Ok(result)
    }
}

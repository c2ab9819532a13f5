//! `def` and `class`, and calls of what the program itself defines.

use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::frame::Frame;
use super::import::traced;
use super::value::{Class, Closure, Exception, Value, class_names};
use super::{Flow, Place, Plan};
use crate::source::{Expr, Function, Name, Stmt};

impl Plan<'_> {
    pub(super) fn define(
        &mut self,
        function: &Arc<Function>,
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
        let enclosing = frame.locals.as_ref().and_then(|locals| {
            let mut seen = frame.enclosing.as_deref().cloned().unwrap_or_default();
            seen.extend(locals.iter().map(|(name, value)| (name.clone(), value.clone())));
            self.spend_many(seen.len() as u64);
            self.may_nest(seen.values()).then(|| Rc::new(seen))
        });
        let closure =
            Closure { function: function.clone(), module: frame.module.clone(), defaults, enclosing };
        if name == "__getattr__" && frame.locals.is_none() {
            frame.module.open.set(true);
        }
        self.bind(&name, Value::Function(Rc::new(closure)), frame);
        Ok(())
    }

    pub(super) fn class(&mut self, name: &Name, bases: &[Expr], body: &[Stmt], frame: &mut Frame) -> Flow {
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
        // TensorFlow has its own around `inspect.getfile`, which looks through decorators.
        if let (Some(Value::Frame(file)), "getfile") = (arguments.first(), closure.function.name.as_str()) {
            return Ok(Value::str(file.as_str()));
        }
        let Some(body) = &closure.function.body else {
            return Ok(Value::Unknown);
        };
        // A recursion under a condition that is not known need not come to an end.
        let function = Arc::as_ptr(&closure.function);
        let may_not_end = self.uncertain > 0 && self.running.iter().any(|(running, _)| *running == function);
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
        frame.enclosing = closure.enclosing.clone();
        let before = self.uncertain;
        self.depth += 1;
        self.running.push((function, at.file.clone()));
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

//! `def` statements and calls of functions that the program defines.

use std::cell::{OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::exceptions::traced;
use super::frame::{Frame, Yields};
use super::objects::Class;
use super::value::{Arguments, Exception, Generator, ModuleRef, Value};
use super::{Flow, Place, Plan};
use crate::source::standard::NameEffect;
use crate::source::{Decoration, Expr, Function, LeftOut, Name, Parameter, ParameterKind, Span, StmtKind};

/// A function and the module that defines it.
#[derive(Debug)]
pub(super) struct Closure {
    pub name: Name,
    definition: Definition,
    pub module: ModuleRef,
    /// The variables of the enclosing functions at the time of the definition.
    enclosing: Option<Rc<FxHashMap<Name, Value>>>,
    /// The class whose body contains the function.
    owner: RefCell<Weak<Class>>,
}

#[derive(Debug)]
enum Definition {
    /// Defaults are evaluated where the function is defined.
    Read(Rc<Callable>),
    /// The function's position in the source. It is read on the first call. `None` if it can't be
    /// read.
    LeftOut(Span, OnceCell<Option<Rc<Callable>>>),
}

/// A function that can be called.
#[derive(Debug)]
struct Callable {
    function: Arc<Function>,
    defaults: Vec<Option<Value>>,
}

impl Closure {
    /// Creates a function that is read when it is called.
    pub fn left_out(definition: &LeftOut, module: &ModuleRef, owner: Weak<Class>) -> Closure {
        Closure {
            name: definition.name.clone(),
            definition: Definition::LeftOut(definition.at, OnceCell::new()),
            module: module.clone(),
            enclosing: None,
            owner: RefCell::new(owner),
        }
    }

    /// Whether it is defined in the standard library.
    pub fn is_of_library(&self) -> bool {
        self.module.is_of_library
    }

    pub fn belongs_to(&self, class: &Rc<Class>) {
        *self.owner.borrow_mut() = Rc::downgrade(class);
    }

    pub fn owner(&self) -> Weak<Class> {
        self.owner.borrow().clone()
    }
}

/// Returns the value of a function as an attribute of a class or module.
pub(super) fn decorated(decoration: Decoration, function: Rc<Closure>) -> Value {
    match decoration {
        Decoration::None => Value::Function(function),
        decoration => Value::Descriptor(decoration, function),
    }
}

impl Plan<'_> {
    pub(super) fn define(
        &mut self,
        function: &Arc<Function>,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        let mut decorators = Vec::with_capacity(function.decorators.len());
        for decorator in &function.decorators {
            decorators.push(self.evaluate(decorator, frame)?);
        }
        let mut value = Value::Function(Rc::new(self.closure(function, frame)?));
        if function.name == "__getattr__" && frame.locals.is_none() {
            frame.module.open.set(true);
        }
        for decorator in decorators.into_iter().rev() {
            value = self.decorate(&decorator, value, frame)?;
        }
        self.bind(&function.name, value, frame);
        Ok(())
    }

    /// Binds functions that are read when they are called.
    pub(super) fn define_left_out(&mut self, definitions: &[LeftOut], frame: &mut Frame) {
        for definition in definitions {
            if definition.name == "__getattr__" && frame.locals.is_none() {
                frame.module.open.set(true);
            }
            let closure = Closure::left_out(definition, &frame.module, Weak::new());
            self.bind(&definition.name, decorated(definition.decoration, Rc::new(closure)), frame);
        }
    }

    /// Evaluates a `def` or `lambda` to a function.
    pub(super) fn closure(
        &mut self,
        function: &Arc<Function>,
        frame: &mut Frame,
    ) -> Result<Closure, Rc<Exception>> {
        let defaults = self.defaults(&function.parameters, frame)?;
        let enclosing = frame.locals.as_ref().filter(|_| !frame.is_class_body).and_then(|locals| {
            let mut seen = frame.enclosing.as_deref().cloned().unwrap_or_default();
            seen.extend(locals.iter().map(|(name, value)| (name.clone(), value.clone())));
            self.spend_many(seen.len() as u64);
            self.may_nest(seen.values()).then(|| Rc::new(seen))
        });
        Ok(Closure {
            name: function.name.clone(),
            definition: Definition::Read(Rc::new(Callable { function: function.clone(), defaults })),
            module: frame.module.clone(),
            enclosing: enclosing.or_else(|| frame.enclosing.clone().filter(|_| frame.is_class_body)),
            owner: RefCell::default(),
        })
    }

    fn defaults(
        &mut self,
        parameters: &[Parameter],
        frame: &mut Frame,
    ) -> Result<Vec<Option<Value>>, Rc<Exception>> {
        let mut defaults = Vec::with_capacity(parameters.len());
        for parameter in parameters {
            defaults.push(match &parameter.default {
                Some(default) => Some(self.evaluate(default, frame)?),
                None => None,
            });
        }
        if !self.may_nest(defaults.iter().flatten()) {
            defaults.fill(None);
        }
        Ok(defaults)
    }

    /// Applies a decorator to a function or class. An unknown decorator is assumed to return its
    /// argument.
    pub(super) fn decorate(
        &mut self,
        decorator: &Value,
        value: Value,
        frame: &mut Frame,
    ) -> Result<Value, Rc<Exception>> {
        let decoration = match decorator {
            Value::Known(name) => match name.effect() {
                Some(NameEffect::Decorates(decoration)) => decoration,
                _ => return Ok(value),
            },
            // `@name.setter`
            Value::Method(method) if matches!(method.0, Value::Descriptor(..)) => {
                return Ok(method.0.clone());
            }
            Value::Function(_) | Value::Bound(_) | Value::Instance(_) => {
                let arguments = Arguments::of(vec![value.clone()]);
                return Ok(match self.call_value(decorator, arguments, frame)? {
                    Value::Unknown | Value::None => value,
                    decorated => decorated,
                });
            }
            _ => return Ok(value),
        };
        Ok(match value {
            Value::Function(function) => Value::Descriptor(decoration, function),
            value => value,
        })
    }

    /// Returns the definition of a function, reading it if necessary.
    fn definition_of(&mut self, closure: &Closure) -> Option<Rc<Callable>> {
        match &closure.definition {
            Definition::Read(callable) => Some(callable.clone()),
            Definition::LeftOut(span, read) => {
                if let Some(known) = read.get() {
                    return known.clone();
                }
                let part = closure.module.file.as_ref()?.with_part(*span);
                let script = self.world.files().script(&part).ok();
                let function = script.and_then(|script| match script.body.first().map(|stmt| &stmt.kind) {
                    Some(StmtKind::Function(function)) => Some(function.clone()),
                    _ => None,
                });
                let definition = function.map(|function| {
                    // Defaults are usually constants, so it doesn't matter when they are evaluated.
                    let mut frame = Frame::of_module(closure.module.clone());
                    frame.line = span.line;
                    let count = function.parameters.len();
                    let defaults = self.defaults(&function.parameters, &mut frame);
                    let defaults = defaults.unwrap_or_else(|_| vec![None; count]);
                    Rc::new(Callable { function, defaults })
                });
                read.get_or_init(|| definition).clone()
            }
        }
    }

    /// Calls a function that the program defines.
    pub(super) fn call_function(
        &mut self,
        closure: &Rc<Closure>,
        arguments: Arguments,
        at: &Place,
    ) -> Result<Value, Rc<Exception>> {
        const MAX_CALL_DEPTH: u32 = 400;
        // TensorFlow has its own version of `inspect.getfile`, which unwraps decorators.
        if let (Some(Value::Frame(file)), "getfile") = (arguments.positional.first(), closure.name.as_str()) {
            return Ok(Value::str(file.as_str()));
        }
        if self.execution.depth >= MAX_CALL_DEPTH {
            return Ok(Value::Unknown);
        }
        let Some(callable) = self.definition_of(closure) else { return Ok(Value::Unknown) };
        let Callable { function, defaults } = &*callable;
        let Some(body) = &function.body else { return Ok(Value::Unknown) };
        // A recursion under an unknown condition may not end.
        let id = Arc::as_ptr(function);
        let may_not_end =
            self.execution.uncertain > 0 && self.execution.running.iter().any(|(running, _)| *running == id);
        if may_not_end {
            return Ok(Value::Unknown);
        }
        if function.is_generator {
            let generator = Generator::Pending(closure.clone(), arguments);
            return Ok(Value::Generator(Rc::new(RefCell::new(generator)), false));
        }
        let mut frame = self.frame_of(closure, function, defaults, arguments);
        let flow = self.run_body(function, body, &mut frame, at);
        match flow {
            // It may have returned earlier, so the last outcome isn't certain.
            _ if frame.may_have_returned => Ok(Value::Unknown),
            Flow::Raise(exception) => Err(traced(exception, at)),
            Flow::Return(value) => Ok(value),
            _ => Ok(Value::None),
        }
    }

    fn run_body(
        &mut self,
        function: &Arc<Function>,
        body: &[crate::source::Stmt],
        frame: &mut Frame,
        at: &Place,
    ) -> Flow {
        let before = self.execution.uncertain;
        self.execution.depth += 1;
        self.execution.running.push((Arc::as_ptr(function), at.file.clone()));
        let flow = self.block(body, frame);
        self.execution.running.pop();
        self.execution.depth -= 1;
        self.execution.uncertain = before;
        flow
    }

    /// Creates the frame for a call with these arguments.
    fn frame_of(
        &mut self,
        closure: &Rc<Closure>,
        function: &Function,
        defaults: &[Option<Value>],
        arguments: Arguments,
    ) -> Frame {
        let Arguments { positional, mut keywords, open } = arguments;
        // A body binds about as many names as it has parameters.
        let mut locals = FxHashMap::with_capacity_and_hasher(function.parameters.len() * 2, FxBuildHasher);
        let mut positional = positional.into_iter();
        for (parameter, default) in function.parameters.iter().zip(defaults) {
            let mut by_name = || {
                let at = keywords.iter().position(|(name, _)| *name == parameter.name);
                at.map(|at| keywords.swap_remove(at).1)
            };
            let unset = || if open { Value::Unknown } else { default.clone().unwrap_or(Value::Unknown) };
            let value = match parameter.kind {
                ParameterKind::Usual => match by_name() {
                    Some(value) => value,
                    None => positional.next().unwrap_or_else(unset),
                },
                ParameterKind::Keyword => by_name().unwrap_or_else(unset),
                ParameterKind::Rest if open => Value::Unknown,
                ParameterKind::Rest => {
                    let rest: Vec<Value> = positional.by_ref().collect();
                    if self.may_nest(&rest) { Value::Tuple(Rc::new(rest)) } else { Value::Unknown }
                }
                ParameterKind::Keywords if open => Value::Unknown,
                ParameterKind::Keywords => {
                    let named = std::mem::take(&mut keywords).into_iter();
                    let pairs: Vec<_> = named.map(|(name, value)| (Value::str(name), value)).collect();
                    let fits = self.may_nest(pairs.iter().map(|(_, value)| value));
                    if fits { Value::Dict(Rc::new(RefCell::new(pairs))) } else { Value::Unknown }
                }
            };
            locals.insert(parameter.name.clone(), value);
        }
        let mut frame = Frame::of_call(closure.module.clone(), locals);
        frame.enclosing = closure.enclosing.clone();
        frame.owner = closure.owner();
        frame.receiver = function.parameters.first().map(|parameter| parameter.name.clone());
        frame
    }

    /// Runs a generator to its end and returns all its values, or `None` if they are unknown.
    pub(super) fn yielded(
        &mut self,
        generator: &RefCell<Generator>,
        at: &Place,
    ) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        match generator.replace(Generator::Yielded(VecDeque::new())) {
            Generator::Yielded(values) => Ok(Some(values.into())),
            Generator::Unknown => {
                *generator.borrow_mut() = Generator::Unknown;
                Ok(None)
            }
            Generator::Pending(closure, arguments) => {
                let Some(callable) = self.definition_of(&closure) else { return Ok(None) };
                let Callable { function, defaults } = &*callable;
                let Some(body) = &function.body else { return Ok(None) };
                let mut frame = self.frame_of(&closure, function, defaults, arguments);
                frame.yields =
                    Some(Yields::All { values: Vec::new(), under: self.execution.uncertain, unsure: false });
                let flow = self.run_body(function, body, &mut frame, at);
                let values = match frame.yields.take() {
                    Some(Yields::All { values, unsure, .. }) if !unsure && !frame.may_have_returned => {
                        self.may_nest(&values).then_some(values)
                    }
                    _ => None,
                };
                if values.is_none() {
                    *generator.borrow_mut() = Generator::Unknown;
                }
                match flow {
                    Flow::Raise(exception) => Err(traced(exception, at)),
                    _ => Ok(values),
                }
            }
        }
    }

    /// Evaluates `next(generator)`. The inner `None` means that the generator is exhausted, the
    /// outer one that the value is unknown.
    pub(super) fn next_of(
        &mut self,
        generator: &RefCell<Generator>,
        at: &Place,
    ) -> Result<Option<Option<Value>>, Rc<Exception>> {
        let Some(values) = self.yielded(generator, at)? else { return Ok(None) };
        let mut values = VecDeque::from(values);
        let next = values.pop_front();
        *generator.borrow_mut() = Generator::Yielded(values);
        Ok(Some(next))
    }

    /// Executes `yield`: runs the block of a `with`, or adds a value to those of the generator.
    pub(super) fn yield_value(&mut self, value: Value, frame: &mut Frame) -> Result<Value, Rc<Exception>> {
        const MAX: usize = 10_000;
        match frame.yields.take() {
            Some(Yields::All { mut values, under, unsure }) => {
                let unsure = unsure || self.execution.uncertain > under || values.len() >= MAX;
                if !unsure {
                    values.push(value);
                }
                frame.yields = Some(Yields::All { values, under, unsure });
                Ok(Value::None)
            }
            Some(Yields::Block(mut block)) if block.flow.is_none() => {
                if let Some(target) = &block.target {
                    self.assign(target, value, &mut block.frame)?;
                }
                let flow = self.block(&block.body, &mut block.frame);
                let raised = match &flow {
                    Flow::Raise(exception) => Some(exception.clone()),
                    _ => None,
                };
                block.flow = Some(flow);
                frame.yields = Some(Yields::Block(block));
                raised.map_or(Ok(Value::None), Err)
            }
            other => {
                frame.yields = other;
                Ok(Value::Unknown)
            }
        }
    }

    /// Executes `yield from values`.
    pub(super) fn yield_from(&mut self, values: &Value, frame: &mut Frame) -> Result<Value, Rc<Exception>> {
        match self.items_of(values, &frame.place())? {
            Some(items) => {
                for item in items {
                    self.yield_value(item, frame)?;
                }
            }
            None => {
                if let Some(Yields::All { unsure, .. }) = &mut frame.yields {
                    *unsure = true;
                }
            }
        }
        Ok(Value::Unknown)
    }

    /// Runs the block of a `with` at the `yield` of the generator that is its context manager.
    pub(super) fn within_generator(
        &mut self,
        generator: &RefCell<Generator>,
        target: Option<&Expr>,
        body: &[crate::source::Stmt],
        frame: &mut Frame,
    ) -> Flow {
        let pending = match generator.replace(Generator::Unknown) {
            Generator::Pending(closure, arguments) => {
                self.definition_of(&closure).map(|definition| (closure, arguments, definition))
            }
            _ => None,
        };
        let Some((closure, arguments, callable)) = pending else {
            return self.block(body, frame);
        };
        let Callable { function, defaults } = &*callable;
        let place = frame.place();
        let mut inner = self.frame_of(&closure, function, defaults, arguments);
        let outer = std::mem::replace(frame, Frame::of_module(closure.module.clone()));
        inner.yields = Some(Yields::block(outer, target.cloned(), body.to_vec()));
        let flow = match &function.body {
            Some(statements) => self.run_body(function, statements, &mut inner, &place),
            None => Flow::Next,
        };
        let Some(Yields::Block(block)) = inner.yields.take() else { return Flow::Next };
        *frame = block.frame;
        match (flow, block.flow) {
            (Flow::Raise(exception), _) => Flow::Raise(exception),
            // No `yield` was reached. The block runs nevertheless.
            (_, None) => self.block(body, frame),
            // The generator caught the exception.
            (_, Some(Flow::Raise(_))) => Flow::Next,
            (_, Some(flow)) => flow,
        }
    }
}

//! Evaluates expressions as far as their values can be known.

use std::rc::Rc;

use super::exceptions::traced;
use super::frame::Frame;
use super::operators::{binary, compare, merged, slice};
use super::standard;
use super::value::{Arguments, Exception, MAX_LENGTH, ModuleRef, Value};
use super::{Place, Plan};
use crate::source::standard::{OsName, StandardName, SysName};
use crate::source::{BinaryOp, CompareOp, Comprehension, ComprehensionResult, Expr, Name};

type Outcome = Result<Value, Rc<Exception>>;

impl Plan<'_> {
    pub(super) fn evaluate(&mut self, expr: &Expr, frame: &mut Frame) -> Outcome {
        if !self.spend() {
            return Ok(Value::Unknown);
        }
        let value = self.value_of(expr, frame)?;
        // Any use of the value takes time in proportion to its size.
        self.spend_many(value.size() as u64 / 8);
        Ok(value)
    }

    /// Evaluates an expression without counting the size of its value. Most expressions are names,
    /// constants, and calls. Those that need more stack space have functions of their own.
    fn value_of(&mut self, expr: &Expr, frame: &mut Frame) -> Outcome {
        Ok(match expr {
            Expr::Opaque => Value::Unknown,
            Expr::None => Value::None,
            Expr::Bool(value) => Value::Bool(*value),
            Expr::Int(value) => Value::Int(*value),
            Expr::Str(text) => Value::str(text),
            Expr::Name(name) => return self.name(name, frame),
            Expr::Attribute(object, name) => {
                let object = self.evaluate(object, frame)?;
                return self.attribute_of(object, name, &frame.place());
            }
            Expr::Call(call) => return self.call(call, frame),
            Expr::Not(operand) => match self.evaluate(operand, frame)?.truth() {
                Some(truth) => Value::Bool(!truth),
                None => Value::Unknown,
            },
            Expr::And(values) => return self.chain(values, false, frame),
            Expr::Or(values) => return self.chain(values, true, frame),
            Expr::Binary(parts) => return self.binary_of(&parts.0, parts.1, &parts.2, frame),
            Expr::Compare(parts) => return self.comparison_of(&parts.0, parts.1, &parts.2, frame),
            Expr::Subscript(parts) => return self.item_of(&parts.0, &parts.1, frame),
            Expr::Slice(parts) => return self.slice_of(&parts.0, &parts.1, &parts.2, frame),
            Expr::Tuple(values) => return self.tuple_of(values, frame),
            Expr::List(values) => return self.list_of(values, frame),
            Expr::Dict(items) => return self.dict_of(items, frame),
            Expr::Joined(parts) => return self.joined(parts, frame),
            Expr::Conditional(parts) => {
                let (test, then, otherwise) = &**parts;
                match self.evaluate(test, frame)?.truth() {
                    Some(true) => return self.evaluate(then, frame),
                    Some(false) => return self.evaluate(otherwise, frame),
                    None => Value::Unknown,
                }
            }
            Expr::Comprehension(comprehension) => return self.comprehension(comprehension, frame),
            Expr::Starred(values) => return self.evaluate(values, frame),
            Expr::Lambda(function) => Value::Function(Rc::new(self.closure(function, frame)?)),
            Expr::Named(name, value) => {
                let value = self.evaluate(value, frame)?;
                self.bind(name, value.clone(), frame);
                value
            }
            Expr::Yield(value) => {
                let value = match value {
                    Some(value) => self.evaluate(value, frame)?,
                    None => Value::None,
                };
                return self.yield_value(value, frame);
            }
            Expr::YieldFrom(values) => {
                let values = self.evaluate(values, frame)?;
                return self.yield_from(&values, frame);
            }
        })
    }

    #[inline(never)]
    fn binary_of(&mut self, left: &Expr, op: BinaryOp, right: &Expr, frame: &mut Frame) -> Outcome {
        let (left, right) = (self.evaluate(left, frame)?, self.evaluate(right, frame)?);
        Ok(binary(op, &left, &right))
    }

    #[inline(never)]
    fn comparison_of(&mut self, left: &Expr, op: CompareOp, right: &Expr, frame: &mut Frame) -> Outcome {
        let (left, right) = (self.evaluate(left, frame)?, self.evaluate(right, frame)?);
        Ok(compare(&left, op, &right, self))
    }

    #[inline(never)]
    fn item_of(&mut self, object: &Expr, index: &Expr, frame: &mut Frame) -> Outcome {
        let (object, index) = (self.evaluate(object, frame)?, self.evaluate(index, frame)?);
        self.subscript(&object, &index, frame)
    }

    #[inline(never)]
    fn slice_of(
        &mut self,
        object: &Expr,
        lower: &Option<Expr>,
        upper: &Option<Expr>,
        frame: &mut Frame,
    ) -> Outcome {
        let object = self.evaluate(object, frame)?;
        let mut bound = |expr: &Option<Expr>| -> Result<Option<Option<i64>>, Rc<Exception>> {
            match expr {
                None => Ok(Some(None)),
                Some(expr) => Ok(self.evaluate(expr, frame)?.number().map(Some)),
            }
        };
        Ok(match (bound(lower)?, bound(upper)?) {
            (Some(lower), Some(upper)) => slice(&object, lower, upper),
            _ => Value::Unknown,
        })
    }

    #[inline(never)]
    fn tuple_of(&mut self, values: &[Expr], frame: &mut Frame) -> Outcome {
        let values = self.all(values, frame)?.filter(|values| self.may_nest(values));
        Ok(values.map_or(Value::Unknown, |values| Value::Tuple(Rc::new(values))))
    }

    #[inline(never)]
    fn list_of(&mut self, values: &[Expr], frame: &mut Frame) -> Outcome {
        let values = self.all(values, frame)?.filter(|values| self.may_nest(values));
        Ok(values.map_or(Value::Unknown, Value::list))
    }

    #[inline(never)]
    fn dict_of(&mut self, items: &[(Expr, Expr)], frame: &mut Frame) -> Outcome {
        let mut pairs = Vec::with_capacity(items.len());
        let mut is_known = true;
        for (key, value) in items {
            let key_value = self.evaluate(key, frame)?;
            match (key, key_value) {
                (Expr::Starred(_), Value::Dict(others)) => {
                    let others = others.borrow();
                    self.spend_many((pairs.len() + others.len()) as u64);
                    pairs = merged(pairs.into_iter().chain(others.iter().cloned()));
                }
                (Expr::Starred(_), _) => is_known = false,
                (_, key) => pairs.push((key, self.evaluate(value, frame)?)),
            }
        }
        let parts = pairs.iter().flat_map(|(key, value)| [key, value]);
        let fits = self.may_nest(parts) && is_known && pairs.len() <= MAX_LENGTH;
        Ok(if fits { Value::Dict(Rc::new(pairs.into())) } else { Value::Unknown })
    }

    /// Evaluates an f-string.
    #[inline(never)]
    fn joined(&mut self, parts: &[Expr], frame: &mut Frame) -> Outcome {
        let mut text = String::new();
        let mut known = true;
        for part in parts {
            match self.evaluate(part, frame)?.to_text() {
                Some(part) if text.len() + part.len() <= MAX_LENGTH => text.push_str(&part),
                _ => known = false,
            }
        }
        Ok(if known { Value::str(text) } else { Value::Unknown })
    }

    /// Returns the values of a tuple or list, or `None` if an unknown value is unpacked in it.
    fn all(&mut self, exprs: &[Expr], frame: &mut Frame) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        let mut values = Vec::with_capacity(exprs.len());
        let mut known = true;
        for expr in exprs {
            let value = self.evaluate(expr, frame)?;
            match expr {
                Expr::Starred(_) => match self.items_of(&value, &frame.place())? {
                    Some(items) if values.len() + items.len() <= MAX_LENGTH => values.extend(items),
                    _ => known = false,
                },
                _ => values.push(value),
            }
        }
        Ok(known.then_some(values))
    }

    fn name(&mut self, name: &Name, frame: &mut Frame) -> Outcome {
        if let Some(value) = frame.locals.as_ref().and_then(|locals| locals.get(name)) {
            return Ok(value.clone());
        }
        if let Some(value) = frame.enclosing.as_ref().and_then(|enclosing| enclosing.get(name)) {
            return Ok(value.clone());
        }
        match frame.module.get(name) {
            Some(Value::Lazy(lazy)) => {
                return self.resolve_lazy(&lazy, &frame.module.clone(), name, &frame.place());
            }
            Some(value) => return Ok(value),
            None => {}
        }
        if let Some(known) = StandardName::builtin(name) {
            return Ok(Value::Known(known));
        }
        if name == "__spec__" {
            return Ok(standard::spec_of_module(&frame.module));
        }
        if !frame.module.open.get()
            && frame.locals.is_none()
            && frame.expects(&["NameError", "Exception", "BaseException"])
            && !standard::is_builtin_name(name)
        {
            let message = format!("name '{name}' is not defined");
            let exception = Rc::new(Exception::new("NameError", Some(message.into())));
            return Err(traced(exception, &frame.place()));
        }
        Ok(Value::Unknown)
    }

    /// Returns the value of a lazy import of the module, or what its `__getattr__` (PEP 562)
    /// returns for a name that it lacks, which usually imports something. Returns `None` if the
    /// module has the name, or no such function.
    pub(super) fn lazy_attribute(
        &mut self,
        module: &ModuleRef,
        name: &Name,
        place: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        if let Some(value) = self.lazily_imported(module, name, place)? {
            return Ok(Some(value));
        }
        if name.starts_with("__") || module.has(name) {
            return Ok(None);
        }
        let Some(Value::Function(getter)) = module.get("__getattr__") else {
            return Ok(None);
        };
        // The function may look up names of its own module. If it looks up the same one, it doesn't
        // have it either.
        let lookup = (Rc::as_ptr(module).cast::<()>(), name.clone());
        if self.execution.getattr_in_progress.contains(&lookup) {
            return Ok(None);
        }
        self.execution.getattr_in_progress.push(lookup);
        let value = self.call_function(&getter, Arguments::of(vec![Value::str(name)]), place);
        self.execution.getattr_in_progress.pop();
        match value {
            Ok(value) => Ok(Some(value)),
            Err(exception) if exception.is_a("AttributeError") => Ok(None),
            Err(exception) => Err(exception),
        }
    }

    /// Evaluates `object.name`.
    pub(super) fn attribute_of(&mut self, object: Value, name: &Name, place: &Place) -> Outcome {
        match &object {
            Value::Module(module) => {
                if let Some(value) = self.lazy_attribute(module, name, place)? {
                    return Ok(value);
                }
            }
            Value::Instance(instance) => {
                return Ok(self.instance_attribute(instance, name, place)?.unwrap_or(Value::Unknown));
            }
            Value::Class(class) => {
                return Ok(self.class_attribute(class, name).unwrap_or(Value::Unknown));
            }
            Value::Super(object) => return self.super_attribute(&object.clone(), name, place),
            Value::Record(record) if !standard::has_method(record, name) => {
                return Ok(record.get(name).unwrap_or(Value::Unknown));
            }
            Value::Frame(file) if matches!(name.as_str(), "f_globals" | "f_locals") => {
                let module = self.world.modules.values().find(|module| module.file.as_ref() == Some(file));
                return Ok(module.map_or(Value::Unknown, |module| Value::Globals(module.clone())));
            }
            // Only for the running frame: those of others aren't needed.
            Value::Frame(file) if name == "f_back" && place.file.as_ref() == Some(file) => {
                let caller = self.execution.running.last().and_then(|(_, caller)| caller.clone());
                return Ok(caller.map_or(Value::Unknown, Value::Frame));
            }
            _ => {}
        }
        Ok(self.attribute(object, name))
    }

    fn attribute(&mut self, object: Value, name: &Name) -> Value {
        match &object {
            Value::Module(module) if name == "__dict__" => Value::Globals(module.clone()),
            Value::Function(function) if name == "__name__" => Value::str(&function.name),
            // Such as its docstring, or an attribute that a decorator set.
            Value::Function(_) | Value::Bound(_) => Value::Unknown,
            Value::Below(folder) => standard::attribute_below(folder, name),
            Value::Module(module) => {
                if let Some(known) = standard::attribute(&module.name, name, self) {
                    return known;
                }
                module.get(name).or_else(|| standard::exported_loader(name)).unwrap_or(Value::Unknown)
            }
            Value::Known(known) if standard::has_methods(*known) => {
                Value::Method(Rc::new((object, name.clone())))
            }
            Value::Known(known) => standard::attribute(known.dotted(), name, self).unwrap_or(Value::Unknown),
            Value::Unknown => Value::Unknown,
            // `sys.version_info.minor`
            Value::Tuple(values) => {
                let at = ["major", "minor", "micro", "releaselevel"].iter().position(|part| part == name);
                at.and_then(|at| values.get(at).cloned()).unwrap_or(Value::Unknown)
            }
            Value::Path(path) => standard::path_attribute(path, name)
                .unwrap_or_else(|| Value::Method(Rc::new((object.clone(), name.clone())))),
            object if !self.may_nest([object]) => Value::Unknown,
            _ => Value::Method(Rc::new((object, name.clone()))),
        }
    }

    /// Whether a value may be created that contains these. Chains of them are dropped by recursion,
    /// so their length is limited.
    pub(super) fn may_nest<'v>(&mut self, parts: impl IntoIterator<Item = &'v Value>) -> bool {
        const MAX_NESTED: u32 = 100_000;
        self.execution.nested += u32::from(parts.into_iter().any(Value::nests));
        self.execution.nested <= MAX_NESTED
    }

    /// Evaluates `a and b` or `a or b`. `stop` is the truth value that decides the result.
    fn chain(&mut self, values: &[Expr], stop: bool, frame: &mut Frame) -> Outcome {
        let mut last = Value::Bool(!stop);
        let mut unsure = false;
        for value in values {
            if unsure {
                self.execution.uncertain += 1;
            }
            let result = self.evaluate(value, frame);
            if unsure {
                self.execution.uncertain -= 1;
            }
            last = match result {
                Ok(value) => value,
                Err(_) if unsure => Value::Unknown,
                Err(exception) => return Err(exception),
            };
            match last.truth() {
                Some(truth) if truth == stop => {
                    // `unknown and False` is falsy, whatever its value.
                    return Ok(if unsure { Value::Bool(stop) } else { last });
                }
                Some(_) => {}
                None => unsure = true,
            }
        }
        Ok(if unsure { Value::Unknown } else { last })
    }

    fn subscript(&mut self, object: &Value, index: &Value, frame: &mut Frame) -> Outcome {
        let key_error = |plan: &Self| {
            let exception = Exception::new("KeyError", index.to_repr().map(Rc::from));
            let raised = traced(Rc::new(exception), &frame.place());
            match frame.expects(&["KeyError", "LookupError", "Exception", "BaseException"])
                && plan.execution.uncertain == 0
            {
                true => Err(raised),
                false => Ok(Value::Unknown),
            }
        };
        match object {
            Value::Dict(items) => {
                let items = items.borrow();
                let mut unsure = false;
                for (key, value) in items.iter() {
                    match key.equals(index) {
                        Some(true) => return Ok(value.clone()),
                        Some(false) => {}
                        None => unsure = true,
                    }
                }
                if unsure { Ok(Value::Unknown) } else { key_error(self) }
            }
            Value::Known(StandardName::Sys(SysName::Path)) => {
                self.subscript(&self.world.sys_path_entries(), index, frame)
            }
            Value::Instance(instance) => {
                let place = frame.place();
                let item = self.call_special(instance, "__getitem__", vec![index.clone()], &place)?;
                Ok(item.unwrap_or(Value::Unknown))
            }
            Value::Known(StandardName::Os(OsName::Environ)) => match self.world.variable(index) {
                Value::None => key_error(self),
                value => Ok(value),
            },
            Value::Globals(module) => {
                Ok(index.text().and_then(|name| module.get(&name)).unwrap_or(Value::Unknown))
            }
            Value::Known(StandardName::Sys(SysName::Modules)) => {
                let module = index.text().and_then(|dotted| self.world.modules.get(&*dotted).cloned());
                Ok(module.map_or(Value::Unknown, Value::Module))
            }
            Value::Tuple(_) | Value::List(_) | Value::Str(_) => {
                let items = object.items().unwrap_or_default();
                let at = index.number().map(|at| if at < 0 { at + items.len() as i64 } else { at });
                let at = at.and_then(|at| usize::try_from(at).ok());
                Ok(at.and_then(|at| items.get(at).cloned()).unwrap_or(Value::Unknown))
            }
            _ => Ok(Value::Unknown),
        }
    }

    fn comprehension(&mut self, comprehension: &Comprehension, frame: &mut Frame) -> Outcome {
        let iter = self.evaluate(&comprehension.iter, frame)?;
        let items = self.items_of(&iter, &frame.place())?;
        let Some(items) = items.filter(|items| items.len() <= MAX_LENGTH) else {
            return Ok(Value::Unknown);
        };
        let mut targets = Vec::new();
        names_of(&comprehension.target, &mut targets);
        // The variables have a scope of their own. Variables that they hide are restored.
        let at_module_level = frame.locals.is_none();
        let mut scope = frame.locals.take().unwrap_or_default();
        let hidden: Vec<_> = targets.iter().map(|target| (target.clone(), scope.remove(target))).collect();
        frame.locals = Some(scope);
        let made = self.elements(comprehension, items, frame);
        if let Some(locals) = &mut frame.locals {
            for (target, value) in hidden {
                match value {
                    Some(value) => drop(locals.insert(target, value)),
                    None => drop(locals.remove(&target)),
                }
            }
        }
        if at_module_level {
            frame.locals = None;
        }
        let Some(values) = made?.filter(|values| self.may_nest(values)) else { return Ok(Value::Unknown) };
        Ok(match comprehension.makes {
            ComprehensionResult::List => Value::list(values),
            ComprehensionResult::Dict => {
                let mut table: Vec<(Value, Value)> = Vec::new();
                for value in values {
                    let Some((key, value)) = standard::pair(&value) else { return Ok(Value::Unknown) };
                    table.push((key, value));
                }
                Value::Dict(Rc::new(merged(table).into()))
            }
            ComprehensionResult::Flat => {
                let mut all = Vec::new();
                for value in values {
                    match value.items() {
                        Some(items) if all.len() + items.len() <= MAX_LENGTH => all.extend(items),
                        _ => return Ok(Value::Unknown),
                    }
                }
                Value::list(all)
            }
        })
    }

    /// Returns the elements that a comprehension creates for these items, or `None` if they are
    /// unknown.
    fn elements(
        &mut self,
        comprehension: &Comprehension,
        items: Vec<Value>,
        frame: &mut Frame,
    ) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        let mut values = Vec::new();
        let mut known = true;
        'items: for item in items {
            self.assign(&comprehension.target, item, frame)?;
            for condition in &comprehension.conditions {
                match self.evaluate(condition, frame)?.truth() {
                    Some(true) => {}
                    Some(false) => continue 'items,
                    None => {
                        known = false;
                        continue 'items;
                    }
                }
            }
            values.push(self.evaluate(&comprehension.element, frame)?);
        }
        Ok(known.then_some(values))
    }
}

/// Collects the names that the target of an assignment binds.
fn names_of(target: &Expr, names: &mut Vec<Name>) {
    match target {
        Expr::Name(name) => names.push(name.clone()),
        Expr::Starred(target) => names_of(target, names),
        Expr::Tuple(targets) | Expr::List(targets) => {
            targets.iter().for_each(|target| names_of(target, names));
        }
        _ => {}
    }
}

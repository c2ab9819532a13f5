//! Classes and their instances: attributes, methods, `super()`.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::definitions::{Closure, decorated};
use super::frame::Frame;
use super::value::{Arguments, Exception, ModuleRef, Value, class_names};
use super::{Flow, Place, Plan, standard};
use crate::source::standard::{AnonymousName, BuiltinName, StandardName};
use crate::source::{Decoration, Expr, LeftOut, Name, Stmt, StmtKind};

type Outcome = Result<Value, Rc<Exception>>;

/// The maximum number of ancestors of a class. The attributes of a class with more are only partly
/// known.
const MAX_ANCESTORS: usize = 200;

/// The maximum number of objects. Further objects are unknown.
const MAX_INSTANCES: usize = 100_000;

/// A class that the program defines.
#[derive(Debug)]
pub(super) struct Class {
    pub name: Name,
    /// The names of all its direct and indirect bases, as far as they are known.
    pub bases: Vec<Name>,
    /// The direct and indirect bases that the program defines, in the order of attribute lookup.
    ancestors: Vec<Rc<Class>>,
    /// Whether it has unknown bases, and so may have any attribute.
    is_open: bool,
    module: ModuleRef,
    members: RefCell<FxHashMap<Name, Value>>,
    /// Functions that have not been looked up yet.
    left_out: Vec<Arc<Vec<LeftOut>>>,
}

impl Class {
    /// Returns an attribute of the class or of one of its bases, as it was defined.
    pub fn find(self: &Rc<Self>, name: &str) -> Option<Value> {
        self.find_here(name).or_else(|| self.find_above(name))
    }

    /// Searches like [`Class::find`], but in the class alone.
    fn find_here(self: &Rc<Self>, name: &str) -> Option<Value> {
        if let Some(value) = self.members.borrow().get(name) {
            return Some(value.clone());
        }
        let definition = self.left_out.iter().rev().flat_map(|some| some.iter().rev());
        if let Some(definition) = definition.into_iter().find(|definition| definition.name == name) {
            let closure = Closure::left_out(definition, &self.module, Rc::downgrade(self));
            let value = decorated(definition.decoration, Rc::new(closure));
            self.members.borrow_mut().insert(name.into(), value.clone());
            return Some(value);
        }
        None
    }

    /// Searches like [`Class::find`], but in the bases alone.
    fn find_above(&self, name: &str) -> Option<Value> {
        self.ancestors.iter().find_map(|ancestor| ancestor.find_here(name))
    }

    /// Whether the other class is this one or one of its bases.
    fn is_below(self: &Rc<Self>, other: &Rc<Class>) -> bool {
        Rc::ptr_eq(self, other) || self.ancestors.iter().any(|ancestor| Rc::ptr_eq(ancestor, other))
    }

    /// Whether it is this class or a subclass of it. Returns `None` if that is unknown.
    pub fn is_subclass_of(self: &Rc<Self>, class: &Rc<Class>) -> Option<bool> {
        match self.is_below(class) {
            true => Some(true),
            false => (!self.is_open).then_some(false),
        }
    }

    /// Whether it has this attribute. Returns `None` if that is unknown.
    fn has(self: &Rc<Self>, name: &str) -> Option<bool> {
        match self.find(name) {
            Some(_) => Some(true),
            None => (!self.is_open).then_some(false),
        }
    }

    /// Whether all of its bases are known.
    pub fn is_closed(&self) -> bool {
        !self.is_open
    }

    /// Returns `__members__`, which only enumerations have. The members are the names that the
    /// class binds (`EnumType` in CPython's `Lib/enum.py`).
    fn enum_members(&self) -> Value {
        let members = self.members.borrow();
        let is_member = |value: &Value| !matches!(value, Value::Function(_) | Value::Descriptor(..));
        let names = members.iter().filter(|(name, value)| !name.starts_with('_') && is_member(value));
        let mut names: Vec<&Name> = names.map(|(name, _)| name).collect();
        names.sort_unstable();
        let pairs: Vec<_> = names.into_iter().map(|name| (Value::str(name), Value::Unknown)).collect();
        Value::Dict(Rc::new(pairs.into()))
    }

    /// Breaks reference cycles between objects.
    pub fn clear(&self) {
        drop(self.members.take());
    }

    pub fn set(&self, name: &str, value: Value) {
        self.members.borrow_mut().insert(name.into(), value);
    }
}

/// An object of a class that the program defines.
#[derive(Debug)]
pub(super) struct Instance {
    pub class: Rc<Class>,
    attributes: RefCell<FxHashMap<Name, Value>>,
    /// Whether it may have unknown attributes.
    is_open: Cell<bool>,
}

impl Instance {
    pub fn truth(&self) -> Option<bool> {
        let decides = |name| self.class.has(name) != Some(false);
        (!decides("__bool__") && !decides("__len__")).then_some(true)
    }

    /// Breaks reference cycles between objects.
    pub fn clear(&self) {
        drop(self.attributes.take());
    }
}

impl Plan<'_> {
    pub(super) fn class(
        &mut self,
        (name, bases, body, decorators): (&Name, &[Expr], &[Stmt], &[Expr]),
        frame: &mut Frame,
    ) -> Flow {
        let mut values = Vec::with_capacity(bases.len());
        let mut wrappers = Vec::new();
        // `Generic[T]` stands for its class, as only a class can be a base.
        let bases = bases.iter().map(|base| match base {
            Expr::Subscript(parts) => (&parts.0, false),
            base => (base, false),
        });
        for (expr, is_decorator) in bases.chain(decorators.iter().map(|expr| (expr, true))) {
            match self.evaluate(expr, frame) {
                Ok(value) if is_decorator => wrappers.push(value),
                Ok(value) => values.push(value),
                Err(exception) => return Flow::Raise(exception),
            }
        }
        // The body runs at once, in its own scope.
        let mut inner = Frame::of_call(frame.module.clone(), FxHashMap::default());
        inner.enclosing = match (&frame.locals, &frame.enclosing) {
            (Some(locals), Some(enclosing)) if !frame.is_class_body => {
                let mut seen = (**enclosing).clone();
                seen.extend(locals.iter().map(|(name, value)| (name.clone(), value.clone())));
                Some(Rc::new(seen))
            }
            (Some(locals), None) if !frame.is_class_body => Some(Rc::new(locals.clone())),
            (_, enclosing) => enclosing.clone(),
        };
        inner.is_class_body = true;
        inner.handling = frame.handling.clone();
        // If no statement of the body can call them, its functions are read on first access.
        let may_wait = !body.iter().any(|stmt| may_call(&stmt.kind));
        let left_out = |stmt: &Stmt| match &stmt.kind {
            StmtKind::LeftOut(definitions) if may_wait => Some(definitions.clone()),
            _ => None,
        };
        for stmt in body.iter().filter(|stmt| left_out(stmt).is_none()) {
            match self.block(std::slice::from_ref(stmt), &mut inner) {
                Flow::Raise(exception) => return Flow::Raise(exception),
                Flow::Next => {}
                _ => break,
            }
        }
        let mut names: Vec<Name> = Vec::new();
        let mut parents = Vec::new();
        let mut is_open = false;
        for value in &values {
            let inherited: &[Name] = match value {
                Value::Class(class) => {
                    is_open |= class.is_open || class.ancestors.len() >= MAX_ANCESTORS;
                    parents.push(class.clone());
                    &class.bases
                }
                Value::Known(known) => {
                    is_open |= !matches!(
                        known,
                        StandardName::Builtin(BuiltinName::Object) | StandardName::Exception(_)
                    );
                    &[]
                }
                _ => {
                    is_open = true;
                    &[]
                }
            };
            for base in class_names(value).iter().chain(inherited) {
                if !names.contains(base) {
                    names.push(base.clone());
                }
            }
        }
        let members = inner.locals.take().unwrap_or_default();
        let class = Rc::new(Class {
            name: name.clone(),
            bases: names,
            ancestors: resolution_order(&parents),
            is_open,
            module: frame.module.clone(),
            members: RefCell::new(members),
            left_out: body.iter().filter_map(left_out).collect(),
        });
        for member in class.members.borrow().values() {
            if let Value::Function(function) | Value::Descriptor(_, function) = member {
                function.belongs_to(&class);
            }
        }
        self.execution.classes.push(Rc::downgrade(&class));
        let mut value = Value::Class(class);
        for decorator in wrappers.iter().rev() {
            match self.decorate(decorator, value, frame) {
                Ok(decorated) => value = decorated,
                Err(exception) => return Flow::Raise(exception),
            }
        }
        self.bind(name, value, frame);
        Flow::Next
    }

    /// Evaluates `Class(arguments)`.
    pub(super) fn instantiate(&mut self, class: &Rc<Class>, arguments: Arguments, at: &Place) -> Outcome {
        // An exception keeps its message. Other behavior of its class isn't followed.
        if class.bases.iter().any(|base| standard::is_exception(base)) {
            let message = super::exceptions::message_of(&arguments.positional);
            let exception = Exception { bases: class.bases.clone(), ..Exception::new(&class.name, message) };
            return Ok(Value::Exception(Rc::new(exception)));
        }
        if class.module.is_of_library {
            return Ok(Value::Unknown);
        }
        let object = match class.find("__new__") {
            Some(Value::Function(new) | Value::Descriptor(Decoration::Static, new)) => {
                let arguments = arguments.clone().with_receiver(Value::Class(class.clone()));
                match self.call_function(&new, arguments, at)? {
                    Value::Instance(made) if made.class.is_below(class) => Value::Instance(made),
                    Value::Unknown => self.object_of(class),
                    other => return Ok(other),
                }
            }
            _ => self.object_of(class),
        };
        if let (Value::Instance(instance), Some(Value::Function(init))) = (&object, class.find("__init__")) {
            if init.is_of_library() {
                instance.is_open.set(true);
            } else {
                self.call_function(&init, arguments.with_receiver(object.clone()), at)?;
            }
        }
        Ok(object)
    }

    /// Creates an object without calling `__init__`.
    fn object_of(&mut self, class: &Rc<Class>) -> Value {
        if self.execution.instances.len() >= MAX_INSTANCES {
            return Value::Unknown;
        }
        let instance = Rc::new(Instance {
            class: class.clone(),
            attributes: RefCell::default(),
            is_open: Cell::new(class.is_open),
        });
        self.execution.instances.push(Rc::downgrade(&instance));
        Value::Instance(instance)
    }

    /// Returns an attribute of an object, or `None` if it has none of that name that is known.
    pub(super) fn instance_attribute(
        &mut self,
        instance: &Rc<Instance>,
        name: &str,
        at: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        let object = || Value::Instance(instance.clone());
        let of_class = instance.class.find(name);
        if let Some(Value::Descriptor(Decoration::Property, getter)) = &of_class {
            if getter.is_of_library() {
                return Ok(Some(Value::Unknown));
            }
            return self.call_function(getter, Arguments::of(vec![object()]), at).map(Some);
        }
        if let Some(own) = instance.attributes.borrow().get(name) {
            return Ok(Some(own.clone()));
        }
        if let Some(value) = of_class {
            return Ok(Some(bound(value, object(), &instance.class)));
        }
        match name {
            "__class__" => return Ok(Some(Value::Class(instance.class.clone()))),
            "__dict__" => return Ok(Some(Value::Unknown)),
            _ => {}
        }
        let lookup = (Rc::as_ptr(instance).cast::<()>(), Name::from(name));
        match instance.class.find("__getattr__") {
            Some(Value::Function(getter))
                if !name.starts_with("__")
                    && !getter.is_of_library()
                    && !self.execution.getattr_in_progress.contains(&lookup) =>
            {
                self.execution.getattr_in_progress.push(lookup);
                let value = self.call_function(&getter, Arguments::of(vec![object(), Value::str(name)]), at);
                self.execution.getattr_in_progress.pop();
                match value {
                    Err(exception) if exception.is_a("AttributeError") => Ok(None),
                    value => value.map(Some),
                }
            }
            _ => Ok(None),
        }
    }

    /// Whether an object has an attribute, as far as known without calling its `__getattr__`.
    pub(super) fn instance_has(&self, instance: &Rc<Instance>, name: &str) -> Option<bool> {
        if instance.attributes.borrow().contains_key(name) || instance.class.find(name).is_some() {
            return Some(true);
        }
        let is_open = instance.is_open.get() || instance.class.find("__getattr__").is_some();
        (!is_open).then_some(false)
    }

    /// Executes `object.name = value`.
    pub(super) fn set_attribute(&mut self, instance: &Rc<Instance>, name: &Name, value: Value) {
        if !self.may_nest([&value]) {
            return;
        }
        let mut attributes = instance.attributes.borrow_mut();
        let value = match attributes.get(name) {
            Some(old) if self.execution.uncertain > 0 && old.equals(&value) != Some(true) => Value::Unknown,
            _ => value,
        };
        attributes.insert(name.clone(), value);
    }

    /// Returns an attribute of a class.
    pub(super) fn class_attribute(&self, class: &Rc<Class>, name: &str) -> Option<Value> {
        match (class.find(name), name) {
            (Some(Value::Descriptor(Decoration::Class, function)), _) => {
                Some(Value::Bound(Rc::new((Value::Class(class.clone()), function))))
            }
            (Some(Value::Descriptor(Decoration::Static, function)), _) => Some(Value::Function(function)),
            (Some(value), _) => Some(value),
            (None, "__name__" | "__qualname__") => Some(Value::str(&class.name)),
            (None, "__module__") => Some(Value::str(&class.module.name)),
            (None, "__members__") => Some(class.enum_members()),
            (None, _) => None,
        }
    }

    /// Evaluates `super()` in a method.
    pub(super) fn super_of(&self, frame: &Frame) -> Value {
        let receiver = frame.receiver.as_ref().and_then(|name| frame.locals.as_ref()?.get(name));
        match (receiver, frame.owner.upgrade()) {
            (Some(receiver), Some(_)) => Value::Super(Rc::new((frame.owner.clone(), receiver.clone()))),
            _ => Value::Unknown,
        }
    }

    /// Returns an attribute of `super()`. With several bases, Python continues in the resolution
    /// order of the object's class. Here, the search continues in the bases of the class that
    /// contains the method.
    pub(super) fn super_attribute(
        &mut self,
        super_object: &(Weak<Class>, Value),
        name: &str,
        at: &Place,
    ) -> Outcome {
        let Some(class) = super_object.0.upgrade() else { return Ok(Value::Unknown) };
        let object = super_object.1.clone();
        Ok(match class.find_above(name) {
            Some(Value::Descriptor(Decoration::Property, getter)) if !getter.is_of_library() => {
                return self.call_function(&getter, Arguments::of(vec![object]), at);
            }
            // `__new__` is a static method even without the decorator.
            Some(Value::Function(new)) if name == "__new__" => Value::Function(new),
            Some(value) => {
                let class = match &object {
                    Value::Instance(instance) => instance.class.clone(),
                    Value::Class(class) => class.clone(),
                    _ => class,
                };
                bound(value, object, &class)
            }
            None if name == "__new__" && !class.is_open => {
                Value::Known(StandardName::Anonymous(AnonymousName::NewObject))
            }
            None => Value::Unknown,
        })
    }

    /// Evaluates `object.__new__(Class)`.
    pub(super) fn new_object(&mut self, class: &Value) -> Value {
        match class {
            Value::Class(class) => self.object_of(class),
            _ => Value::Unknown,
        }
    }

    /// Calls a method of an object by name, if the program defines one.
    pub(super) fn call_special(
        &mut self,
        instance: &Rc<Instance>,
        name: &str,
        arguments: Vec<Value>,
        at: &Place,
    ) -> Result<Option<Value>, Rc<Exception>> {
        match instance.class.find(name) {
            Some(Value::Function(method)) if !method.is_of_library() => {
                let arguments = Arguments::of(arguments).with_receiver(Value::Instance(instance.clone()));
                self.call_function(&method, arguments, at).map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// Returns the direct and indirect bases of a class, each after all its subclasses, as far as it
/// matters here ("The Python 2.3 Method Resolution Order" describes Python's order).
fn resolution_order(parents: &[Rc<Class>]) -> Vec<Rc<Class>> {
    let all: Vec<&Rc<Class>> =
        parents.iter().flat_map(|parent| std::iter::once(parent).chain(&parent.ancestors)).collect();
    let mut order: Vec<Rc<Class>> = Vec::new();
    for class in all.into_iter().rev() {
        if order.len() < MAX_ANCESTORS && !order.iter().any(|known| Rc::ptr_eq(known, class)) {
            order.push(class.clone());
        }
    }
    order.reverse();
    order
}

/// Whether a statement in a class body may call a function of that body.
fn may_call(stmt: &StmtKind) -> bool {
    match stmt {
        StmtKind::LeftOut(_) | StmtKind::Import { .. } | StmtKind::ImportFrom { .. } | StmtKind::Lazy(_) => {
            false
        }
        StmtKind::Assign { value, .. } => {
            !matches!(value, Expr::Opaque | Expr::None | Expr::Bool(_) | Expr::Int(_) | Expr::Str(_))
        }
        StmtKind::Function(function) => !function.decorators.is_empty(),
        _ => true,
    }
}

/// Binds an attribute of a class to an object.
fn bound(value: Value, object: Value, class: &Rc<Class>) -> Value {
    match value {
        Value::Function(function) => Value::Bound(Rc::new((object, function))),
        Value::Descriptor(Decoration::Class, function) => {
            Value::Bound(Rc::new((Value::Class(class.clone()), function)))
        }
        Value::Descriptor(Decoration::Static, function) => Value::Function(function),
        value => value,
    }
}

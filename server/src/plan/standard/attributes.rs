//! `hasattr`, `getattr`, `setattr`, `isinstance`, and `issubclass`.

use super::super::Plan;
use super::super::value::Value;
use super::names::{self, standard_or_own};
use super::{KnownCall, Outcome};
use crate::source::Name;
use crate::source::standard::{BuiltinName, FunctoolsName, StandardName, TypesName};

impl Plan<'_> {
    pub(super) fn call_hasattr(&mut self, call: &KnownCall<'_>) -> Outcome {
        let (first, place) = (call.first(), call.place);
        Ok(match call.second().and_then(Value::text) {
            Some(attribute) if let Value::Instance(instance) = first => {
                match self.instance_has(instance, &attribute) {
                    Some(known) => Value::Bool(known),
                    None => match self.instance_attribute(instance, &attribute, place)? {
                        Some(Value::Unknown) | None => Value::Unknown,
                        Some(_) => Value::Bool(true),
                    },
                }
            }
            Some(attribute) => {
                if let Value::Module(module) = first {
                    self.lazily_imported(module, &Name::from(&*attribute), place)?;
                }
                self.has_attribute(first, &attribute).map_or(Value::Unknown, Value::Bool)
            }
            None => Value::Unknown,
        })
    }

    pub(super) fn call_getattr(&mut self, call: &KnownCall<'_>) -> Outcome {
        let (first, default, place) = (call.first(), call.arguments.get(2), call.place);
        Ok(match call.second().and_then(Value::text) {
            Some(attribute) if let Value::Instance(instance) = first => {
                match (self.instance_attribute(instance, &attribute, place)?, default) {
                    (Some(value), _) => value,
                    (None, Some(default)) if self.instance_has(instance, &attribute) == Some(false) => {
                        default.clone()
                    }
                    (None, _) => Value::Unknown,
                }
            }
            Some(attribute) if matches!(first, Value::Class(_) | Value::Super(_) | Value::Record(_)) => {
                self.attribute_of(first.clone(), &Name::from(&*attribute), place)?
            }
            Some(attribute)
                if let Value::Module(module) = first
                    && let Some(value) = self.lazily_imported(module, &Name::from(&*attribute), place)? =>
            {
                value
            }
            Some(attribute) => match (self.has_attribute(first, &attribute), first) {
                (Some(false), _) if let Some(default) = default => default.clone(),
                (None, Value::Module(module)) => {
                    self.lazy_attribute(module, &Name::from(&*attribute), place)?.unwrap_or(Value::Unknown)
                }
                (Some(true), Value::Module(module)) => standard_or_own(module, &attribute, self),
                (Some(true), Value::Known(known)) => {
                    names::attribute(known.dotted(), &attribute, self).unwrap_or(Value::Unknown)
                }
                _ => Value::Unknown,
            },
            None => Value::Unknown,
        })
    }

    pub(super) fn call_setattr(&mut self, call: &KnownCall<'_>) -> Value {
        let (name, value) = (call.second().and_then(Value::text), call.arguments.get(2));
        match (call.first(), name, value) {
            (Value::Instance(instance), Some(name), Some(value)) => {
                self.set_attribute(instance, &Name::from(&*name), value.clone());
            }
            (Value::Module(module), Some(name), Some(value)) => module.set(&name, value.clone()),
            (Value::Module(module), None, _) => module.open.set(true),
            _ => {}
        }
        Value::None
    }
}

/// Whether a value is an instance of a class, or of one of a tuple of classes.
pub(super) fn is_instance(value: &Value, class: &Value) -> Option<bool> {
    match class {
        Value::Class(class) => match value {
            Value::Instance(instance) => instance.class.is_subclass_of(class),
            Value::None | Value::Str(_) | Value::Bool(_) | Value::Int(_) => Some(false),
            Value::Function(_) | Value::Bound(_) => class.is_closed().then_some(false),
            _ => None,
        },
        Value::Tuple(classes) => any_known(classes.iter().map(|class| is_instance(value, class))),
        Value::Known(class) => is_instance_of_known(value, *class),
        _ => None,
    }
}

/// Whether a value is an instance of a class of the standard library.
fn is_instance_of_known(value: &Value, class: StandardName) -> Option<bool> {
    use BuiltinName::{Bool, Dict, Frozenset, Int, List, Set, Str, Tuple, Type};
    use StandardName::{Builtin, Functools, Types};
    // For other classes, such as collections.abc.Callable, the result depends on the methods of the
    // object.
    let is_plain = matches!(
        class,
        Builtin(Str | Bool | Int | Tuple | Dict | List | Set | Frozenset | Type)
            | Functools(FunctoolsName::Partial)
            | Types(_)
    );
    if !is_plain {
        return None;
    }
    Some(match value {
        Value::Str(_) => class == Builtin(Str),
        Value::Bool(_) => matches!(class, Builtin(Bool | Int)),
        Value::Int(_) => class == Builtin(Int),
        Value::Tuple(_) => class == Builtin(Tuple),
        Value::Dict(_) => class == Builtin(Dict),
        // It may represent a set.
        Value::List(_) if matches!(class, Builtin(List | Set | Frozenset)) => return None,
        Value::List(_) => false,
        Value::Function(_) => matches!(class, Types(TypesName::FunctionType | TypesName::LambdaType)),
        Value::Bound(_) => class == Types(TypesName::MethodType),
        _ => return None,
    })
}

/// Whether one of the answers is true. Returns `None` if an answer is unknown.
fn any_known(mut answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    answers.try_fold(false, |before, answer| Some(before | answer?))
}

/// Whether a class of the program is the same as or a subclass of another, or of one of a tuple.
pub(super) fn is_subclass(value: &Value, class: &Value) -> Option<bool> {
    match (value, class) {
        (Value::Class(value), Value::Class(class)) => value.is_subclass_of(class),
        (_, Value::Tuple(classes)) => any_known(classes.iter().map(|class| is_subclass(value, class))),
        _ => None,
    }
}

//! Built-in functions and classes.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::Plan;
use super::super::frame::Frame;
use super::super::value::Value;
use super::attributes::{is_instance, is_subclass};
use super::{KnownCall, Outcome};
use crate::source::Decoration;
use crate::source::standard::BuiltinName;

impl Plan<'_> {
    pub(super) fn call_builtin(
        &mut self,
        name: BuiltinName,
        call: &KnownCall<'_>,
        frame: &mut Frame,
    ) -> Outcome {
        let (first, second) = (call.first(), call.second());
        Ok(match name {
            BuiltinName::Import => return self.import_by_name(call, frame),
            BuiltinName::Isinstance => {
                let class = second.unwrap_or(&Value::Unknown);
                is_instance(first, class).map_or(Value::Unknown, Value::Bool)
            }
            BuiltinName::Issubclass => {
                let class = second.unwrap_or(&Value::Unknown);
                is_subclass(first, class).map_or(Value::Unknown, Value::Bool)
            }
            BuiltinName::Hasattr => return self.call_hasattr(call),
            BuiltinName::Getattr => return self.call_getattr(call),
            BuiltinName::Setattr => self.call_setattr(call),
            BuiltinName::Callable => match first {
                Value::Function(_) | Value::Class(_) | Value::Bound(_) => Value::Bool(true),
                Value::None | Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Path(_) => {
                    Value::Bool(false)
                }
                _ => Value::Unknown,
            },
            BuiltinName::Type => match first {
                Value::Instance(instance) if call.arguments.len() == 1 => {
                    Value::Class(instance.class.clone())
                }
                _ => Value::Unknown,
            },
            BuiltinName::Super => self.super_of(frame),
            BuiltinName::Property => described(Decoration::Property, first),
            BuiltinName::Staticmethod => described(Decoration::Static, first),
            BuiltinName::Classmethod | BuiltinName::Object => Value::Unknown,

            BuiltinName::Len => first.count().map_or(Value::Unknown, |count| Value::Int(count as i64)),
            BuiltinName::Str if matches!(first, Value::Below(_)) => first.clone(),
            BuiltinName::Str => first.to_text().map_or(Value::Unknown, Value::str),
            BuiltinName::Repr => first.to_repr().map_or(Value::Unknown, Value::str),
            BuiltinName::Int => match first {
                Value::Str(text) => text.trim().parse().map_or(Value::Unknown, Value::Int),
                value => value.number().map_or(Value::Unknown, Value::Int),
            },
            BuiltinName::Bool => first.truth().map_or(Value::Unknown, Value::Bool),

            BuiltinName::List | BuiltinName::Set | BuiltinName::Frozenset => {
                self.collected(call)?.map_or(Value::Unknown, Value::list)
            }
            BuiltinName::Tuple => {
                self.collected(call)?.map_or(Value::Unknown, |items| Value::Tuple(Rc::new(items)))
            }
            BuiltinName::Reversed => self.collected(call)?.map_or(Value::Unknown, |mut items| {
                items.reverse();
                Value::list(items)
            }),
            BuiltinName::Dict => self.new_dict(call),
            BuiltinName::Range => match (first.number(), second) {
                (Some(end), None) if (0..2_000).contains(&end) => {
                    Value::list((0..end).map(Value::Int).collect())
                }
                _ => Value::Unknown,
            },
            BuiltinName::Enumerate => return self.call_enumerate(call),
            BuiltinName::Zip => match (first.items(), second.and_then(Value::items)) {
                (Some(a), Some(b)) if call.arguments.len() == 2 => {
                    let pairs = a.into_iter().zip(b);
                    Value::list(pairs.map(|(a, b)| Value::Tuple(Rc::new(vec![a, b]))).collect())
                }
                _ => Value::Unknown,
            },

            BuiltinName::Any => self.any_is(true, call)?,
            BuiltinName::All => match self.any_is(false, call)? {
                Value::Bool(any_is_false) => Value::Bool(!any_is_false),
                unknown => unknown,
            },
            BuiltinName::Filter => return self.call_filter(call, frame),
            BuiltinName::Map => return self.call_map(call, frame),
            BuiltinName::Iter => return self.call_iter(call),
            BuiltinName::Next => return self.call_next(call, frame),
            BuiltinName::Sorted => return self.call_sorted(call, frame),
            BuiltinName::Min => return self.best(Ordering::Less, call),
            BuiltinName::Max => return self.best(Ordering::Greater, call),

            BuiltinName::Globals => Value::Globals(frame.module.clone()),
            BuiltinName::Locals => match &frame.locals {
                Some(locals) => {
                    let mut names: Vec<_> = locals.iter().collect();
                    names.sort_by_key(|(name, _)| name.as_str());
                    let pairs: Vec<_> =
                        names.into_iter().map(|(name, value)| (Value::str(name), value.clone())).collect();
                    self.table(pairs)
                }
                None => Value::Globals(frame.module.clone()),
            },
            BuiltinName::Compile => match first {
                Value::Str(text) => Value::Code(text.clone()),
                _ => Value::Unknown,
            },
            BuiltinName::Exec => match first {
                Value::Code(text) | Value::Str(text) => {
                    return self.exec(text, second, call.arguments.get(2), frame);
                }
                _ => self.unknown_load("the argument of exec", call.place),
            },
            // The package's own data file: delvewheel stores the load order in one.
            BuiltinName::Open => {
                let files = self.world.files();
                match call.path().filter(|path| files.is_file(path)) {
                    Some(path) if second.is_none_or(|mode| mode.text().as_deref() == Some("r")) => {
                        Value::File(path)
                    }
                    _ => Value::Unknown,
                }
            }
            BuiltinName::Print => Value::None,
        })
    }
}

/// Returns a function with the binding behavior that a decorator gives it.
fn described(decoration: Decoration, function: &Value) -> Value {
    match function {
        Value::Function(function) => Value::Descriptor(decoration, function.clone()),
        _ => Value::Unknown,
    }
}

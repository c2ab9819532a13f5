//! Lists, tuples, and dictionaries that built-in functions create.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::Plan;
use super::super::operators::merged;
use super::super::value::{Exception, Value};
use super::{KnownCall, Outcome};
use crate::source::standard::{CollectionsName, DictName};

/// The maximum number of keys of `dict.fromkeys`. Loops over larger dictionaries take too long:
/// torch lists 2,500 of its functions.
const MAX_KEYS: usize = 1_000;

impl Plan<'_> {
    /// Returns the items of the argument of `list(…)`, `tuple(…)`, and the like, if known.
    pub(super) fn collected(&mut self, call: &KnownCall<'_>) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        match call.arguments {
            [] => Ok(Some(Vec::new())),
            [items, ..] => self.items_of(items, call.place),
        }
    }

    pub(super) fn new_dict(&mut self, call: &KnownCall<'_>) -> Value {
        let pairs = match call.arguments {
            [] => Some(Vec::new()),
            [Value::Dict(items), ..] => Some(items.borrow().clone()),
            // A longer item raises an exception in Python.
            [other, ..] => other.items().and_then(|items| items.iter().map(pair).collect()),
        };
        let Some(mut pairs) = pairs else { return Value::Unknown };
        pairs.extend(call.keywords.iter().map(|(name, value)| (Value::str(name), value.clone())));
        self.table(pairs)
    }

    pub(super) fn call_dict(&mut self, name: DictName, call: &KnownCall<'_>) -> Outcome {
        let DictName::Fromkeys = name;
        let keys = self.items_of(call.first(), call.place)?;
        let Some(keys) = keys.filter(|keys| keys.len() <= MAX_KEYS) else { return Ok(Value::Unknown) };
        self.spend_many(keys.len() as u64);
        let value = call.second().unwrap_or(&Value::None);
        let pairs = merged(keys.into_iter().map(|key| (key, value.clone())));
        Ok(self.table(pairs))
    }

    pub(super) fn call_collections(&mut self, name: CollectionsName, call: &KnownCall<'_>) -> Outcome {
        match name {
            CollectionsName::OrderedDict => Ok(self.new_dict(call)),
        }
    }

    pub(super) fn call_enumerate(&mut self, call: &KnownCall<'_>) -> Outcome {
        let Some(items) = self.items_of(call.first(), call.place)? else { return Ok(Value::Unknown) };
        let pairs = items.into_iter().enumerate();
        let pairs = pairs.map(|(at, item)| Value::Tuple(Rc::new(vec![Value::Int(at as i64), item])));
        Ok(Value::list(pairs.collect()))
    }

    /// Evaluates whether an item has this truth value.
    pub(super) fn any_is(&mut self, truth: bool, call: &KnownCall<'_>) -> Outcome {
        let Some(items) = self.items_of(call.first(), call.place)? else { return Ok(Value::Unknown) };
        Ok(if items.iter().any(|item| item.truth() == Some(truth)) {
            Value::Bool(true)
        } else if items.iter().all(|item| item.truth().is_some()) {
            Value::Bool(false)
        } else {
            Value::Unknown
        })
    }

    /// Creates a dictionary.
    pub(super) fn table(&mut self, pairs: Vec<(Value, Value)>) -> Value {
        if self.may_nest(pairs.iter().map(|(_, value)| value)) {
            Value::Dict(Rc::new(RefCell::new(pairs)))
        } else {
            Value::Unknown
        }
    }
}

/// Unpacks a pair of values.
pub(in crate::plan) fn pair(value: &Value) -> Option<(Value, Value)> {
    let [key, value] = value.items()?.try_into().ok()?;
    Some((key, value))
}

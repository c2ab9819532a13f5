//! Functions that call other functions or iterate over values: `map`, `filter`, `next`, `sorted`,
//! `min`.

use std::rc::Rc;

use super::super::frame::Frame;
use super::super::import::traced;
use super::super::value::{Arguments, Exception, Generator, MAX_LENGTH, Value};
use super::super::{Place, Plan};
use crate::source::Name;

impl Plan<'_> {
    /// Returns the items that a `for` iterates over, if known.
    pub(in crate::plan) fn items_of(
        &mut self,
        value: &Value,
        place: &Place,
    ) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        match value {
            Value::Known(name) if name == "sys.path" => Ok(self.sys_path_entries().items()),
            Value::Generator(generator, _) => self.yielded(generator, place),
            Value::Instance(instance) => match self.call_special(instance, "__iter__", Vec::new(), place)? {
                // An object that is its own iterator has an unknown end.
                None | Some(Value::Instance(_)) => Ok(None),
                Some(items) => self.items_of(&items, place),
            },
            Value::Record(record) if record.class == "pkgutil.ModuleInfo" => {
                Ok(Some(record.attributes.iter().map(|(_, value)| value.clone()).collect()))
            }
            value => Ok(value.items()),
        }
    }

    /// Calls one of these functions. Returns `None` if `name` isn't one of them.
    pub(super) fn call_functional(
        &mut self,
        name: &str,
        arguments: &[Value],
        keywords: &[(Name, Value)],
        frame: &mut Frame,
    ) -> Result<Option<Value>, Rc<Exception>> {
        let place = frame.place();
        let keyword = |wanted: &str| keywords.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let (first, second) = (arguments.first().unwrap_or(&Value::Unknown), arguments.get(1));
        Ok(Some(match name {
            "filter" => {
                let Some(items) = self.items_of(second.unwrap_or(&Value::Unknown), &place)? else {
                    return Ok(Some(Value::Unknown));
                };
                let mut kept = Vec::new();
                for item in items {
                    let verdict = match first {
                        Value::None => item.truth(),
                        test => self.call_value(test, Arguments::of(vec![item.clone()]), frame)?.truth(),
                    };
                    match verdict {
                        Some(true) => kept.push(item),
                        Some(false) => {}
                        None => return Ok(Some(Value::Unknown)),
                    }
                }
                Value::list(kept)
            }
            "map" => {
                let mut columns = Vec::new();
                for values in arguments.iter().skip(1) {
                    match self.items_of(values, &place)? {
                        Some(items) => columns.push(items),
                        None => return Ok(Some(Value::Unknown)),
                    }
                }
                let rows = columns.iter().map(Vec::len).min().unwrap_or(0).min(MAX_LENGTH);
                let mut made = Vec::with_capacity(rows.min(1024));
                for row in 0..rows {
                    let arguments = columns.iter().filter_map(|column| column.get(row).cloned()).collect();
                    made.push(self.call_value(first, Arguments::of(arguments), frame)?);
                }
                if self.may_nest(&made) { Value::list(made) } else { Value::Unknown }
            }
            "iter" => match (first, second) {
                (Value::Generator(..), None) => first.clone(),
                (values, None) => match self.items_of(values, &place)? {
                    Some(items) => {
                        let generator = Generator::Yielded(items.into());
                        Value::Generator(Rc::new(generator.into()), false)
                    }
                    None => Value::Unknown,
                },
                _ => Value::Unknown,
            },
            "next" => {
                let next = match first {
                    Value::Generator(generator, _) => self.next_of(generator, &place)?,
                    // A list may represent a generator expression.
                    Value::List(items) => Some(items.borrow().first().cloned()),
                    _ => None,
                };
                match (next, second) {
                    (None, _) => Value::Unknown,
                    (Some(Some(value)), _) => value,
                    (Some(None), Some(default)) => default.clone(),
                    (Some(None), None) if frame.expects(&["StopIteration", "Exception", "BaseException"]) => {
                        let exception = Exception::new("StopIteration", Some("".into()));
                        return Err(traced(Rc::new(exception), &place));
                    }
                    (Some(None), None) => Value::Unknown,
                }
            }
            "sorted" => {
                let Some(items) = self.items_of(first, &place)? else { return Ok(Some(Value::Unknown)) };
                let mut keyed = Vec::with_capacity(items.len());
                for item in items {
                    let key = match keyword("key") {
                        None | Some(Value::None) => item.clone(),
                        Some(key) => self.call_value(key, Arguments::of(vec![item.clone()]), frame)?,
                    };
                    keyed.push((key, item));
                }
                let is_ordered =
                    keyed.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a.order(b).is_some()));
                let reversed = keyword("reverse").map_or(Some(false), Value::truth);
                match (is_ordered, reversed) {
                    (true, Some(reversed)) => {
                        keyed.sort_by(|(a, _), (b, _)| {
                            let order = a.order(b).unwrap_or(std::cmp::Ordering::Equal);
                            if reversed { order.reverse() } else { order }
                        });
                        Value::list(keyed.into_iter().map(|(_, item)| item).collect())
                    }
                    _ => Value::Unknown,
                }
            }
            "min" | "max" => {
                let items = match arguments {
                    [only] => self.items_of(only, &place)?,
                    several => Some(several.to_vec()),
                };
                let wanted =
                    if name == "min" { std::cmp::Ordering::Less } else { std::cmp::Ordering::Greater };
                let better = |best: Value, item: Value| match item.order(&best)? {
                    order if order == wanted => Some(item),
                    _ => Some(best),
                };
                match items.map(Vec::into_iter) {
                    Some(mut items) if keywords.is_empty() => match items.next() {
                        Some(first) => items.try_fold(first, better).unwrap_or(Value::Unknown),
                        None => Value::Unknown,
                    },
                    _ => Value::Unknown,
                }
            }
            "callable" => match first {
                Value::Function(_) | Value::Class(_) | Value::Bound(_) => Value::Bool(true),
                Value::None | Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Path(_) => {
                    Value::Bool(false)
                }
                _ => Value::Unknown,
            },
            _ => return Ok(None),
        }))
    }
}

//! Functions that call other functions or iterate over values: `map`, `filter`, `next`, `sorted`,
//! `min`.

use std::cmp::Ordering;
use std::rc::Rc;

use super::super::exceptions::traced;
use super::super::frame::Frame;
use super::super::value::{Arguments, Exception, Generator, MAX_LENGTH, Value};
use super::super::{Place, Plan};
use super::{KnownCall, Outcome};
use crate::source::standard::{StandardName, SysName};

impl Plan<'_> {
    /// Returns the items that a `for` iterates over, if known.
    pub(in crate::plan) fn items_of(
        &mut self,
        value: &Value,
        place: &Place,
    ) -> Result<Option<Vec<Value>>, Rc<Exception>> {
        match value {
            Value::Known(StandardName::Sys(SysName::Path)) => Ok(self.world.sys_path_entries().items()),
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

    pub(super) fn call_filter(&mut self, call: &KnownCall<'_>, frame: &mut Frame) -> Outcome {
        let Some(items) = self.items_of(call.second().unwrap_or(&Value::Unknown), call.place)? else {
            return Ok(Value::Unknown);
        };
        let mut kept = Vec::new();
        for item in items {
            let verdict = match call.first() {
                Value::None => item.truth(),
                test => self.call_value(test, Arguments::of(vec![item.clone()]), frame)?.truth(),
            };
            match verdict {
                Some(true) => kept.push(item),
                Some(false) => {}
                None => return Ok(Value::Unknown),
            }
        }
        Ok(Value::list(kept))
    }

    pub(super) fn call_map(&mut self, call: &KnownCall<'_>, frame: &mut Frame) -> Outcome {
        let mut columns = Vec::new();
        for values in call.arguments.iter().skip(1) {
            match self.items_of(values, call.place)? {
                Some(items) => columns.push(items),
                None => return Ok(Value::Unknown),
            }
        }
        let rows = columns.iter().map(Vec::len).min().unwrap_or(0).min(MAX_LENGTH);
        let mut made = Vec::with_capacity(rows.min(1024));
        for row in 0..rows {
            let arguments = columns.iter().filter_map(|column| column.get(row).cloned()).collect();
            made.push(self.call_value(call.first(), Arguments::of(arguments), frame)?);
        }
        Ok(if self.may_nest(&made) { Value::list(made) } else { Value::Unknown })
    }

    pub(super) fn call_iter(&mut self, call: &KnownCall<'_>) -> Outcome {
        Ok(match (call.first(), call.second()) {
            (generator @ Value::Generator(..), None) => generator.clone(),
            (values, None) => match self.items_of(values, call.place)? {
                Some(items) => {
                    let generator = Generator::Yielded(items.into());
                    Value::Generator(Rc::new(generator.into()), false)
                }
                None => Value::Unknown,
            },
            _ => Value::Unknown,
        })
    }

    pub(super) fn call_next(&mut self, call: &KnownCall<'_>, frame: &mut Frame) -> Outcome {
        let next = match call.first() {
            Value::Generator(generator, _) => self.next_of(generator, call.place)?,
            // A list may represent a generator expression.
            Value::List(items) => Some(items.borrow().first().cloned()),
            _ => None,
        };
        Ok(match (next, call.second()) {
            (None, _) => Value::Unknown,
            (Some(Some(value)), _) => value,
            (Some(None), Some(default)) => default.clone(),
            (Some(None), None) if frame.expects(&["StopIteration", "Exception", "BaseException"]) => {
                let exception = Exception::new("StopIteration", Some("".into()));
                return Err(traced(Rc::new(exception), call.place));
            }
            (Some(None), None) => Value::Unknown,
        })
    }

    pub(super) fn call_sorted(&mut self, call: &KnownCall<'_>, frame: &mut Frame) -> Outcome {
        let Some(items) = self.items_of(call.first(), call.place)? else { return Ok(Value::Unknown) };
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let key = match call.keyword("key") {
                None | Some(Value::None) => item.clone(),
                Some(key) => self.call_value(key, Arguments::of(vec![item.clone()]), frame)?,
            };
            keyed.push((key, item));
        }
        let is_ordered =
            keyed.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a.order(b).is_some()));
        let reversed = call.keyword("reverse").map_or(Some(false), Value::truth);
        Ok(match (is_ordered, reversed) {
            (true, Some(reversed)) => {
                keyed.sort_by(|(a, _), (b, _)| {
                    let order = a.order(b).unwrap_or(Ordering::Equal);
                    if reversed { order.reverse() } else { order }
                });
                Value::list(keyed.into_iter().map(|(_, item)| item).collect())
            }
            _ => Value::Unknown,
        })
    }

    /// Evaluates `min` or `max`: the first of the items that compares like this to all others.
    pub(super) fn best(&mut self, wanted: Ordering, call: &KnownCall<'_>) -> Outcome {
        let items = match call.arguments {
            [only] => self.items_of(only, call.place)?,
            several => Some(several.to_vec()),
        };
        let better = |best: Value, item: Value| match item.order(&best)? {
            order if order == wanted => Some(item),
            _ => Some(best),
        };
        Ok(match items.map(Vec::into_iter) {
            Some(mut items) if call.keywords.is_empty() => match items.next() {
                Some(first) => items.try_fold(first, better).unwrap_or(Value::Unknown),
                None => Value::Unknown,
            },
            _ => Value::Unknown,
        })
    }
}

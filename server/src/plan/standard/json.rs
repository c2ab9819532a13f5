//! `json`: the package's own data files.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::value::Value;
use super::super::world::World;
use super::KnownCall;
use crate::source::placeholders;
use crate::source::standard::JsonName;

/// The maximum size of a document, in bytes.
const MAX_JSON: usize = 64 << 10;

impl World<'_> {
    pub(super) fn call_json(&mut self, name: JsonName, call: &KnownCall<'_>) -> Value {
        match (name, call.first()) {
            (JsonName::Load, Value::File(path)) => {
                let text = self.files().text(path);
                text.map_or(Value::Unknown, |text| value_of_json(&text))
            }
            (JsonName::Load, _) => Value::Unknown,
            (JsonName::Loads, text) => text.text().map_or(Value::Unknown, |text| value_of_json(&text)),
        }
    }
}

/// Returns the result of `json.loads(text)`, or an unknown value if the string is long or isn't
/// JSON.
fn value_of_json(text: &str) -> Value {
    // In a snapshot, the contents of a file without the `.json` extension are at first only a
    // placeholder.
    if placeholders::is_placeholder(text) {
        placeholders::record_read(text);
    }
    match text.len() <= MAX_JSON {
        true => serde_json::from_str(text).map_or(Value::Unknown, value_of),
        false => Value::Unknown,
    }
}

fn value_of(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::None,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => number.as_i64().map_or(Value::Unknown, Value::Int),
        serde_json::Value::String(text) => Value::str(text),
        serde_json::Value::Array(items) => Value::list(items.into_iter().map(value_of).collect()),
        serde_json::Value::Object(items) => {
            let items = items.into_iter().map(|(key, value)| (Value::str(key), value_of(value)));
            Value::Dict(Rc::new(RefCell::new(items.collect())))
        }
    }
}

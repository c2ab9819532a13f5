//! Operators on values, and dictionaries built from pairs.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Plan;
use super::value::{MAX_LENGTH, Value};
use crate::source::standard::{OsName, StandardName, SysName};
use crate::source::{BinaryOp, CompareOp, is_standard, placeholders, top_level};

pub(super) fn add(left: &Value, right: &Value) -> Value {
    match (left, right) {
        (Value::Str(a), Value::Str(b)) if a.len() + b.len() <= MAX_LENGTH => Value::str(format!("{a}{b}")),
        (Value::Int(a), Value::Int(b)) => a.checked_add(*b).map_or(Value::Unknown, Value::Int),
        (Value::Tuple(a), Value::Tuple(b)) if a.len() + b.len() <= MAX_LENGTH => {
            Value::Tuple(Rc::new(a.iter().chain(b.iter()).cloned().collect()))
        }
        (Value::List(a), Value::List(b)) if a.borrow().len() + b.borrow().len() <= MAX_LENGTH => {
            let sum = a.borrow().iter().chain(b.borrow().iter()).cloned().collect();
            Value::list(sum)
        }
        _ => Value::Unknown,
    }
}

/// Returns the union of dictionaries, or of sets of names, which are represented as lists. Modules
/// assemble their `__all__` in this way.
pub(super) fn union(left: &Value, right: &Value) -> Value {
    if let (Value::Dict(left), Value::Dict(right)) = (left, right) {
        let pairs: Vec<_> = left.borrow().iter().chain(right.borrow().iter()).cloned().collect();
        let fits = pairs.len() <= MAX_LENGTH;
        return if fits { Value::Dict(Rc::new(merged(pairs).into())) } else { Value::Unknown };
    }
    let (Value::List(left), Value::List(right)) = (left, right) else {
        return Value::Unknown;
    };
    let mut seen = FxHashSet::default();
    let mut all = Vec::new();
    for item in left.borrow().iter().chain(right.borrow().iter()) {
        match item.text() {
            Some(text) if all.len() < MAX_LENGTH => {
                if seen.insert(text) {
                    all.push(item.clone());
                }
            }
            _ => return Value::Unknown,
        }
    }
    Value::list(all)
}

pub(super) fn binary(op: BinaryOp, left: &Value, right: &Value) -> Value {
    let numbers = left.number().zip(right.number());
    let known = match (op, left) {
        (BinaryOp::Add, _) => return add(left, right),
        (BinaryOp::Modulo, Value::Str(template)) => {
            placeholders::record_read(template);
            return format(template, right).map_or(Value::Unknown, Value::str);
        }
        (BinaryOp::Divide, Value::Path(path)) => {
            return match right.text() {
                Some(tail) => Value::path(&crate::host::WinPath::new(&**path).join(&tail)),
                None => Value::Below(path.clone()),
            };
        }
        (BinaryOp::Divide, Value::Below(folder)) => return Value::Below(folder.clone()),
        (BinaryOp::Union, _) => return union(left, right),
        (BinaryOp::Subtract, _) => numbers.and_then(|(a, b)| a.checked_sub(b)),
        (BinaryOp::Multiply, _) => numbers.and_then(|(a, b)| a.checked_mul(b)),
        (BinaryOp::Power, _) => numbers.and_then(|(a, b)| a.checked_pow(u32::try_from(b).ok()?)),
        _ => None,
    };
    known.map_or(Value::Unknown, Value::Int)
}

/// Evaluates `template % values` for the conversions that messages use.
pub(super) fn format(template: &str, values: &Value) -> Option<String> {
    let mut values = match values {
        Value::Tuple(values) => values.to_vec(),
        Value::Unknown | Value::Dict(_) => return None,
        value => vec![value.clone()],
    }
    .into_iter();
    let mut text = String::with_capacity(template.len());
    let mut rest = template.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match rest.next()? {
            '%' => text.push('%'),
            's' | 'd' | 'i' => text.push_str(&values.next()?.to_text()?),
            'r' => text.push_str(&values.next()?.to_repr()?),
            _ => return None,
        }
        if text.len() > MAX_LENGTH {
            return None;
        }
    }
    Some(text)
}

pub(super) fn compare(left: &Value, op: CompareOp, right: &Value, plan: &Plan<'_>) -> Value {
    let equal = || match (left, right) {
        // For classes, functions, and modules, only equality is treated as known.
        (Value::Known(a), Value::Known(b)) => (a == b).then_some(true),
        _ => left.equals(right),
    };
    let order = || left.order(right);
    let contains = || match right {
        Value::Str(_) => Some(right.text()?.contains(&*left.text()?)),
        Value::Known(StandardName::Os(OsName::Environ)) => {
            Some(!matches!(plan.world.variable(left), Value::None))
        }
        Value::Known(StandardName::Sys(SysName::Modules)) => {
            let name = left.text()?;
            let is_there = plan.world.modules.contains_key(&*name) || &*name == "__main__";
            // Python itself imports some modules of the standard library at startup.
            (is_there || !is_standard(top_level(&name))).then_some(is_there)
        }
        _ => {
            let items = right.items()?;
            let mut unsure = matches!(left, Value::Unknown);
            for item in &items {
                match item.equals(left) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => unsure = true,
                }
            }
            (!unsure).then_some(false)
        }
    };
    let truth = match op {
        CompareOp::Eq => equal(),
        CompareOp::NotEq => equal().map(|equal| !equal),
        CompareOp::Is => equal(),
        CompareOp::IsNot => equal().map(|same| !same),
        CompareOp::Lt => order().map(std::cmp::Ordering::is_lt),
        CompareOp::LtE => order().map(std::cmp::Ordering::is_le),
        CompareOp::Gt => order().map(std::cmp::Ordering::is_gt),
        CompareOp::GtE => order().map(std::cmp::Ordering::is_ge),
        CompareOp::In => contains(),
        CompareOp::NotIn => contains().map(|contains| !contains),
    };
    truth.map_or(Value::Unknown, Value::Bool)
}

pub(super) fn slice(object: &Value, lower: Option<i64>, upper: Option<i64>) -> Value {
    let bounds = |length: usize| {
        let length = length as i64;
        let place = |bound: i64| if bound < 0 { bound.saturating_add(length) } else { bound };
        let start = place(lower.unwrap_or(0)).clamp(0, length);
        let end = place(upper.unwrap_or(length)).clamp(start, length);
        (start as usize, (end - start) as usize)
    };
    match object {
        Value::Str(text) => {
            placeholders::record_read(text);
            let (start, count) = bounds(text.chars().count());
            Value::str(text.chars().skip(start).take(count).collect::<String>())
        }
        Value::Tuple(values) => {
            let (start, count) = bounds(values.len());
            Value::Tuple(Rc::new(values.iter().skip(start).take(count).cloned().collect()))
        }
        Value::List(values) => {
            let values = values.borrow();
            let (start, count) = bounds(values.len());
            Value::list(values.iter().skip(start).take(count).cloned().collect())
        }
        _ => Value::Unknown,
    }
}

/// Sets the value of a key, in place if the key exists.
pub(super) fn put(pairs: &mut Vec<(Value, Value)>, key: Value, value: Value) {
    match pairs.iter_mut().find(|(known, _)| known.equals(&key) == Some(true)) {
        Some((_, known)) => *known = value,
        None => pairs.push((key, value)),
    }
}

/// Builds a dictionary from pairs. A repeated key keeps its position and takes the new value.
pub(super) fn merged(items: impl IntoIterator<Item = (Value, Value)>) -> Vec<(Value, Value)> {
    /// The maximum number of keys to compare with one another if they aren't strings. Larger
    /// dictionaries may contain equal keys.
    const MAX_COMPARED: usize = 200;
    let mut pairs: Vec<(Value, Value)> = Vec::new();
    let mut places: FxHashMap<Rc<str>, usize> = FxHashMap::default();
    for (key, value) in items {
        let place = match &key {
            Value::Str(text) => places.get(text).copied(),
            _ if pairs.len() > MAX_COMPARED => None,
            key => pairs.iter().position(|(known, _)| known.equals(key) == Some(true)),
        };
        match place.and_then(|place| pairs.get_mut(place)) {
            Some((_, known)) => *known = value,
            None => {
                if let Value::Str(text) = &key {
                    places.insert(text.clone(), pairs.len());
                }
                pairs.push((key, value));
            }
        }
    }
    pairs
}

//! A compact notation for what a module does. A snapshot contains thousands of modules. With named
//! fields, they would be nine tenths of its size.
//!
//! A statement is a list: the number of lines since the previous statement, a letter, and its
//! parts. An expression is a name as it is, a string with a `'` in front, a number, a Boolean,
//! `"?"` if it is opaque, `"!"` for `None`, or a list that starts with a letter. `null` stands for
//! an omitted part.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::source::{
    Call, Comprehension, ComprehensionResult, Decoration, Expr, Function, Handler, LeftOut, Name,
    NewerSyntax, Parameter, ParameterKind, Script, Span, Stmt, StmtKind, Try,
};

/// A module that is serialized in this notation.
pub struct Notated(pub Arc<Script>);

impl Notated {
    pub fn to_value(&self) -> Value {
        let mut parts = vec![NotationWriter::default().block(&self.0.body)];
        if let Some((line, message)) = &self.0.syntax_error {
            parts.extend([json!(line), json!(message)]);
        }
        let newer = self.0.newer_syntax.iter();
        parts.extend(newer.map(|newer| json!([newer.since, newer.line, newer.what])));
        Value::Array(parts)
    }
}

impl Serialize for Notated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_value().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Notated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Notated, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // Version 1 of the format stored it with named fields.
        let script = match value.is_object() {
            true => serde_json::from_value(value).map_err(|error| error.to_string()),
            false => script(value),
        };
        script.map(|script| Notated(Arc::new(script))).map_err(D::Error::custom)
    }
}

/// Replaces the constants of a module in this notation. `other` returns the replacement, or `None`
/// to keep the constant.
pub fn with_constants(module: &mut Value, other: &mut dyn FnMut(&str) -> Option<String>) {
    // The message of a syntax error follows the statements and isn't a constant.
    if let Some(body) = module.as_array_mut().and_then(|parts| parts.first_mut()) {
        replace_constants(body, other);
    }
}

fn replace_constants(value: &mut Value, other: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| replace_constants(part, other)),
        Value::String(string) => {
            if let Some(new) = string.strip_prefix('\'').and_then(other) {
                *string = format!("'{new}");
            }
        }
        _ => {}
    }
}

#[derive(Default)]
struct NotationWriter {
    /// The line of the previous statement.
    line: u32,
}

impl NotationWriter {
    fn block(&mut self, block: &[Stmt]) -> Value {
        block.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    /// Appends blocks, without the empty ones at the end.
    fn rest(&mut self, parts: &mut Vec<Value>, blocks: &[&[Stmt]]) {
        let written = blocks.iter().rposition(|block| !block.is_empty()).map_or(0, |last| last + 1);
        parts.extend(blocks[..written].iter().map(|block| self.block(block)));
    }

    fn stmt(&mut self, stmt: &Stmt) -> Value {
        let below = i64::from(stmt.line) - i64::from(self.line);
        self.line = stmt.line;
        let mut parts = vec![json!(below)];
        let mut head = |letter: &str, more: Vec<Value>| {
            parts.push(json!(letter));
            parts.extend(more);
        };
        match &stmt.kind {
            StmtKind::Import { module, alias } => head("i", named(module, alias.as_ref())),
            StmtKind::ImportFrom { level, module, names } => {
                head("f", vec![json!(level), json!(module)]);
                parts.extend(names.iter().map(|(name, alias)| match alias {
                    None => json!(name),
                    Some(alias) => json!([name, alias]),
                }));
            }
            StmtKind::Lazy(import) => {
                let import = Stmt { line: stmt.line, kind: (**import).clone() };
                head("z", vec![self.stmt(&import)]);
            }
            StmtKind::Assign { targets, value } => {
                head("=", vec![expr(value)]);
                parts.extend(targets.iter().map(expr));
            }
            StmtKind::Augment { target, value } => head("+", vec![expr(target), expr(value)]),
            StmtKind::Expr(value) => head("e", vec![expr(value)]),
            StmtKind::If { test, then, otherwise } => {
                head("?", vec![expr(test)]);
                self.rest(&mut parts, &[then, otherwise]);
            }
            StmtKind::For { target, iter, body, otherwise } => {
                head("o", vec![expr(target), expr(iter)]);
                self.rest(&mut parts, &[body, otherwise]);
            }
            StmtKind::While { test, body } => {
                head("w", vec![expr(test)]);
                self.rest(&mut parts, &[body]);
            }
            StmtKind::Try(attempt) => {
                head("t", Vec::new());
                parts.push(self.block(&attempt.body));
                parts.push(attempt.handlers.iter().map(|handler| self.handler(handler)).collect());
                self.rest(&mut parts, &[&attempt.otherwise, &attempt.finally]);
            }
            StmtKind::With { items, body } => {
                let item = |(context, target): &(Expr, Option<Expr>)| match target {
                    None => json!([expr(context)]),
                    Some(target) => json!([expr(context), expr(target)]),
                };
                head("v", vec![items.iter().map(item).collect()]);
                self.rest(&mut parts, &[body]);
            }
            StmtKind::Function(function) => {
                let letter = if function.is_generator { "G" } else { "d" };
                head(letter, vec![json!(function.name)]);
                parts.push(function.parameters.iter().map(parameter).collect());
                parts.push(function.body.as_ref().map_or(Value::Null, |body| self.block(body)));
                parts.extend(function.decorators.iter().map(expr));
            }
            StmtKind::LeftOut(definitions) => head("D", definitions.iter().map(left_out).collect()),
            StmtKind::Class { name, bases, body, decorators } => {
                match decorators.is_empty() {
                    true => head("c", vec![json!(name), exprs(bases)]),
                    false => head("C", vec![json!(name), exprs(bases), exprs(decorators)]),
                }
                self.rest(&mut parts, &[body]);
            }
            StmtKind::Return(value) => head("r", value.iter().map(expr).collect()),
            StmtKind::Raise { exception } => head("x", exception.iter().map(expr).collect()),
            StmtKind::Global(names) => head("g", names.iter().map(|name| json!(name)).collect()),
            StmtKind::Nonlocal(names) => head("n", names.iter().map(|name| json!(name)).collect()),
            StmtKind::Delete(targets) => head("-", targets.iter().map(expr).collect()),
            StmtKind::Break => head("b", Vec::new()),
            StmtKind::Continue => head("k", Vec::new()),
        }
        Value::Array(parts)
    }

    fn handler(&mut self, handler: &Handler) -> Value {
        let catches = handler.catches.as_ref().map_or(Value::Null, expr);
        json!([catches, handler.name, self.block(&handler.body)])
    }
}

fn named(name: &Name, alias: Option<&Name>) -> Vec<Value> {
    [name].into_iter().chain(alias).map(|name| json!(name)).collect()
}

fn parameter(parameter: &Parameter) -> Value {
    match (&parameter.default, parameter.kind) {
        (None, ParameterKind::Usual) => json!(parameter.name),
        (Some(default), ParameterKind::Usual) => json!([parameter.name, expr(default)]),
        (default, kind) => json!([parameter.name, optional(default), kind]),
    }
}

fn left_out(definition: &LeftOut) -> Value {
    let LeftOut { name, at: Span { start, end, line }, decoration } = definition;
    if definition.at == Span::default() && *decoration == Decoration::None {
        return json!(name);
    }
    json!([name, start, end, line, decoration])
}

fn exprs(exprs: &[Expr]) -> Value {
    exprs.iter().map(expr).collect()
}

fn optional(value: &Option<Expr>) -> Value {
    value.as_ref().map_or(Value::Null, expr)
}

/// Whether a name is a valid identifier. Compiled code may have names that source code cannot have.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn expr(value: &Expr) -> Value {
    let list = |letter: &str, values: &[Expr]| -> Value {
        [json!(letter)].into_iter().chain(values.iter().map(expr)).collect()
    };
    match value {
        Expr::Opaque => json!("?"),
        Expr::None => json!("!"),
        Expr::Bool(value) => json!(value),
        Expr::Int(value) => json!(value),
        Expr::Str(string) => json!(format!("'{string}")),
        Expr::Name(name) if is_identifier(name) => json!(name),
        Expr::Name(name) => json!(["n", name]),
        Expr::Attribute(object, name) => json!([".", expr(object), name]),
        Expr::Call(call) => {
            let mut parts = vec![json!("("), expr(&call.function), exprs(&call.arguments)];
            parts.extend(call.keywords.iter().map(|(name, value)| json!([name, expr(value)])));
            Value::Array(parts)
        }
        Expr::Binary(parts) => json!(["b", parts.1, expr(&parts.0), expr(&parts.2)]),
        Expr::Compare(parts) => json!(["c", parts.1, expr(&parts.0), expr(&parts.2)]),
        Expr::Not(operand) => json!(["~", expr(operand)]),
        Expr::And(values) => list("&", values),
        Expr::Or(values) => list("|", values),
        Expr::Tuple(values) => list("t", values),
        Expr::List(values) => list("l", values),
        Expr::Joined(values) => list("f", values),
        Expr::Dict(items) => {
            let items = items.iter().map(|(key, value)| json!([expr(key), expr(value)]));
            [json!("d")].into_iter().chain(items).collect()
        }
        Expr::Subscript(parts) => json!(["[", expr(&parts.0), expr(&parts.1)]),
        Expr::Slice(parts) => json!([":", expr(&parts.0), optional(&parts.1), optional(&parts.2)]),
        Expr::Conditional(parts) => json!(["i", expr(&parts.0), expr(&parts.1), expr(&parts.2)]),
        Expr::Comprehension(one) => {
            let Comprehension { element, target, iter, conditions, makes } = &**one;
            let mut parts = vec![json!("m"), expr(element), expr(target), expr(iter), exprs(conditions)];
            parts.extend((*makes != ComprehensionResult::List).then(|| json!(makes)));
            Value::Array(parts)
        }
        Expr::Starred(values) => json!(["*", expr(values)]),
        Expr::Lambda(function) => {
            let parameters: Value = function.parameters.iter().map(parameter).collect();
            let body = function.body.as_deref().unwrap_or_default();
            json!(["L", parameters, NotationWriter::default().block(body)])
        }
        Expr::Yield(value) => json!(["y", value.as_ref().map_or(Value::Null, |value| expr(value))]),
        Expr::YieldFrom(values) => json!(["Y", expr(values)]),
        Expr::Named(name, value) => json!(["=", name, expr(value)]),
    }
}

/// A message about an invalid part of the notation.
type NotationError = String;

/// The elements of a list, taken one by one.
struct Parts(std::vec::IntoIter<Value>);

impl Parts {
    fn of(value: Value) -> Result<Parts, NotationError> {
        match value {
            Value::Array(parts) => Ok(Parts(parts.into_iter())),
            other => Err(format!("{other} is not a list")),
        }
    }

    fn next(&mut self) -> Result<Value, NotationError> {
        self.0.next().ok_or_else(|| "a list is too short".to_owned())
    }

    fn string(&mut self) -> Result<String, NotationError> {
        string(self.next()?)
    }

    fn name(&mut self) -> Result<Name, NotationError> {
        Ok(self.string()?.into())
    }

    fn line(&mut self) -> Result<i64, NotationError> {
        let line = self.next()?;
        line.as_i64().ok_or_else(|| format!("{line} is not a line number"))
    }

    fn expr(&mut self) -> Result<Expr, NotationError> {
        read_expr(self.next()?)
    }

    /// Reads an expression, or `None` if it is `null` or the list has ended.
    fn optional(&mut self) -> Result<Option<Expr>, NotationError> {
        self.0.next().filter(|value| !value.is_null()).map(read_expr).transpose()
    }

    fn deserialized<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, NotationError> {
        serde_json::from_value(self.next()?).map_err(|error| error.to_string())
    }

    fn map<T>(self, read: impl FnMut(Value) -> Result<T, NotationError>) -> Result<Vec<T>, NotationError> {
        self.0.map(read).collect()
    }

    fn exprs(self) -> Result<Vec<Expr>, NotationError> {
        self.map(read_expr)
    }

    fn end(mut self) -> Result<(), NotationError> {
        self.0.next().map_or(Ok(()), |more| Err(format!("a list is too long: {more}")))
    }
}

fn string(value: Value) -> Result<String, NotationError> {
    match value {
        Value::String(string) => Ok(string),
        other => Err(format!("{other} is not a string")),
    }
}

/// Reads a name, optionally followed by something else.
fn pair<T>(
    value: Value,
    read: impl FnOnce(Value) -> Result<T, NotationError>,
) -> Result<(Name, Option<T>), NotationError> {
    if let Value::String(name) = value {
        return Ok((name.into(), None));
    }
    let mut parts = Parts::of(value)?;
    let pair = (parts.name()?, Some(read(parts.next()?)?));
    parts.end()?;
    Ok(pair)
}

fn script(value: Value) -> Result<Script, NotationError> {
    let mut parts = Parts::of(value)?;
    let body = NotationReader::default().block(parts.next()?)?;
    fn number<T: TryFrom<i64, Error: ToString>>(parts: &mut Parts) -> Result<T, NotationError> {
        T::try_from(parts.line()?).map_err(|error| error.to_string())
    }
    let mut read = Script { body, ..Script::default() };
    if parts.0.as_slice().first().is_some_and(Value::is_number) {
        read.syntax_error = Some((number(&mut parts)?, parts.string()?));
    }
    for newer in parts.0 {
        let mut newer = Parts::of(newer)?;
        let (since, line, what) = (number(&mut newer)?, number(&mut newer)?, newer.string()?);
        newer.end()?;
        read.newer_syntax.push(NewerSyntax { since, line, what });
    }
    Ok(read)
}

#[derive(Default)]
struct NotationReader {
    /// The line of the previous statement.
    line: u32,
}

impl NotationReader {
    fn block(&mut self, block: Value) -> Result<Vec<Stmt>, NotationError> {
        Parts::of(block)?.map(|stmt| self.stmt(stmt))
    }

    /// Reads the next block, which is empty if the list has ended.
    fn next(&mut self, parts: &mut Parts) -> Result<Vec<Stmt>, NotationError> {
        parts.0.next().map_or(Ok(Vec::new()), |block| self.block(block))
    }

    fn stmt(&mut self, stmt: Value) -> Result<Stmt, NotationError> {
        let mut parts = Parts::of(stmt)?;
        let line = i64::from(self.line).checked_add(parts.line()?);
        let line = line.and_then(|line| u32::try_from(line).ok()).ok_or("a line number is out of range")?;
        self.line = line;
        let kind = match parts.string()?.as_str() {
            "i" => {
                let module = parts.name()?;
                let alias = parts.0.next().map(string).transpose()?.map(Name::from);
                StmtKind::Import { module, alias }
            }
            "f" => {
                let (level, module) = (parts.deserialized()?, parts.name()?);
                let alias = |value| Ok(Name::from(string(value)?));
                let names = parts.map(|value| pair(value, alias))?;
                return Ok(Stmt { line, kind: StmtKind::ImportFrom { level, module, names } });
            }
            "z" => {
                StmtKind::Lazy(Box::new(self.stmt(parts.0.next().ok_or("a lazy import is missing")?)?.kind))
            }
            "=" => {
                let value = parts.expr()?;
                let targets = parts.exprs()?;
                return Ok(Stmt { line, kind: StmtKind::Assign { targets, value } });
            }
            "+" => StmtKind::Augment { target: parts.expr()?, value: parts.expr()? },
            "e" => StmtKind::Expr(parts.expr()?),
            "?" => StmtKind::If {
                test: parts.expr()?,
                then: self.next(&mut parts)?,
                otherwise: self.next(&mut parts)?,
            },
            "o" => StmtKind::For {
                target: parts.expr()?,
                iter: parts.expr()?,
                body: self.next(&mut parts)?,
                otherwise: self.next(&mut parts)?,
            },
            "w" => StmtKind::While { test: parts.expr()?, body: self.next(&mut parts)? },
            "t" => {
                let body = self.block(parts.next()?)?;
                let handlers = Parts::of(parts.next()?)?.map(|handler| self.handler(handler))?;
                let (otherwise, finally) = (self.next(&mut parts)?, self.next(&mut parts)?);
                StmtKind::Try(Box::new(Try { body, handlers, otherwise, finally }))
            }
            "v" => {
                let items = Parts::of(parts.next()?)?.map(|item| {
                    let mut parts = Parts::of(item)?;
                    let item = (parts.expr()?, parts.optional()?);
                    parts.end().map(|()| item)
                })?;
                StmtKind::With { items, body: self.next(&mut parts)? }
            }
            letter @ ("d" | "G") => {
                let is_generator = letter == "G";
                let name = parts.name()?;
                let parameters = Parts::of(parts.next()?)?.map(read_parameter)?;
                let body = parts.next()?;
                let body = (!body.is_null()).then(|| self.block(body)).transpose()?;
                let decorators = parts.exprs()?;
                let function = Function { name, parameters, body, decorators, is_generator };
                return Ok(Stmt { line, kind: StmtKind::Function(Arc::new(function)) });
            }
            "D" => {
                let definitions = parts.map(|value| {
                    if let Value::String(name) = value {
                        let (at, decoration) = (Span::default(), Decoration::None);
                        return Ok(LeftOut { name: name.into(), at, decoration });
                    }
                    let mut parts = Parts::of(value)?;
                    let name = parts.name()?;
                    let at = Span {
                        start: parts.deserialized()?,
                        end: parts.deserialized()?,
                        line: parts.deserialized()?,
                    };
                    let definition = LeftOut { name, at, decoration: parts.deserialized()? };
                    parts.end().map(|()| definition)
                })?;
                return Ok(Stmt { line, kind: StmtKind::LeftOut(definitions.into()) });
            }
            letter @ ("c" | "C") => StmtKind::Class {
                name: parts.name()?,
                bases: Parts::of(parts.next()?)?.exprs()?,
                decorators: match letter {
                    "C" => Parts::of(parts.next()?)?.exprs()?,
                    _ => Vec::new(),
                },
                body: self.next(&mut parts)?,
            },
            "r" => StmtKind::Return(parts.optional()?),
            "x" => StmtKind::Raise { exception: parts.optional()? },
            letter @ ("g" | "n") => {
                let is_global = letter == "g";
                let names = parts.map(|name| Ok(Name::from(string(name)?)))?;
                let kind = if is_global { StmtKind::Global(names) } else { StmtKind::Nonlocal(names) };
                return Ok(Stmt { line, kind });
            }
            "-" => return Ok(Stmt { line, kind: StmtKind::Delete(parts.exprs()?) }),
            "b" => StmtKind::Break,
            "k" => StmtKind::Continue,
            other => return Err(format!("unknown statement {other:?}")),
        };
        parts.end()?;
        Ok(Stmt { line, kind })
    }

    fn handler(&mut self, value: Value) -> Result<Handler, NotationError> {
        let mut parts = Parts::of(value)?;
        let handler = Handler {
            catches: parts.optional()?,
            name: parts.deserialized()?,
            body: self.block(parts.next()?)?,
        };
        parts.end().map(|()| handler)
    }
}

fn read_parameter(value: Value) -> Result<Parameter, NotationError> {
    if let Value::String(name) = value {
        return Ok(Parameter { name: name.into(), default: None, kind: ParameterKind::Usual });
    }
    let mut parts = Parts::of(value)?;
    let (name, default) = (parts.name()?, parts.optional()?);
    let kind = match parts.0.len() {
        0 => ParameterKind::Usual,
        _ => parts.deserialized()?,
    };
    parts.end().map(|()| Parameter { name, default, kind })
}

fn read_expr(value: Value) -> Result<Expr, NotationError> {
    let mut parts = match value {
        Value::Bool(value) => return Ok(Expr::Bool(value)),
        Value::Number(number) => {
            return number.as_i64().map(Expr::Int).ok_or_else(|| format!("{number} is not a 64-bit integer"));
        }
        Value::String(string) => {
            return Ok(match (string.as_str(), string.strip_prefix('\'')) {
                ("?", _) => Expr::Opaque,
                ("!", _) => Expr::None,
                (_, Some(text)) => Expr::Str(text.into()),
                (name, None) => Expr::Name(name.into()),
            });
        }
        other => Parts::of(other)?,
    };
    let value = match parts.string()?.as_str() {
        "n" => Expr::Name(parts.name()?),
        "." => Expr::Attribute(Box::new(parts.expr()?), parts.name()?),
        "(" => {
            let function = parts.expr()?;
            let arguments = Parts::of(parts.next()?)?.exprs()?;
            let keywords = parts.map(|value| {
                let mut parts = Parts::of(value)?;
                let keyword = (parts.name()?, parts.expr()?);
                parts.end().map(|()| keyword)
            })?;
            return Ok(Expr::Call(Box::new(Call { function, arguments, keywords })));
        }
        "b" => {
            let operator = parts.deserialized()?;
            Expr::Binary(Box::new((parts.expr()?, operator, parts.expr()?)))
        }
        "c" => {
            let operator = parts.deserialized()?;
            Expr::Compare(Box::new((parts.expr()?, operator, parts.expr()?)))
        }
        "~" => Expr::Not(Box::new(parts.expr()?)),
        "&" => return parts.exprs().map(Expr::And),
        "|" => return parts.exprs().map(Expr::Or),
        "t" => return parts.exprs().map(Expr::Tuple),
        "l" => return parts.exprs().map(Expr::List),
        "f" => return parts.exprs().map(Expr::Joined),
        "d" => {
            let items = parts.map(|value| {
                let mut parts = Parts::of(value)?;
                let item = (parts.expr()?, parts.expr()?);
                parts.end().map(|()| item)
            })?;
            return Ok(Expr::Dict(items));
        }
        "[" => Expr::Subscript(Box::new((parts.expr()?, parts.expr()?))),
        ":" => Expr::Slice(Box::new((parts.expr()?, parts.optional()?, parts.optional()?))),
        "i" => Expr::Conditional(Box::new((parts.expr()?, parts.expr()?, parts.expr()?))),
        "m" => Expr::Comprehension(Box::new(Comprehension {
            element: parts.expr()?,
            target: parts.expr()?,
            iter: parts.expr()?,
            conditions: Parts::of(parts.next()?)?.exprs()?,
            makes: match parts.0.len() {
                0 => ComprehensionResult::List,
                _ => parts.deserialized()?,
            },
        })),
        "*" => Expr::Starred(Box::new(parts.expr()?)),
        "L" => Expr::Lambda(Arc::new(Function {
            name: "<lambda>".into(),
            parameters: Parts::of(parts.next()?)?.map(read_parameter)?,
            body: Some(NotationReader::default().block(parts.next()?)?),
            decorators: Vec::new(),
            is_generator: false,
        })),
        "y" => Expr::Yield(parts.optional()?.map(Box::new)),
        "Y" => Expr::YieldFrom(Box::new(parts.expr()?)),
        "=" => Expr::Named(parts.name()?, Box::new(parts.expr()?)),
        other => return Err(format!("unknown expression {other:?}")),
    };
    parts.end().map(|()| value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::source;

    fn check(source: &str, expected: Expect) {
        let script = Arc::new(source::lower(source));
        let written = serde_json::to_string(&Notated(script.clone())).unwrap();
        expected.assert_eq(&written.replace("],[", "],\n["));
        let read: Notated = serde_json::from_str(&written).unwrap();
        assert_eq!(*read.0, *script);
    }

    /// A module with every kind of statement and expression.
    #[test]
    fn a_module_is_written_compactly_and_read_again() {
        check(
            r#"
import os.path, sys as system
from ..up import a as b, c
from . import *
lazy from . import later
here = there = os.path.dirname(__file__)
names = ['a.dll'] + ["b"] * 2
names += [None, True, 3, -1, 1.5, "'quoted'", '?', '!']
if not sys.platform == 'win32' and (here or there):
    table = {'a': 1, **more}
elif x in (1, 2):
    pass
else:
    names = names[0][1:][:-1]
for name in names:
    if name: continue
    break
else:
    del name, here.x
while here: here = f'{here}/x'
try:
    import late
except (ImportError, OSError) as error:
    raise RuntimeError('no') from error
except Exception: raise
else: os.add_dll_directory(there)
finally: call(1, key='v', *rest)
with open(here) as file, lock: run(path := [n for n in names if n])
@decorated('x')
def load(path, name='x.dll', *, flag=None):
    global handle
    handle = ctypes.WinDLL(path if flag else name)
    return handle
def __getattr__(name): yield name
class Lib(Base[int]):
    import inner
    def method(self): import never
def nothing(): return
"#,
            expect![[r#"
                [[[2,"i","os.path"],
                [0,"i","sys","system"],
                [1,"f",2,"up",["a","b"],"c"],
                [1,"f",1,"","*"],
                [1,"z",[0,"f",1,"","later"]],
                [1,"=",["(",[".",[".","os","path"],"dirname"],
                ["__file__"]],"here","there"],
                [1,"=",["b","Add",["l","'a.dll"],
                ["b","Multiply",["l","'b"],2]],"names"],
                [1,"+","names",["l","!",true,3,-1,"?","''quoted'","'?","'!"]],
                [1,"?",["&",["~",["c","Eq",[".","sys","platform"],"'win32"]],
                ["|","here","there"]],
                [[1,"=",["d",["'a",1],
                [["*","more"],"!"]],"table"]],
                [[1,"?",["c","In","x",["t",1,2]],
                [],
                [[3,"=",[":",[":",["[","names",0],1,null],null,-1],"names"]]]]],
                [1,"o","name","names",[[1,"?","name",[[0,"k"]]],
                [1,"b"]],
                [[2,"-","name",[".","here","x"]]]],
                [1,"w","here",[[0,"=",["f","here","'/x"],"here"]]],
                [1,"t",[[1,"i","late"]],
                [[["t","ImportError","OSError"],"error",[[2,"x",["(","RuntimeError",["'no"]]]]],
                ["Exception",null,[[1,"x"]]]],
                [[1,"e",["(",[".","os","add_dll_directory"],
                ["there"]]]],
                [[1,"e",["(","call",[1,["*","rest"]],
                ["key","'v"]]]]],
                [1,"v",[[["(","open",["here"]],"file"],
                ["lock"]],
                [[0,"e",["(","run",[["=","path",["m","n","n","names",["n"]]]]]]]],
                [1,"d","load",["path",["name","'x.dll"],
                ["flag","!","Keyword"]],
                [[2,"g","handle"],
                [1,"=",["(",[".","ctypes","WinDLL"],
                [["i","flag","path","name"]]],"handle"],
                [1,"r","handle"]],
                ["(","decorated",["'x"]]],
                [1,"G","__getattr__",["name"],
                [[0,"e",["y","name"]]]],
                [1,"c","Lib",[["[","Base","int"]],
                [[1,"i","inner"],
                [1,"d","method",["self"],
                [[0,"i","never"]]]]],
                [1,"d","nothing",[],
                [[0,"r"]]]],
                [8,28,"`:=`"],
                [15,5,"`lazy import`"]]"#]],
        );
    }

    #[test]
    fn a_syntax_error_is_written() {
        check(
            "import a\nimport (\nimport b\n",
            expect![[r#"
            [[[1,"i","a"],
            [1,"e",["n",""]],
            [1,"i","b"]],2,"Expected one or more symbol names after import"]"#]],
        );
    }

    #[test]
    fn names_that_source_code_cannot_have_are_written() {
        let strange = ["'x", "?", "!", "", "0", "n"].map(|name| Expr::Name(name.into()));
        let kind = StmtKind::Assign { targets: strange.to_vec(), value: Expr::Int(i64::MIN) };
        let script = Script {
            body: vec![Stmt { line: u32::MAX, kind }, Stmt { line: 0, kind: StmtKind::Break }],
            newer_syntax: vec![NewerSyntax { since: 10, line: 3, what: "`match`".to_owned() }],
            syntax_error: None,
        };
        let written = serde_json::to_string(&Notated(Arc::new(script.clone()))).unwrap();
        assert_eq!(*serde_json::from_str::<Notated>(&written).unwrap().0, script);
    }

    #[test]
    fn invalid_notation_is_refused() {
        let invalid = [
            "{}",
            "[]",
            "[[[]]]",
            "[[[1]]]",
            r#"[[[1,"i"]]]"#,
            r#"[[[1,"i","a","b","c"]]]"#,
            r#"[[[-1,"b"]]]"#,
            r#"[[[4294967296,"b"]]]"#,
            r#"[[[9223372036854775807,"b"],[9223372036854775807,"b"]]]"#,
            r#"[[[1,"zz"]]]"#,
            r#"[[[1,"e",[]]]]"#,
            r#"[[[1,"e",["zz"]]]]"#,
            r#"[[[1,"e",1.5]]]"#,
            r#"[[[1,"e",null]]]"#,
            r#"[[[1,"e",["b","Nonsense",1,1]]]]"#,
            r#"[[[1,"e",["c","Eq",1,1,1]]]]"#,
            r#"[[],1]"#,
            r#"[[],-1,""]"#,
            r#"[[],1,"",1]"#,
        ];
        let refused = invalid.map(|json| match serde_json::from_str::<Notated>(json) {
            Ok(_) => format!("{json} was read"),
            Err(error) => format!("{json}: {error}"),
        });
        expect![[r#"
            {}: missing field `body`
            []: a list is too short
            [[[]]]: a list is too short
            [[[1]]]: a list is too short
            [[[1,"i"]]]: a list is too short
            [[[1,"i","a","b","c"]]]: a list is too long: "c"
            [[[-1,"b"]]]: a line number is out of range
            [[[4294967296,"b"]]]: a line number is out of range
            [[[9223372036854775807,"b"],[9223372036854775807,"b"]]]: a line number is out of range
            [[[1,"zz"]]]: unknown statement "zz"
            [[[1,"e",[]]]]: a list is too short
            [[[1,"e",["zz"]]]]: unknown expression "zz"
            [[[1,"e",1.5]]]: 1.5 is not a 64-bit integer
            [[[1,"e",null]]]: null is not a list
            [[[1,"e",["b","Nonsense",1,1]]]]: unknown variant `Nonsense`, expected one of `Add`, `Subtract`, `Modulo`, `Multiply`, `Power`, `Divide`, `Other`, `Union`
            [[[1,"e",["c","Eq",1,1,1]]]]: a list is too long: 1
            [[],1]: a list is too short
            [[],-1,""]: out of range integral type conversion attempted
            [[],1,"",1]: 1 is not a list"#]].assert_eq(&refused.join("\n"));
    }
}

//! What a module does in few words. A snapshot holds thousands of modules: told field by field, with the names of all fields, they
//! would be nine tenths of it.
//!
//! A statement is a list: how many lines it stands below the statement that is told before it, a letter, and its parts. An expression is a
//! name as it is, a text with `'` in front, a number, a truth value, `"?"` if it is opaque, `"!"` for `None`, or a list that begins with a
//! letter. `null` stands for what is left out.

use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

use crate::source::{
    Call, Comprehension, Decoration, Expr, Function, Handler, LeftOut, Makes, Name, NewerSyntax, Parameter,
    ParameterKind, Script, Span, Stmt, StmtKind, Try,
};

/// A module, told in this notation.
pub struct Notated(pub Arc<Script>);

impl Notated {
    pub fn in_notation(&self) -> Value {
        let mut parts = vec![Writer::default().block(&self.0.body)];
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
        self.in_notation().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Notated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Notated, D::Error> {
        let value = Value::deserialize(deserializer)?;
        // The first format told it field by field.
        let script = match value.is_object() {
            true => serde_json::from_value(value).map_err(|error| error.to_string()),
            false => script(value),
        };
        script.map(|script| Notated(Arc::new(script))).map_err(D::Error::custom)
    }
}

/// A module in this notation with other constants: `other` says what takes a constant's place, if something does.
pub fn with_constants(module: &mut Value, other: &mut dyn FnMut(&str) -> Option<String>) {
    // Behind the statements stands the message of a syntax error.
    if let Some(body) = module.as_array_mut().and_then(|parts| parts.first_mut()) {
        replace_constants(body, other);
    }
}

fn replace_constants(value: &mut Value, other: &mut dyn FnMut(&str) -> Option<String>) {
    match value {
        Value::Array(parts) => parts.iter_mut().for_each(|part| replace_constants(part, other)),
        Value::String(text) => {
            if let Some(new) = text.strip_prefix('\'').and_then(other) {
                *text = format!("'{new}");
            }
        }
        _ => {}
    }
}

#[derive(Default)]
struct Writer {
    /// Of the statement before.
    line: u32,
}

impl Writer {
    fn block(&mut self, block: &[Stmt]) -> Value {
        block.iter().map(|stmt| self.stmt(stmt)).collect()
    }

    /// Nothing, if there are no statements.
    fn rest(&mut self, parts: &mut Vec<Value>, blocks: &[&[Stmt]]) {
        let told = blocks.iter().rposition(|block| !block.is_empty()).map_or(0, |last| last + 1);
        parts.extend(blocks[..told].iter().map(|block| self.block(block)));
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

/// Compiled code may name things as no text can.
fn is_usual(name: &str) -> bool {
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
        Expr::Str(text) => json!(format!("'{text}")),
        Expr::Name(name) if is_usual(name) => json!(name),
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
            parts.extend((*makes != Makes::List).then(|| json!(makes)));
            Value::Array(parts)
        }
        Expr::Starred(values) => json!(["*", expr(values)]),
        Expr::Lambda(function) => {
            let parameters: Value = function.parameters.iter().map(parameter).collect();
            let body = function.body.as_deref().unwrap_or_default();
            json!(["L", parameters, Writer::default().block(body)])
        }
        Expr::Yield(value) => json!(["y", value.as_ref().map_or(Value::Null, |value| expr(value))]),
        Expr::YieldFrom(values) => json!(["Y", expr(values)]),
        Expr::Named(name, value) => json!(["=", name, expr(value)]),
    }
}

/// What makes no sense.
type Nonsense = String;

/// The parts of a list, taken one after the other.
struct Parts(std::vec::IntoIter<Value>);

impl Parts {
    fn of(value: Value) -> Result<Parts, Nonsense> {
        match value {
            Value::Array(parts) => Ok(Parts(parts.into_iter())),
            other => Err(format!("{other} is no list")),
        }
    }

    fn next(&mut self) -> Result<Value, Nonsense> {
        self.0.next().ok_or_else(|| "a list is too short".to_owned())
    }

    fn text(&mut self) -> Result<String, Nonsense> {
        text(self.next()?)
    }

    fn name(&mut self) -> Result<Name, Nonsense> {
        Ok(self.text()?.into())
    }

    fn line(&mut self) -> Result<i64, Nonsense> {
        let line = self.next()?;
        line.as_i64().ok_or_else(|| format!("{line} is no line"))
    }

    fn expr(&mut self) -> Result<Expr, Nonsense> {
        read_expr(self.next()?)
    }

    /// None where it says nothing, or where the list ends.
    fn optional(&mut self) -> Result<Option<Expr>, Nonsense> {
        self.0.next().filter(|value| !value.is_null()).map(read_expr).transpose()
    }

    fn known<T: serde::de::DeserializeOwned>(&mut self) -> Result<T, Nonsense> {
        serde_json::from_value(self.next()?).map_err(|error| error.to_string())
    }

    fn map<T>(self, read: impl FnMut(Value) -> Result<T, Nonsense>) -> Result<Vec<T>, Nonsense> {
        self.0.map(read).collect()
    }

    fn exprs(self) -> Result<Vec<Expr>, Nonsense> {
        self.map(read_expr)
    }

    fn end(mut self) -> Result<(), Nonsense> {
        self.0.next().map_or(Ok(()), |more| Err(format!("{more} is too much")))
    }
}

fn text(value: Value) -> Result<String, Nonsense> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{other} is no text")),
    }
}

/// A name, and perhaps something with it.
fn pair<T>(
    value: Value,
    read: impl FnOnce(Value) -> Result<T, Nonsense>,
) -> Result<(Name, Option<T>), Nonsense> {
    if let Value::String(name) = value {
        return Ok((name.into(), None));
    }
    let mut parts = Parts::of(value)?;
    let pair = (parts.name()?, Some(read(parts.next()?)?));
    parts.end()?;
    Ok(pair)
}

fn script(value: Value) -> Result<Script, Nonsense> {
    let mut parts = Parts::of(value)?;
    let body = Reader::default().block(parts.next()?)?;
    fn number<T: TryFrom<i64, Error: ToString>>(parts: &mut Parts) -> Result<T, Nonsense> {
        T::try_from(parts.line()?).map_err(|error| error.to_string())
    }
    let mut read = Script { body, ..Script::default() };
    if parts.0.as_slice().first().is_some_and(Value::is_number) {
        read.syntax_error = Some((number(&mut parts)?, parts.text()?));
    }
    for newer in parts.0 {
        let mut newer = Parts::of(newer)?;
        let (since, line, what) = (number(&mut newer)?, number(&mut newer)?, newer.text()?);
        newer.end()?;
        read.newer_syntax.push(NewerSyntax { since, line, what });
    }
    Ok(read)
}

#[derive(Default)]
struct Reader {
    /// Of the statement before.
    line: u32,
}

impl Reader {
    fn block(&mut self, block: Value) -> Result<Vec<Stmt>, Nonsense> {
        Parts::of(block)?.map(|stmt| self.stmt(stmt))
    }

    /// The next block, empty where the list ends.
    fn next(&mut self, parts: &mut Parts) -> Result<Vec<Stmt>, Nonsense> {
        parts.0.next().map_or(Ok(Vec::new()), |block| self.block(block))
    }

    fn stmt(&mut self, stmt: Value) -> Result<Stmt, Nonsense> {
        let mut parts = Parts::of(stmt)?;
        let line = i64::from(self.line).checked_add(parts.line()?);
        let line = line.and_then(|line| u32::try_from(line).ok()).ok_or("a line is too far away")?;
        self.line = line;
        let kind = match parts.text()?.as_str() {
            "i" => {
                let module = parts.name()?;
                let alias = parts.0.next().map(text).transpose()?.map(Name::from);
                StmtKind::Import { module, alias }
            }
            "f" => {
                let (level, module) = (parts.known()?, parts.name()?);
                let alias = |value| Ok(Name::from(text(value)?));
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
                    let at = Span { start: parts.known()?, end: parts.known()?, line: parts.known()? };
                    let definition = LeftOut { name, at, decoration: parts.known()? };
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
                let names = parts.map(|name| Ok(Name::from(text(name)?)))?;
                let kind = if is_global { StmtKind::Global(names) } else { StmtKind::Nonlocal(names) };
                return Ok(Stmt { line, kind });
            }
            "-" => return Ok(Stmt { line, kind: StmtKind::Delete(parts.exprs()?) }),
            "b" => StmtKind::Break,
            "k" => StmtKind::Continue,
            other => return Err(format!("no statement is told as {other:?}")),
        };
        parts.end()?;
        Ok(Stmt { line, kind })
    }

    fn handler(&mut self, value: Value) -> Result<Handler, Nonsense> {
        let mut parts = Parts::of(value)?;
        let handler =
            Handler { catches: parts.optional()?, name: parts.known()?, body: self.block(parts.next()?)? };
        parts.end().map(|()| handler)
    }
}

fn read_parameter(value: Value) -> Result<Parameter, Nonsense> {
    if let Value::String(name) = value {
        return Ok(Parameter { name: name.into(), default: None, kind: ParameterKind::Usual });
    }
    let mut parts = Parts::of(value)?;
    let (name, default) = (parts.name()?, parts.optional()?);
    let kind = match parts.0.len() {
        0 => ParameterKind::Usual,
        _ => parts.known()?,
    };
    parts.end().map(|()| Parameter { name, default, kind })
}

fn read_expr(value: Value) -> Result<Expr, Nonsense> {
    let mut parts = match value {
        Value::Bool(value) => return Ok(Expr::Bool(value)),
        Value::Number(number) => {
            return number
                .as_i64()
                .map(Expr::Int)
                .ok_or_else(|| format!("{number} is no number of Python's"));
        }
        Value::String(told) => {
            return Ok(match (told.as_str(), told.strip_prefix('\'')) {
                ("?", _) => Expr::Opaque,
                ("!", _) => Expr::None,
                (_, Some(text)) => Expr::Str(text.into()),
                (name, None) => Expr::Name(name.into()),
            });
        }
        other => Parts::of(other)?,
    };
    let value = match parts.text()?.as_str() {
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
            let operator = parts.known()?;
            Expr::Binary(Box::new((parts.expr()?, operator, parts.expr()?)))
        }
        "c" => {
            let operator = parts.known()?;
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
                0 => Makes::List,
                _ => parts.known()?,
            },
        })),
        "*" => Expr::Starred(Box::new(parts.expr()?)),
        "L" => Expr::Lambda(Arc::new(Function {
            name: "<lambda>".into(),
            parameters: Parts::of(parts.next()?)?.map(read_parameter)?,
            body: Some(Reader::default().block(parts.next()?)?),
            decorators: Vec::new(),
            is_generator: false,
        })),
        "y" => Expr::Yield(parts.optional()?.map(Box::new)),
        "Y" => Expr::YieldFrom(Box::new(parts.expr()?)),
        "=" => Expr::Named(parts.name()?, Box::new(parts.expr()?)),
        other => return Err(format!("no expression is told as {other:?}")),
    };
    parts.end().map(|()| value)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::source;

    fn told(text: &str, expected: Expect) {
        let script = Arc::new(source::lower(text));
        let told = serde_json::to_string(&Notated(script.clone())).unwrap();
        expected.assert_eq(&told.replace("],[", "],\n["));
        let read: Notated = serde_json::from_str(&told).unwrap();
        assert_eq!(*read.0, *script);
    }

    /// Every kind of statement and of expression.
    #[test]
    fn a_module_is_told_in_few_words_and_read_again() {
        told(
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
    fn a_syntax_error_is_told() {
        told(
            "import a\nimport (\nimport b\n",
            expect![[r#"
            [[[1,"i","a"],
            [1,"e",["n",""]],
            [1,"i","b"]],2,"Expected one or more symbol names after import"]"#]],
        );
    }

    #[test]
    fn names_that_no_text_has_are_told() {
        let strange = ["'x", "?", "!", "", "0", "n"].map(|name| Expr::Name(name.into()));
        let kind = StmtKind::Assign { targets: strange.to_vec(), value: Expr::Int(i64::MIN) };
        let script = Script {
            body: vec![Stmt { line: u32::MAX, kind }, Stmt { line: 0, kind: StmtKind::Break }],
            newer_syntax: vec![NewerSyntax { since: 10, line: 3, what: "`match`".to_owned() }],
            syntax_error: None,
        };
        let told = serde_json::to_string(&Notated(Arc::new(script.clone()))).unwrap();
        assert_eq!(*serde_json::from_str::<Notated>(&told).unwrap().0, script);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let told = [
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
        let refused = told.map(|told| match serde_json::from_str::<Notated>(told) {
            Ok(_) => format!("{told} was read"),
            Err(error) => format!("{told}: {error}"),
        });
        expect![[r#"
            {}: missing field `body`
            []: a list is too short
            [[[]]]: a list is too short
            [[[1]]]: a list is too short
            [[[1,"i"]]]: a list is too short
            [[[1,"i","a","b","c"]]]: "c" is too much
            [[[-1,"b"]]]: a line is too far away
            [[[4294967296,"b"]]]: a line is too far away
            [[[9223372036854775807,"b"],[9223372036854775807,"b"]]]: a line is too far away
            [[[1,"zz"]]]: no statement is told as "zz"
            [[[1,"e",[]]]]: a list is too short
            [[[1,"e",["zz"]]]]: no expression is told as "zz"
            [[[1,"e",1.5]]]: 1.5 is no number of Python's
            [[[1,"e",null]]]: null is no list
            [[[1,"e",["b","Nonsense",1,1]]]]: unknown variant `Nonsense`, expected one of `Add`, `Subtract`, `Modulo`, `Multiply`, `Power`, `Divide`, `Other`, `Union`
            [[[1,"e",["c","Eq",1,1,1]]]]: 1 is too much
            [[],1]: a list is too short
            [[],-1,""]: out of range integral type conversion attempted
            [[],1,"",1]: 1 is no list"#]].assert_eq(&refused.join("\n"));
    }
}

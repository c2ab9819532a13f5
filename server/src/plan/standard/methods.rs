//! Methods of strings, lists, dictionaries, paths, files, `os.environ`, and `sys.path`.

use std::cell::RefCell;
use std::rc::Rc;

use super::super::operators::put;
use super::super::value::{MAX_LENGTH, Value};
use super::super::{Place, Plan};
use super::Outcome;
use crate::host::{EntryKind, WinPath};
use crate::source::standard::{OsName, StandardName, SysName};
use crate::source::{Name, placeholders};

impl Plan<'_> {
    /// Calls a method of a value.
    pub(in crate::plan) fn call_method(
        &mut self,
        object: &Value,
        name: &str,
        arguments: Vec<Value>,
        keywords: &[(Name, Value)],
        place: &Place,
    ) -> Outcome {
        let first = arguments.first().unwrap_or(&Value::Unknown);
        if name == "__enter__" {
            return Ok(match object {
                Value::AddedDirectory(_) | Value::File(_) | Value::ExitStack(_) | Value::Path(_) => {
                    object.clone()
                }
                Value::NullContext(value) => (**value).clone(),
                _ => Value::Unknown,
            });
        }
        Ok(match object {
            Value::Str(text) => {
                placeholders::record_read(text);
                string_method(text, name, &arguments)
            }
            Value::List(list) => {
                // The argument may be the list itself, so it is read before the list is changed.
                let at = list.borrow().iter().position(|item| item.equals(first) == Some(true));
                let added = if name == "extend" { first.items().unwrap_or_default() } else { Vec::new() };
                let has_room = list.borrow().len() + added.len() < MAX_LENGTH && self.may_nest(&arguments);
                let known = self.execution.uncertain == 0 && has_room;
                let mut list = list.try_borrow_mut();
                match (name, &mut list) {
                    ("append", Ok(list)) if known => list.push(first.clone()),
                    ("extend", Ok(list)) if known => list.extend(added),
                    ("insert", Ok(list)) if known => {
                        let at = first.number().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                        let at = at.min(list.len());
                        list.insert(at, arguments.get(1).cloned().unwrap_or(Value::Unknown));
                    }
                    ("remove" | "discard", Ok(list)) if known => drop(at.map(|at| list.remove(at))),
                    ("add", Ok(list)) if known && at.is_none() => list.push(first.clone()),
                    ("update", Ok(list)) if known => list.extend(first.items().unwrap_or_default()),
                    ("clear", Ok(list)) if known => list.clear(),
                    ("reverse", Ok(list)) if known => list.reverse(),
                    ("sort", Ok(list)) if known && keywords.is_empty() && is_ordered(list) => {
                        list.sort_by(|a, b| a.order(b).unwrap_or(std::cmp::Ordering::Equal));
                    }
                    ("pop", Ok(list)) if known => {
                        let at = match arguments.first() {
                            None => list.len().checked_sub(1),
                            Some(at) => at.number().and_then(|at| match at {
                                0.. => usize::try_from(at).ok(),
                                _ => usize::try_from(list.len() as i64 + at).ok(),
                            }),
                        };
                        let at = at.filter(|at| *at < list.len());
                        return Ok(at.map_or(Value::Unknown, |at| list.remove(at)));
                    }
                    ("pop", _) => return Ok(Value::Unknown),
                    ("index", _) => return Ok(at.map_or(Value::Unknown, |at| Value::Int(at as i64))),
                    ("union", Ok(list)) => {
                        let mut all = list.clone();
                        for values in &arguments {
                            match values.items() {
                                Some(values) if all.len() + values.len() < MAX_LENGTH => all.extend(values),
                                _ => return Ok(Value::Unknown),
                            }
                        }
                        return Ok(Value::list(all));
                    }
                    ("copy", Ok(list)) => return Ok(Value::list(list.clone())),
                    _ => {}
                }
                Value::None
            }
            Value::Dict(items) if matches!(name, "update" | "setdefault" | "pop" | "clear") => {
                return Ok(self.mutate_dict(items, name, &arguments, keywords));
            }
            Value::Dict(items) => {
                let items = items.borrow();
                let found =
                    |key: &Value| {
                        let matching = items.iter().rev().find(|(known, _)| known.equals(key) != Some(false));
                        matching.map(|(known, value)| {
                            if known.equals(key) == Some(true) { value.clone() } else { Value::Unknown }
                        })
                    };
                match name {
                    "get" => found(first).unwrap_or_else(|| arguments.get(1).cloned().unwrap_or(Value::None)),
                    "keys" => Value::list(items.iter().map(|(key, _)| key.clone()).collect()),
                    "values" => Value::list(items.iter().map(|(_, value)| value.clone()).collect()),
                    "copy" => Value::Dict(Rc::new(items.clone().into())),
                    "items" => Value::list(
                        items
                            .iter()
                            .map(|(key, value)| Value::Tuple(Rc::new(vec![key.clone(), value.clone()])))
                            .collect(),
                    ),
                    _ => Value::Unknown,
                }
            }
            Value::Globals(module) => {
                match (name, first) {
                    ("update", Value::Globals(other)) if !Rc::ptr_eq(module, other) => {
                        let names = other.names.borrow().clone();
                        module.names.borrow_mut().extend(names);
                        module.open.set(module.open.get() || other.open.get());
                    }
                    ("update", Value::Dict(items)) => {
                        for (key, value) in items.borrow().iter() {
                            match key.text() {
                                Some(name) => module.set(&name, value.clone()),
                                None => module.open.set(true),
                            }
                        }
                    }
                    // Any name may have a new value from here on. Functions, classes, and modules
                    // are kept: usually they are replaced by a faster implementation with the same
                    // behavior.
                    ("update", _) => {
                        module.open.set(true);
                        for value in module.names.borrow_mut().values_mut() {
                            let is_code = matches!(
                                value,
                                Value::Function(_) | Value::Class(_) | Value::Module(_) | Value::Known(_)
                            );
                            if !is_code {
                                *value = Value::Unknown;
                            }
                        }
                    }
                    ("get", _) => {
                        return Ok(first.text().and_then(|name| module.get(&name)).unwrap_or(Value::Unknown));
                    }
                    _ => {}
                }
                Value::Unknown
            }
            Value::Record(record) if super::has_method(record, name) => self.find_spec_in(record, &arguments),
            Value::Record(record) => record.call(name, &arguments),
            Value::Below(folder) => match (name, first.text()) {
                ("resolve" | "absolute" | "as_posix" | "__str__", _) => Value::Below(folder.clone()),
                ("joinpath", _) => Value::Below(folder.clone()),
                ("with_name" | "with_suffix", _) => Value::Below(folder.clone()),
                _ => Value::Unknown,
            },
            Value::ExitStack(contexts) => match name {
                "enter_context" => {
                    if self.may_nest([first]) {
                        contexts.borrow_mut().push(first.clone());
                    }
                    return self.enter(first, place);
                }
                "callback" => first.clone(),
                "close" => {
                    self.leave_context(object, place)?;
                    Value::None
                }
                _ => Value::Unknown,
            },
            Value::Library(library) => return self.library_function(library, name, &arguments, place),
            Value::AddedDirectory(_) if name == "close" => {
                self.leave_context(object, place)?;
                Value::None
            }
            Value::Path(path) => {
                let path = WinPath::new(&**path);
                match name {
                    "joinpath" => match arguments.iter().map(Value::text).collect::<Option<Vec<_>>>() {
                        Some(parts) => {
                            let joined = parts.iter().fold(path, |base, part| base.join(part));
                            Value::path(&joined)
                        }
                        None => Value::Unknown,
                    },
                    "with_name" | "with_suffix" => match (first.text(), path.parent()) {
                        (Some(text), Some(folder)) if name == "with_name" => Value::path(&folder.join(&text)),
                        (Some(text), Some(folder)) => {
                            let own = path.file_name();
                            let stem = own.rsplit_once('.').map_or(own, |(stem, _)| stem);
                            Value::path(&folder.join(&format!("{stem}{text}")))
                        }
                        _ => Value::Unknown,
                    },
                    "resolve" | "absolute" => Value::path(&path.normalized()),
                    "expanduser" => match self.world.with_home(path.as_str()) {
                        Some(expanded) => Value::path(&WinPath::new(expanded).normalized()),
                        None => Value::Unknown,
                    },
                    "exists" => self.kind_is(Some(path), |kind| kind.is_some()),
                    "is_file" => self.kind_is(Some(path), |kind| kind == Some(EntryKind::File)),
                    "is_dir" => self.kind_is(Some(path), |kind| kind == Some(EntryKind::Folder)),
                    "glob" => match first.text().and_then(|pattern| self.world.glob(&path.join(&pattern))) {
                        Some(found) => Value::list(
                            found
                                .items()
                                .unwrap_or_default()
                                .iter()
                                .filter_map(Value::text)
                                .map(Value::Path)
                                .collect(),
                        ),
                        None => Value::Unknown,
                    },
                    "iterdir" => match self.world.files().folder(&path) {
                        Ok(folder) => Value::list(
                            folder.entries().iter().map(|e| Value::path(&path.join(&e.name))).collect(),
                        ),
                        Err(_) => Value::Unknown,
                    },
                    "as_posix" => Value::str(path.as_str().replace('\\', "/")),
                    "__str__" | "__fspath__" => Value::str(path.as_str()),
                    "is_absolute" => Value::Bool(path.is_absolute()),
                    "is_symlink" => Value::Bool(false),
                    "with_stem" => match (first.text(), path.parent()) {
                        (Some(stem), Some(folder)) => match path.extension() {
                            "" => Value::path(&folder.join(&stem)),
                            extension => Value::path(&folder.join(&format!("{stem}.{extension}"))),
                        },
                        _ => Value::Unknown,
                    },
                    "relative_to" | "is_relative_to" => match first.text() {
                        Some(folder) => match (path.below(&WinPath::new(&*folder)), name) {
                            (Some(_), "is_relative_to") => Value::Bool(true),
                            (None, "is_relative_to") => Value::Bool(false),
                            (Some(tail), _) => Value::path_of_text(tail),
                            (None, _) => Value::Unknown,
                        },
                        None => Value::Unknown,
                    },
                    "open" if self.world.files().is_file(&path) => Value::File(path),
                    "read_text" => match self.world.files().text(&path) {
                        Ok(text) => Value::str(text),
                        Err(_) => Value::Unknown,
                    },
                    "rglob" => match first.text() {
                        Some(pattern) => self.glob_below(&path.normalized(), &pattern),
                        None => Value::Unknown,
                    },
                    // The result of `importlib.metadata` has it, too.
                    "locate" => Value::path(&path),
                    _ => Value::Unknown,
                }
            }
            Value::Known(StandardName::Os(OsName::Environ)) => match name {
                "get" => match self.world.variable(first) {
                    Value::None => arguments.get(1).cloned().unwrap_or(Value::None),
                    value => value,
                },
                "setdefault" => match self.world.variable(first) {
                    Value::None => {
                        let value = arguments.get(1).cloned().unwrap_or(Value::Unknown);
                        self.set_variable(first, &value, place);
                        value
                    }
                    value => value,
                },
                "pop" => {
                    let value = match self.world.variable(first) {
                        Value::None => arguments.get(1).cloned().unwrap_or(Value::Unknown),
                        value => value,
                    };
                    if let (Some(name), 0) = (first.text(), self.execution.uncertain) {
                        self.world.interpreter.process.set_variable(&name.to_ascii_uppercase(), None);
                    }
                    value
                }
                "update" => {
                    let pairs = first.clone();
                    if let Value::Dict(items) = pairs {
                        for (name, value) in items.borrow().iter() {
                            self.set_variable(name, value, place);
                        }
                    }
                    Value::None
                }
                _ => Value::Unknown,
            },
            Value::Known(StandardName::Sys(SysName::Path)) => {
                let entry = arguments.last().and_then(Value::text).map(|entry| WinPath::new(&*entry));
                self.spend_many(self.world.sys_path.len() as u64);
                match (name, entry.filter(WinPath::is_absolute)) {
                    ("copy", _) => return Ok(self.world.sys_path_entries()),
                    ("insert", Some(entry)) if self.execution.uncertain == 0 => {
                        // The first entry is the program's folder, which isn't in this list.
                        let at = first.number().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                        let at = at.saturating_sub(1).min(self.world.sys_path.len());
                        self.world.sys_path.insert(at, entry);
                    }
                    ("append" | "insert", Some(entry)) => self.world.sys_path.push(entry),
                    _ => {}
                }
                Value::None
            }
            Value::Known(StandardName::Sys(SysName::Modules)) => {
                let module = first.text().and_then(|dotted| match name {
                    "pop" if self.execution.uncertain == 0 => {
                        let module = self.world.modules.remove(&*dotted);
                        self.world.failed_modules.extend(module.clone());
                        module
                    }
                    "get" | "pop" => self.world.modules.get(&*dotted).cloned(),
                    _ => None,
                });
                // Modules that Python itself imported aren't in this table.
                module.map_or(Value::Unknown, Value::Module)
            }
            Value::File(path) => match (name, self.world.files().text(path)) {
                ("read", Ok(text)) => Value::str(text),
                ("readlines", Ok(text)) if text.len() <= MAX_LENGTH => {
                    placeholders::record_read(&text);
                    Value::list(text.split_inclusive('\n').map(Value::str).collect())
                }
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        })
    }

    /// Calls a method that changes a dictionary.
    fn mutate_dict(
        &mut self,
        items: &Rc<RefCell<Vec<(Value, Value)>>>,
        name: &str,
        arguments: &[Value],
        keywords: &[(Name, Value)],
    ) -> Value {
        let first = arguments.first().unwrap_or(&Value::Unknown);
        let set = |items: &mut Vec<(Value, Value)>, key: Value, value: Value| {
            if items.len() < MAX_LENGTH {
                put(items, key, value);
            }
        };
        let position = items.borrow().iter().rposition(|(known, _)| known.equals(first) == Some(true));
        let is_known = items.borrow().iter().all(|(known, _)| known.equals(first).is_some());
        match name {
            "setdefault" | "pop" => {
                let default = arguments.get(1).cloned();
                if let Some(at) = position {
                    let found = items.borrow().get(at).map_or(Value::Unknown, |(_, value)| value.clone());
                    if name == "pop" && self.execution.uncertain == 0 {
                        items.borrow_mut().remove(at);
                    }
                    return found;
                }
                if !is_known {
                    return Value::Unknown;
                }
                if name == "setdefault" && self.may_nest(arguments) {
                    let value = default.clone().unwrap_or(Value::None);
                    set(&mut items.borrow_mut(), first.clone(), value);
                }
                default.unwrap_or(if name == "pop" { Value::Unknown } else { Value::None })
            }
            "clear" => {
                items.borrow_mut().clear();
                Value::None
            }
            _ => {
                let mut more: Vec<(Value, Value)> = match first {
                    Value::Dict(other) => other.borrow().clone(),
                    _ => Vec::new(),
                };
                more.extend(keywords.iter().map(|(name, value)| (Value::str(name), value.clone())));
                if self.may_nest(more.iter().map(|(_, value)| value)) {
                    let mut items = items.borrow_mut();
                    more.into_iter().for_each(|(key, value)| set(&mut items, key, value));
                }
                Value::None
            }
        }
    }

    /// Evaluates `path.rglob(pattern)` for patterns without separators.
    fn glob_below(&mut self, folder: &WinPath, pattern: &str) -> Value {
        let Value::List(folders) = self.walk_folder(folder) else { return Value::Unknown };
        let mut found = Vec::new();
        for entry in folders.borrow().iter() {
            let Some(folder) = entry.items().and_then(|parts| parts.first()?.text()) else { continue };
            match self.world.glob(&WinPath::new(&*folder).join(pattern)) {
                Some(files) => found.extend(files.items().unwrap_or_default()),
                None => return Value::Unknown,
            }
        }
        Value::list(found.iter().filter_map(Value::text).map(Value::Path).collect())
    }
}

/// Whether Python can sort these values without a key.
fn is_ordered(values: &[Value]) -> bool {
    values.windows(2).all(|pair| matches!(pair, [a, b] if a.order(b).is_some()))
}

fn string_method(text: &Rc<str>, name: &str, arguments: &[Value]) -> Value {
    let first = arguments.first().and_then(Value::text);
    let strings = |parts: Vec<&str>| Value::list(parts.into_iter().map(Value::str).collect());
    match (name, &first) {
        ("split", Some(separator)) if !separator.is_empty() && arguments.len() == 1 => {
            strings(text.split(&**separator).collect())
        }
        ("split", None) if arguments.is_empty() => strings(text.split_whitespace().collect()),
        ("splitlines", _) => strings(text.lines().collect()),
        ("strip", None) => Value::str(text.trim()),
        ("rstrip", None) => Value::str(text.trim_end()),
        ("lstrip", None) => Value::str(text.trim_start()),
        ("strip", Some(chars)) => Value::str(text.trim_matches(|c| chars.contains(c))),
        ("rstrip", Some(chars)) => Value::str(text.trim_end_matches(|c| chars.contains(c))),
        ("lower" | "casefold", _) => Value::str(text.to_lowercase()),
        ("upper", _) => Value::str(text.to_uppercase()),
        ("rsplit", Some(separator)) if !separator.is_empty() => {
            let most = arguments.get(1).and_then(Value::number).and_then(|most| usize::try_from(most).ok());
            let mut parts: Vec<&str> = match most {
                Some(most) => text.rsplitn(most.saturating_add(1), &**separator).collect(),
                None => text.rsplit(&**separator).collect(),
            };
            parts.reverse();
            strings(parts)
        }
        ("split", Some(separator)) if !separator.is_empty() && arguments.len() == 2 => {
            match arguments.get(1).and_then(Value::number).and_then(|most| usize::try_from(most).ok()) {
                Some(most) => strings(text.splitn(most.saturating_add(1), &**separator).collect()),
                None => Value::Unknown,
            }
        }
        ("partition" | "rpartition", Some(separator)) if !separator.is_empty() => {
            let split = match name {
                "partition" => text.split_once(&**separator),
                _ => text.rsplit_once(&**separator),
            };
            let parts = match (split, name) {
                (Some((before, after)), _) => [before, &**separator, after],
                (None, "partition") => [&**text, "", ""],
                (None, _) => ["", "", &**text],
            };
            Value::Tuple(Rc::new(parts.into_iter().map(Value::str).collect()))
        }
        ("removeprefix", Some(prefix)) => Value::str(text.strip_prefix(&**prefix).unwrap_or(text)),
        ("removesuffix", Some(suffix)) => Value::str(text.strip_suffix(&**suffix).unwrap_or(text)),
        ("lstrip", Some(chars)) => Value::str(text.trim_start_matches(|c| chars.contains(c))),
        ("isdigit" | "isdecimal" | "isnumeric", _) => {
            Value::Bool(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        }
        ("isidentifier", _) => Value::Bool(!text.contains('.') && crate::source::is_module_name(text)),
        ("find", Some(part)) if arguments.len() == 1 => {
            let at = text.find(&**part).map(|at| text[..at].chars().count() as i64);
            Value::Int(at.unwrap_or(-1))
        }
        ("count", Some(part)) if !part.is_empty() => Value::Int(text.matches(&**part).count() as i64),
        ("encode" | "decode", _) => Value::Str(text.clone()),
        ("startswith", Some(prefix)) => Value::Bool(text.starts_with(&**prefix)),
        ("endswith", Some(suffix)) => Value::Bool(text.ends_with(&**suffix)),
        ("startswith" | "endswith", None) => {
            let Some(options) = arguments.first().and_then(Value::items) else {
                return Value::Unknown;
            };
            let fits = |option: &Value| match option.text() {
                Some(option) if name == "startswith" => text.starts_with(&*option),
                Some(option) => text.ends_with(&*option),
                None => false,
            };
            Value::Bool(options.iter().any(fits))
        }
        ("replace", Some(old)) if !old.is_empty() => match arguments.get(1).and_then(Value::text) {
            Some(new) if text.matches(&**old).count() * new.len() <= MAX_LENGTH => {
                Value::str(text.replace(&**old, &new))
            }
            _ => Value::Unknown,
        },
        ("join", _) => {
            let items = arguments.first().and_then(Value::items);
            let parts: Option<Vec<Rc<str>>> = items.and_then(|items| items.iter().map(Value::text).collect());
            let length = |parts: &[Rc<str>]| parts.iter().map(|part| part.len() + text.len()).sum::<usize>();
            let parts = parts.filter(|parts| length(parts) <= MAX_LENGTH);
            parts.map_or(Value::Unknown, |parts| Value::str(parts.join(&**text)))
        }
        ("format", _) => {
            // Only `{}` and `{0}` are supported.
            let mut out = text.to_string();
            for (at, argument) in arguments.iter().enumerate() {
                let Some(argument) = argument.to_text() else {
                    return Value::Unknown;
                };
                if out.len() > MAX_LENGTH || argument.len() > MAX_LENGTH / 16 {
                    return Value::Unknown;
                }
                let numbered = format!("{{{at}}}");
                out = if out.contains(&numbered) {
                    out.replace(&numbered, &argument)
                } else {
                    out.replacen("{}", &argument, 1)
                };
            }
            if out.contains('{') { Value::Unknown } else { Value::str(out) }
        }
        _ => Value::Unknown,
    }
}

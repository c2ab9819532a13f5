//! Methods of values: of strings, lists, tables, paths, files, `os.environ` and `sys.path`.

use std::rc::Rc;

use super::super::value::{LONGEST, Value};
use super::super::{Place, Plan};
use super::Outcome;
use crate::host::{EntryKind, WinPath};
use crate::source::Name;

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
        Ok(match object {
            Value::Str(text) => string_method(text, name, &arguments),
            Value::List(list) => {
                // Its own list may be the argument: it is looked at before the list is changed.
                let at = list.borrow().iter().position(|item| item.equals(first) == Some(true));
                let added = if name == "extend" { first.items().unwrap_or_default() } else { Vec::new() };
                let room = list.borrow().len() + added.len() < LONGEST && self.may_nest(&arguments);
                let known = self.uncertain == 0 && room;
                let mut list = list.try_borrow_mut();
                match (name, &mut list) {
                    ("append", Ok(list)) if known => list.push(first.clone()),
                    ("extend", Ok(list)) if known => list.extend(added),
                    ("insert", Ok(list)) if known => {
                        let at = first.number().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                        let at = at.min(list.len());
                        list.insert(at, arguments.get(1).cloned().unwrap_or(Value::Unknown));
                    }
                    ("remove", Ok(list)) if known => drop(at.map(|at| list.remove(at))),
                    ("copy", Ok(list)) => return Ok(Value::list(list.clone())),
                    _ => {}
                }
                Value::None
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
            Value::Library(library) => return self.library_function(library, name, &arguments, place),
            Value::AddedDirectory(path) if name == "close" => {
                self.interpreter.process.remove_dll_directory(path);
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
                    "resolve" | "absolute" | "expanduser" => Value::path(&path.normalized()),
                    "exists" => self.kind_is(Some(path), |kind| kind.is_some()),
                    "is_file" => self.kind_is(Some(path), |kind| kind == Some(EntryKind::File)),
                    "is_dir" => self.kind_is(Some(path), |kind| kind == Some(EntryKind::Folder)),
                    "glob" => match first.text().and_then(|pattern| self.glob(&path.join(&pattern))) {
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
                    "iterdir" => match self.interpreter.process.host().files.folder(&path) {
                        Ok(folder) => Value::list(
                            folder.entries().iter().map(|e| Value::path(&path.join(&e.name))).collect(),
                        ),
                        Err(_) => Value::Unknown,
                    },
                    "as_posix" | "__str__" | "__fspath__" => Value::str(path.as_str()),
                    _ => Value::Unknown,
                }
            }
            Value::Known(known) if known == "os.environ" => match name {
                "get" => match self.variable(first) {
                    Value::None => arguments.get(1).cloned().unwrap_or(Value::None),
                    value => value,
                },
                _ => Value::Unknown,
            },
            Value::Known(known) if known == "sys.path" => {
                let entry = arguments.last().and_then(Value::text).map(|entry| WinPath::new(&*entry));
                self.spend_many(self.sys_path.len() as u64);
                match (name, entry.filter(WinPath::is_absolute)) {
                    ("copy", _) => return Ok(self.sys_path_entries()),
                    ("insert", Some(entry)) if self.uncertain == 0 => {
                        // The first entry is the folder of the program, which is not in our list.
                        let at = first.number().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
                        let at = at.saturating_sub(1).min(self.sys_path.len());
                        self.sys_path.insert(at, entry);
                    }
                    ("append" | "insert", Some(entry)) => self.sys_path.push(entry),
                    _ => {}
                }
                Value::None
            }
            Value::Known(known) if known == "sys.modules" => {
                let module = first.text().and_then(|dotted| match name {
                    "pop" if self.uncertain == 0 => {
                        let module = self.modules.remove(&*dotted);
                        self.failed_modules.extend(module.clone());
                        module
                    }
                    "get" | "pop" => self.modules.get(&*dotted).cloned(),
                    _ => None,
                });
                // What was imported before us is not in our list.
                module.map_or(Value::Unknown, Value::Module)
            }
            Value::File(path) => match (name, self.interpreter.process.host().files.text(path)) {
                ("read", Ok(text)) => Value::str(text),
                ("readlines", Ok(text)) if text.len() <= LONGEST => {
                    Value::list(text.split_inclusive('\n').map(Value::str).collect())
                }
                _ => Value::Unknown,
            },
            _ => {
                let _ = keywords;
                Value::Unknown
            }
        })
    }
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
            Some(new) if text.matches(&**old).count() * new.len() <= LONGEST => {
                Value::str(text.replace(&**old, &new))
            }
            _ => Value::Unknown,
        },
        ("join", _) => {
            let items = arguments.first().and_then(Value::items);
            let parts: Option<Vec<Rc<str>>> = items.and_then(|items| items.iter().map(Value::text).collect());
            let length = |parts: &[Rc<str>]| parts.iter().map(|part| part.len() + text.len()).sum::<usize>();
            let parts = parts.filter(|parts| length(parts) <= LONGEST);
            parts.map_or(Value::Unknown, |parts| Value::str(parts.join(&**text)))
        }
        ("format", _) => {
            // Only `{}` and `{0}`; anything else is not worth knowing.
            let mut out = text.to_string();
            for (at, argument) in arguments.iter().enumerate() {
                let Some(argument) = argument.to_text() else {
                    return Value::Unknown;
                };
                if out.len() > LONGEST || argument.len() > LONGEST / 16 {
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

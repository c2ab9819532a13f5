//! The parts of the standard library that decide loads, implemented by the plan itself: `os.path`,
//! `glob`, `sys.platform`, `ctypes`, `os.add_dll_directory`, `importlib.import_module`.
//!
//! These rules describe the standard library and are the same for every program. Functions that
//! aren't listed here return an unknown value.

mod functional;
mod loads;
mod machinery;
mod methods;
mod names;
mod paths;

use std::cell::RefCell;
use std::rc::Rc;

use super::evaluate::{merged, message_of};
use super::frame::Frame;
use super::import_statement::absolute_name;
use super::value::{Exception, Value};
use super::{Event, Place, Plan};
use crate::cpython::CtypesMode;
use crate::host::{EntryKind, WinPath};
use crate::image::Machine;
use crate::source::{Decoration, Name, placeholders, top_level};
use crate::win32;

pub(super) use machinery::{has_method, spec_of_module};
pub(super) use names::{
    attribute, builtin, exported_loader, has_methods, is_builtin_name, is_exception, known_public_names,
};
pub(super) use paths::path_attribute;

use names::standard_or_own;

/// Functions that call `platform.uname`, and `uname` itself.
const CALLS_UNAME: [&str; 8] = [
    "platform.machine",
    "platform.node",
    "platform.platform",
    "platform.processor",
    "platform.release",
    "platform.system",
    "platform.uname",
    "platform.version",
];

type Outcome = Result<Value, Rc<Exception>>;

impl Plan<'_> {
    /// Handles the first call of a function that makes `platform` determine the name of the
    /// machine. Where `os.uname` doesn't exist, `platform` imports `socket`, but works without it
    /// (`Lib/platform.py`: `uname`, `_node`).
    pub(super) fn import_for_uname(&mut self, function: &str, place: &Place) {
        let is_linux = self.is_linux();
        if !is_linux && CALLS_UNAME.contains(&function) && !self.uname_is_cached {
            self.uname_is_cached = true;
            self.try_import("socket", place);
        }
    }

    /// Calls a function of the standard library by its dotted name.
    pub(super) fn call_known(
        &mut self,
        name: &str,
        arguments: Vec<Value>,
        keywords: &[(Name, Value)],
        frame: &mut Frame,
        place: &Place,
    ) -> Outcome {
        let first = arguments.first().unwrap_or(&Value::Unknown);
        let second = arguments.get(1);
        let path = || first.text().map(|text| WinPath::new(&*text));
        let on_path = |work: &dyn Fn(&WinPath) -> Value| path().map_or(Value::Unknown, |path| work(&path));
        let keyword = |wanted: &str| keywords.iter().find(|(name, _)| name == wanted).map(|(_, v)| v);
        let is_linux = self.is_linux();
        if is_exception(name) {
            let exception = Exception::new(name, message_of(&arguments));
            return Ok(Value::Exception(Rc::new(exception)));
        }
        self.import_for_uname(name, place);
        if let Some(value) = self.call_machinery(name, &arguments, keywords, place)? {
            return Ok(value);
        }
        if let Some(value) = self.call_functional(name, &arguments, keywords, frame)? {
            return Ok(value);
        }
        Ok(match name {
            "sys.set_lazy_imports" => {
                self.set_lazy_imports(first);
                Value::None
            }
            "__import__" => {
                let level = keyword("level").or(arguments.get(4)).map_or(Some(0), Value::number);
                let level = level.and_then(|level| u32::try_from(level).ok());
                let name = first.text().zip(level);
                let package = frame.module.package().to_owned();
                match name.as_ref().and_then(|(name, level)| absolute_name(&package, *level, name)) {
                    Some(dotted) => {
                        let module = self.import_expected(&dotted, frame, place)?;
                        let takes_names = keyword("fromlist").or(arguments.get(3)).and_then(Value::truth);
                        let is_relative = level != Some(0);
                        match self.modules.get(top_level(&dotted)) {
                            Some(top) if !is_relative && takes_names != Some(true) => {
                                Value::Module(top.clone())
                            }
                            _ => Value::Module(module),
                        }
                    }
                    None => self.unknown_load("the name of a module that __import__ imports", place),
                }
            }
            "importlib.import_module" => match first.text() {
                Some(module) => {
                    let package = second.or(keyword("package")).and_then(Value::text);
                    match resolve_relative(&module, package.as_deref()) {
                        Some(dotted) => Value::Module(self.import_expected(&dotted, frame, place)?),
                        None => Value::Unknown,
                    }
                }
                None => self.unknown_load("the name of a module that import_module imports", place),
            },
            "os.path.join" => {
                let parts: Option<Vec<Rc<str>>> = arguments.iter().map(Value::text).collect();
                if let (None, Some(Value::Str(base) | Value::Path(base) | Value::Below(base))) =
                    (&parts, arguments.first())
                {
                    let folder = arguments[1..].iter().map_while(Value::text);
                    let folder = folder.fold(WinPath::new(&**base), |folder, part| folder.join(&part));
                    let is_known = folder.is_absolute();
                    return Ok(if is_known { Value::Below(folder.as_str().into()) } else { Value::Unknown });
                }
                match parts.as_deref() {
                    Some([base, rest @ ..]) => {
                        let base = WinPath::new(&**base);
                        let joined = rest.iter().fold(base, |base, part| base.join(part));
                        Value::str(joined.as_str())
                    }
                    _ => Value::Unknown,
                }
            }
            "os.path.dirname" if matches!(first, Value::Below(_)) => above(first),
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" | "os.fspath" | "str"
                if matches!(first, Value::Below(_)) =>
            {
                first.clone()
            }
            "os.path.dirname" => {
                on_path(&|path| Value::str(path.parent().as_ref().map_or("", WinPath::as_str)))
            }
            "os.path.basename" => on_path(&|path| Value::str(path.file_name())),
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" => on_path(&|path| {
                if path.is_absolute() { Value::str(path.normalized().as_str()) } else { Value::Unknown }
            }),
            "os.path.expanduser" => match first.text() {
                Some(text) => self.with_home(&text).map_or(Value::Unknown, Value::str),
                None => Value::Unknown,
            },
            "os.path.normcase" => on_path(&|path| Value::str(path.as_str().to_lowercase())),
            "os.path.isabs" => on_path(&|path| Value::Bool(path.is_absolute())),
            "os.path.split" => on_path(&|path| {
                let parent = path.parent().as_ref().map_or(String::new(), |p| p.as_str().to_owned());
                Value::Tuple(Rc::new(vec![Value::str(parent), Value::str(path.file_name())]))
            }),
            "os.path.splitext" => on_path(&|path| {
                let text = path.as_str();
                let extension = path.extension();
                let cut = if extension.is_empty() { text.len() } else { text.len() - extension.len() - 1 };
                Value::Tuple(Rc::new(vec![Value::str(&text[..cut]), Value::str(&text[cut..])]))
            }),
            "os.path.exists" | "os.path.lexists" => self.kind_is(path(), |kind| kind.is_some()),
            "os.path.isfile" => self.kind_is(path(), |kind| kind == Some(EntryKind::File)),
            "os.path.isdir" => self.kind_is(path(), |kind| kind == Some(EntryKind::Folder)),
            "os.access" => self.has_access(path(), second.unwrap_or(&Value::Unknown)),
            "os.path.islink" | "os.path.ismount" => match path() {
                Some(_) => Value::Bool(false),
                None => Value::Unknown,
            },
            "os.path.relpath" => match (path(), second.and_then(Value::text)) {
                (Some(path), Some(start)) => {
                    path.below(&WinPath::new(&*start)).map_or(Value::Unknown, Value::str)
                }
                _ => Value::Unknown,
            },
            "os.path.expandvars" => match &first.text() {
                Some(text) => self.expanded(text),
                None => Value::Unknown,
            },
            "os.walk" => path().map_or(Value::Unknown, |path| self.walk_folder(&path.normalized())),
            "os.putenv" => {
                self.set_variable(first, second.unwrap_or(&Value::Unknown), frame);
                Value::None
            }
            "shutil.which" => match first.text() {
                Some(program) => self.which(&program),
                None => Value::Unknown,
            },
            "os.listdir" => match path().map(|path| self.interpreter.process.host().files.folder(&path)) {
                Some(Ok(folder)) => {
                    Value::list(folder.entries().iter().map(|entry| Value::str(&entry.name)).collect())
                }
                _ => Value::Unknown,
            },
            "os.fspath" | "os.fsdecode" => first.text().map_or(Value::Unknown, Value::Str),
            "os.getenv" => match self.variable(first) {
                Value::None => second.cloned().unwrap_or(Value::None),
                value => value,
            },
            "os.add_dll_directory" => return self.add_dll_directory(first, place),
            "glob.glob" | "glob.iglob" => path().and_then(|path| self.glob(&path)).unwrap_or(Value::Unknown),
            "platform.system" if is_linux => Value::str("Linux"),
            "platform.machine" if is_linux => Value::str("x86_64"),
            "platform.architecture" if is_linux => {
                Value::Tuple(Rc::new(vec![Value::str("64bit"), Value::str("ELF")]))
            }
            "platform.system" => Value::str("Windows"),
            "platform.machine" => Value::str(match self.platform_machine() {
                Machine::X86 => "x86",
                Machine::Arm64 => "ARM64",
                _ => "AMD64",
            }),
            "platform.python_implementation" => Value::str("CPython"),
            "platform.architecture" => {
                let bits = if self.is_32_bit() { "32bit" } else { "64bit" };
                Value::Tuple(Rc::new(vec![Value::str(bits), Value::str("WindowsPE")]))
            }
            "ctypes.WinDLL"
            | "ctypes.CDLL"
            | "ctypes.PyDLL"
            | "ctypes.OleDLL"
            | "ctypes.windll.LoadLibrary"
            | "ctypes.cdll.LoadLibrary"
            | "ctypes.oledll.LoadLibrary"
            | "ctypes.pydll.LoadLibrary" => {
                let target = arguments.first().or(keyword("name"));
                let winmode = keyword("winmode").or(arguments.get(5)).and_then(Value::number);
                let winmode = winmode.and_then(|mode| u32::try_from(mode).ok());
                match target.and_then(Value::text) {
                    Some(target) => {
                        let mode = CtypesMode { winmode };
                        self.name_caller(place);
                        let result = self.interpreter.load_library(&target, mode);
                        self.note_last_error(&result);
                        self.loaded_library(&target, result, place)?;
                        Value::Library(target)
                    }
                    None if matches!(target, Some(Value::None)) => Value::Unknown,
                    None => self.unknown_load("the name of a library that ctypes loads", place),
                }
            }
            "TF_LoadLibrary" => match first.text() {
                Some(target) => return self.load_operations(&target, place),
                None => self.unknown_load("the name of a library that TensorFlow loads", place),
            },
            "sys._getframe" => {
                let depth = if arguments.is_empty() { Some(0) } else { first.number() };
                let caller = |depth: i64| {
                    let callers = self.running.iter().rev().map(|(_, caller)| caller);
                    std::iter::once(&frame.module.file).chain(callers).nth(usize::try_from(depth).ok()?)
                };
                let file = depth.and_then(caller).cloned().flatten();
                file.map_or(Value::Unknown, Value::Frame)
            }
            "inspect.currentframe" => frame.module.file.clone().map_or(Value::Unknown, Value::Frame),
            "inspect.getfile" => match first {
                Value::Frame(file) => Value::str(file.as_str()),
                _ => Value::Unknown,
            },
            "ctypes.util.find_library" => match first.text() {
                Some(library) => {
                    let files = &self.interpreter.process.host().files;
                    let folders = self.interpreter.process.host().path_directories();
                    let found = folders.iter().find_map(|folder| {
                        [library.to_string(), format!("{library}.dll")]
                            .iter()
                            .map(|name| folder.join(name))
                            .find(|path| files.is_file(path))
                    });
                    found.map_or(Value::None, |path| Value::str(path.as_str()))
                }
                None => Value::Unknown,
            },
            // The source of the module's own data file: delvewheel stores the load order in one.
            "open" => match path().filter(|path| self.interpreter.process.host().files.is_file(path)) {
                Some(path) if second.is_none_or(|mode| mode.text().as_deref() == Some("r")) => {
                    Value::File(path)
                }
                _ => Value::Unknown,
            },
            "json.load" => match first {
                Value::File(path) => {
                    let text = self.interpreter.process.host().files.text(path);
                    text.map_or(Value::Unknown, |text| value_of_json(&text))
                }
                _ => Value::Unknown,
            },
            "json.loads" => first.text().map_or(Value::Unknown, |text| value_of_json(&text)),
            "ctypes.c_wchar_p" | "ctypes.c_char_p" => first.clone(),
            "contextlib.nullcontext" => {
                Value::NullContext(Rc::new(arguments.first().cloned().unwrap_or(Value::None)))
            }
            "contextlib.ExitStack" => Value::ExitStack(Rc::default()),
            "functools.wraps" | "functools.lru_cache" | "functools.cache" => match first {
                // Without arguments, the decorator receives the function itself.
                Value::Function(_) | Value::Bound(_) if name != "functools.wraps" => first.clone(),
                _ => Value::Known("functools.identity".into()),
            },
            "functools.identity" | "functools.update_wrapper" => first.clone(),
            "super" => self.super_of(frame),
            "object.__new__" => self.new_object(first),
            "property" => match first {
                Value::Function(getter) => Value::Descriptor(Decoration::Property, getter.clone()),
                _ => Value::Unknown,
            },
            "staticmethod" => match first {
                Value::Function(function) => Value::Descriptor(Decoration::Static, function.clone()),
                _ => Value::Unknown,
            },
            "type" => match first {
                Value::Instance(instance) if arguments.len() == 1 => Value::Class(instance.class.clone()),
                _ => Value::Unknown,
            },
            "setattr" => {
                let (name, value) = (second.and_then(Value::text), arguments.get(2));
                match (first, name, value) {
                    (Value::Instance(instance), Some(name), Some(value)) => {
                        self.set_attribute(instance, &Name::from(&*name), value.clone());
                    }
                    (Value::Module(module), Some(name), Some(value)) => module.set(&name, value.clone()),
                    (Value::Module(module), None, _) => module.open.set(true),
                    _ => {}
                }
                Value::None
            }
            "ctypes.get_last_error" => Value::Int(i64::from(self.last_error)),
            "ctypes.WinError" => {
                let code =
                    first.number().and_then(|code| u32::try_from(code).ok()).unwrap_or(self.last_error);
                let text = win32::message(code).unwrap_or("unknown error");
                let sentence = format!("[WinError {code}] {text}");
                let mut exception = Exception::new("OSError", Some(sentence.into()));
                // The error belongs to the last failed load.
                let last =
                    self.failures.len().checked_sub(1).filter(|_| code != 0 && code == self.last_error);
                exception.failures.extend(last);
                Value::Exception(Rc::new(exception))
            }
            "_cffi_backend.FFI" => Value::Known("_cffi_backend.FFI()".into()),
            "_cffi_backend.load_library" | "_cffi_backend.FFI().dlopen" => match first.text() {
                Some(target) => {
                    let flags = second.and_then(Value::number).and_then(|flags| u32::try_from(flags).ok());
                    return self.load_by_cffi(&target, flags.unwrap_or(0), place);
                }
                None if matches!(first, Value::None) => Value::Unknown,
                None => self.unknown_load("the name of a library that cffi loads", place),
            },
            "contextlib.suppress" => Value::Suppress(Rc::new(arguments)),
            "pathlib.Path" | "pathlib.PurePath" | "pathlib.WindowsPath" | "pathlib.PureWindowsPath" => {
                let parts: Option<Vec<Rc<str>>> = arguments.iter().map(Value::text).collect();
                match (parts.as_deref(), first) {
                    (Some([only]), _) if !only.contains('/') || only.starts_with('/') => {
                        Value::Path(only.clone())
                    }
                    (Some([base, rest @ ..]), _) => {
                        // `WindowsPath` converts slashes to backslashes. The paths of another
                        // system that WhyDLL runs on stay unchanged.
                        let is_foreign = is_linux || base.starts_with('/');
                        let base =
                            WinPath::new(if is_foreign { base.to_string() } else { base.replace('/', "\\") });
                        Value::path(&rest.iter().fold(base, |base, part| base.join(part)))
                    }
                    (None, Value::Str(base) | Value::Path(base) | Value::Below(base)) => {
                        Value::Below(base.clone())
                    }
                    _ => Value::Unknown,
                }
            }
            "pathlib.Path.home" => self.home().map_or(Value::Unknown, |home| Value::path(&home)),
            "traceback.format_exc" => match frame.handled_sentence() {
                Some(sentence) => Value::str(format!("Traceback (most recent call last):\n  …\n{sentence}")),
                None => Value::Unknown,
            },
            "isinstance" => {
                let class = second.unwrap_or(&Value::Unknown);
                is_instance(first, class).map_or(Value::Unknown, Value::Bool)
            }
            "issubclass" => {
                let class = second.unwrap_or(&Value::Unknown);
                is_subclass(first, class).map_or(Value::Unknown, Value::Bool)
            }
            "len" => first.count().map_or(Value::Unknown, |count| Value::Int(count as i64)),
            "str" => first.to_text().map_or(Value::Unknown, Value::str),
            "repr" => first.to_repr().map_or(Value::Unknown, Value::str),
            "int" => match first {
                Value::Str(text) => text.trim().parse().map_or(Value::Unknown, Value::Int),
                value => value.number().map_or(Value::Unknown, Value::Int),
            },
            "bool" => first.truth().map_or(Value::Unknown, Value::Bool),
            "list" | "tuple" | "set" | "frozenset" | "reversed" => {
                let items =
                    if arguments.is_empty() { Some(Vec::new()) } else { self.items_of(first, place)? };
                let Some(mut items) = items else {
                    return Ok(Value::Unknown);
                };
                match name {
                    "tuple" => return Ok(Value::Tuple(Rc::new(items))),
                    "reversed" => items.reverse(),
                    _ => {}
                }
                Value::list(items)
            }
            "dict" | "collections.OrderedDict" => {
                let pairs = match first {
                    _ if arguments.is_empty() => Some(Vec::new()),
                    Value::Dict(items) => Some(items.borrow().clone()),
                    // A longer item raises an exception in Python.
                    other => other.items().and_then(|items| items.iter().map(pair).collect()),
                };
                let Some(mut pairs) = pairs else {
                    return Ok(Value::Unknown);
                };
                pairs.extend(keywords.iter().map(|(name, value)| (Value::str(name), value.clone())));
                self.table(pairs)
            }
            "dict.fromkeys" => {
                /// The maximum number of keys. Loops over larger dictionaries take too long: torch
                /// lists 2,500 of its functions.
                const MAX_KEYS: usize = 1_000;
                let keys = self.items_of(first, place)?;
                let Some(keys) = keys.filter(|keys| keys.len() <= MAX_KEYS) else {
                    return Ok(Value::Unknown);
                };
                self.spend_many(keys.len() as u64);
                let value = second.unwrap_or(&Value::None);
                let pairs = merged(keys.into_iter().map(|key| (key, value.clone())));
                self.table(pairs)
            }
            "any" | "all" => {
                let decides = name == "any";
                let Some(items) = self.items_of(first, place)? else {
                    return Ok(Value::Unknown);
                };
                if items.iter().any(|item| item.truth() == Some(decides)) {
                    Value::Bool(decides)
                } else if items.iter().all(|item| item.truth().is_some()) {
                    Value::Bool(!decides)
                } else {
                    Value::Unknown
                }
            }
            "enumerate" => self.items_of(first, place)?.map_or(Value::Unknown, |items| {
                let pairs = items.into_iter().enumerate();
                Value::list(
                    pairs
                        .map(|(at, item)| Value::Tuple(Rc::new(vec![Value::Int(at as i64), item])))
                        .collect(),
                )
            }),
            "zip" => match (first.items(), second.and_then(Value::items)) {
                (Some(a), Some(b)) if arguments.len() == 2 => {
                    let pairs = a.into_iter().zip(b);
                    Value::list(pairs.map(|(a, b)| Value::Tuple(Rc::new(vec![a, b]))).collect())
                }
                _ => Value::Unknown,
            },
            "range" => match (first.number(), second) {
                (Some(end), None) if (0..2_000).contains(&end) => {
                    Value::list((0..end).map(Value::Int).collect())
                }
                _ => Value::Unknown,
            },
            "hasattr" => match second.and_then(Value::text) {
                Some(attribute) if let Value::Instance(instance) = first => {
                    match self.instance_has(instance, &attribute) {
                        Some(known) => Value::Bool(known),
                        None => match self.instance_attribute(instance, &attribute, place)? {
                            Some(Value::Unknown) | None => Value::Unknown,
                            Some(_) => Value::Bool(true),
                        },
                    }
                }
                Some(attribute) => {
                    if let Value::Module(module) = first {
                        self.lazily_imported(module, &Name::from(&*attribute), place)?;
                    }
                    self.has_attribute(first, &attribute).map_or(Value::Unknown, Value::Bool)
                }
                None => Value::Unknown,
            },
            "getattr" => match second.and_then(Value::text) {
                Some(attribute) if let Value::Instance(instance) = first => {
                    match (self.instance_attribute(instance, &attribute, place)?, arguments.get(2)) {
                        (Some(value), _) => value,
                        (None, Some(default)) if self.instance_has(instance, &attribute) == Some(false) => {
                            default.clone()
                        }
                        (None, _) => Value::Unknown,
                    }
                }
                Some(attribute) if matches!(first, Value::Class(_) | Value::Super(_) | Value::Record(_)) => {
                    self.attribute_of(first.clone(), &Name::from(&*attribute), place)?
                }
                Some(attribute)
                    if let Value::Module(module) = first
                        && let Some(value) =
                            self.lazily_imported(module, &Name::from(&*attribute), place)? =>
                {
                    value
                }
                Some(attribute) => match (self.has_attribute(first, &attribute), arguments.get(2)) {
                    (Some(false), Some(default)) => default.clone(),
                    (None, _) if matches!(first, Value::Module(_)) => {
                        let Value::Module(module) = first else { return Ok(Value::Unknown) };
                        self.lazy_attribute(module, &Name::from(&*attribute), place)?
                            .unwrap_or(Value::Unknown)
                    }
                    (Some(true), _) => match first {
                        Value::Module(module) => standard_or_own(module, &attribute, self),
                        Value::Known(known) => {
                            self::attribute(known, &attribute, self).unwrap_or(Value::Unknown)
                        }
                        _ => Value::Unknown,
                    },
                    _ => Value::Unknown,
                },
                None => Value::Unknown,
            },
            "globals" => Value::Globals(frame.module.clone()),
            "locals" => match &frame.locals {
                Some(locals) => {
                    let mut names: Vec<_> = locals.iter().collect();
                    names.sort_by_key(|(name, _)| name.as_str());
                    let pairs: Vec<_> =
                        names.into_iter().map(|(name, value)| (Value::str(name), value.clone())).collect();
                    self.table(pairs)
                }
                None => Value::Globals(frame.module.clone()),
            },
            "compile" => match first {
                Value::Str(text) => Value::Code(text.clone()),
                _ => Value::Unknown,
            },
            "exec" => match first {
                Value::Code(text) | Value::Str(text) => {
                    return self.exec(text, second, arguments.get(2), frame);
                }
                _ => self.unknown_load("the argument of exec", place),
            },
            "copy.copy" | "copy.deepcopy" => match first {
                Value::Known(name) if name == "sys.path" => self.sys_path_entries(),
                Value::List(items) => Value::list(items.borrow().clone()),
                Value::Dict(items) => Value::Dict(Rc::new(items.borrow().clone().into())),
                value => value.clone(),
            },
            "print" => Value::None,
            _ => Value::Unknown,
        })
    }

    fn table(&mut self, pairs: Vec<(Value, Value)>) -> Value {
        if self.may_nest(pairs.iter().map(|(_, value)| value)) {
            Value::Dict(Rc::new(RefCell::new(pairs)))
        } else {
            Value::Unknown
        }
    }

    pub(super) fn unknown_load(&mut self, what: &str, place: &Place) -> Value {
        self.step(Event::UnknownLoad(format!("{what} can't be determined from the code")), place);
        Value::Unknown
    }
}

/// Returns the folder above an unknown path.
pub(in crate::plan) fn above(path: &Value) -> Value {
    match path {
        Value::Below(folder) => {
            let above = WinPath::new(&**folder).parent();
            above.map_or(Value::Unknown, |above| Value::Below(above.as_str().into()))
        }
        _ => Value::Unknown,
    }
}

/// Returns an attribute of an unknown path.
pub(in crate::plan) fn attribute_below(folder: &Rc<str>, name: &str) -> Value {
    match name {
        "parent" => above(&Value::Below(folder.clone())),
        "joinpath" | "resolve" | "absolute" | "as_posix" | "with_name" | "with_suffix" | "__str__" => {
            Value::Method(Rc::new((Value::Below(folder.clone()), name.into())))
        }
        _ => Value::Unknown,
    }
}

/// Unpacks a pair of values.
pub(in crate::plan) fn pair(value: &Value) -> Option<(Value, Value)> {
    let [key, value] = value.items()?.try_into().ok()?;
    Some((key, value))
}

/// Whether a value is an instance of a class, or of one of a tuple of classes.
fn is_instance(value: &Value, class: &Value) -> Option<bool> {
    match class {
        Value::Class(class) => match value {
            Value::Instance(instance) => instance.class.is_subclass_of(class),
            Value::None | Value::Str(_) | Value::Bool(_) | Value::Int(_) => Some(false),
            Value::Function(_) | Value::Bound(_) => class.is_closed().then_some(false),
            _ => None,
        },
        Value::Tuple(classes) => any_known(classes.iter().map(|class| is_instance(value, class))),
        Value::Known(class) => {
            let own: &[&str] = match value {
                Value::Str(_) => &["str"],
                Value::Bool(_) => &["bool", "int"],
                Value::Int(_) => &["int"],
                Value::Tuple(_) => &["tuple"],
                Value::Dict(_) => &["dict"],
                // It may represent a set.
                Value::List(_) if !["list", "set", "frozenset"].contains(&class.as_str()) => &[],
                Value::Function(_) => &["types.FunctionType", "types.LambdaType"],
                Value::Bound(_) => &["types.MethodType"],
                _ => return None,
            };
            // For other classes, such as collections.abc.Callable, `isinstance` depends on the
            // methods of the object.
            const PLAIN: [&str; 13] = [
                "str",
                "bool",
                "int",
                "tuple",
                "dict",
                "list",
                "set",
                "frozenset",
                "type",
                "functools.partial",
                "types.FunctionType",
                "types.LambdaType",
                "types.MethodType",
            ];
            PLAIN.contains(&class.as_str()).then(|| own.contains(&class.as_str()))
        }
        _ => None,
    }
}

/// Whether one of the answers is true. Returns `None` if an answer is unknown.
fn any_known(mut answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    answers.try_fold(false, |before, answer| Some(before | answer?))
}

/// Whether a class of the program is the same as or a subclass of another, or of one of a tuple.
fn is_subclass(value: &Value, class: &Value) -> Option<bool> {
    match (value, class) {
        (Value::Class(value), Value::Class(class)) => value.is_subclass_of(class),
        (_, Value::Tuple(classes)) => any_known(classes.iter().map(|class| is_subclass(value, class))),
        _ => None,
    }
}

/// Resolves the name in `import_module(".name", package)`.
fn resolve_relative(name: &str, package: Option<&str>) -> Option<String> {
    let tail = name.trim_start_matches('.');
    let level = name.len() - tail.len();
    if level == 0 {
        return Some(name.to_owned());
    }
    let mut base = package?;
    for _ in 1..level {
        base = base.rsplit_once('.')?.0;
    }
    Some(if tail.is_empty() { base.to_owned() } else { format!("{base}.{tail}") })
}

/// Returns the result of `json.loads(text)`, or an unknown value if the string is long or isn't
/// JSON.
fn value_of_json(text: &str) -> Value {
    const MAX_JSON: usize = 64 << 10;
    // In a snapshot, the contents of a file without the `.json` extension are at first only a
    // placeholder.
    if placeholders::is_placeholder(text) {
        placeholders::record_read(text);
    }
    fn convert(json: serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::None,
            serde_json::Value::Bool(value) => Value::Bool(value),
            serde_json::Value::Number(number) => number.as_i64().map_or(Value::Unknown, Value::Int),
            serde_json::Value::String(text) => Value::str(text),
            serde_json::Value::Array(items) => Value::list(items.into_iter().map(convert).collect()),
            serde_json::Value::Object(items) => {
                let items = items.into_iter().map(|(key, value)| (Value::str(key), convert(value)));
                Value::Dict(Rc::new(RefCell::new(items.collect())))
            }
        }
    }
    match text.len() <= MAX_JSON {
        true => serde_json::from_str(text).map_or(Value::Unknown, convert),
        false => Value::Unknown,
    }
}

//! The part of Python's library that decides loads, performed by the plan itself: `os.path`, `glob`,
//! `sys.platform`, `ctypes`, `os.add_dll_directory`, `importlib.import_module`.
//!
//! This is knowledge of the standard library, the same for every program. Whatever is not named here
//! gives a value that is not known.

use std::cell::RefCell;
use std::rc::Rc;

use super::evaluate::message_of;
use super::import::traced;
use super::value::{Exception, LONGEST, Value};
use super::walk::Frame;
use super::{Event, LoadFailure, LoadKind, Place, Plan};
use crate::cpython::{CtypesMode, LoadError, windows_message};
use crate::host::{EntryKind, WinPath, fold_name};
use crate::image::Machine;
use crate::source::{Name, top_level};

type Outcome = Result<Value, Rc<Exception>>;

/// Functions and classes that [`Plan::call_known`] performs, and namespaces that hold some, by module.
const KNOWN: &[(&str, &[&str])] = &[
    ("os", &["path", "environ", "getenv", "listdir", "add_dll_directory", "fspath", "fsdecode"]),
    (
        "os.path",
        &[
            "join", "dirname", "basename", "abspath", "realpath", "normpath", "normcase", "exists", "isfile",
            "isdir", "split", "splitext", "isabs",
        ],
    ),
    ("sys", &["path", "modules"]),
    ("platform", &["system", "machine", "python_implementation", "python_version", "architecture"]),
    ("sysconfig", &["get_platform"]),
    (
        "ctypes",
        &[
            "WinDLL",
            "CDLL",
            "PyDLL",
            "OleDLL",
            "windll",
            "cdll",
            "oledll",
            "pydll",
            "util",
            "c_wchar_p",
            "c_char_p",
        ],
    ),
    ("ctypes.util", &["find_library"]),
    ("glob", &["glob", "iglob"]),
    ("importlib", &["import_module"]),
    ("contextlib", &["suppress"]),
    ("pathlib", &["Path", "PurePath", "WindowsPath"]),
    ("traceback", &["format_exc"]),
    ("itertools", &["chain"]),
    ("collections", &["OrderedDict"]),
];

/// Attributes that these modules do not have on Windows, which programs ask for with `hasattr`.
const ABSENT: &[(&str, &[&str])] = &[
    ("sys", &["getdlopenflags", "setdlopenflags", "frozen", "_MEIPASS", "real_prefix", "pypy_version_info"]),
    ("os", &["fork", "uname", "getuid", "geteuid", "sched_getaffinity"]),
];

const FUNCTIONS: &[&str] = &[
    "__import__",
    "len",
    "str",
    "repr",
    "int",
    "bool",
    "list",
    "tuple",
    "set",
    "frozenset",
    "dict",
    "sorted",
    "reversed",
    "hasattr",
    "getattr",
    "any",
    "all",
    "range",
    "enumerate",
    "zip",
    "isinstance",
    "open",
    "print",
];

const EXCEPTIONS: &[&str] = &[
    "BaseException",
    "Exception",
    "ImportError",
    "ModuleNotFoundError",
    "OSError",
    "IOError",
    "EnvironmentError",
    "WindowsError",
    "FileNotFoundError",
    "PermissionError",
    "RuntimeError",
    "NotImplementedError",
    "RecursionError",
    "AttributeError",
    "NameError",
    "UnboundLocalError",
    "KeyError",
    "IndexError",
    "LookupError",
    "ValueError",
    "TypeError",
    "AssertionError",
    "SystemError",
    "SystemExit",
    "KeyboardInterrupt",
    "StopIteration",
    "UnicodeDecodeError",
    "UnicodeError",
    "EOFError",
    "Warning",
    "ImportWarning",
    "DeprecationWarning",
    "UserWarning",
    "RuntimeWarning",
    "ArithmeticError",
    "ZeroDivisionError",
    "OverflowError",
    "MemoryError",
    "SyntaxError",
    "TimeoutError",
    "ConnectionError",
];

/// Names of the module `builtins` of Python 3 that are neither functions above nor exceptions.
const OTHER_BUILTINS: &[&str] = &[
    "abs",
    "aiter",
    "anext",
    "ascii",
    "bin",
    "breakpoint",
    "bytearray",
    "bytes",
    "callable",
    "chr",
    "classmethod",
    "compile",
    "complex",
    "delattr",
    "dir",
    "divmod",
    "eval",
    "exec",
    "exit",
    "filter",
    "float",
    "format",
    "globals",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "issubclass",
    "iter",
    "locals",
    "map",
    "max",
    "memoryview",
    "min",
    "next",
    "object",
    "oct",
    "ord",
    "pow",
    "property",
    "quit",
    "round",
    "setattr",
    "slice",
    "staticmethod",
    "sum",
    "super",
    "type",
    "vars",
    "copyright",
    "credits",
    "license",
    "NotImplemented",
    "Ellipsis",
    "__debug__",
    "__build_class__",
    "__doc__",
    "__spec__",
    "__loader__",
    "__package__",
    "__file__",
    "__name__",
    "__path__",
    "__builtins__",
    "__cached__",
    "__dict__",
    "__annotations__",
];

pub(super) fn is_exception(name: &str) -> bool {
    EXCEPTIONS.contains(&name)
}

/// Whether it is an object whose methods the plan performs, rather than a namespace.
pub(super) fn has_methods(known: &str) -> bool {
    matches!(known, "os.environ" | "sys.path")
}

/// The built-in of this name, if the plan knows what it does.
pub(super) fn builtin(name: &str) -> Option<Value> {
    (FUNCTIONS.contains(&name) || is_exception(name)).then(|| Value::Known(name.into()))
}

/// Whether a name is defined without the module's doing.
pub(super) fn is_builtin_name(name: &str) -> bool {
    builtin(name).is_some()
        || OTHER_BUILTINS.contains(&name)
        || name.ends_with("Warning")
        || name.ends_with("Error")
}

/// An attribute of a module or namespace of the standard library.
pub(super) fn attribute(module: &str, name: &str, plan: &Plan<'_>) -> Option<Value> {
    let module = if module == "ntpath" { "os.path" } else { module };
    let environment = plan.interpreter().environment;
    let version = &environment.version;
    let value = match (module, name) {
        ("os", "name") => Value::str("nt"),
        ("os" | "os.path", "sep") => Value::str("\\"),
        ("os" | "os.path", "altsep") => Value::str("/"),
        ("os" | "os.path", "pathsep") => Value::str(";"),
        ("os" | "os.path", "curdir") => Value::str("."),
        ("os" | "os.path", "pardir") => Value::str(".."),
        ("os", "add_dll_directory") if plan.interpreter().searches_path() => return None,
        ("sys", "platform") => Value::str("win32"),
        ("sys", "byteorder") => Value::str("little"),
        ("sys", "executable" | "_base_executable") => Value::str(environment.interpreter.as_str()),
        ("sys", "prefix" | "exec_prefix") => Value::str(environment.prefix.as_str()),
        ("sys", "base_prefix" | "base_exec_prefix") => Value::str(environment.base_prefix.as_str()),
        ("sys", "version_info") => {
            let number = |part: u16| Value::Int(i64::from(part));
            let micro = version.micro.unwrap_or_default();
            Value::Tuple(Rc::new(vec![
                number(version.major),
                number(version.minor),
                number(micro),
                Value::str("final"),
                Value::Int(0),
            ]))
        }
        ("sys", "hexversion") => Value::Int(
            (i64::from(version.major) << 24)
                | (i64::from(version.minor) << 16)
                | (i64::from(version.micro.unwrap_or_default()) << 8)
                | 0xf0,
        ),
        ("sys", "maxsize") if environment.machine == Machine::X86 => Value::Int(i64::from(i32::MAX)),
        ("sys", "maxsize") => Value::Int(i64::MAX),
        ("typing" | "typing_extensions", "TYPE_CHECKING") => Value::Bool(false),
        ("ctypes.windll" | "ctypes.cdll" | "ctypes.oledll" | "ctypes.pydll", name) => {
            return Some(match name {
                "LoadLibrary" => Value::Known(format!("{module}.{name}").into()),
                _ => Value::Library(name.into()),
            });
        }
        _ => {
            let (_, names) = KNOWN.iter().find(|(known, _)| *known == module)?;
            return names.contains(&name).then(|| Value::Known(format!("{module}.{name}").into()));
        }
    };
    Some(value)
}

/// `path.parent` and the like.
pub(super) fn path_attribute(path: &str, name: &str) -> Option<Value> {
    let path = WinPath::new(path);
    let file_name = path.file_name();
    Some(match name {
        "parent" => Value::path(&path.parent().unwrap_or_else(|| path.clone())),
        "name" => Value::str(file_name),
        "stem" => Value::str(file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem)),
        "suffix" => Value::str(file_name.rsplit_once('.').map_or(String::new(), |(_, s)| format!(".{s}"))),
        "parents" => {
            let mut parents = Vec::new();
            let mut folder = path.parent();
            while let Some(parent) = folder {
                parents.push(Value::path(&parent));
                folder = parent.parent();
            }
            Value::Tuple(Rc::new(parents))
        }
        _ => return None,
    })
}

impl Plan<'_> {
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
        if is_exception(name) {
            let exception = Exception::new(name, message_of(&arguments));
            return Ok(Value::Exception(Rc::new(exception)));
        }
        Ok(match name {
            "__import__" => match first.text() {
                Some(module) => {
                    self.import_expected(&module, frame, place)?;
                    self.modules
                        .get(top_level(&module))
                        .map_or(Value::Unknown, |top| Value::Module(top.clone()))
                }
                None => self.cannot_know("the name of a module that __import__ imports", place),
            },
            "importlib.import_module" => match first.text() {
                Some(module) => {
                    let package = second.or(keyword("package")).and_then(Value::text);
                    match resolve_relative(&module, package.as_deref()) {
                        Some(dotted) => Value::Module(self.import_expected(&dotted, frame, place)?),
                        None => Value::Unknown,
                    }
                }
                None => self.cannot_know("the name of a module that import_module imports", place),
            },
            "os.path.join" => {
                let parts: Option<Vec<Rc<str>>> = arguments.iter().map(Value::text).collect();
                match parts.as_deref() {
                    Some([base, rest @ ..]) => {
                        let base = WinPath::new(&**base);
                        let joined = rest.iter().fold(base, |base, part| base.join(part));
                        Value::str(joined.as_str())
                    }
                    _ => Value::Unknown,
                }
            }
            "os.path.dirname" => {
                on_path(&|path| Value::str(path.parent().as_ref().map_or("", WinPath::as_str)))
            }
            "os.path.basename" => on_path(&|path| Value::str(path.file_name())),
            "os.path.abspath" | "os.path.realpath" | "os.path.normpath" => on_path(&|path| {
                if path.is_absolute() { Value::str(path.normalized().as_str()) } else { Value::Unknown }
            }),
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
            "os.path.exists" => self.kind_is(path(), |kind| kind.is_some()),
            "os.path.isfile" => self.kind_is(path(), |kind| kind == Some(EntryKind::File)),
            "os.path.isdir" => self.kind_is(path(), |kind| kind == Some(EntryKind::Folder)),
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
            "os.add_dll_directory" => return self.add_dll_directory(path(), place),
            "glob.glob" | "glob.iglob" => path().and_then(|path| self.glob(&path)).unwrap_or(Value::Unknown),
            "platform.system" => Value::str("Windows"),
            "platform.machine" => Value::str(match self.interpreter.environment.machine {
                Machine::X86 => "x86",
                Machine::Arm64 => "ARM64",
                _ => "AMD64",
            }),
            "platform.python_implementation" => Value::str("CPython"),
            "platform.architecture" => {
                let bits =
                    if self.interpreter.environment.machine == Machine::X86 { "32bit" } else { "64bit" };
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
                        self.loaded_library(&target, result, place)?;
                        Value::Library(target)
                    }
                    None if matches!(target, Some(Value::None)) => Value::Unknown,
                    None => self.cannot_know("the name of a library that ctypes loads", place),
                }
            }
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
            // The text of a module's own data file: delvewheel keeps the order of loads in one.
            "open" => match path().filter(|path| self.interpreter.process.host().files.is_file(path)) {
                Some(path) if second.is_none() => Value::File(path),
                _ => Value::Unknown,
            },
            "ctypes.c_wchar_p" | "ctypes.c_char_p" => first.clone(),
            "contextlib.suppress" => Value::Suppress(Rc::new(arguments)),
            "pathlib.Path" | "pathlib.PurePath" | "pathlib.WindowsPath" => {
                first.text().map_or(Value::Unknown, Value::Path)
            }
            "traceback.format_exc" => match frame.handled_sentence() {
                Some(sentence) => Value::str(format!("Traceback (most recent call last):\n  …\n{sentence}")),
                None => Value::Unknown,
            },
            "len" => first.items().map_or(Value::Unknown, |items| Value::Int(items.len() as i64)),
            "str" => first.to_text().map_or(Value::Unknown, Value::str),
            "repr" => first.to_repr().map_or(Value::Unknown, Value::str),
            "int" => match first {
                Value::Str(text) => text.trim().parse().map_or(Value::Unknown, Value::Int),
                value => value.number().map_or(Value::Unknown, Value::Int),
            },
            "bool" => first.truth().map_or(Value::Unknown, Value::Bool),
            "list" | "tuple" | "set" | "frozenset" | "reversed" | "sorted" => {
                let Some(mut items) = (if arguments.is_empty() { Some(Vec::new()) } else { first.items() })
                else {
                    return Ok(Value::Unknown);
                };
                match name {
                    "tuple" => return Ok(Value::Tuple(Rc::new(items))),
                    "reversed" => items.reverse(),
                    "sorted" => {
                        if items.iter().any(|item| item.text().is_none()) {
                            return Ok(Value::Unknown);
                        }
                        items.sort_by_key(Value::text);
                    }
                    _ => {}
                }
                Value::list(items)
            }
            "dict" | "collections.OrderedDict" => {
                let pairs = match first {
                    _ if arguments.is_empty() => Some(Vec::new()),
                    Value::Dict(items) => Some(items.borrow().clone()),
                    // Of a longer item Python makes an exception.
                    other => other.items().and_then(|items| items.iter().map(pair).collect()),
                };
                let Some(mut pairs) = pairs else {
                    return Ok(Value::Unknown);
                };
                pairs.extend(keywords.iter().map(|(name, value)| (Value::str(name), value.clone())));
                if self.may_nest(pairs.iter().map(|(_, value)| value)) {
                    Value::Dict(Rc::new(RefCell::new(pairs)))
                } else {
                    Value::Unknown
                }
            }
            "any" | "all" => {
                let decides = name == "any";
                let Some(items) = first.items() else {
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
            "enumerate" => first.items().map_or(Value::Unknown, |items| {
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
                Some(attribute) => self.has_attribute(first, &attribute).map_or(Value::Unknown, Value::Bool),
                None => Value::Unknown,
            },
            "getattr" => match second.and_then(Value::text) {
                Some(attribute) => match (self.has_attribute(first, &attribute), arguments.get(2)) {
                    (Some(false), Some(default)) => default.clone(),
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
            "print" => Value::None,
            _ => Value::Unknown,
        })
    }

    /// Calls a method of a value.
    pub(super) fn call_method(
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
                match (name, entry.filter(WinPath::is_absolute)) {
                    // Where it stands in the list matters only if it is first.
                    ("insert", Some(entry)) if first.number() == Some(0) && self.uncertain == 0 => {
                        self.sys_path.insert(0, entry);
                    }
                    ("append" | "insert", Some(entry)) => self.sys_path.push(entry),
                    _ => {}
                }
                self.spend_many(self.sys_path.len() as u64);
                Value::None
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

    fn cannot_know(&mut self, what: &str, place: &Place) -> Value {
        self.step(Event::Unknown(format!("{what} is not known from the text")), place);
        Value::Unknown
    }

    fn kind_is(&self, path: Option<WinPath>, test: impl Fn(Option<EntryKind>) -> bool) -> Value {
        match path.filter(WinPath::is_absolute) {
            Some(path) => {
                let kind = self.interpreter.process.host().files.kind(&path.normalized());
                Value::Bool(test(kind))
            }
            None => Value::Unknown,
        }
    }

    fn has_attribute(&self, object: &Value, name: &str) -> Option<bool> {
        let module = match object {
            Value::Module(module) => &module.name,
            Value::Known(known) => known,
            _ => return None,
        };
        if attribute(module, name, self).is_some() {
            return Some(true);
        }
        let listed = |table: &[(&str, &[&str])]| {
            table.iter().any(|(known, names)| known == module && names.contains(&name))
        };
        if listed(ABSENT) || listed(KNOWN) {
            return Some(false);
        }
        match object {
            Value::Module(own) if own.get(name).is_some() => Some(true),
            Value::Module(own) if !own.open.get() => Some(false),
            _ => None,
        }
    }

    fn add_dll_directory(&mut self, path: Option<WinPath>, place: &Place) -> Outcome {
        let Some(path) = path.filter(WinPath::is_absolute) else {
            self.unknown_directories = true;
            return Ok(self.cannot_know("a directory given to os.add_dll_directory", place));
        };
        let path = path.normalized();
        if !self.interpreter.process.host().files.is_folder(&path) {
            let quoted = Value::str(path.as_str()).to_repr().unwrap_or_default();
            let text = format!("[WinError 2] The system cannot find the file specified: {quoted}");
            return Err(traced(Rc::new(Exception::new("FileNotFoundError", Some(text.into()))), place));
        }
        self.step(Event::DirectoryAdded(path.clone()), place);
        let by = self.described(place);
        self.interpreter.process.add_dll_directory(path.clone(), by);
        Ok(Value::AddedDirectory(path))
    }

    /// `numpy/__init__.py:12`, from the folder of packages on.
    /// Tells the process which statement makes the next load.
    pub(super) fn name_caller(&mut self, place: &Place) {
        let caller = place.file.is_some().then(|| self.described(place));
        self.interpreter.process.set_caller(caller.as_deref());
    }

    fn described(&self, place: &Place) -> String {
        let Some(file) = &place.file else {
            return format!("line {}", place.line);
        };
        let below =
            self.sys_path.iter().filter_map(|folder| file.below(folder)).min_by_key(|tail| tail.len());
        let tail = below.unwrap_or(file.as_str()).replace('\\', "/");
        format!("{tail}:{}", place.line)
    }

    fn loaded_library(
        &mut self,
        target: &str,
        result: Result<(), crate::cpython::LoadError>,
        place: &Place,
    ) -> Result<(), Rc<Exception>> {
        let event = Event::Library { name: target.to_owned(), loaded: result.is_ok() };
        self.step(event, place);
        let Err(error) = result else {
            return Ok(());
        };
        if self.may_lie_elsewhere(&error) {
            self.step(Event::Unknown(format!("{target} may lie in a directory that is not known")), place);
            return Ok(());
        }
        let (class, text) = self.interpreter.ctypes_sentence(target, &error);
        let failure = self.failed(LoadFailure {
            target: target.to_owned(),
            kind: LoadKind::Ctypes,
            at: place.clone(),
            error,
            sentence: format!("{class}: {text}"),
            uncertain: self.uncertain > 0,
        });
        let mut exception = Exception::new(class, Some(text.into()));
        exception.failures.push(failure);
        Err(traced(Rc::new(exception), place))
    }

    /// A function of a library that ctypes has loaded. LoadLibrary is called by hand by packages that
    /// need flags which ctypes does not give; it returns NULL where it fails.
    fn library_function(&mut self, library: &str, name: &str, arguments: &[Value], place: &Place) -> Outcome {
        let kernel = fold_name(library).trim_end_matches(".dll") == "kernel32";
        if !kernel || !name.starts_with("LoadLibrary") {
            return Ok(Value::Unknown);
        }
        let Some(target) = arguments.first().and_then(Value::text) else {
            return Ok(self.cannot_know("the name of a library that LoadLibrary loads", place));
        };
        let flags = arguments.get(2).and_then(Value::number).and_then(|flags| u32::try_from(flags).ok());
        self.name_caller(place);
        let result = self.interpreter.load_with_flags(&target, flags.unwrap_or(0));
        if self.loaded_library(&target, result, place).is_ok() {
            return Ok(Value::Int(1));
        }
        // NULL, and no exception: what the program makes of it is in its own code. Most raise ctypes.WinError.
        if let Some(LoadFailure { sentence, error: LoadError::Windows(failure), .. }) =
            self.failures.last_mut()
        {
            let text = windows_message(failure.code()).unwrap_or("unknown error");
            *sentence = format!("OSError: [WinError {}] {text}", failure.code());
        }
        Ok(Value::None)
    }

    /// Files of a folder whose name matches the pattern's last part.
    fn glob(&self, pattern: &WinPath) -> Option<Value> {
        let folder = pattern.parent()?;
        let name = fold_name(pattern.file_name());
        if folder.as_str().contains(['*', '?', '[']) || name.contains(['[', ']']) || name.contains("**") {
            return None;
        }
        let listing = self.interpreter.process.host().files.folder(&folder.normalized()).ok();
        let entries = listing.as_ref().map(|listing| listing.entries()).unwrap_or_default();
        let matching = entries.iter().filter(|entry| matches(&name, &fold_name(&entry.name)));
        Some(Value::list(matching.map(|entry| Value::str(folder.join(&entry.name).as_str())).collect()))
    }

    /// A variable of the process's environment, None if it is not set.
    pub(super) fn variable(&self, name: &Value) -> Value {
        let Some(name) = name.text() else {
            return Value::Unknown;
        };
        let name = name.to_ascii_uppercase();
        if self.unknown_variables.contains(&name) {
            return Value::Unknown;
        }
        match self.interpreter.process.variable(&name) {
            Some(value) => Value::str(value),
            // Every process has a PATH, even if we do not know which.
            None if name == "PATH" => Value::str(""),
            None => Value::None,
        }
    }

    /// `os.environ["PATH"] = …`
    pub(super) fn set_variable(&mut self, name: &Value, value: &Value, frame: &Frame) {
        let Some(name) = name.text().map(|name| name.to_ascii_uppercase()) else {
            return;
        };
        match value.text() {
            Some(value) => {
                self.unknown_variables.remove(&name);
                self.interpreter.process.set_variable(&name, Some(&value));
            }
            None => {
                if name == "PATH" {
                    self.cannot_know("a new value of PATH", &frame.place());
                }
                self.unknown_variables.insert(name);
            }
        }
    }

    pub(super) fn set_sys_path(&mut self, value: &Value) {
        if let Some(entries) = value.items() {
            self.sys_path =
                entries.iter().filter_map(Value::text).map(|entry| WinPath::new(&*entry)).collect();
        }
    }
}

/// A pair of values.
fn pair(value: &Value) -> Option<(Value, Value)> {
    let [key, value] = value.items()?.try_into().ok()?;
    Some((key, value))
}

fn standard_or_own(module: &super::value::ModuleRef, name: &str, plan: &Plan<'_>) -> Value {
    attribute(&module.name, name, plan).or_else(|| module.get(name)).unwrap_or(Value::Unknown)
}

/// `fnmatch`, for `*` and `?`, of names in one case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// `import_module(".name", package)`
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

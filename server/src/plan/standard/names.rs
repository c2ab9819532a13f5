//! The names of the standard library that the plan implements, and the attributes of modules.

use std::rc::Rc;
use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

use super::super::Plan;
use super::super::value::{ModuleRef, Value};
use crate::environment::Platform;
use crate::host::fold_name;
use crate::image::Machine;

/// The value of `os.W_OK`.
pub(super) const WRITABLE: i64 = 2;

/// The functions and classes that [`Plan::call_known`] implements, and the namespaces that contain
/// them, by module.
const KNOWN: &[(&str, &[&str])] = &[
    (
        "os",
        &[
            "path",
            "access",
            "environ",
            "getenv",
            "putenv",
            "listdir",
            "walk",
            "add_dll_directory",
            "fspath",
            "fsdecode",
        ],
    ),
    (
        "os.path",
        &[
            "join",
            "dirname",
            "basename",
            "abspath",
            "realpath",
            "normpath",
            "normcase",
            "exists",
            "isfile",
            "isdir",
            "split",
            "splitext",
            "isabs",
            "expanduser",
            "lexists",
            "islink",
            "ismount",
            "relpath",
            "expandvars",
        ],
    ),
    ("sys", &["path", "modules", "implementation", "_getframe", SET_LAZY_IMPORTS]),
    ("inspect", &["currentframe", "getfile"]),
    (
        "platform",
        &[
            "system",
            "machine",
            "node",
            "release",
            "version",
            "processor",
            "uname",
            "platform",
            "python_implementation",
            "python_version",
            "architecture",
        ],
    ),
    ("sysconfig", &["get_platform", "get_path", "get_paths", "get_config_var", "get_config_vars"]),
    ("distutils.sysconfig", &["get_config_var", "get_config_vars"]),
    ("site", &["getsitepackages", "getusersitepackages", "getuserbase"]),
    ("shutil", &["which"]),
    ("struct", &["calcsize"]),
    ("pkgutil", &["extend_path", "iter_modules"]),
    ("pkg_resources", &["resource_filename", "resource_exists", "resource_isdir"]),
    ("importlib.resources", &["files", "as_file", "path"]),
    ("importlib_resources", &["files", "as_file", "path"]),
    ("importlib.metadata", &["version", "files", "distribution"]),
    ("importlib_metadata", &["version", "files", "distribution"]),
    ("functools", &["wraps", "lru_cache", "cache", "cached_property", "update_wrapper", "partial"]),
    ("types", &["FunctionType", "LambdaType", "MethodType"]),
    ("_cffi_backend", &["load_library", "FFI"]),
    ("_cffi_backend.FFI()", &["dlopen"]),
    ("pathlib.Path", &["home"]),
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
            "get_last_error",
            "WinError",
        ],
    ),
    ("ctypes.util", &["find_library"]),
    ("glob", &["glob", "iglob"]),
    ("json", &["load", "loads"]),
    ("dict", &["fromkeys"]),
    ("copy", &["copy", "deepcopy"]),
    ("importlib", &["import_module", "util", "resources", "metadata", "machinery"]),
    ("importlib.util", &["find_spec"]),
    ("importlib.machinery", &["FileFinder"]),
    ("contextlib", &["suppress", "nullcontext", "ExitStack", "contextmanager"]),
    ("pathlib", &["Path", "PurePath", "WindowsPath", "PureWindowsPath"]),
    ("traceback", &["format_exc"]),
    ("itertools", &["chain"]),
    ("collections", &["OrderedDict"]),
];

/// A function that was added in Python 3.15.
const SET_LAZY_IMPORTS: &str = "set_lazy_imports";

/// Attributes that these modules lack on Windows, and that programs test with `hasattr`.
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
    "filter",
    "globals",
    "locals",
    "compile",
    "exec",
    "zip",
    "isinstance",
    "issubclass",
    "open",
    "print",
    "map",
    "iter",
    "next",
    "min",
    "max",
    "callable",
    "super",
    "object",
    "property",
    "staticmethod",
    "classmethod",
    "type",
    "setattr",
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

/// The names in Python's `builtins` that are neither exceptions nor among the functions above.
const OTHER_BUILTINS: &[&str] = &[
    "abs",
    "aiter",
    "anext",
    "ascii",
    "bin",
    "breakpoint",
    "bytearray",
    "bytes",
    "chr",
    "complex",
    "delattr",
    "dir",
    "divmod",
    "eval",
    "exit",
    "float",
    "format",
    "hash",
    "help",
    "hex",
    "id",
    "input",
    "issubclass",
    "memoryview",
    "oct",
    "ord",
    "pow",
    "quit",
    "round",
    "slice",
    "sum",
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

/// A hash set, because it is queried for every attribute and for every name that a module doesn't
/// bind.
type Names = FxHashSet<&'static str>;

pub(in crate::plan) fn is_exception(name: &str) -> bool {
    static NAMES: LazyLock<Names> = LazyLock::new(|| EXCEPTIONS.iter().copied().collect());
    NAMES.contains(name)
}

/// Returns the names of a module or namespace that the plan implements, or `None` for any other.
fn known_names(module: &str) -> Option<&'static [&'static str]> {
    static MODULES: LazyLock<FxHashMap<&str, &[&str]>> = LazyLock::new(|| KNOWN.iter().copied().collect());
    MODULES.get(module).copied()
}

/// Returns the implemented names that `from module import *` binds.
pub(in crate::plan) fn known_public_names(module: &str) -> impl Iterator<Item = &'static str> {
    known_names(module).unwrap_or_default().iter().copied().filter(|name| !name.starts_with('_'))
}

/// Whether it is an object with methods that the plan implements, rather than a namespace.
pub(in crate::plan) fn has_methods(known: &str) -> bool {
    matches!(known, "os.environ" | "sys.path" | "sys.modules")
}

/// Returns the built-in of this name, if the plan implements it.
pub(in crate::plan) fn builtin(name: &str) -> Option<Value> {
    static NAMES: LazyLock<Names> = LazyLock::new(|| FUNCTIONS.iter().chain(EXCEPTIONS).copied().collect());
    NAMES.contains(name).then(|| Value::Known(name.into()))
}

/// Whether a name is defined without an assignment in the module.
pub(in crate::plan) fn is_builtin_name(name: &str) -> bool {
    builtin(name).is_some()
        || OTHER_BUILTINS.contains(&name)
        || name.ends_with("Warning")
        || name.ends_with("Error")
}

/// Returns a function that loads its argument, if a native module exports one of this name.
/// TensorFlow's loads libraries of operations (`tensorflow/c/c_api.h`).
pub(in crate::plan) fn exported_loader(name: &str) -> Option<Value> {
    (name == "TF_LoadLibrary").then(|| Value::Known(name.into()))
}

/// Returns an attribute of a module or namespace of the standard library.
pub(in crate::plan) fn attribute(module: &str, name: &str, plan: &Plan<'_>) -> Option<Value> {
    let module = if module == "ntpath" { "os.path" } else { module };
    let environment = plan.interpreter().environment;
    let version = &environment.version;
    if environment.platform == Platform::Linux {
        let value = match (module, name) {
            ("os", "name") => Some(Value::str("posix")),
            ("os" | "os.path", "sep") => Some(Value::str("/")),
            ("os" | "os.path", "altsep") => Some(Value::None),
            ("os" | "os.path", "pathsep") => Some(Value::str(":")),
            ("sys", "platform") => Some(Value::str("linux")),
            _ => None,
        };
        let of_windows = matches!(
            (module, name),
            ("os", "add_dll_directory") | ("ctypes", "WinDLL" | "OleDLL" | "windll" | "oledll")
        );
        if value.is_some() || of_windows {
            return value;
        }
    }
    let value = match (module, name) {
        ("os", "name") => Value::str("nt"),
        ("os", "F_OK") => Value::Int(0),
        ("os", "X_OK") => Value::Int(1),
        ("os", "W_OK") => Value::Int(WRITABLE),
        ("os", "R_OK") => Value::Int(4),
        ("os" | "os.path", "sep") => Value::str("\\"),
        ("os" | "os.path", "altsep") => Value::str("/"),
        ("os" | "os.path", "pathsep") => Value::str(";"),
        ("os" | "os.path", "curdir") => Value::str("."),
        ("os" | "os.path", "pardir") => Value::str(".."),
        ("sys", SET_LAZY_IMPORTS) if !plan.has_lazy_imports() => return None,
        ("os", "add_dll_directory") if plan.interpreter().searches_path() => return None,
        ("sys", "platform") => Value::str("win32"),
        ("sys.implementation", "name") => Value::str("cpython"),
        ("sys.implementation", "cache_tag") => {
            Value::str(format!("cpython-{}{}", version.major, version.minor))
        }
        ("importlib.machinery", "EXTENSION_SUFFIXES") => {
            Value::list(environment.extension_suffixes().iter().map(Value::str).collect())
        }
        ("importlib.machinery", "SOURCE_SUFFIXES") => {
            Value::list(vec![Value::str(".py"), Value::str(".pyw")])
        }
        ("sys", "winver") => Value::str(version.series().to_string()),
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
            return known_names(module)?
                .contains(&name)
                .then(|| Value::Known(format!("{module}.{name}").into()));
        }
    };
    Some(value)
}

pub(super) fn standard_or_own(module: &ModuleRef, name: &str, plan: &Plan<'_>) -> Value {
    attribute(&module.name, name, plan).or_else(|| module.get(name)).unwrap_or(Value::Unknown)
}

/// Functions of every supported Windows that programs test for.
const KERNEL: [&str; 4] =
    ["AddDllDirectory", "RemoveDllDirectory", "SetDefaultDllDirectories", "SetDllDirectoryW"];

pub(super) fn is_kernel(library: &str) -> bool {
    fold_name(library).trim_end_matches(".dll") == "kernel32"
}

impl Plan<'_> {
    pub(super) fn has_attribute(&self, object: &Value, name: &str) -> Option<bool> {
        let module = match object {
            Value::Module(module) => &module.name,
            Value::Known(known) => known,
            Value::Class(class) => return self.class_attribute(class, name).map(|_| true),
            // They exist since Windows 8 (Microsoft, "AddDllDirectory").
            Value::Library(library) if is_kernel(library) && KERNEL.contains(&name) => return Some(true),
            _ => return None,
        };
        if attribute(module, name, self).is_some() {
            return Some(true);
        }
        let listed = |table: &[(&str, &[&str])]| {
            table.iter().any(|(known, names)| known == module && names.contains(&name))
        };
        let absent = listed(ABSENT) && self.interpreter.environment.platform == Platform::Windows;
        if absent || listed(KNOWN) {
            return Some(false);
        }
        // Programs store flags for one another in `sys`. None of CPython's own names has a capital
        // letter.
        let is_flag = module == "sys" && name.contains(|c: char| c.is_ascii_uppercase());
        if is_flag && matches!(object, Value::Module(own) if own.get(name).is_none()) {
            return Some(false);
        }
        match object {
            Value::Module(own) if own.get(name).is_some() => Some(true),
            Value::Module(own) if !own.open.get() => Some(false),
            _ => None,
        }
    }
}

//! The attributes of modules of the standard library.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::{ModuleRef, Value};
use crate::environment::Platform;
use crate::host::fold_name;
use crate::image::Machine;
use crate::source::standard::{CtypesName, ExportedName, OsName, StandardName, SysName};

/// The value of `os.W_OK`.
pub(super) const WRITABLE: i64 = 2;

/// Attributes that these modules lack on Windows, and that programs test with `hasattr`.
const ABSENT: &[(&str, &[&str])] = &[
    ("sys", &["getdlopenflags", "setdlopenflags", "frozen", "_MEIPASS", "real_prefix", "pypy_version_info"]),
    ("os", &["fork", "uname", "getuid", "geteuid", "sched_getaffinity"]),
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

pub(in crate::plan) fn is_exception(name: &str) -> bool {
    matches!(StandardName::builtin(name), Some(StandardName::Exception(_)))
}

/// Whether it is an object with methods that the plan evaluates, rather than a namespace.
pub(in crate::plan) fn has_methods(known: StandardName) -> bool {
    matches!(known, StandardName::Os(OsName::Environ) | StandardName::Sys(SysName::Path | SysName::Modules))
}

/// Whether a name is defined without an assignment in the module.
pub(in crate::plan) fn is_builtin_name(name: &str) -> bool {
    StandardName::builtin(name).is_some()
        || OTHER_BUILTINS.contains(&name)
        || name.ends_with("Warning")
        || name.ends_with("Error")
}

/// Returns a function that loads its argument, if a native module exports one
/// of this name.
pub(in crate::plan) fn exported_loader(name: &str) -> Option<Value> {
    let loader = StandardName::Exported(ExportedName::TfLoadLibrary);
    (name == loader.dotted()).then_some(Value::Known(loader))
}

/// Returns an attribute of a module or namespace of the standard library.
pub(in crate::plan) fn attribute(module: &str, name: &str, plan: &Plan<'_>) -> Option<Value> {
    let known = StandardName::find(module, name);
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
        if value.is_some() || known.is_some_and(is_of_windows) {
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
        _ => return known_attribute(module, name, known, plan),
    };
    Some(value)
}

/// Returns an attribute that the table of names has.
fn known_attribute(module: &str, name: &str, known: Option<StandardName>, plan: &Plan<'_>) -> Option<Value> {
    match known {
        Some(StandardName::Sys(SysName::SetLazyImports)) if !plan.has_lazy_imports() => None,
        Some(StandardName::Os(OsName::AddDllDirectory)) if plan.interpreter().searches_path() => None,
        Some(known) => Some(Value::Known(known)),
        // `windll.kernel32`
        None => match StandardName::find_dotted(module)? {
            StandardName::Ctypes(
                CtypesName::Windll | CtypesName::Cdll | CtypesName::Oledll | CtypesName::Pydll,
            ) => Some(Value::Library(name.into())),
            _ => None,
        },
    }
}

/// Whether a name exists on Windows only.
fn is_of_windows(name: StandardName) -> bool {
    use CtypesName::{OleDll, Oledll, WinDll, Windll};
    matches!(
        name,
        StandardName::Os(OsName::AddDllDirectory) | StandardName::Ctypes(WinDll | OleDll | Windll | Oledll)
    )
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
            Value::Module(module) => module.name.as_str(),
            Value::Known(known) => known.dotted(),
            Value::Class(class) => return self.class_attribute(class, name).map(|_| true),
            // They exist since Windows 8 (Microsoft, "AddDllDirectory").
            Value::Library(library) if is_kernel(library) && KERNEL.contains(&name) => return Some(true),
            _ => return None,
        };
        if attribute(module, name, self).is_some() {
            return Some(true);
        }
        let is_absent = ABSENT.iter().any(|(lacking, names)| *lacking == module && names.contains(&name))
            && self.world.environment().platform == Platform::Windows;
        if is_absent || StandardName::find(module, name).is_some() {
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

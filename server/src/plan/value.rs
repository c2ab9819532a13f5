//! The Python values that the plan tracks: only those that can decide a load.

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};

use crate::cpython::Inaccessible;
use crate::host::WinPath;
use crate::source::standard::StandardName;
use crate::source::{Decoration, Name, NewerSyntax, placeholders};

use super::definitions::Closure;
use super::objects::{Class, Instance};

/// The maximum number of parts of a value that are examined. Lists can contain each other, or
/// themselves.
const MAX_PARTS: u32 = 10_000;

/// The maximum length of a string or list. Longer ones are data, which doesn't decide a load.
pub(super) const MAX_LENGTH: usize = 100_000;

/// A Python value, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A value that can't be known without running Python.
    Unknown,
    None,
    Bool(bool),
    Int(i64),
    Str(Rc<str>),
    /// `pathlib.Path`
    Path(Rc<str>),
    Tuple(Rc<Vec<Value>>),
    List(Rc<RefCell<Vec<Value>>>),
    Dict(Rc<RefCell<Vec<(Value, Value)>>>),
    Module(ModuleRef),
    /// The result of a lazy import that has not been used yet (PEP 810).
    Lazy(Rc<LazyImport>),
    Function(Rc<Closure>),
    Class(Rc<Class>),
    Instance(Rc<Instance>),
    /// A function of a class, bound to an object.
    Bound(Rc<(Value, Rc<Closure>)>),
    /// A function with another binding behavior than a method, such as a property.
    Descriptor(Decoration, Rc<Closure>),
    /// `super()` in a method of a class, for an object.
    Super(Rc<(Weak<Class>, Value)>),
    /// The result of a generator function, and whether it is used as a context manager.
    Generator(Rc<RefCell<Generator>>, bool),
    /// The result of `contextlib.nullcontext(…)`.
    NullContext(Rc<Value>),
    /// `contextlib.ExitStack()` with the context managers that it will exit.
    ExitStack(Rc<RefCell<Vec<Value>>>),
    /// An unknown path somewhere below a directory.
    Below(Rc<str>),
    /// An object of the standard library with known attributes, such as a module spec.
    Record(Rc<RecordObject>),
    /// A name of the standard library that the plan evaluates itself.
    Known(StandardName),
    /// A method of a value: `names.append`.
    Method(Rc<(Value, Name)>),
    /// The result of `WinDLL(name)`.
    Library(Rc<str>),
    /// The result of `os.add_dll_directory`: closing it, or leaving its `with`, removes the
    /// directory.
    AddedDirectory(WinPath),
    /// The result of `open(path)`.
    File(WinPath),
    /// The result of `sys._getframe(…)`: the file whose code runs in the frame.
    Frame(WinPath),
    /// The result of `contextlib.suppress(…)`.
    Suppress(Rc<Vec<Value>>),
    /// An exception that was caught.
    Exception(Rc<Exception>),
    /// `globals()`
    Globals(ModuleRef),
    /// The result of `compile(source, …)`.
    Code(Rc<str>),
}

/// An import that is made when its name is first used.
#[derive(Debug)]
pub(super) struct LazyImport {
    /// The absolute dotted name.
    pub module: Name,
    /// The name that is taken from the module, or `None` for the module itself.
    pub imported_name: Option<Name>,
}

/// An object of the standard library with some known attributes.
#[derive(Debug)]
pub(super) struct RecordObject {
    /// The dotted name of its class.
    pub class: &'static str,
    pub attributes: Vec<(&'static str, Value)>,
}

impl RecordObject {
    pub fn get(&self, name: &str) -> Option<Value> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

/// A call of a generator function and its progress.
#[derive(Debug)]
pub(super) enum Generator {
    /// It has not started.
    Pending(Rc<Closure>, Arguments),
    /// The remaining values.
    Yielded(VecDeque<Value>),
    /// Its values can't be known.
    Unknown,
}

/// The arguments of a call.
#[derive(Debug, Default, Clone)]
pub(super) struct Arguments {
    pub positional: Vec<Value>,
    pub keywords: Vec<(Name, Value)>,
    /// Whether there may be further unknown arguments, as in `f(*unknown)`.
    pub open: bool,
}

impl Arguments {
    pub fn of(positional: Vec<Value>) -> Arguments {
        Arguments { positional, ..Arguments::default() }
    }

    /// Returns the arguments for a function that the plan implements. Possible further arguments
    /// become one unknown argument.
    pub fn closed(self) -> (Vec<Value>, Vec<(Name, Value)>) {
        let Arguments { mut positional, keywords, open } = self;
        positional.extend(open.then_some(Value::Unknown));
        (positional, keywords)
    }

    /// Inserts the object whose method is called as the first argument.
    pub fn with_receiver(mut self, object: Value) -> Arguments {
        self.positional.insert(0, object);
        self
    }
}

/// A module object, shared by all its importers.
pub(super) type ModuleRef = Rc<Module>;

/// A module in `sys.modules`.
pub(super) struct Module {
    /// The dotted name.
    pub name: Name,
    /// The module's file, if any.
    pub file: Option<WinPath>,
    /// The directories that are searched for submodules, or `None` if the module isn't a package.
    pub path: Option<Vec<WinPath>>,
    pub names: RefCell<FxHashMap<Name, Value>>,
    /// Whether it may have names that are unknown here.
    pub open: Cell<bool>,
    /// Whether its code is still running, so that the names of the remaining statements are
    /// missing.
    pub is_partial: Cell<bool>,
    /// Whether it belongs to the standard library, whose functions are either implemented here or
    /// irrelevant.
    pub is_of_library: bool,
}

impl Module {
    pub fn get(&self, name: &str) -> Option<Value> {
        self.names.borrow().get(name).cloned()
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.borrow().contains_key(name)
    }

    pub fn set(&self, name: &str, value: Value) {
        self.names.borrow_mut().insert(name.into(), value);
    }

    /// Returns the value of `__package__`, which relative imports start from.
    pub fn package(&self) -> &str {
        if self.path.is_some() {
            &self.name
        } else {
            self.name.rsplit_once('.').map_or("", |(package, _)| package)
        }
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<module {}>", self.name)
    }
}

/// An exception that is being propagated.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub class: Name,
    /// Known base classes of a class that the program defines, for handlers.
    pub bases: Vec<Name>,
    /// The message, if it could be evaluated.
    pub message: Option<Rc<str>>,
    /// The exception that was being handled when this one was raised.
    pub context: Option<Rc<Exception>>,
    /// The failed loads that led to it, as indices into the plan's failures.
    pub failures: Vec<usize>,
    /// The missing module that led to it, if no load did.
    pub missing: Option<Name>,
    /// The module's file or directory that Python can't access.
    pub inaccessible: Option<Inaccessible>,
    /// A native file that its distribution installed, and that the program looked for without
    /// finding it before it raised this.
    pub missing_recorded_file: Option<WinPath>,
    /// Distributions whose versions it mentions, and which the program queried before it raised
    /// this: it objects to their being installed together.
    pub conflicting_distributions: Vec<Name>,
    /// The syntax that this Python is too old to compile.
    pub newer_syntax: Option<NewerSyntax>,
    /// File and line, innermost first.
    pub trace: Vec<(WinPath, u32)>,
    /// Whether this isn't an exception but the end of the process, which nothing catches.
    pub ends_process: bool,
}

impl Exception {
    pub fn new(class: &str, message: Option<Rc<str>>) -> Exception {
        Exception {
            class: class.into(),
            bases: Vec::new(),
            message,
            context: None,
            failures: Vec::new(),
            missing: None,
            inaccessible: None,
            missing_recorded_file: None,
            conflicting_distributions: Vec::new(),
            newer_syntax: None,
            trace: Vec::new(),
            ends_process: false,
        }
    }

    /// Whether neither this exception nor its context is caused by a failed load, or by a module or
    /// file that is missing or inaccessible.
    pub fn is_unfounded(&self) -> bool {
        let here = self.failures.is_empty()
            && self.missing.is_none()
            && self.inaccessible.is_none()
            && self.missing_recorded_file.is_none()
            && self.newer_syntax.is_none()
            && self.conflicting_distributions.is_empty();
        here && self.context.as_ref().is_none_or(|context| context.is_unfounded())
    }

    /// Whether `except class` catches it.
    pub fn is_a(&self, class: &str) -> bool {
        self.class == class
            || self.bases.iter().any(|base| base == class)
            || ancestors(&self.class).contains(&class)
            || self.bases.iter().any(|base| ancestors(base).contains(&class))
    }

    /// Returns the message as Python prints it: `ImportError: DLL load failed …`.
    pub fn sentence(&self) -> Option<String> {
        let message = self.message.as_ref()?;
        Some(match message.is_empty() {
            true => self.class.to_string(),
            false => format!("{}: {message}", self.class),
        })
    }
}

/// Returns the base classes of a built-in exception (Python's "Exception hierarchy").
pub(super) fn ancestors(class: &str) -> &'static [&'static str] {
    match class {
        "BaseException" => &[],
        "Exception" | "KeyboardInterrupt" | "SystemExit" => &["BaseException"],
        "ModuleNotFoundError" | "ImportCycleError" => &["ImportError", "Exception", "BaseException"],
        "FileNotFoundError" | "PermissionError" => {
            &["OSError", "EnvironmentError", "IOError", "WindowsError", "Exception", "BaseException"]
        }
        "OSError" | "EnvironmentError" | "IOError" | "WindowsError" => {
            &["OSError", "EnvironmentError", "IOError", "WindowsError", "Exception", "BaseException"]
        }
        "KeyError" | "IndexError" => &["LookupError", "Exception", "BaseException"],
        "UnboundLocalError" => &["NameError", "Exception", "BaseException"],
        "NotImplementedError" | "RecursionError" => &["RuntimeError", "Exception", "BaseException"],
        _ => &["Exception", "BaseException"],
    }
}

impl Value {
    /// Creates a string. A long string is data and becomes unknown.
    pub fn str(text: impl AsRef<str>) -> Value {
        match text.as_ref() {
            text if text.len() <= MAX_LENGTH => Value::Str(Rc::from(text)),
            _ => Value::Unknown,
        }
    }

    /// Creates a `pathlib` path.
    pub fn path(path: &WinPath) -> Value {
        placeholders::record_read(path.as_str());
        match path.as_str() {
            text if text.len() <= MAX_LENGTH => Value::Path(text.into()),
            _ => Value::Unknown,
        }
    }

    /// Creates a relative `pathlib` path.
    pub fn path_of_text(text: &str) -> Value {
        Value::path(&WinPath::new(text))
    }

    /// Returns the number of parts that are looked at when the value is used.
    pub fn size(&self) -> usize {
        match self {
            Value::Str(text) | Value::Path(text) => text.len(),
            Value::Tuple(values) => values.len(),
            Value::List(values) => values.borrow().len(),
            Value::Dict(items) => items.borrow().len(),
            _ => 0,
        }
    }

    /// Whether the value contains other values, and so may be part of a chain of any length.
    pub fn nests(&self) -> bool {
        matches!(
            self,
            Value::Tuple(_)
                | Value::List(_)
                | Value::Dict(_)
                | Value::Function(_)
                | Value::Method(_)
                | Value::Bound(_)
                | Value::Instance(_)
                | Value::Super(_)
                | Value::Generator(..)
                | Value::NullContext(_)
                | Value::ExitStack(_)
                | Value::Record(_)
                | Value::Suppress(_)
                | Value::Exception(_)
        )
    }

    pub fn list(values: Vec<Value>) -> Value {
        Value::List(Rc::new(RefCell::new(values)))
    }

    /// Returns the contents of a string or path.
    pub fn text(&self) -> Option<Rc<str>> {
        let text = self.raw_text()?;
        placeholders::record_read(&text);
        Some(text)
    }

    /// Returns the same as [`Value::text`], for callers that pass the string on without looking at
    /// it.
    pub fn raw_text(&self) -> Option<Rc<str>> {
        match self {
            Value::Str(text) | Value::Path(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Returns the truth value, if known.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Value::Unknown | Value::Super(_) => None,
            Value::None => Some(false),
            Value::Instance(instance) => instance.truth(),
            Value::Bool(value) => Some(*value),
            Value::Int(value) => Some(*value != 0),
            Value::Str(text) => Some(!text.is_empty()),
            Value::Tuple(values) => Some(!values.is_empty()),
            Value::List(values) => Some(!values.borrow().is_empty()),
            Value::Dict(items) => Some(!items.borrow().is_empty()),
            _ => Some(true),
        }
    }

    /// Whether two values are equal, if known.
    pub fn equals(&self, other: &Value) -> Option<bool> {
        let mut parts = MAX_PARTS;
        self.equals_within(other, &mut parts)
    }

    fn equals_within(&self, other: &Value, parts: &mut u32) -> Option<bool> {
        *parts = parts.checked_sub(1)?;
        match (self, other) {
            (Value::Unknown, _) | (_, Value::Unknown) => None,
            (Value::Str(a), Value::Str(b)) | (Value::Path(a), Value::Path(b)) => {
                placeholders::record_comparison(a, b);
                Some(a == b)
            }
            (Value::Tuple(a), Value::Tuple(b)) => all_equal(a, b, parts),
            (Value::List(a), Value::List(b)) => all_equal(&a.borrow(), &b.borrow(), parts),
            (Value::None, Value::None) => Some(true),
            (Value::Bool(_) | Value::Int(_), Value::Bool(_) | Value::Int(_)) => {
                Some(self.number() == other.number())
            }
            (
                Value::None
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Str(_)
                | Value::Tuple(_)
                | Value::List(_),
                Value::None
                | Value::Bool(_)
                | Value::Int(_)
                | Value::Str(_)
                | Value::Tuple(_)
                | Value::List(_),
            ) => Some(false),
            (Value::Module(a), Value::Module(b)) => Some(Rc::ptr_eq(a, b)),
            (Value::Instance(a), Value::Instance(b)) => Rc::ptr_eq(a, b).then_some(true),
            (Value::Class(a), Value::Class(b)) => Some(Rc::ptr_eq(a, b)),
            (Value::Below(_), _) | (_, Value::Below(_)) => None,
            (Value::None, _) | (_, Value::None) => Some(false),
            _ => None,
        }
    }

    /// Compares two values as Python does, if both are known and have an order.
    pub fn order(&self, other: &Value) -> Option<std::cmp::Ordering> {
        let mut parts = MAX_PARTS;
        self.order_within(other, &mut parts)
    }

    fn order_within(&self, other: &Value, parts: &mut u32) -> Option<std::cmp::Ordering> {
        *parts = parts.checked_sub(1)?;
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => {
                placeholders::record_read(a);
                placeholders::record_read(b);
                Some(a.cmp(b))
            }
            (Value::Tuple(a), Value::Tuple(b)) => {
                for (a, b) in a.iter().zip(b.iter()) {
                    match a.order_within(b, parts)? {
                        std::cmp::Ordering::Equal => {}
                        unequal => return Some(unequal),
                    }
                }
                Some(a.len().cmp(&b.len()))
            }
            _ => Some(self.number()?.cmp(&other.number()?)),
        }
    }

    pub fn number(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Bool(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    /// Returns the number of [`Value::items`].
    pub fn count(&self) -> Option<usize> {
        match self {
            Value::Tuple(values) => Some(values.len()),
            Value::List(values) => Some(values.borrow().len()),
            Value::Dict(items) => Some(items.borrow().len()),
            Value::Str(text) => {
                placeholders::record_read(text);
                Some(text.chars().count())
            }
            _ => None,
        }
    }

    /// Returns the items that a `for` iterates over, if known.
    pub fn items(&self) -> Option<Vec<Value>> {
        match self {
            Value::Tuple(values) => Some(values.to_vec()),
            Value::List(values) => Some(values.borrow().clone()),
            Value::Dict(items) => Some(items.borrow().iter().map(|(key, _)| key.clone()).collect()),
            Value::Str(text) => {
                placeholders::record_read(text);
                Some(text.chars().map(|c| Value::str(c.to_string())).collect())
            }
            _ => None,
        }
    }

    /// Returns `str(value)`, if known.
    pub fn to_text(&self) -> Option<String> {
        let mut parts = MAX_PARTS;
        self.to_text_within(&mut parts)
    }

    fn to_text_within(&self, parts: &mut u32) -> Option<String> {
        Some(match self {
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Str(text) | Value::Path(text) => text.to_string(),
            Value::Exception(exception) => exception.message.as_ref()?.to_string(),
            Value::Tuple(_) | Value::List(_) => return self.to_repr_within(parts),
            _ => return None,
        })
    }

    /// Returns `repr(value)`, if known.
    pub fn to_repr(&self) -> Option<String> {
        let mut parts = MAX_PARTS;
        self.to_repr_within(&mut parts)
    }

    fn to_repr_within(&self, parts: &mut u32) -> Option<String> {
        *parts = parts.checked_sub(1 + u32::try_from(self.size() / 16).ok()?)?;
        let mut join = |values: &[Value]| {
            let values: Option<Vec<String>> =
                values.iter().map(|value| value.to_repr_within(parts)).collect();
            values.map(|values| values.join(", "))
        };
        Some(match self {
            Value::Str(text) if text.contains('\'') && !text.contains('"') => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('\n', "\\n"))
            }
            Value::Str(text) => {
                let text = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
                format!("'{text}'")
            }
            Value::Tuple(values) if values.len() == 1 => format!("({},)", join(values)?),
            Value::Tuple(values) => format!("({})", join(values)?),
            Value::List(values) => format!("[{}]", join(&values.borrow())?),
            Value::Path(_) | Value::Exception(_) => return None,
            _ => return self.to_text_within(parts),
        })
    }
}

fn all_equal(a: &[Value], b: &[Value], parts: &mut u32) -> Option<bool> {
    if a.len() != b.len() {
        return Some(false);
    }
    let mut unknown = false;
    for (a, b) in a.iter().zip(b) {
        match a.equals_within(b, parts) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => unknown = true,
        }
    }
    (!unknown).then_some(true)
}

/// Returns the names of an exception class, or of a tuple of them.
pub(super) fn class_names(value: &Value) -> Vec<Name> {
    let name = |value: &Value| match value {
        Value::Known(known) => Some(known.dotted().into()),
        Value::Class(class) => Some(class.name.clone()),
        _ => None,
    };
    match value {
        // Tuples may contain each other; real code nests them only once.
        Value::Tuple(values) => {
            let inner = values.iter().flat_map(|value| match value {
                Value::Tuple(values) => values.iter().filter_map(name).collect(),
                value => Vec::from_iter(name(value)),
            });
            inner.collect()
        }
        value => Vec::from_iter(name(value)),
    }
}

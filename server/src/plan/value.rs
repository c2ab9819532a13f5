//! The values that the plan knows while it follows a module: only what can decide a load.

use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::{Rc, Weak};

use crate::cpython::Withheld;
use crate::host::WinPath;
use crate::source::{Decoration, Name, NewerSyntax, withheld};

use super::definitions::Closure;
use super::objects::{Class, Instance};

/// Lists can hold each other, or themselves: more parts of a value than this are not looked at.
const MOST_PARTS: u32 = 10_000;

/// Longer strings and lists are data, which decides no load.
pub(super) const LONGEST: usize = 100_000;

/// A Python value, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Cannot be known without running Python.
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
    /// What a lazy import bound, as long as nobody asks for it (PEP 810).
    Lazy(Rc<Postponed>),
    Function(Rc<Closure>),
    Class(Rc<Class>),
    Instance(Rc<Instance>),
    /// A function of a class, bound to an object.
    Bound(Rc<(Value, Rc<Closure>)>),
    /// A function that is found otherwise than as a method, such as a property.
    Descriptor(Decoration, Rc<Closure>),
    /// `super()` within a method of a class, for an object.
    Super(Rc<(Weak<Class>, Value)>),
    /// What a generator function returns, and whether it serves as a context.
    Generator(Rc<RefCell<Generator>>, bool),
    /// What `contextlib.nullcontext(…)` returns.
    Nothing(Rc<Value>),
    /// `contextlib.ExitStack()`, and the contexts that it will leave.
    ExitStack(Rc<RefCell<Vec<Value>>>),
    /// A path that is not known, somewhere below a folder.
    Below(Rc<str>),
    /// An object of the standard library whose attributes are known, such as a module's specification.
    Record(Rc<Record>),
    /// A function or module of the standard library that the plan performs itself, by dotted name.
    Known(Name),
    /// A method of a value: `names.append`.
    Method(Rc<(Value, Name)>),
    /// What `WinDLL(name)` returns.
    Library(Rc<str>),
    /// What `os.add_dll_directory` returns: closing it, or leaving its `with`, removes the directory.
    AddedDirectory(WinPath),
    /// What `open(path)` returns.
    File(WinPath),
    /// What `sys._getframe(…)` returns: the file whose code runs there.
    Frame(WinPath),
    /// What `contextlib.suppress(…)` returns.
    Suppress(Rc<Vec<Value>>),
    /// An exception that was caught.
    Exception(Rc<Exception>),
    /// `globals()`
    Globals(ModuleRef),
    /// What `compile(text, …)` returns.
    Code(Rc<str>),
}

/// An import that is made when its name is used.
#[derive(Debug)]
pub(super) struct Postponed {
    /// Dotted, absolute.
    pub module: Name,
    /// What is taken out of the module; none if it is the module itself.
    pub taken: Option<Name>,
}

/// An object of the standard library of which some attributes are known.
#[derive(Debug)]
pub(super) struct Record {
    /// Its class, dotted.
    pub class: &'static str,
    pub attributes: Vec<(&'static str, Value)>,
}

impl Record {
    pub fn get(&self, name: &str) -> Option<Value> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }
}

/// A call of a generator function, as far as it was followed.
#[derive(Debug)]
pub(super) enum Generator {
    /// It has not begun.
    Pending(Rc<Closure>, Arguments),
    /// What it yields from here on.
    Yielded(VecDeque<Value>),
    /// What it yields cannot be known.
    Unknown,
}

/// What a call gives.
#[derive(Debug, Default, Clone)]
pub(super) struct Arguments {
    pub positional: Vec<Value>,
    pub keywords: Vec<(Name, Value)>,
    /// There may be more, which are not known: of `f(*unknown)`.
    pub open: bool,
}

impl Arguments {
    pub fn of(positional: Vec<Value>) -> Arguments {
        Arguments { positional, ..Arguments::default() }
    }

    /// For a function that is performed here: what may follow is one more argument, of which nothing is known.
    pub fn closed(self) -> (Vec<Value>, Vec<(Name, Value)>) {
        let Arguments { mut positional, keywords, open } = self;
        positional.extend(open.then_some(Value::Unknown));
        (positional, keywords)
    }

    /// These, behind an object whose method is called.
    pub fn behind(mut self, object: Value) -> Arguments {
        self.positional.insert(0, object);
        self
    }
}

/// A module object, shared by all that import it.
pub(super) type ModuleRef = Rc<Module>;

/// A module in `sys.modules`.
pub(super) struct Module {
    /// Dotted name.
    pub name: Name,
    /// Its file, if it has one.
    pub file: Option<WinPath>,
    /// Where its submodules are looked for; none if it is no package.
    pub path: Option<Vec<WinPath>>,
    pub names: RefCell<FxHashMap<Name, Value>>,
    /// It may have names which we do not know of.
    pub open: Cell<bool>,
    /// Its code is under way: it lacks the names that the rest of it binds.
    pub is_partial: Cell<bool>,
    /// It belongs to Python's own library, whose functions the plan knows or need not know.
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

    /// What `__package__` is: relative imports start here.
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

/// An exception on its way up.
#[derive(Debug, Clone)]
pub(super) struct Exception {
    pub class: Name,
    /// Known bases of a class that the program defines, for handlers.
    pub bases: Vec<Name>,
    /// Its text, as far as it could be evaluated.
    pub message: Option<Rc<str>>,
    /// The exception that was being handled when this one was raised.
    pub context: Option<Rc<Exception>>,
    /// The failed loads that led to it, as indices into the plan's failures.
    pub failures: Vec<usize>,
    /// The missing module that led to it, if no load did.
    pub missing: Option<Name>,
    /// The file or folder of it that Python cannot look at.
    pub withheld: Option<Withheld>,
    /// A native file that its distribution installed, for which the program looked in vain before it raised this.
    pub lost: Option<WinPath>,
    /// Distributions that it names with their versions, for which the program asked before it raised this: it minds their being
    /// installed together.
    pub clashing: Vec<Name>,
    /// The module does not compile, since this Python is too old for its syntax.
    pub newer_syntax: Option<NewerSyntax>,
    /// Innermost first: file and line.
    pub trace: Vec<(WinPath, u32)>,
    /// It is no exception, but the end of the process, which nothing catches.
    pub ends: bool,
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
            withheld: None,
            lost: None,
            clashing: Vec::new(),
            newer_syntax: None,
            trace: Vec::new(),
            ends: false,
        }
    }

    /// Whether neither a load nor a module or file that is missing or may not be read leads to it, nor what led to that.
    pub fn is_unfounded(&self) -> bool {
        let here = self.failures.is_empty()
            && self.missing.is_none()
            && self.withheld.is_none()
            && self.lost.is_none()
            && self.newer_syntax.is_none()
            && self.clashing.is_empty();
        here && self.context.as_ref().is_none_or(|context| context.is_unfounded())
    }

    /// Whether `except class` catches it.
    pub fn is_a(&self, class: &str) -> bool {
        self.class == class
            || self.bases.iter().any(|base| base == class)
            || ancestors(&self.class).contains(&class)
            || self.bases.iter().any(|base| ancestors(base).contains(&class))
    }

    /// As Python prints it: `ImportError: DLL load failed …`.
    pub fn sentence(&self) -> Option<String> {
        let message = self.message.as_ref()?;
        Some(match message.is_empty() {
            true => self.class.to_string(),
            false => format!("{}: {message}", self.class),
        })
    }
}

/// The bases of a built-in exception (Python's "Exception hierarchy").
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
    /// A string; a long one is data, and not known.
    pub fn str(text: impl AsRef<str>) -> Value {
        match text.as_ref() {
            text if text.len() <= LONGEST => Value::Str(Rc::from(text)),
            _ => Value::Unknown,
        }
    }

    /// A path, for `pathlib`.
    pub fn path(path: &WinPath) -> Value {
        withheld::note(path.as_str());
        match path.as_str() {
            text if text.len() <= LONGEST => Value::Path(text.into()),
            _ => Value::Unknown,
        }
    }

    /// A relative path, for `pathlib`.
    pub fn path_of_text(text: &str) -> Value {
        Value::path(&WinPath::new(text))
    }

    /// How many parts looking at it costs.
    pub fn size(&self) -> usize {
        match self {
            Value::Str(text) | Value::Path(text) => text.len(),
            Value::Tuple(values) => values.len(),
            Value::List(values) => values.borrow().len(),
            Value::Dict(items) => items.borrow().len(),
            _ => 0,
        }
    }

    /// Whether it holds other values, and so may be one of a chain of any length.
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
                | Value::Nothing(_)
                | Value::ExitStack(_)
                | Value::Record(_)
                | Value::Suppress(_)
                | Value::Exception(_)
        )
    }

    pub fn list(values: Vec<Value>) -> Value {
        Value::List(Rc::new(RefCell::new(values)))
    }

    /// Text of a string or path.
    pub fn text(&self) -> Option<Rc<str>> {
        let text = self.raw_text()?;
        withheld::note(&text);
        Some(text)
    }

    /// The same for whoever passes it on without looking into it.
    pub fn raw_text(&self) -> Option<Rc<str>> {
        match self {
            Value::Str(text) | Value::Path(text) => Some(text.clone()),
            _ => None,
        }
    }

    /// Whether `if value:` takes its branch, if that is known.
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
            Value::Known(name) if name == "os.environ" => Some(true),
            _ => Some(true),
        }
    }

    /// Whether two values are equal, if that is known.
    pub fn equals(&self, other: &Value) -> Option<bool> {
        let mut parts = MOST_PARTS;
        self.equals_within(other, &mut parts)
    }

    fn equals_within(&self, other: &Value, parts: &mut u32) -> Option<bool> {
        *parts = parts.checked_sub(1)?;
        match (self, other) {
            (Value::Unknown, _) | (_, Value::Unknown) => None,
            (Value::Str(a), Value::Str(b)) | (Value::Path(a), Value::Path(b)) => {
                withheld::note_compared(a, b);
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

    /// As Python compares them, if both are known and of kinds that have an order.
    pub fn order(&self, other: &Value) -> Option<std::cmp::Ordering> {
        let mut parts = MOST_PARTS;
        self.order_within(other, &mut parts)
    }

    fn order_within(&self, other: &Value, parts: &mut u32) -> Option<std::cmp::Ordering> {
        *parts = parts.checked_sub(1)?;
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => {
                withheld::note(a);
                withheld::note(b);
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

    /// How many there are of [`Value::items`].
    pub fn count(&self) -> Option<usize> {
        match self {
            Value::Tuple(values) => Some(values.len()),
            Value::List(values) => Some(values.borrow().len()),
            Value::Dict(items) => Some(items.borrow().len()),
            Value::Str(text) => {
                withheld::note(text);
                Some(text.chars().count())
            }
            _ => None,
        }
    }

    /// What a `for` goes through, if that is known.
    pub fn items(&self) -> Option<Vec<Value>> {
        match self {
            Value::Tuple(values) => Some(values.to_vec()),
            Value::List(values) => Some(values.borrow().clone()),
            Value::Dict(items) => Some(items.borrow().iter().map(|(key, _)| key.clone()).collect()),
            Value::Str(text) => {
                withheld::note(text);
                Some(text.chars().map(|c| Value::str(c.to_string())).collect())
            }
            _ => None,
        }
    }

    /// As `str(value)` writes it, if that is known.
    pub fn to_text(&self) -> Option<String> {
        let mut parts = MOST_PARTS;
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

    /// As `repr(value)` writes it, if that is known.
    pub fn to_repr(&self) -> Option<String> {
        let mut parts = MOST_PARTS;
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

/// The names of an exception class, or of a tuple of them.
pub(super) fn class_names(value: &Value) -> Vec<Name> {
    let name = |value: &Value| match value {
        Value::Known(name) => Some(name.clone()),
        Value::Class(class) => Some(class.name.clone()),
        _ => None,
    };
    match value {
        // Tuples may hold each other; nobody writes more than a few classes.
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

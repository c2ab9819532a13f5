//! The parts of the standard library that decide loads, evaluated by the plan itself: `os.path`,
//! `glob`, `sys.platform`, `ctypes`, `os.add_dll_directory`, `importlib.import_module`.
//!
//! These rules describe the standard library and are the same for every program. The table of
//! names is [`StandardName`]; each module's functions are evaluated in the file of its name.
//! Functions that the table doesn't have return an unknown value.

mod attributes;
mod builtins;
mod cffi;
mod containers;
mod ctypes;
mod files;
mod functional;
mod importlib;
mod json;
mod loads;
mod metadata;
mod methods;
mod names;
mod os;
mod os_path;
mod pathlib;
mod platform;
mod resources;
mod sys;
mod sysconfig;
mod wrappers;

use std::rc::Rc;

use super::exceptions::message_of;
use super::frame::Frame;
use super::value::{Exception, Value};
use super::{Event, Place, Plan};
use crate::host::WinPath;
use crate::source::Name;
use crate::source::standard::StandardName;

pub(super) use containers::pair;
pub(super) use importlib::{has_method, spec_of_module};
pub(super) use names::{attribute, exported_loader, has_methods, is_builtin_name, is_exception};
pub(super) use pathlib::{attribute_below, path_attribute};

type Outcome = Result<Value, Rc<Exception>>;

/// A call of a function of the standard library.
struct KnownCall<'a> {
    arguments: &'a [Value],
    keywords: &'a [(Name, Value)],
    place: &'a Place,
}

impl<'a> KnownCall<'a> {
    /// Returns the first argument. It is unknown if there is none.
    fn first(&self) -> &'a Value {
        self.arguments.first().unwrap_or(&Value::Unknown)
    }

    fn second(&self) -> Option<&'a Value> {
        self.arguments.get(1)
    }

    /// Returns the argument `name`, which is the first one.
    fn named(&self) -> &'a Value {
        self.arguments.first().or_else(|| self.keyword("name")).unwrap_or(&Value::Unknown)
    }

    fn keyword(&self, wanted: &str) -> Option<&'a Value> {
        self.keywords.iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
    }

    /// Returns the first argument as a path, if it is known.
    fn path(&self) -> Option<WinPath> {
        self.first().text().map(|text| WinPath::new(&*text))
    }

    /// Evaluates a function of a single path.
    fn on_path(&self, work: impl FnOnce(&WinPath) -> Value) -> Value {
        self.path().map_or(Value::Unknown, |path| work(&path))
    }
}

impl Plan<'_> {
    /// Calls a function of the standard library.
    pub(super) fn call_known(
        &mut self,
        name: StandardName,
        arguments: &[Value],
        keywords: &[(Name, Value)],
        frame: &mut Frame,
        place: &Place,
    ) -> Outcome {
        self.import_for_machine(name, place);
        let call = &KnownCall { arguments, keywords, place };
        match name {
            StandardName::Builtin(name) => self.call_builtin(name, call, frame),
            StandardName::Exception(_) => {
                let exception = Exception::new(name.dotted(), message_of(arguments));
                Ok(Value::Exception(Rc::new(exception)))
            }
            StandardName::Dict(name) => self.call_dict(name, call),
            StandardName::Os(name) => self.call_os(name, call),
            StandardName::OsPath(name) => Ok(self.call_os_path(name, call)),
            StandardName::Sys(name) => Ok(self.call_sys(name, call, frame)),
            StandardName::Inspect(name) => Ok(sys::call_inspect(name, call, frame)),
            StandardName::Traceback(name) => Ok(sys::call_traceback(name, frame)),
            StandardName::Platform(name) => Ok(self.world.call_platform(name)),
            StandardName::Sysconfig(name) => Ok(self.world.call_sysconfig(name, call)),
            StandardName::Site(name) => Ok(self.world.call_site(name)),
            StandardName::Shutil(name) => Ok(self.world.call_shutil(name, call)),
            StandardName::Struct(name) => Ok(self.world.call_struct(name, call)),
            StandardName::Glob(name) => Ok(self.world.call_glob(name, call)),
            StandardName::Json(name) => Ok(self.world.call_json(name, call)),
            StandardName::Copy(name) => Ok(self.world.call_copy(name, call)),
            StandardName::Pkgutil(name) => Ok(self.world.call_pkgutil(name, call)),
            StandardName::PkgResources(name) => Ok(self.call_pkg_resources(name, call)),
            StandardName::Importlib(name) => self.call_importlib(name, call, frame),
            StandardName::ImportlibUtil(name) => self.call_importlib_util(name, call),
            StandardName::ImportlibMachinery(name) => Ok(importlib::call_machinery(name, call)),
            StandardName::ImportlibResources(name) => Ok(self.world.call_importlib_resources(name, call)),
            StandardName::ImportlibMetadata(name) => self.call_importlib_metadata(name, call),
            StandardName::Functools(name) => Ok(wrappers::call_functools(name, call)),
            StandardName::Contextlib(name) => Ok(wrappers::call_contextlib(name, call)),
            StandardName::Collections(name) => self.call_collections(name, call),
            StandardName::Pathlib(_) => Ok(self.world.new_path(call)),
            StandardName::PathlibPath(name) => Ok(self.world.call_path_class(name)),
            StandardName::Ctypes(name) => self.call_ctypes(name, call),
            StandardName::LibraryLoader(name) => self.call_library_loader(name, call),
            StandardName::CtypesUtil(name) => Ok(self.world.call_ctypes_util(name, call)),
            StandardName::Cffi(name) => self.call_cffi(name, call),
            StandardName::CffiObject(name) => self.call_cffi_object(name, call),
            StandardName::Exported(name) => self.call_exported(name, call),
            StandardName::Anonymous(name) => Ok(self.call_anonymous(name, call)),
            // Their results decide nothing.
            StandardName::Types(_) | StandardName::Itertools(_) => Ok(Value::Unknown),
        }
    }

    pub(super) fn unknown_load(&mut self, what: &str, place: &Place) -> Value {
        self.step(Event::UnknownLoad(format!("{what} can't be determined from the code")), place);
        Value::Unknown
    }
}

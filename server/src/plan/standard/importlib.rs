//! `importlib`, `__import__`, `importlib.util`, and `importlib.machinery`.

use std::rc::Rc;

use super::super::exceptions::traced;
use super::super::frame::Frame;
use super::super::value::{Exception, Module, RecordObject, Value};
use super::super::{Place, Plan};
use super::{KnownCall, Outcome};
use crate::cpython::Found;
use crate::host::WinPath;
use crate::source::standard::{
    AnonymousName, ImportlibMachineryName, ImportlibName, ImportlibUtilName, StandardName,
};
use crate::source::{absolute_name, top_level};

/// The classes of the objects whose attributes are provided here.
const SPEC: &str = "importlib.machinery.ModuleSpec";
const FILE_FINDER: &str = "importlib.machinery.FileFinder";

/// Whether an object has a method that [`Plan::find_spec_in`] evaluates.
pub(in crate::plan) fn has_method(record: &RecordObject, name: &str) -> bool {
    record.class == FILE_FINDER && name == "find_spec"
}

/// Returns the `__spec__` of a module.
pub(in crate::plan) fn spec_of_module(module: &Module) -> Value {
    spec_of(&module.name, module.file.clone(), module.path.clone())
}

pub(super) fn call_machinery(name: ImportlibMachineryName, call: &KnownCall<'_>) -> Value {
    // Programs use it to look for an extension module.
    let ImportlibMachineryName::FileFinder = name;
    match call.first().text() {
        Some(_) => {
            let attributes = vec![("path", call.first().clone())];
            Value::Record(Rc::new(RecordObject { class: FILE_FINDER, attributes }))
        }
        None => Value::Unknown,
    }
}

impl Plan<'_> {
    /// Evaluates `__import__(name, globals, locals, fromlist, level)`.
    pub(super) fn import_by_name(&mut self, call: &KnownCall<'_>, frame: &Frame) -> Outcome {
        let place = call.place;
        let level = call.keyword("level").or(call.arguments.get(4)).map_or(Some(0), Value::number);
        let level = level.and_then(|level| u32::try_from(level).ok());
        let name = call.first().text().zip(level);
        let package = frame.module.package().to_owned();
        Ok(match name.as_ref().and_then(|(name, level)| absolute_name(&package, *level, name)) {
            Some(dotted) => {
                let module = self.import_expected(&dotted, frame, place)?;
                let takes_names = call.keyword("fromlist").or(call.arguments.get(3)).and_then(Value::truth);
                let is_relative = level != Some(0);
                match self.world.modules.get(top_level(&dotted)) {
                    Some(top) if !is_relative && takes_names != Some(true) => Value::Module(top.clone()),
                    _ => Value::Module(module),
                }
            }
            None => self.unknown_load("the name of a module that __import__ imports", place),
        })
    }

    pub(super) fn call_importlib(
        &mut self,
        name: ImportlibName,
        call: &KnownCall<'_>,
        frame: &Frame,
    ) -> Outcome {
        if name != ImportlibName::ImportModule {
            return Ok(Value::Unknown);
        }
        let Some(module) = call.first().text() else {
            return Ok(self.unknown_load("the name of a module that import_module imports", call.place));
        };
        let package = call.second().or(call.keyword("package")).and_then(Value::text);
        Ok(match resolve_relative(&module, package.as_deref()) {
            Some(dotted) => Value::Module(self.import_expected(&dotted, frame, call.place)?),
            None => Value::Unknown,
        })
    }

    pub(super) fn call_importlib_util(&mut self, name: ImportlibUtilName, call: &KnownCall<'_>) -> Outcome {
        let ImportlibUtilName::FindSpec = name;
        let Some(module) = call.named().text() else { return Ok(Value::Unknown) };
        let package = call.second().or_else(|| call.keyword("package")).and_then(Value::text);
        match resolve_relative(&module, package.as_deref()) {
            Some(dotted) => self.find_spec(&dotted, call.place),
            None => Ok(Value::Unknown),
        }
    }

    /// Evaluates `FileFinder(folder, …).find_spec(name)`.
    pub(super) fn find_spec_in(&mut self, object: &RecordObject, arguments: &[Value]) -> Value {
        let folder = object.get("path").and_then(|path| path.text()).map(|path| WinPath::new(&*path));
        let Some((folder, name)) = folder.zip(arguments.first().and_then(Value::text)) else {
            return Value::Unknown;
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        let suffixes = self.world.environment().extension_suffixes();
        let files = self.world.files();
        let mut paths = suffixes.iter().map(|suffix| folder.join(&format!("{last}{suffix}")));
        let found = paths.find(|path| files.is_file(path));
        found.map_or(Value::None, |path| spec_of(&name, Some(path), None))
    }

    /// Returns the spec of a module, or Python's `None` if it isn't found. Finding a submodule
    /// imports its parents.
    fn find_spec(&mut self, name: &str, place: &Place) -> Outcome {
        if let Some(module) = self.world.modules.get(name).cloned() {
            return Ok(spec_of(name, module.file.clone(), module.path.clone()));
        }
        let found = match name.rsplit_once('.') {
            None => self.world.finder.top_level(name, &self.world.sys_path),
            Some((parent, child)) => {
                let parent = self.import_dotted(parent, place)?;
                match &parent.path {
                    Some(path) => self.world.finder.submodule(child, path),
                    None if parent.open.get() => return Ok(Value::Unknown),
                    None => {
                        let text = format!("__path__ attribute not found on '{}'", parent.name);
                        let exception = Exception::new("ModuleNotFoundError", Some(text.into()));
                        return Err(traced(Rc::new(exception), place));
                    }
                }
            }
        };
        Ok(match found {
            Found::NotFound { .. } => Value::None,
            Found::Source(file) => spec_of(name, Some(file), None),
            Found::Extension { path, folder } => spec_of(name, Some(path), folder.map(|folder| vec![folder])),
            Found::Package { init, folder } => spec_of(name, Some(init), Some(vec![folder])),
            Found::Namespace(portions) => spec_of(name, None, Some(portions)),
            Found::Builtin | Found::Opaque { .. } | Found::Inaccessible(_) => {
                Value::Record(Rc::new(RecordObject {
                    class: SPEC,
                    attributes: vec![("name", Value::str(name))],
                }))
            }
        })
    }
}

fn spec_of(name: &str, file: Option<WinPath>, path: Option<Vec<WinPath>>) -> Value {
    let parent = if path.is_some() { name } else { name.rsplit_once('.').map_or("", |(parent, _)| parent) };
    let origin = file.map_or(Value::None, |file| Value::str(file.as_str()));
    let folders = path.map_or(Value::None, |folders| {
        Value::list(folders.iter().map(|folder| Value::str(folder.as_str())).collect())
    });
    let attributes = vec![
        ("name", Value::str(name)),
        ("has_location", Value::Bool(!matches!(origin, Value::None))),
        ("origin", origin),
        ("submodule_search_locations", folders),
        ("parent", Value::str(parent)),
        ("loader", Value::Known(StandardName::Anonymous(AnonymousName::ModuleLoader))),
    ];
    Value::Record(Rc::new(RecordObject { class: SPEC, attributes }))
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

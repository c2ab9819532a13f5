//! `importlib.resources`, `pkg_resources`, and `pkgutil`: the folders of packages.

use std::rc::Rc;

use super::super::Plan;
use super::super::value::{Module, RecordObject, Value};
use super::super::world::World;
use super::KnownCall;
use crate::cpython::Found;
use crate::host::{EntryKind, WinPath};
use crate::source::standard::{ImportlibResourcesName, PkgResourcesName, PkgutilName};
use crate::source::top_level;

/// The class of the objects whose attributes are provided here.
pub(super) const MODULE_INFO: &str = "pkgutil.ModuleInfo";

impl Plan<'_> {
    pub(super) fn call_pkg_resources(&mut self, name: PkgResourcesName, call: &KnownCall<'_>) -> Value {
        let folder = self.world.folder_of_package(call.named());
        let resource = call.second().and_then(Value::text);
        if name == PkgResourcesName::ResourceFilename {
            return match (folder, resource) {
                (Some(folder), Some(name)) => Value::str(folder.join(&name).as_str()),
                (Some(folder), None) => Value::Below(folder.as_str().into()),
                _ => Value::Unknown,
            };
        }
        let path = folder.zip(resource).map(|(folder, name)| folder.join(&name));
        let only_folders = name == PkgResourcesName::ResourceIsdir;
        self.kind_is(path, |kind| match kind {
            Some(EntryKind::Folder) => true,
            Some(EntryKind::File) => !only_folders,
            None => false,
        })
    }
}

impl World<'_> {
    pub(super) fn call_importlib_resources(
        &mut self,
        name: ImportlibResourcesName,
        call: &KnownCall<'_>,
    ) -> Value {
        match name {
            ImportlibResourcesName::Files => {
                self.folder_of_package(call.named()).map_or(Value::Unknown, |folder| Value::path(&folder))
            }
            ImportlibResourcesName::AsFile => Value::NullContext(Rc::new(call.named().clone())),
            ImportlibResourcesName::Path => {
                let file = self.folder_of_package(call.named()).zip(call.second().and_then(Value::text));
                let file = file.map_or(Value::Unknown, |(folder, name)| Value::path(&folder.join(&name)));
                Value::NullContext(Rc::new(file))
            }
        }
    }

    pub(super) fn call_pkgutil(&mut self, name: PkgutilName, call: &KnownCall<'_>) -> Value {
        match name {
            PkgutilName::ExtendPath => self.extended_path(call.named(), call.second()),
            PkgutilName::IterModules => {
                self.modules_in(call.named(), call.second().or_else(|| call.keyword("prefix")))
            }
        }
    }

    /// Returns the folder of a package, given as a module or by name. For any other module, returns
    /// the folder that contains it.
    fn folder_of_package(&mut self, package: &Value) -> Option<WinPath> {
        let of_module = |module: &Module| match &module.path {
            Some(path) => path.first().cloned(),
            None => module.file.as_ref().and_then(WinPath::parent),
        };
        if let Value::Module(module) = package {
            return of_module(module);
        }
        let name = package.text()?;
        if let Some(module) = self.modules.get(&*name) {
            return of_module(module);
        }
        let tail = name.split_once('.').map(|(_, tail)| tail.replace('.', "/"));
        let top = match self.finder.top_level(top_level(&name), &self.sys_path) {
            Found::Package { folder, .. } => folder,
            Found::Namespace(portions) => portions.first()?.clone(),
            _ => return None,
        };
        Some(tail.map_or(top.clone(), |tail| top.join(&tail)))
    }

    /// Evaluates `pkgutil.extend_path(__path__, __name__)`: adds the packages of that name along
    /// `sys.path`.
    fn extended_path(&mut self, path: &Value, name: Option<&Value>) -> Value {
        let (Some(mut entries), Some(name)) = (path.items(), name.and_then(Value::text)) else {
            return Value::Unknown;
        };
        // For a subpackage, the path of its parent is searched.
        let (folders, last) = match name.rsplit_once('.') {
            None => (self.sys_path.clone(), &*name),
            Some((parent, last)) => match self.modules.get(parent).and_then(|parent| parent.path.clone()) {
                Some(path) => (path, last),
                None => return path.clone(),
            },
        };
        let files = self.host().files.clone();
        for folder in folders {
            let folder = folder.join(last);
            let is_known =
                entries.iter().any(|entry| entry.text().is_some_and(|entry| WinPath::new(&*entry) == folder));
            if !is_known && files.is_file(&folder.join("__init__.py")) {
                entries.push(Value::str(folder.as_str()));
            }
        }
        Value::list(entries)
    }

    /// Evaluates `pkgutil.iter_modules(path, prefix)`.
    fn modules_in(&mut self, path: &Value, prefix: Option<&Value>) -> Value {
        let prefix = match prefix {
            None => "".into(),
            Some(prefix) => match prefix.text() {
                Some(prefix) => prefix,
                None => return Value::Unknown,
            },
        };
        let Some(folders) = path.items() else { return Value::Unknown };
        let suffixes = self.environment().extension_suffixes();
        let files = self.host().files.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut modules = Vec::new();
        for folder in folders {
            let Some(folder) = folder.text().map(|folder| WinPath::new(&*folder)) else {
                return Value::Unknown;
            };
            let Ok(listing) = files.folder(&folder) else { continue };
            let mut names: Vec<(String, bool)> = Vec::new();
            for entry in listing.entries() {
                let module = match entry.kind {
                    EntryKind::Folder => files
                        .is_file(&folder.join(&entry.name).join("__init__.py"))
                        .then(|| (entry.name.clone(), true)),
                    EntryKind::File => {
                        let stem = [".py", ".pyc"].into_iter().chain(suffixes.iter().map(String::as_str));
                        let mut stems = stem.filter_map(|suffix| entry.name.strip_suffix(suffix));
                        stems.next().map(|stem| (stem.to_owned(), false))
                    }
                };
                names.extend(module.filter(|(name, _)| name != "__init__" && !name.contains('.')));
            }
            // Python lists a folder in alphabetical order here.
            names.sort();
            for (name, is_package) in names {
                if seen.contains(&name) {
                    continue;
                }
                let attributes = vec![
                    ("module_finder", Value::Unknown),
                    ("name", Value::str(format!("{prefix}{name}"))),
                    ("ispkg", Value::Bool(is_package)),
                ];
                seen.push(name);
                modules.push(Value::Record(Rc::new(RecordObject { class: MODULE_INFO, attributes })));
            }
        }
        Value::list(modules)
    }
}

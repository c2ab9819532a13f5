//! The `import` and `from … import` statements: the names that they bind, and the exceptions that
//! an enclosing `try` expects.

use std::rc::Rc;

use super::exceptions::traced;
use super::frame::Frame;
use super::value::{Exception, ModuleRef, Value};
use super::{Place, Plan};
use crate::cpython::Found;
use crate::source::standard::StandardName;
use crate::source::{Name, absolute_name, top_level};

impl Plan<'_> {
    pub(super) fn import_statement(
        &mut self,
        module: &Name,
        alias: Option<&Name>,
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        let place = frame.place();
        if self.moved(module, frame, &place)?.is_some() {
            // The contents of the modules that `six` creates are imported when they are accessed.
            match (alias, self.world.modules.get(top_level(module)).cloned()) {
                (None, Some(top)) => self.bind(top_level(module), Value::Module(top), frame),
                (alias, _) => self.bind(alias.map_or(top_level(module), Name::as_str), Value::Unknown, frame),
            }
            return Ok(());
        }
        let last = self.import_expected(module, frame, &place)?;
        let (name, value) = match alias {
            Some(alias) => (alias.as_str(), last),
            None => {
                let first = top_level(module);
                match self.world.modules.get(first) {
                    Some(top) => (first, top.clone()),
                    None => (first, last),
                }
            }
        };
        self.bind(name, Value::Module(value), frame);
        Ok(())
    }

    /// Imports a module. If the finders don't find it, that's an error where the frame expects it.
    pub(super) fn import_expected(
        &mut self,
        dotted: &str,
        frame: &Frame,
        place: &Place,
    ) -> Result<ModuleRef, Rc<Exception>> {
        if frame.expects(&["ImportError", "ModuleNotFoundError", "Exception", "BaseException"])
            && let Some(missing) = self.certainly_missing(dotted)
        {
            return Err(traced(Rc::new(self.module_not_found(&missing)), place));
        }
        self.import_dotted(dotted, place)
    }

    /// Returns the dotted name if the module certainly doesn't exist. That is known only for a
    /// top-level name or if the parent is already imported. Importing the parents reveals the rest.
    pub(super) fn certainly_missing(&mut self, dotted: &str) -> Option<String> {
        if self.world.modules.contains_key(dotted) {
            return None;
        }
        self.spend_many(200);
        match dotted.rsplit_once('.') {
            Some((parent, name)) => {
                let parent = self.world.modules.get(parent)?;
                let unknown = parent.path.is_none() && parent.open.get();
                (!unknown && !self.submodule_exists(parent, name)).then(|| dotted.to_owned())
            }
            None => {
                let found = self.world.finder.top_level(dotted, &self.world.sys_path);
                matches!(found, Found::NotFound { .. }).then(|| dotted.to_owned())
            }
        }
    }

    pub(super) fn import_from(
        &mut self,
        level: u32,
        module: &Name,
        names: &[(Name, Option<Name>)],
        frame: &mut Frame,
    ) -> Result<(), Rc<Exception>> {
        let (place, importer) = (frame.place(), frame.module.clone());
        let Some(dotted) = absolute_name(importer.package(), level, module) else {
            let text = "attempted relative import beyond top-level package";
            return Err(traced(Rc::new(Exception::new("ImportError", Some(text.into()))), &place));
        };
        if let Some(moved) = self.moved(&dotted, frame, &place)? {
            for (name, alias) in names {
                let value = self.moved_name(&moved, name, &place)?;
                self.bind(alias.as_ref().unwrap_or(name), value, frame);
            }
            return Ok(());
        }
        let source = self.import_expected(&dotted, frame, &place)?;
        for (name, alias) in names {
            if name == "*" {
                self.import_star(&source, frame, &place)?;
                continue;
            }
            let value = self.imported_value(&source, name, frame, &place)?;
            self.bind(alias.as_ref().unwrap_or(name), value, frame);
        }
        Ok(())
    }

    /// Returns the value that `from source import name` binds.
    pub(super) fn imported_value(
        &mut self,
        source: &ModuleRef,
        name: &Name,
        frame: &Frame,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        // The plan's own implementations take precedence over the library's code, which was
        // followed too.
        let performed = super::standard::attribute(&source.name, name, self);
        if matches!(performed, Some(Value::Known(_))) && self.submodule_exists(source, name) {
            // `from importlib import metadata` imports a module that the plan implements itself,
            // together with its imports.
            self.import_dotted(&format!("{}.{name}", source.name), place)?;
        }
        match performed.or_else(|| source.get(name)) {
            Some(value) => self.resolve_if_lazy(value, source, name, place),
            None => self.import_name(source, name, frame, place),
        }
    }

    /// Handles `from source import name` if the source has no such attribute: it is a submodule, or
    /// something that the code doesn't reveal.
    pub(super) fn import_name(
        &mut self,
        source: &ModuleRef,
        name: &Name,
        frame: &Frame,
        place: &Place,
    ) -> Result<Value, Rc<Exception>> {
        let dotted = format!("{}.{name}", source.name);
        match self.lazy_attribute(source, name, place)? {
            None | Some(Value::Unknown) => {}
            Some(value) => return Ok(value),
        }
        if self.world.modules.contains_key(dotted.as_str()) {
            return self.import_dotted(&dotted, place).map(Value::Module);
        }
        if let Some(path) = &source.path {
            match self.world.finder.submodule(name, path) {
                Found::NotFound { for_other_python: None } => {
                    if !source.open.get() && self.recorded_file(&dotted).is_some() {
                        return Err(traced(Rc::new(self.module_not_found(&dotted)), place));
                    }
                }
                Found::NotFound { .. } => {
                    return Err(traced(Rc::new(self.module_not_found(&dotted)), place));
                }
                _ => return self.import_dotted(&dotted, place).map(Value::Module),
            }
        }
        // This certainly happens between modules that import each other, and an enclosing handler
        // expects it.
        let is_expected = frame.expects(&["ImportError", "Exception", "BaseException"])
            || (source.is_partial.get() && self.absence_is_expected());
        if !source.open.get() && is_expected {
            let text = format!("cannot import name '{name}' from '{}'", source.name);
            return Err(traced(Rc::new(Exception::new("ImportError", Some(text.into()))), place));
        }
        Ok(Value::Unknown)
    }

    fn import_star(
        &mut self,
        source: &ModuleRef,
        frame: &mut Frame,
        place: &Place,
    ) -> Result<(), Rc<Exception>> {
        if source.open.get() {
            frame.module.open.set(true);
        }
        match source.get("__all__").and_then(|all| all.items()) {
            Some(all) => {
                for name in all {
                    let Some(name) = name.text() else {
                        frame.module.open.set(true);
                        continue;
                    };
                    let value = match source.get(&name) {
                        Some(value) => self.resolve_if_lazy(value, source, &name, place)?,
                        // `__all__` may name submodules, which are then imported.
                        None if self.submodule_exists(source, &name) => {
                            let dotted = format!("{}.{name}", source.name);
                            Value::Module(self.import_dotted(&dotted, place)?)
                        }
                        None => Value::Unknown,
                    };
                    self.bind(&name, value, frame);
                }
            }
            None => {
                let names: Vec<(Name, Value)> = source
                    .names
                    .borrow()
                    .iter()
                    .filter(|(name, _)| !name.starts_with('_'))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect();
                for (name, value) in names {
                    let value = self.resolve_if_lazy(value, source, &name, place)?;
                    self.bind(&name, value, frame);
                }
            }
        }
        let public = StandardName::all_in(&source.name).iter().map(|(name, _)| *name);
        for name in public.filter(|name| !name.starts_with('_')) {
            if let Some(value) = super::standard::attribute(&source.name, name, self) {
                self.bind(name, value, frame);
            }
        }
        Ok(())
    }
}

//! Modules made with sip, PyQt's generator: sip itself imports the modules that they depend on.
//!
//! Such a module initializes itself by passing its description to sip, through a table of
//! functions that sip's module exports as a capsule: `api_export_module(description, major, minor,
//! null)` is the first of them. sip then imports each module of the list that the description
//! points to (`siplib/siplib.c`: `sip_api_export_module`; the layout is in `sip.h`). A description
//! is recognized by the name in it, which must be the module's own.

use super::known::{Held, Known};
use super::{LONGEST_NAME, Walk, is_module_name};
use crate::image::Image;
use crate::image::imports::entry;

/// The maximum number of modules in a list.
const MOST_IMPORTS: u32 = 64;

/// The number of pointers in an entry of the list. The first one points to the name.
const POINTERS_OF_IMPORT: u32 = 4;

impl Walk<'_, '_> {
    /// Follows a call through a pointer, if it passes a description of this module to sip.
    pub(super) fn export_to_sip(&mut self, known: &Known) -> Option<Held> {
        const MAJORS: std::ops::RangeInclusive<i64> = 8..=20;
        let Some(Held::Address(description)) = known.argument(0) else { return None };
        let Some(Held::Number(major)) = known.argument(1) else { return None };
        if !MAJORS.contains(&major) || known.argument(3) != Some(Held::Number(0)) {
            return None;
        }
        for name in self.image.imports_of_sip(description, self.name)? {
            self.import(name);
        }
        Some(Held::Done)
    }
}

impl Image<'_> {
    /// Returns the modules that a description lists, if it is one of a module of this name. Its
    /// fields are a pointer, a version, the offset of the full name among the module's strings,
    /// an object, and the addresses of the strings and of the list.
    fn imports_of_sip(&self, description: u32, own_name: &str) -> Option<Vec<String>> {
        const WHAT: &str = "a description of a module";
        let string = |at| self.memory.string(at, LONGEST_NAME, WHAT).ok().filter(|name| is_module_name(name));
        let [_, _, _, place] = self.memory.words::<4>(description, WHAT).ok()?;
        let full_name = string(self.pointer(description, 3)?.checked_add(place)?)?;
        if full_name.rsplit('.').next() != Some(own_name) {
            return None;
        }
        let Some(list) = self.pointer(description, 4) else { return Some(Vec::new()) };
        let mut names = Vec::new();
        for index in 0..MOST_IMPORTS {
            let at = entry(list, POINTERS_OF_IMPORT * index, 8, WHAT).ok()?;
            match self.pointer(at, 0) {
                Some(name) => names.push(string(name)?),
                None => return Some(names),
            }
        }
        None
    }
}

//! Modules made with sip, PyQt's generator: sip itself imports the modules that theirs builds on.
//!
//! The initialization of such a module hands a description of it to sip, through a table of functions that sip's module offers as a
//! capsule: `api_export_module(description, major, minor, null)`, the first of them. sip then imports each module of the list that the
//! description leads to (`siplib/siplib.c`: `sip_api_export_module`; `sip.h` tells how the description lies in memory). What it is, is
//! told by the name in it, which must be the module's own.

use iced_x86::Register;

use super::known::{Held, Known};
use super::{LONGEST_NAME, Walk, is_module_name};
use crate::image::Image;
use crate::image::imports::entry;

/// A list of more modules is none.
const MOST_IMPORTS: u32 = 64;

/// A list entry of sip has four pointers, of which the first leads to the name.
const POINTERS_OF_IMPORT: u32 = 4;

impl Walk<'_, '_> {
    /// Follows a call through a pointer, if it hands a description of this module to sip.
    pub(super) fn export_to_sip(&mut self, known: &Known) -> Option<Held> {
        const MAJORS: std::ops::RangeInclusive<i32> = 8..=20;
        let Some(Held::Address(description)) = known.get(Register::RCX) else { return None };
        let Some(Held::Number(major)) = known.get(Register::RDX) else { return None };
        if !MAJORS.contains(&major) || known.get(Register::R9) != Some(Held::Number(0)) {
            return None;
        }
        for name in self.image.imports_of_sip(description, self.name)? {
            self.import(name);
        }
        Some(Held::Done)
    }
}

impl Image<'_> {
    /// The modules that a description names, if it is one of a module of this name: behind a pointer and a version lie the place of the
    /// full name among the module's texts, an object, the address of the texts, and that of the list.
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

//! Which modules the code of an extension module imports while it is initialized.
//!
//! C code calls `PyImport_ImportModule` and similar functions with literal names, which no Python
//! source mentions: this is how PyQt's modules are imported, and what Cython generates for
//! `cimport` (`ModuleNode.py`: `generate_type_import_code` and others). It accounts for a third of
//! the native modules of NumPy, SciPy, pandas, and h5py.
//!
//! Cython compiles an `import` statement to a call of a helper, `__Pyx_Import(name, names, level)`,
//! which ends in `PyImport_ImportModuleLevelObject` (`Cython/Utility/ImportExport.c`). The name is
//! an object in a global variable, and a table that the initialization iterates over has the
//! string of each. Such names are also used to get attributes of modules.
//!
//! | file | subject |
//! |---|---|
//! | `called` | which functions of CPython matter |
//! | `compared` | which comparisons have a known outcome |
//! | `known` | what registers and places of the stack hold |
//! | `scan` | how a function is read that may be a helper |
//! | `seen` | which instructions were visited |
//! | `failure` | what happens after a call that fails |
//! | `importer` | which functions import what a string argument names |
//! | `sip` | what sip imports for a module |
//! | `texts`, `lzss` | the tables of Cython's strings, and how they are packed |
//! | `helper` | which functions of Cython import what an object argument names |

mod called;
mod compared;
mod failure;
mod helper;
mod importer;
mod known;
mod lzss;
mod scan;
mod seen;
mod sip;
mod texts;

use rustc_hash::FxHashMap;

use self::called::Called;
use self::helper::Level;
use self::importer::Importer;
use self::known::{Held, Known, Slots};
use self::seen::Seen;
use self::texts::Texts;

use super::code::{
    AssignedValue, BranchCondition, CodeValue, Convention, Destination, Instruction, Operation,
};
use super::exports::Export;
use super::imports::Symbol;
use super::{Image, ImageError};

/// The maximum number of instructions that are visited, a millisecond's work: imports come before
/// the module's own code. Most modules need 4,000.
const MOST_INSTRUCTIONS: u32 = 40_000;

/// The same for a module that wasn't made with Cython: what C++ code calls afterwards is unlimited.
const FEWER_INSTRUCTIONS: u32 = 16_000;

/// The number of further instructions if the strings of the module can be read: gRPC's `cygrpc` needs
/// 55,000.
const MORE_INSTRUCTIONS: u32 = 60_000;

/// The maximum length of a module's name, in bytes.
const LONGEST_NAME: usize = 256;

/// The maximum depth of calls within calls.
const DEEPEST_CALL: usize = 64;

/// The beginning of the name of the function that makes a module.
const INIT: &str = "PyInit_";

/// The beginning of the name of the function that returns the slots from which Python makes a module
/// (PEP 793, Python 3.15).
const DESCRIPTION: &str = "PyModExport_";

impl Image<'_> {
    /// Stands in [`Image::module_imports`] for a module whose name is unknown.
    pub const UNKNOWN_MODULE: &'static str = "?";

    /// Stands in [`Image::module_imports`] for whatever is imported by code that isn't read.
    pub const UNREAD: &'static str = "unread";

    /// Returns the modules that an extension module imports during its own import, by their full names
    /// and in order. Code is read of x64 and ARM64; [`Image::UNREAD`] stands for all that another
    /// module imports, if it can import any.
    ///
    /// A name alone is imported by C code, which fails if the import does. `NAME|OTHER` stands for the
    /// other module if there is none of the first name. `LEVEL:NAME` is an import that may fail: an
    /// `import` statement of a Cython module, possibly within a `try`, or one of C code that clears
    /// the error. The level counts the dots before the name. It is -1 where a module next to this
    /// one takes precedence. `platform.NAME()` is such a call, some of which import a module.
    /// [`Image::UNKNOWN_MODULE`] is an import whose name is unknown.
    ///
    /// Code that only the slots of a module's description name (`PyModExport_…`, PEP 793) isn't read
    /// either.
    ///
    /// The code is followed from `PyInit_…` as it runs if nothing fails, and in both directions where
    /// it may take either.
    ///
    /// # Errors
    /// As [`Image::imports`], [`Image::symbols`] and [`Image::export`].
    pub fn module_imports(&self) -> Result<Vec<String>, ImageError> {
        // Python 3.15 asks for this one first.
        let described = self.export_that_begins_with(DESCRIPTION)?;
        let init = match described.as_ref().and_then(|export| export.strip_prefix(DESCRIPTION)) {
            Some(name) => Some(format!("{INIT}{name}")),
            None => self.export_that_begins_with(INIT)?,
        };
        let start = init.as_ref().map(|init| self.export(&Symbol::Name(init.clone()))).transpose()?.flatten();
        if described.is_none() && start.is_none() {
            return Ok(Vec::new());
        }
        let is_python = |dll: &str| dll.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("python"));
        let slots = self.slots(is_python, Called::by_name)?;
        let imports = |called| slots.values().any(|known| *known == called);
        if !slots.values().any(|called| called.imports()) {
            return Ok(Vec::new());
        }
        let (Some(init), Some(Export::Address(start)), Some(convention)) = (&init, start, self.convention())
        else {
            return Ok(vec![Image::UNREAD.to_owned()]);
        };
        let name = init.strip_prefix(INIT).unwrap_or_default();
        let may_be_of_cython = imports(Called::Add);
        let mut walk = Walk {
            image: self,
            convention,
            name,
            texts: Texts::new(may_be_of_cython),
            slots,
            seen: Seen::default(),
            left: convention.instructions
                * if may_be_of_cython { MOST_INSTRUCTIONS } else { FEWER_INSTRUCTIONS },
            helpers: FxHashMap::default(),
            importers: FxHashMap::default(),
            names: Vec::new(),
            dictionary: Dictionary::Unknown,
            imported: Vec::new(),
        };
        walk.function(start, Known::at_start(convention), 0);
        Ok(walk.found())
    }
}

/// An import that was found.
struct Imported {
    name: String,
    /// The level, if it is an `import` statement of a Cython module.
    level: Option<i64>,
    /// The module that is imported if there is none of that name.
    other: Option<String>,
    /// Whether the code clears the error if it fails.
    may_fail: bool,
}

impl Imported {
    fn into_text(self) -> String {
        match (self.level, self.other) {
            (Some(level), _) => format!("{level}:{}", self.name),
            (None, Some(other)) => format!("{}|{other}", self.name),
            (None, None) if self.may_fail => format!("0:{}", self.name),
            (None, None) => self.name,
        }
    }
}

/// A walk through code in the order in which it runs. Addresses are RVAs.
struct Walk<'i, 'a> {
    image: &'i Image<'a>,
    convention: &'static Convention,
    /// The module's own name, without its package.
    name: &'i str,
    slots: Slots,
    seen: Seen,
    /// The number of instructions that may still be visited.
    left: u32,
    texts: Texts,
    /// Functions that were examined, with the level at which they import the module that their first
    /// argument names, if they do.
    helpers: FxHashMap<u32, Option<Level>>,
    /// Functions that were examined, with the argument that names the module that they import, if they
    /// import one.
    importers: FxHashMap<u32, Option<Importer>>,
    /// The lists of names that were made.
    names: Vec<Vec<Held>>,
    dictionary: Dictionary,
    imported: Vec<Imported>,
}

/// The dictionary of the module, which is an argument of Cython 3.2's helper.
#[derive(Clone, Copy, PartialEq)]
enum Dictionary {
    Unknown,
    /// The code has just got it from the module.
    Asked,
    /// It is in this variable.
    In(u32),
}

impl Walk<'_, '_> {
    /// Returns the imports that were found.
    fn found(mut self) -> Vec<String> {
        let own: Vec<String> = self.imported.iter().map(|import| import.name.clone()).collect();
        for import in &mut self.imported {
            // A module that is imported in any case is not an alternative.
            import.other.take_if(|other| own.contains(other));
        }
        self.imported.into_iter().map(Imported::into_text).collect()
    }

    /// Follows a function, and those that it calls.
    fn function(&mut self, start: u32, known: Known, depth: usize) {
        let callers = self.texts.begin();
        let mut open = vec![(start, known)];
        while let Some((at, known)) = open.pop() {
            self.piece(at, known, depth, &mut open);
        }
        self.texts.end(callers);
    }

    /// Follows the code from here to where it jumps away or returns.
    fn piece(&mut self, at: u32, mut known: Known, depth: usize, open: &mut Vec<(u32, Known)>) {
        let Some(mut decoder) = self.image.decoder(at) else { return };
        let mut instruction = Instruction::default();
        while self.left > 0 && decoder.decode(&mut instruction) {
            if !self.seen.insert(instruction.at) {
                return;
            }
            self.left -= 1;
            for operation in &instruction.operations {
                match *operation {
                    Operation::Invalid | Operation::Return | Operation::Breakpoint => return,
                    Operation::Call(target) if self.makes_frame(target, instruction.next, &known) => {}
                    Operation::Call(target) => {
                        let called = self.called(target, &known);
                        // What follows is done where something has failed.
                        if called == Some(Called::Raise) {
                            return;
                        }
                        let result = self.call(target, called, instruction.next, &known, depth);
                        known.follow_call(result);
                    }
                    Operation::Jump(target) => {
                        if let Some(called) = self.called(target, &known) {
                            self.calls(called, &known, depth);
                        } else if let Destination::Code(to) = target {
                            open.push((to, known));
                        }
                        return;
                    }
                    Operation::Branch(condition, target) => {
                        match known.compared.and_then(|compared| compared.decides(condition)) {
                            Some(is_taken) => {
                                let (goes_on, fails) = match is_taken {
                                    true => (target, instruction.next),
                                    false => (instruction.next, target),
                                };
                                if self.look_at_failure(fails, &known) {
                                    open.push((fails, known.clone()));
                                }
                                if is_taken {
                                    open.push((goes_on, known));
                                    return;
                                }
                            }
                            None if self.seen.contains(target) => {}
                            None => open.push((target, known.clone())),
                        }
                    }
                    _ => {
                        self.watch(operation, &known);
                        self.keep_dictionary(operation, &known);
                        known.follow(operation, &self.slots, self.texts.is_open());
                        self.follow_pointer(operation, &mut known);
                    }
                }
            }
        }
    }

    /// Whether a call is one of `__chkstk`, which receives the size of a large stack frame in a
    /// register, and leaves all registers as they are: the stack pointer is lowered next.
    fn makes_frame(&self, target: Destination, next: u32, known: &Known) -> bool {
        let Convention { stack, frame_size, .. } = *self.convention;
        let mut instruction = Instruction::default();
        let stack = CodeValue::Register(stack);
        matches!(known.get(frame_size), Some(Held::Number(_)))
            && matches!(target, Destination::Code(_))
            && self.image.decoder(next).is_some_and(|mut decoder| decoder.decode(&mut instruction))
            && matches!(
                *instruction.operations,
                [Operation::Set(_, AssignedValue::Difference(one, CodeValue::Register(size), _)), ..]
                    if one == stack && size == frame_size
            )
    }

    /// Follows a call, and returns its result if nothing fails. `next` is where it returns to.
    fn call(
        &mut self,
        target: Destination,
        called: Option<Called>,
        next: u32,
        known: &Known,
        depth: usize,
    ) -> Option<Held> {
        self.use_of_platform(next, known);
        if let Some(called) = called {
            return self.calls(called, known, depth);
        }
        if self.is_given_dictionary(target, known) {
            let level = match known.argument(5) {
                None if known.argument(3) == Some(Held::Number(0)) => Some(Held::Number(0)),
                level => level,
            };
            return self.statement(known, level);
        }
        let Destination::Code(target) = target else { return self.export_to_sip(known) };
        if let Some(level) = self.imports_its_argument(target, 0) {
            let level = match level {
                Level::Given(index) => known.argument(index),
                Level::Fixed(level) => Some(Held::Number(level)),
            };
            return self.statement(known, level);
        }
        if let Some(names) = self.names(known) {
            let index = u32::try_from(self.names.len()).ok();
            self.names.push(names);
            return Some(index.map_or(Held::Object, Held::Names));
        }
        if let Some(name) = self.name_for_importer(target, known) {
            return self.import(name);
        }
        if depth < DEEPEST_CALL {
            self.function(target, known.as_called(), depth + 1);
        }
        None
    }

    /// Follows `platform.machine()` and similar calls: Cython looks up the name, and then passes the
    /// result as the first argument of the next call that has a string, to get its attribute.
    fn use_of_platform(&mut self, next: u32, known: &Known) {
        const MODULE: &str = "platform";
        /// The maximum number of instructions of x64 between the two calls.
        const MOST: u32 = 64;
        if !self.texts_given(known).iter().flatten().any(|name| name == MODULE) {
            return;
        }
        let mut known = known.clone();
        known.follow_call(None);
        let mut decoder = self.image.decoder(next);
        let mut instruction = Instruction::default();
        for _ in 0..MOST * self.convention.instructions {
            if !decoder.as_mut().is_some_and(|decoder| decoder.decode(&mut instruction)) {
                return;
            }
            for operation in &instruction.operations {
                match *operation {
                    Operation::Invalid | Operation::Return | Operation::Breakpoint => return,
                    Operation::Call(_) => match self.texts_given(&known) {
                        [None, None] => known.follow_call(None),
                        // `import platform` passes the module's name.
                        [None, Some(attribute)] if attribute != MODULE && is_module_name(&attribute) => {
                            self.import(format!("{MODULE}.{attribute}()"));
                            return;
                        }
                        _ => return,
                    },
                    // Nothing fails, and no object is deallocated.
                    Operation::Jump(Destination::Code(to))
                    | Operation::Branch(BranchCondition::NotEqual, to) => {
                        decoder = self.image.decoder(to);
                    }
                    _ => known.follow(operation, &self.slots, false),
                }
            }
        }
    }

    /// Returns the strings among the first two arguments of a call.
    fn texts_given(&self, known: &Known) -> [Option<String>; 2] {
        [0, 1].map(|index| self.text(known.argument(index)))
    }

    /// Records where the dictionary of the module is stored.
    fn keep_dictionary(&mut self, operation: &Operation, known: &Known) {
        if self.dictionary == Dictionary::Asked
            && let Operation::Store(memory, CodeValue::Register(register)) = *operation
            && register == self.convention.result
            && let Some(Held::Address(at)) = known.place(memory)
        {
            self.dictionary = Dictionary::In(at);
        }
    }

    /// Imports the module whose name is the first argument, at a level. `from . import a` leaves the
    /// name empty, and its second argument is the list of names.
    fn statement(&mut self, known: &Known, level: Option<Held>) -> Option<Held> {
        const LEVELS: std::ops::RangeInclusive<i64> = -1..=9;
        let Some(name) = self.text(known.argument(0)) else { return self.import_unknown() };
        let Some(Held::Number(level)) = level else { return Some(Held::Object) };
        let names = match known.argument(1) {
            Some(Held::Names(index)) if name.is_empty() => {
                let names = self.names.get(index as usize).map(Vec::as_slice).unwrap_or_default();
                names.iter().filter_map(|name| self.text(Some(*name))).collect()
            }
            _ => vec![name],
        };
        let mut module = Held::Object;
        for name in names {
            if LEVELS.contains(&level) && is_module_name(&name) {
                module = self.add(Imported { name, level: Some(level), other: None, may_fail: true });
            }
        }
        Some(module)
    }

    /// Adds an import, if it is a new one.
    fn add(&mut self, import: Imported) -> Held {
        let is_same = |known: &Imported| known.level == import.level && known.name == import.name;
        let index = self.imported.iter().position(is_same).unwrap_or_else(|| {
            self.imported.push(import);
            self.imported.len() - 1
        });
        u32::try_from(index).map_or(Held::Object, Held::Module)
    }

    /// Imports a module by its full name.
    fn import(&mut self, name: String) -> Option<Held> {
        Some(self.add(Imported { name, level: None, other: None, may_fail: false }))
    }

    /// Imports a module whose name is unknown.
    fn import_unknown(&mut self) -> Option<Held> {
        self.import(Image::UNKNOWN_MODULE.into());
        Some(Held::Object)
    }

    /// Returns the function of CPython that is called or jumped to.
    fn called(&self, target: Destination, known: &Known) -> Option<Called> {
        match target {
            Destination::Code(to) => self.slots.get(&self.image.slot_behind(to)?).copied(),
            Destination::Pointer(value) => match known.value(value, &self.slots) {
                Some(Held::Function(called)) => Some(called),
                _ => None,
            },
        }
    }

    /// Follows a call of one of CPython's functions, and returns its result if nothing fails.
    fn calls(&mut self, called: Called, known: &Known, depth: usize) -> Option<Held> {
        let first = known.argument(0);
        match called {
            Called::Import | Called::Capsule | Called::ImportLevel | Called::ImportObject => {
                match self.name_of_import(called, known) {
                    Some(name) => self.import(name),
                    // Cython's code gets `gc` so, if it isn't imported yet.
                    None if called == Called::ImportObject && self.text(first).is_some() => {
                        self.statement(known, Some(Held::Number(0)))
                    }
                    None => self.import_unknown(),
                }
            }
            Called::ImportStatement => match first {
                // C code makes an object of the name. Cython has one for each of its strings.
                Some(Held::Text(..)) if known.argument(4) == Some(Held::Number(0)) => {
                    match self.name_of_import(Called::ImportObject, known) {
                        Some(name) => self.import(name),
                        None => self.import_unknown(),
                    }
                }
                _ => self.statement(known, known.argument(4)),
            },
            Called::Get => {
                if self.text(first).is_some() {
                    self.statement(known, Some(Held::Number(0)));
                }
                None
            }
            Called::Dictionary => {
                if self.dictionary == Dictionary::Unknown {
                    self.dictionary = Dictionary::Asked;
                }
                None
            }
            Called::View => {
                self.unpack(known);
                None
            }
            Called::Text | Called::InternedText => {
                if called == Called::InternedText {
                    self.make_text();
                }
                Some(self.object_of_text(first, None))
            }
            Called::SizedText | Called::DecodedText => {
                if called == Called::DecodedText {
                    self.make_text();
                }
                Some(self.object_of_text(first, known.argument(1)))
            }
            Called::Define => {
                if let Some(Held::Address(definition)) = first {
                    for function in self.image.executed_by(definition) {
                        self.function(function, Known::at_start(self.convention), depth + 1);
                    }
                }
                None
            }
            Called::Bytes => {
                self.unpack_itself(known);
                Some(Held::Object)
            }
            Called::Make => Some(Held::Object),
            Called::Do | Called::Occurred => Some(Held::Done),
            Called::Add | Called::Clear | Called::Matches | Called::Raise => None,
        }
    }
}

/// Whether a string is a dotted name of ASCII characters.
fn is_module_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    name.split('.').all(is_part)
}

#[cfg(test)]
mod tests;

//! Which modules the code of an extension module imports as it is initialized.
//!
//! C code calls `PyImport_ImportModule` and its kin with literal names, and no Python text tells of it: so PyQt's modules come in, and
//! what Cython writes for `cimport` (`ModuleNode.py`: `generate_type_import_code` and its kin), which brings a third of the native
//! modules of NumPy, SciPy, pandas and h5py.
//!
//! An `import` of its text Cython writes as calls of a helper, `__Pyx_Import(name, names, level)`, that ends in
//! `PyImport_ImportModuleLevelObject` (`Cython/Utility/ImportExport.c`). The name is an object in a global variable, and a table that
//! the initialization goes through tells the text of each. By such names it asks modules for their attributes, too.
//!
//! | file | what it knows |
//! |---|---|
//! | `called` | which functions of CPython matter |
//! | `known` | what registers and places of the stack hold |
//! | `seen` | which instructions were looked at |
//! | `failure` | what becomes of a call that fails |
//! | `importer` | which functions import what they are told by a text |
//! | `sip` | what sip imports for a module |
//! | `texts`, `lzss` | the tables of Cython's texts, and how they are packed |
//! | `helper` | which functions of Cython import what they are given |

mod called;
mod failure;
mod helper;
mod importer;
mod known;
mod lzss;
mod seen;
mod sip;
mod texts;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rustc_hash::FxHashMap;

use self::called::Called;
use self::failure::Compared;
use self::helper::Level;
use self::importer::Importer;
use self::known::{Held, Known, Slots};
use self::seen::Seen;
use self::texts::Texts;

use super::exports::Export;
use super::imports::{Symbol, entry};
use super::{Image, ImageError, Machine};

/// So many instructions are looked at, a millisecond's work: what is imported stands before the module's own code. Most modules have
/// 4,000.
const MOST_INSTRUCTIONS: u32 = 40_000;

/// So many of a module that was not made with Cython: what C++ does after so many has no end.
const FEWER_INSTRUCTIONS: u32 = 16_000;

/// So many more, where the texts of the module can be read: gRPC's `cygrpc` has 55,000.
const MORE_INSTRUCTIONS: u32 = 60_000;

/// Longer names of modules are none.
const LONGEST_NAME: usize = 256;

/// Calls within calls are followed so deep.
const DEEPEST_CALL: usize = 64;

/// What the function is called that makes a module.
const INIT: &str = "PyInit_";

/// What the function is called that gives the slots of which Python makes a module (PEP 793, Python 3.15).
const DESCRIPTION: &str = "PyModExport_";

impl Image<'_> {
    /// What [`Image::module_imports`] tells of a module whose name is not known.
    pub const UNKNOWN_MODULE: &'static str = "?";

    /// What [`Image::module_imports`] tells of a module that may import others, and whose code is not read.
    pub const UNREAD: &'static str = "unread";

    /// The modules that an extension module imports while its own import is under way, by their full names and in order. Code for
    /// other processors than x64 is not read: [`Image::UNREAD`] stands for all that such a module imports, if it can import any.
    ///
    /// A name alone is imported by C code, which fails if that does; `NAME|OTHER` stands for the other if there is no module of the
    /// first name. `LEVEL:NAME` is an import that may fail: an `import` of a Cython module's text, perhaps within a `try`, or one of C
    /// code that forgets the failure. The level counts the dots before the name, and is -1 where a module beside this one is meant if
    /// there is one. `platform.NAME()` is such a call, of which some import a module. [`Image::UNKNOWN_MODULE`] is an import of which
    /// the name is not known.
    ///
    /// Code that only the slots of a module's description name (`PyModExport_…`, PEP 793) is not read either.
    ///
    /// The code is followed from `PyInit_…` as it runs if nothing fails, and both ways where it may go either.
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
        let (Some(init), Some(Export::Address(start)), Machine::X64) = (&init, start, self.machine()) else {
            return Ok(vec![Image::UNREAD.to_owned()]);
        };
        let name = init.strip_prefix(INIT).unwrap_or_default();
        let may_be_of_cython = imports(Called::Add);
        let mut walk = Walk {
            image: self,
            name,
            texts: Texts::new(may_be_of_cython),
            slots,
            seen: Seen::default(),
            left: if may_be_of_cython { MOST_INSTRUCTIONS } else { FEWER_INSTRUCTIONS },
            helpers: FxHashMap::default(),
            importers: FxHashMap::default(),
            names: Vec::new(),
            dictionary: Dictionary::Unknown,
            imported: Vec::new(),
        };
        walk.function(start.into(), Known::at_start(), 0);
        Ok(walk.found())
    }
}

impl Image<'_> {
    /// The pointer at an index behind an RVA, as an RVA.
    fn pointer(&self, at: u32, index: u32) -> Option<u32> {
        let at = entry(at, index, 8, "a definition").ok()?;
        let address = u64::from_le_bytes(self.memory.bytes::<8>(at, "a definition").ok()?);
        u32::try_from(address.checked_sub(self.headers.image_base)?).ok()
    }
}

/// An import that was found.
struct Imported {
    name: String,
    /// The level, if it is one of a Cython module's text.
    level: Option<i32>,
    /// What is imported if there is no module of that name.
    other: Option<String>,
    /// Whoever imports it forgets that it failed.
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
    /// The module's own name, without its package.
    name: &'i str,
    slots: Slots,
    seen: Seen,
    /// How many more instructions are looked at.
    left: u32,
    texts: Texts,
    /// Functions that were looked at, and which level they import at if they import the module that their first argument names.
    helpers: FxHashMap<u32, Option<Level>>,
    /// Functions that were looked at, and which of their arguments names a module that they import.
    importers: FxHashMap<u32, Option<Importer>>,
    /// The lists of names that were made.
    names: Vec<Vec<Held>>,
    dictionary: Dictionary,
    imported: Vec<Imported>,
}

/// The dictionary of the module, which the helper of Cython 3.2 is given.
#[derive(Clone, Copy, PartialEq)]
enum Dictionary {
    Unknown,
    /// The module was asked for it.
    Asked,
    /// It is in this variable.
    In(u32),
}

impl Walk<'_, '_> {
    /// The imports that were found.
    fn found(mut self) -> Vec<String> {
        let own: Vec<String> = self.imported.iter().map(|import| import.name.clone()).collect();
        for import in &mut self.imported {
            // What is imported in any case is not the other way out.
            import.other.take_if(|other| own.contains(other));
        }
        self.imported.into_iter().map(Imported::into_text).collect()
    }

    /// Follows a function, and those that it calls.
    fn function(&mut self, start: u64, known: Known, depth: usize) {
        let callers = self.texts.begin();
        let mut open = vec![(start, known)];
        while let Some((at, known)) = open.pop() {
            self.piece(at, known, depth, &mut open);
        }
        self.texts.end(callers);
    }

    /// Follows the code from here to where it jumps away or returns.
    fn piece(&mut self, at: u64, mut known: Known, depth: usize, open: &mut Vec<(u64, Known)>) {
        let Some(mut decoder) = u32::try_from(at).ok().and_then(|at| self.image.decoder(at)) else {
            return;
        };
        let mut instruction = Instruction::default();
        // What a comparison of a result with a number has found, if nothing has failed.
        let mut compared = None;
        while decoder.can_decode() && self.left > 0 {
            let Ok(here) = u32::try_from(decoder.ip()) else { return };
            if !self.seen.insert(here) {
                return;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => return,
                Mnemonic::Call if self.makes_frame(&instruction, &known) => compared = None,
                Mnemonic::Call => {
                    let called = self.called(&instruction, &known);
                    // What follows is done where something has failed.
                    if called == Some(Called::Raise) {
                        return;
                    }
                    let given = self.call(&instruction, called, &known, depth);
                    compared = None;
                    known.follow_call();
                    known.set(Register::RAX, given);
                }
                Mnemonic::Jmp => {
                    if let Some(called) = self.called(&instruction, &known) {
                        self.calls(called, &known, depth);
                    } else if instruction.op0_kind() == OpKind::NearBranch64 {
                        open.push((instruction.near_branch_target(), known));
                    }
                    return;
                }
                mnemonic if instruction.is_jcc_short_or_near() => {
                    let target = instruction.near_branch_target();
                    match compared.as_ref().and_then(|compared: &Compared| compared.decides(mnemonic)) {
                        Some(is_taken) => {
                            let (goes_on, fails) = match is_taken {
                                true => (target, instruction.next_ip()),
                                false => (instruction.next_ip(), target),
                            };
                            if self.look_at_failure(compared.as_ref(), fails, &known) {
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
                mnemonic => {
                    self.watch(&instruction, &known);
                    self.keep_dictionary(&instruction, &known);
                    match mnemonic {
                        Mnemonic::Test | Mnemonic::Cmp => {
                            compared = Compared::of(&instruction, &known, &self.slots);
                        }
                        Mnemonic::Mov | Mnemonic::Lea | Mnemonic::Nop => {}
                        _ => compared = None,
                    }
                    known.follow(&instruction, &self.slots, self.texts.is_open());
                    self.follow_pointer(&instruction, &mut known);
                }
            }
        }
    }

    /// Whether a call is one of `__chkstk`, which is given the size of a large frame in RAX, and leaves all registers as they are: what
    /// follows is `sub rsp, rax`.
    fn makes_frame(&self, call: &Instruction, known: &Known) -> bool {
        matches!(known.get(Register::RAX), Some(Held::Number(_)))
            && call.op0_kind() == OpKind::NearBranch64
            && u32::try_from(call.next_ip()).ok().and_then(|next| self.image.decoder(next)).is_some_and(
                |mut decoder| {
                    let next = decoder.decode();
                    next.mnemonic() == Mnemonic::Sub
                        && next.op0_register() == Register::RSP
                        && next.op1_register() == Register::RAX
                },
            )
    }

    /// Follows a call, and returns what it gives if nothing fails.
    fn call(
        &mut self,
        instruction: &Instruction,
        called: Option<Called>,
        known: &Known,
        depth: usize,
    ) -> Option<Held> {
        self.use_of_platform(instruction, known);
        if let Some(called) = called {
            return self.calls(called, known, depth);
        }
        if self.is_given_dictionary(instruction, known) {
            let level = match known.argument(5) {
                None if known.get(Register::R9) == Some(Held::Number(0)) => Some(Held::Number(0)),
                level => level,
            };
            return self.statement(known, level);
        }
        if instruction.op0_kind() != OpKind::NearBranch64 {
            return self.export_to_sip(known);
        }
        let target = instruction.near_branch_target();
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

    /// Follows `platform.machine()` and its like: Cython asks for what the name means here, and then that, as the first argument of the
    /// next call that is given a text, for its attribute.
    fn use_of_platform(&mut self, call: &Instruction, known: &Known) {
        const MODULE: &str = "platform";
        const SOON: usize = 64;
        if !self.texts_given(known).iter().flatten().any(|name| name == MODULE) {
            return;
        }
        let mut known = known.clone();
        known.follow_call();
        let mut at = call.next_ip();
        for _ in 0..SOON {
            let Some(mut decoder) = u32::try_from(at).ok().and_then(|at| self.image.decoder(at)) else {
                return;
            };
            let instruction = decoder.decode();
            at = instruction.next_ip();
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => return,
                Mnemonic::Call => match self.texts_given(&known) {
                    [None, None] => known.follow_call(),
                    // `import platform` gives the module its name.
                    [None, Some(attribute)] if attribute != MODULE && is_module_name(&attribute) => {
                        self.import(format!("{MODULE}.{attribute}()"));
                        return;
                    }
                    _ => return,
                },
                // Nothing fails, and no object goes away.
                Mnemonic::Jmp | Mnemonic::Jne if instruction.op0_kind() == OpKind::NearBranch64 => {
                    at = instruction.near_branch_target();
                }
                _ if instruction.is_jcc_short_or_near() => {}
                _ => known.follow(&instruction, &self.slots, false),
            }
        }
    }

    /// The texts among the first two arguments of a call.
    fn texts_given(&self, known: &Known) -> [Option<String>; 2] {
        [Register::RCX, Register::RDX].map(|register| self.text(known.get(register)))
    }

    /// The dictionary that the module was asked for is put where it is kept.
    fn keep_dictionary(&mut self, instruction: &Instruction, known: &Known) {
        if self.dictionary == Dictionary::Asked
            && instruction.mnemonic() == Mnemonic::Mov
            && instruction.op0_kind() == OpKind::Memory
            && instruction.op1_register() == Register::RAX
            && let Some(Held::Address(at)) = known.place(instruction)
        {
            self.dictionary = Dictionary::In(at);
        }
    }

    /// Imports the module whose name is the first argument, at a level. `from . import a` leaves the name empty, and its second
    /// argument is the list of names.
    fn statement(&mut self, known: &Known, level: Option<Held>) -> Option<Held> {
        const LEVELS: std::ops::RangeInclusive<i32> = -1..=9;
        let Some(name) = self.text(known.get(Register::RCX)) else { return self.import_unknown() };
        let Some(Held::Number(level)) = level else { return Some(Held::Object) };
        let names = match known.get(Register::RDX) {
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

    /// Imports a module whose name is not known.
    fn import_unknown(&mut self) -> Option<Held> {
        self.import(Image::UNKNOWN_MODULE.into());
        Some(Held::Object)
    }

    /// CPython's function that an instruction calls or jumps to.
    fn called(&self, instruction: &Instruction, known: &Known) -> Option<Called> {
        match instruction.op0_kind() {
            OpKind::Memory | OpKind::Register => match known.value(instruction, 0, &self.slots) {
                Some(Held::Function(called)) => Some(called),
                _ => None,
            },
            OpKind::NearBranch64 => {
                self.slots.get(&self.image.slot_behind(instruction.near_branch_target())?).copied()
            }
            _ => None,
        }
    }

    /// Follows a call of one of CPython's functions, and returns what it gives if nothing fails.
    fn calls(&mut self, called: Called, known: &Known, depth: usize) -> Option<Held> {
        let first = known.get(Register::RCX);
        match called {
            Called::Import | Called::Capsule | Called::ImportLevel | Called::ImportObject => {
                match self.name_of_import(called, known) {
                    Some(name) => self.import(name),
                    // Cython's code asks for `gc` so, if nobody has imported it before.
                    None if called == Called::ImportObject && self.text(first).is_some() => {
                        self.statement(known, Some(Held::Number(0)))
                    }
                    None => self.import_unknown(),
                }
            }
            Called::ImportStatement => match first {
                // C code makes an object of the name, Cython has one for each of its texts.
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
                Some(self.object_of_text(first, known.get(Register::RDX)))
            }
            Called::Define => {
                if let Some(Held::Address(definition)) = first {
                    self.execute(definition, depth);
                }
                None
            }
            Called::Bytes => {
                self.unpack_itself(known);
                Some(Held::Object)
            }
            Called::Make => Some(Held::Object),
            Called::Do => Some(Held::Done),
            Called::Add | Called::Clear | Called::Matches | Called::Raise => None,
        }
    }

    /// The functions that a `PyModuleDef` names for the execution of its module (`Include/moduleobject.h`): its tenth pointer leads
    /// to pairs of a number and an address, up to the number 0.
    fn execute(&mut self, definition: u32, depth: usize) {
        const SLOTS: u32 = 9;
        const MOST_SLOTS: u32 = 16;
        const EXECUTE: u64 = 2;
        let Some(slots) = self.image.pointer(definition, SLOTS) else { return };
        for slot in 0..MOST_SLOTS {
            let kind =
                entry(slots, 2 * slot, 8, "slots").and_then(|at| self.image.memory.bytes::<8>(at, "slots"));
            match kind.map(u64::from_le_bytes) {
                Ok(EXECUTE) => {
                    if let Some(function) = self.image.pointer(slots, 2 * slot + 1) {
                        self.function(function.into(), Known::at_start(), depth + 1);
                    }
                }
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

/// A dotted name of ASCII, as far as it matters here.
fn is_module_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    name.split('.').all(is_part)
}

#[cfg(test)]
mod tests;

//! Which modules the code of an extension module imports as it is initialized.
//!
//! Cython writes `cimport` as calls of `PyImport_ImportModule` with a literal name, in the function that initializes the module
//! (Cython, `ModuleNode.py`: `generate_type_import_code` and its kin). So a third of the native modules of NumPy,
//! SciPy, pandas and h5py come in, and no Python text tells of it.
//!
//! An `import` of its text Cython writes as calls of a helper, `__Pyx_Import(name, names, level)`, that ends in
//! `PyImport_ImportModuleLevelObject` (`Cython/Utility/ImportExport.c`). The name is an object in a global variable, and a table that
//! the initialization goes through tells the text of each. By such names it asks modules for their attributes, too.
//!
//! | file | what it knows |
//! |---|---|
//! | `known` | what registers and places of the stack hold |
//! | `texts` | the tables of texts, of Cython 0.29, 3.1 and 3.2 |
//! | `helper` | which functions import what they are given |

mod helper;
mod known;
mod texts;

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use self::helper::Level;
use self::known::{Held, Known, Slots};
use self::texts::Texts;

use super::exports::Export;
use super::imports::{Symbol, entry};
use super::{Image, ImageError, Machine};

/// So many instructions are looked at, a millisecond's work: what is imported stands before the module's own code. Most modules have
/// 4,000.
const MOST_INSTRUCTIONS: u32 = 40_000;

/// So many more, where the texts of the module can be read: gRPC's `cygrpc` has 55,000.
const MORE_INSTRUCTIONS: u32 = 60_000;

/// Longer names of modules are none.
const LONGEST_NAME: usize = 256;

/// Calls within calls are followed so deep.
const DEEPEST_CALL: usize = 64;

/// What CPython's functions are called for; their first or, of the last, only argument is a literal.
#[derive(Clone, Copy, PartialEq)]
enum Called {
    /// `PyImport_ImportModule(name)`
    Import,
    /// `PyImport_AddModule(name)`: Cython's modules share one of the name `cython_runtime`.
    Add,
    /// `PyModuleDef_Init(definition)`: the code that initializes the module is called later ("Multi-phase initialization", PEP 489).
    Define,
    /// `PyImport_ImportModuleLevelObject(name, globals, locals, names, level)`
    ImportStatement,
    /// `PyImport_GetModule(name)`, which is asked before a module is imported.
    Get,
    /// `PyModule_GetDict(module)`
    Dictionary,
    /// `PyMemoryView_FromMemory(memory, size, flags)`
    View,
    /// A function that makes an object of a text.
    Text,
    /// Some other function that returns an object, or null if it fails.
    Make,
}

impl Called {
    fn by_name(function: &[u8]) -> Option<Called> {
        match function {
            b"PyImport_ImportModule" => Some(Called::Import),
            b"PyImport_AddModule" | b"PyImport_AddModuleRef" => Some(Called::Add),
            b"PyModuleDef_Init" => Some(Called::Define),
            b"PyImport_ImportModuleLevelObject" => Some(Called::ImportStatement),
            b"PyImport_GetModule" => Some(Called::Get),
            b"PyModule_GetDict" => Some(Called::Dictionary),
            b"PyMemoryView_FromMemory" => Some(Called::View),
            b"PyUnicode_InternFromString" | b"PyUnicode_DecodeUTF8" => Some(Called::Text),
            b"PyList_New" | b"PyTuple_New" | b"PyDict_New" | b"PyTuple_Pack" | b"PyObject_GetAttr" => {
                Some(Called::Make)
            }
            _ => None,
        }
    }
}

impl Image<'_> {
    /// The modules that an extension module made with Cython imports while its own import is under way, by their full names and in
    /// order. Of others, and of code for other processors than x64, none.
    ///
    /// A name alone is imported by C code, which fails if that does. `LEVEL:NAME` is an `import` of the module's text, perhaps within a
    /// `try`: the level counts the dots before the name, and is -1 where a module beside this one is meant if there is one.
    /// `platform.NAME()` is such a call, of which some import a module.
    ///
    /// The code is followed from `PyInit_…` as it runs if nothing fails, and both ways where it may go either.
    ///
    /// # Errors
    /// As [`Image::imports`], [`Image::symbols`] and [`Image::export`].
    pub fn module_imports(&self) -> Result<Vec<String>, ImageError> {
        if self.machine() != Machine::X64 {
            return Ok(Vec::new());
        }
        let is_python = |dll: &str| dll.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("python"));
        let slots = self.slots(|dll, function| Called::by_name(function).filter(|_| is_python(dll)))?;
        let imports = |called| slots.values().any(|known| *known == called);
        if !imports(Called::Import) || !imports(Called::Add) {
            return Ok(Vec::new());
        }
        let Some(init) = self.export_that_begins_with("PyInit_")? else {
            return Ok(Vec::new());
        };
        let Some(Export::Address(start)) = self.export(&Symbol::Name(init))? else {
            return Ok(Vec::new());
        };
        let mut walk = Walk {
            image: self,
            texts: Texts::new(imports(Called::ImportStatement)),
            slots,
            seen: FxHashSet::default(),
            left: MOST_INSTRUCTIONS,
            helpers: FxHashMap::default(),
            names: Vec::new(),
            dictionary: Dictionary::Unknown,
            is_cython: false,
            imported: Vec::new(),
        };
        walk.function(start.into(), Known::at_start(), 0);
        Ok(if walk.is_cython { walk.imported } else { Vec::new() })
    }
}

/// A walk through code in the order in which it runs. Addresses are RVAs.
struct Walk<'i, 'a> {
    image: &'i Image<'a>,
    slots: Slots,
    seen: FxHashSet<u32>,
    /// How many more instructions are looked at.
    left: u32,
    texts: Texts,
    /// Functions that were looked at, and which level they import at if they import the module that their first argument names.
    helpers: FxHashMap<u32, Option<Level>>,
    /// The lists of names that were made.
    names: Vec<Vec<Held>>,
    dictionary: Dictionary,
    is_cython: bool,
    imported: Vec<String>,
}

/// What a call gives.
#[derive(PartialEq)]
enum Given {
    Unknown,
    /// An object, or null if it fails.
    Object,
    /// A list of names, by its index in [`Walk::names`], or null.
    Names(u32),
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
        // A call that gives an object has just succeeded, and RAX holds it.
        let mut has_object = false;
        while decoder.can_decode() && self.left > 0 {
            let Ok(here) = u32::try_from(decoder.ip()) else { return };
            if !self.seen.insert(here) {
                return;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => return,
                Mnemonic::Call if self.makes_frame(&instruction, &known) => has_object = false,
                Mnemonic::Call => {
                    let given = self.call(&instruction, &known, depth);
                    has_object = given != Given::Unknown;
                    known.follow_call();
                    if let Given::Names(index) = given {
                        known.set(Register::RAX, Some(Held::Names(index)));
                    }
                }
                Mnemonic::Jmp => {
                    if let Some(called) = self.called(&instruction, &known) {
                        self.calls(called, &known, depth);
                    } else if instruction.op0_kind() == OpKind::NearBranch64 {
                        open.push((instruction.near_branch_target(), known));
                    }
                    return;
                }
                Mnemonic::Je if has_object => has_object = false,
                Mnemonic::Jne if has_object => {
                    open.push((instruction.near_branch_target(), known));
                    return;
                }
                _ if instruction.is_jcc_short_or_near() => {
                    open.push((instruction.near_branch_target(), known.clone()));
                }
                mnemonic => {
                    self.watch(&instruction, &known);
                    self.keep_dictionary(&instruction, &known);
                    known.follow(&instruction, &self.slots, self.texts.is_open());
                    // A comparison other than of this object decides something else.
                    has_object &= match mnemonic {
                        Mnemonic::Test | Mnemonic::Cmp => {
                            instruction.op0_register().full_register() == Register::RAX
                        }
                        _ => {
                            instruction.op0_kind() != OpKind::Register
                                || instruction.op0_register().full_register() != Register::RAX
                        }
                    };
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

    /// Follows a call.
    fn call(&mut self, instruction: &Instruction, known: &Known, depth: usize) -> Given {
        self.use_of_platform(instruction, known);
        if let Some(called) = self.called(instruction, known) {
            self.calls(called, known, depth);
            return match called {
                Called::Import | Called::ImportStatement | Called::Make => Given::Object,
                _ => Given::Unknown,
            };
        }
        if self.is_given_dictionary(instruction, known) {
            let level = match known.argument(5) {
                None if known.get(Register::R9) == Some(Held::Number(0)) => Some(Held::Number(0)),
                level => level,
            };
            self.statement(known, level);
            return Given::Object;
        }
        if instruction.op0_kind() != OpKind::NearBranch64 {
            return Given::Unknown;
        }
        let target = instruction.near_branch_target();
        if let Some(level) = self.imports_its_argument(target, 0) {
            let level = match level {
                Level::Given(index) => known.argument(index),
                Level::Fixed(level) => Some(Held::Number(level)),
            };
            self.statement(known, level);
            return Given::Object;
        }
        if let Some(names) = self.names(known) {
            let index = u32::try_from(self.names.len());
            self.names.push(names);
            return index.map_or(Given::Object, Given::Names);
        }
        if depth < DEEPEST_CALL {
            self.function(target, known.as_called(), depth + 1);
        }
        Given::Unknown
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
                        let used = format!("{MODULE}.{attribute}()");
                        if !self.imported.contains(&used) {
                            self.imported.push(used);
                        }
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
    fn statement(&mut self, known: &Known, level: Option<Held>) {
        const LEVELS: std::ops::RangeInclusive<i32> = -1..=9;
        let Some(Held::Number(level)) = level else { return };
        let Some(name) = self.text(known.get(Register::RCX)) else { return };
        let names = match known.get(Register::RDX) {
            Some(Held::Names(index)) if name.is_empty() => {
                let names = self.names.get(index as usize).map(Vec::as_slice).unwrap_or_default();
                names.iter().filter_map(|name| self.text(Some(*name))).collect()
            }
            _ => vec![name],
        };
        for name in names {
            let import = format!("{level}:{name}");
            if LEVELS.contains(&level) && is_module_name(&name) && !self.imported.contains(&import) {
                self.imported.push(import);
            }
        }
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

    fn calls(&mut self, called: Called, known: &Known, depth: usize) {
        match called {
            Called::ImportStatement => return self.statement(known, known.argument(4)),
            Called::Get => return self.statement(known, Some(Held::Number(0))),
            Called::Dictionary if self.dictionary == Dictionary::Unknown => {
                self.dictionary = Dictionary::Asked;
            }
            Called::View => return self.unpack(known),
            Called::Text => return self.make_text(),
            _ => {}
        }
        let Some(Held::Address(argument)) = known.get(Register::RCX) else { return };
        match called {
            Called::Define => self.execute(argument, depth),
            Called::Add | Called::Import => {
                let Ok(name) = self.image.memory.string(argument, LONGEST_NAME, "the name of a module")
                else {
                    return;
                };
                match called {
                    Called::Add => self.is_cython |= name == "cython_runtime" || name.starts_with("_cython_"),
                    _ if self.imported.contains(&name) => {}
                    _ => self.imported.push(name),
                }
            }
            _ => {}
        }
    }

    /// The functions that a `PyModuleDef` names for the execution of its module (`Include/moduleobject.h`): its tenth pointer leads
    /// to pairs of a number and an address, up to the number 0.
    fn execute(&mut self, definition: u32, depth: usize) {
        const SLOTS: u32 = 9;
        const MOST_SLOTS: u32 = 16;
        const EXECUTE: u64 = 2;
        let Some(slots) = self.pointer(definition, SLOTS) else { return };
        for slot in 0..MOST_SLOTS {
            let kind =
                entry(slots, 2 * slot, 8, "slots").and_then(|at| self.image.memory.bytes::<8>(at, "slots"));
            match kind.map(u64::from_le_bytes) {
                Ok(EXECUTE) => {
                    if let Some(function) = self.pointer(slots, 2 * slot + 1) {
                        self.function(function.into(), Known::at_start(), depth + 1);
                    }
                }
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }

    /// The pointer at an index behind an RVA, as an RVA.
    fn pointer(&self, at: u32, index: u32) -> Option<u32> {
        let at = entry(at, index, 8, "a definition").ok()?;
        let address = u64::from_le_bytes(self.image.memory.bytes::<8>(at, "a definition").ok()?);
        u32::try_from(address.checked_sub(self.image.headers.image_base)?).ok()
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

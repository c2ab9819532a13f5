//! Which modules the code of an extension module imports as it is initialized.
//!
//! Cython writes `cimport` as calls of `PyImport_ImportModule` with a literal name, in the function that initializes the module
//! (Cython, `ModuleNode.py`: `generate_type_import_code` and its kin). So a third of the native modules of NumPy,
//! SciPy, pandas and h5py come in, and no Python text tells of it.
//!
//! An `import` of its text Cython writes as calls of a helper, `__Pyx_Import(name, names, level)`, that ends in
//! `PyImport_ImportModuleLevelObject` (`Cython/Utility/ImportExport.c`). The name is an object in a global variable, and a table that
//! the initialization goes through tells the text of each: of Cython 0.29 `__pyx_string_tab`, entries of `__Pyx_StringTabEntry`
//! (`Cython/Utility/ModuleSetupCode.c`).

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use super::exports::Export;
use super::imports::{Symbol, SymbolRef, entry};
use super::start::address_of;
use super::{Image, ImageError, Machine};

/// So many instructions are looked at, less than a millisecond's work: what is imported stands before the module's own code.
const MOST_INSTRUCTIONS: u32 = 40_000;

/// Longer names of modules are none.
const LONGEST_NAME: usize = 256;

/// Calls within calls are followed so deep.
const DEEPEST_CALL: usize = 64;

/// A table of more texts is none.
const MOST_TEXTS: u32 = 20_000;

/// The helper that imports calls CPython within so many instructions.
const LONGEST_HELPER: u32 = 200;

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
    /// Some function that returns an object, or null if it fails.
    Make,
}

impl Called {
    fn by_name(function: &[u8]) -> Option<Called> {
        match function {
            b"PyImport_ImportModule" => Some(Called::Import),
            b"PyImport_AddModule" | b"PyImport_AddModuleRef" => Some(Called::Add),
            b"PyModuleDef_Init" => Some(Called::Define),
            b"PyImport_ImportModuleLevelObject" => Some(Called::ImportStatement),
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
    ///
    /// The code is followed from `PyInit_…` as it runs if nothing fails, and both ways where it may go either.
    ///
    /// # Errors
    /// As [`Image::imports`], [`Image::symbols`] and [`Image::export`].
    pub fn module_imports(&self) -> Result<Vec<String>, ImageError> {
        if self.machine() != Machine::X64 {
            return Ok(Vec::new());
        }
        let mut slots = FxHashMap::default();
        for import in self.imports()? {
            if !import.dll.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("python")) {
                continue;
            }
            let mut known = Vec::new();
            self.visit_symbols(&import, |index, symbol| {
                if let SymbolRef::Name(name) = symbol {
                    known.extend(Called::by_name(name).map(|called| (index, called)));
                }
            })?;
            for (index, called) in known {
                slots.insert(entry(import.addresses, index, 8, "the import address table")?, called);
            }
        }
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
            slots,
            seen: FxHashSet::default(),
            left: MOST_INSTRUCTIONS,
            texts: FxHashMap::default(),
            helpers: FxHashMap::default(),
            is_cython: false,
            imported: Vec::new(),
        };
        walk.function(start.into(), 0);
        Ok(if walk.is_cython { walk.imported } else { Vec::new() })
    }
}

/// A walk through code in the order in which it runs. Addresses are RVAs.
struct Walk<'i, 'a> {
    image: &'i Image<'a>,
    slots: FxHashMap<u32, Called>,
    seen: FxHashSet<u32>,
    /// How many more instructions are looked at.
    left: u32,
    /// Where the table of texts puts each as an object, with the address of the text.
    texts: FxHashMap<u32, u32>,
    /// Functions that were looked at, and which level they import at if they import the module that their first argument names.
    helpers: FxHashMap<u32, Option<Level>>,
    is_cython: bool,
    imported: Vec<String>,
}

/// What a register holds.
#[derive(Clone, Copy, PartialEq)]
enum Held {
    Function(Called),
    Address(u32),
    /// What a global variable holds.
    Global(u32),
    Number(i32),
    /// The first argument of the function.
    Argument,
    /// Its third argument.
    Level,
}

/// How a helper knows at which level it imports.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    /// By its third argument.
    Given,
    /// Compilers leave out an argument that is the same in all calls.
    Fixed(i32),
}

/// What is known where code begins: what registers hold, by their full names.
#[derive(Clone, Default)]
struct Known {
    registers: Vec<(Register, Held)>,
}

/// Registers that a function need not preserve ("x64 calling convention").
const VOLATILE: [Register; 7] =
    [Register::RAX, Register::RCX, Register::RDX, Register::R8, Register::R9, Register::R10, Register::R11];

impl Known {
    fn get(&self, register: Register) -> Option<Held> {
        let register = register.full_register();
        self.registers.iter().find(|(known, _)| *known == register).map(|(_, held)| *held)
    }

    fn set(&mut self, register: Register, held: Option<Held>) {
        let register = register.full_register();
        self.registers.retain(|(known, _)| *known != register);
        self.registers.extend(held.map(|held| (register, held)));
    }

    fn forget(&mut self, registers: &[Register]) {
        self.registers.retain(|(known, _)| !registers.contains(known));
    }

    /// Follows an instruction that neither jumps nor calls.
    fn follow(&mut self, instruction: &Instruction, slots: &FxHashMap<u32, Called>) {
        match instruction.mnemonic() {
            Mnemonic::Cmp | Mnemonic::Test | Mnemonic::Push => return,
            Mnemonic::Mul | Mnemonic::Imul | Mnemonic::Div | Mnemonic::Idiv => {
                self.forget(&[Register::RAX, Register::RDX]);
            }
            Mnemonic::Cdq | Mnemonic::Cqo => self.forget(&[Register::RDX]),
            Mnemonic::Xchg | Mnemonic::Xadd | Mnemonic::Cmpxchg => self.forget(&VOLATILE),
            _ => {}
        }
        if instruction.op0_kind() != OpKind::Register {
            return;
        }
        let register = instruction.op0_register();
        let is_wide = register.size() >= 4;
        let held = match (instruction.mnemonic(), instruction.op1_kind()) {
            (Mnemonic::Xor, OpKind::Register) if register == instruction.op1_register() => {
                Some(Held::Number(0))
            }
            (Mnemonic::Mov, OpKind::Register) => self.get(instruction.op1_register()),
            (Mnemonic::Mov, OpKind::Immediate32 | OpKind::Immediate32to64) => {
                Some(Held::Number(instruction.immediate32() as i32))
            }
            (Mnemonic::Mov, OpKind::Memory) => address_of(instruction).map(|at| match slots.get(&at) {
                Some(function) => Held::Function(*function),
                None => Held::Global(at),
            }),
            // `lea r8d, [rdx-1]`: a number is made of one that is there already.
            (Mnemonic::Lea, _) => match (address_of(instruction), self.get(instruction.memory_base())) {
                (Some(at), _) => Some(Held::Address(at)),
                (None, Some(Held::Number(number))) if instruction.memory_index() == Register::None => {
                    Some(Held::Number(number.wrapping_add(instruction.memory_displacement32() as i32)))
                }
                _ => None,
            },
            _ => None,
        };
        self.set(register, held.filter(|_| is_wide));
    }
}

impl Walk<'_, '_> {
    /// Follows a function, and those that it calls.
    fn function(&mut self, start: u64, depth: usize) {
        let mut open = vec![(start, Known::default())];
        while let Some((at, known)) = open.pop() {
            self.piece(at, known, depth, &mut open);
        }
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
                Mnemonic::Call => {
                    let called = self.called(&instruction, &known);
                    has_object = matches!(called, Some(Called::Import | Called::Make));
                    match called {
                        Some(called) => self.calls(called, &known, depth),
                        None if instruction.op0_kind() == OpKind::NearBranch64 => {
                            let target = instruction.near_branch_target();
                            if let Some(level) = self.imports_its_argument(target, 0) {
                                self.statement(level, &known);
                                has_object = true;
                            } else if depth < DEEPEST_CALL {
                                self.function(target, depth + 1);
                            }
                        }
                        None => {}
                    }
                    known.forget(&VOLATILE);
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
                    known.follow(&instruction, &self.slots);
                    if mnemonic == Mnemonic::Lea
                        && let Some(at) = address_of(&instruction)
                    {
                        self.read_texts(at);
                    }
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

    /// Reads the table of texts, if the address is one in its first entry: compilers begin with whichever field they need first.
    ///
    /// An entry has 40 bytes: the address of a variable, of a text, the length with the NUL at the end, an encoding's address, and three
    /// flags. A null address ends the table.
    fn read_texts(&mut self, address: u32) {
        const SIZE: u32 = 40;
        if !self.texts.is_empty() || !self.slots.values().any(|known| *known == Called::ImportStatement) {
            return;
        }
        for field in (0..SIZE).step_by(8) {
            let Some(start) = address.checked_sub(field) else { return };
            let mut texts = FxHashMap::default();
            let mut at = start;
            while let Some((variable, text)) = self.text(at) {
                texts.insert(variable, text);
                let next = at.checked_add(SIZE).filter(|_| (texts.len() as u32) < MOST_TEXTS);
                let Some(next) = next else { return };
                at = next;
            }
            let is_end = self.image.memory.bytes::<8>(at, "texts").is_ok_and(|end| end == [0; 8]);
            if is_end && !texts.is_empty() {
                self.texts = texts;
                return;
            }
        }
    }

    /// An entry of the table of texts: its variable and its text.
    fn text(&self, at: u32) -> Option<(u32, u32)> {
        let variable = self.pointer(at, 0)?;
        let text = self.pointer(at, 1)?;
        let len =
            u64::from_le_bytes(self.image.memory.bytes::<8>(entry(at, 2, 8, "texts").ok()?, "texts").ok()?);
        let end = u32::try_from(len.checked_sub(1)?).ok()?.checked_add(text)?;
        let ends = self.image.memory.bytes::<1>(end, "texts").ok()? == [0];
        (ends && self.image.memory.bytes::<8>(variable, "texts").is_ok()).then_some((variable, text))
    }

    /// At which level a function imports the module that its first argument names, if it gives that to
    /// `PyImport_ImportModuleLevelObject`, itself or by another one.
    fn imports_its_argument(&mut self, function: u64, depth: u32) -> Option<Level> {
        const DEEPEST_HELPER: u32 = 2;
        let start = u32::try_from(function).ok()?;
        if self.texts.is_empty() || depth >= DEEPEST_HELPER {
            return None;
        }
        if let Some(known) = self.helpers.get(&start) {
            return *known;
        }
        // Whoever calls itself is none.
        self.helpers.insert(start, None);
        let level = self.level(start, depth);
        self.helpers.insert(start, level);
        level
    }

    /// Looks through the code of a function as it lies there.
    fn level(&mut self, start: u32, depth: u32) -> Option<Level> {
        let mut decoder = self.image.decoder(start)?;
        let mut known = Known::default();
        known.set(Register::RCX, Some(Held::Argument));
        known.set(Register::R8, Some(Held::Level));
        let mut instruction = Instruction::default();
        // What lies where the fifth argument of a call does, and what did at the calls that import.
        let mut fifth = None;
        let mut levels = Vec::new();
        // It asks for -1: then the level is what the caller says, whatever is made of it.
        let mut asks = false;
        for _ in 0..LONGEST_HELPER {
            if !decoder.can_decode() || self.left == 0 {
                break;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Int3 => break,
                Mnemonic::Call | Mnemonic::Jmp => {
                    let is_named = known.get(Register::RCX) == Some(Held::Argument);
                    match self.called(&instruction, &known) {
                        Some(Called::ImportStatement) if is_named => levels.push(fifth),
                        None if is_named && instruction.op0_kind() == OpKind::NearBranch64 => {
                            let target = instruction.near_branch_target();
                            match self.imports_its_argument(target, depth + 1) {
                                Some(Level::Given) => levels.push(known.get(Register::R8)),
                                Some(Level::Fixed(level)) => levels.push(Some(Held::Number(level))),
                                None => {}
                            }
                        }
                        _ => {}
                    }
                    if instruction.mnemonic() == Mnemonic::Call {
                        known.forget(&VOLATILE);
                        fifth = None;
                    }
                }
                Mnemonic::Cmp
                    if instruction.op0_kind() == OpKind::Register
                        && known.get(instruction.op0_register()) == Some(Held::Level) =>
                {
                    asks = true;
                }
                Mnemonic::Mov
                    if instruction.op0_kind() == OpKind::Memory
                        && instruction.memory_base() == Register::RSP
                        && instruction.memory_displacement64() == 0x20 =>
                {
                    fifth = match instruction.op1_kind() {
                        OpKind::Register => known.get(instruction.op1_register()),
                        OpKind::Immediate32 | OpKind::Immediate32to64 => {
                            Some(Held::Number(instruction.immediate32() as i32))
                        }
                        _ => None,
                    };
                }
                _ => known.follow(&instruction, &self.slots),
            }
        }
        match levels.as_slice() {
            [] => None,
            levels if asks || levels.contains(&Some(Held::Level)) => Some(Level::Given),
            [Some(Held::Number(level))] => Some(Level::Fixed(*level)),
            // For -1 the helper of Cython 0.29 tries level 1 first.
            [Some(Held::Number(1)), Some(Held::Number(0))] => Some(Level::Fixed(-1)),
            _ => None,
        }
    }

    /// `__Pyx_Import(name, names, level)`
    fn statement(&mut self, level: Level, known: &Known) {
        const LEVELS: std::ops::RangeInclusive<i32> = -1..=9;
        let level = match (level, known.get(Register::R8)) {
            (Level::Fixed(level), _) | (Level::Given, Some(Held::Number(level))) => level,
            _ => return,
        };
        let Some(Held::Global(name)) = known.get(Register::RCX) else { return };
        if !LEVELS.contains(&level) {
            return;
        }
        let Some(text) = self.texts.get(&name) else { return };
        let Ok(name) = self.image.memory.string(*text, LONGEST_NAME, "the name of a module") else { return };
        let import = format!("{level}:{name}");
        if is_module_name(&name) && !self.imported.contains(&import) {
            self.imported.push(import);
        }
    }

    /// CPython's function that an instruction calls or jumps to.
    fn called(&self, instruction: &Instruction, known: &Known) -> Option<Called> {
        match instruction.op0_kind() {
            OpKind::Memory => self.slots.get(&address_of(instruction)?).copied(),
            OpKind::Register => match known.get(instruction.op0_register()) {
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
        let Some(Held::Address(argument)) = known.get(Register::RCX) else { return };
        match called {
            Called::ImportStatement | Called::Make => {}
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
                        self.function(function.into(), depth + 1);
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
mod tests {
    use super::*;
    use crate::image::testing::Pe;

    /// A DLL with a Python's functions in its import table, code at `PyInit_a`, and literals. Of the
    /// code, `lea` gives the first argument, `def` being the definition of the module, `take` puts a function's address into RBX, `texts` the
    /// address of the table of texts into it, `object` gives the object of a text as the first argument, and `exec` is where the definition leads; all else is bytes in hexadecimal.
    fn imported(lines: &str) -> Vec<String> {
        let functions = [
            "PyImport_AddModule",
            "PyImport_ImportModule",
            "PyModuleDef_Init",
            "PyImport_ImportModuleLevelObject",
        ];
        let mut pe = Pe::x64().imports(&[("python311.dll", &functions)]);
        // The import address table was put last but the table itself: four slots, a null one, and two descriptors.
        let table = pe.next() - 40;
        let slots = table - 40;
        let mut code: Vec<u8> = Vec::new();
        let mut execute = None;
        let names: Vec<&str> = lines.split_whitespace().filter(|word| word.contains('\'')).collect();
        let names: Vec<(&str, u32)> =
            names.iter().map(|name| (*name, pe.put_name(name.trim_matches('\'')))).collect();
        let definition = pe.put(&[0; 80]);
        // Of each literal a variable, and an entry of the table of texts.
        let variables = pe.put(&vec![0; 8 * names.len() + 8]);
        let entries = (0..).zip(&names).map(|(index, (name, at))| {
            let address = |rva: u32| u64::from(rva) + IMAGE_BASE;
            let len = name.trim_matches('\'').len() as u64 + 1;
            [address(variables + 8 * index), address(*at), len, 0, 1]
        });
        let texts: Vec<u64> = entries.flatten().chain([0; 5]).collect();
        let texts = pe.put(&texts.into_iter().flat_map(u64::to_le_bytes).collect::<Vec<u8>>());
        let start = pe.next();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let here = |code: &Vec<u8>, len: u32| start + code.len() as u32 + len;
            let slot =
                |name: &str| slots + 8 * functions.iter().position(|f| f.ends_with(name)).unwrap() as u32;
            match line.split_once(' ').unwrap_or((line, "")) {
                ("lea", name) => {
                    let literal = names.iter().find(|(known, _)| *known == name);
                    let distance = literal.map_or(definition, |(_, at)| *at).wrapping_sub(here(&code, 7));
                    code.extend([0x48, 0x8d, 0x0d]);
                    code.extend(distance.to_le_bytes());
                }
                (verb @ ("call" | "jmp"), name) => {
                    let distance = slot(name).wrapping_sub(here(&code, 6));
                    code.extend([0xff, if verb == "call" { 0x15 } else { 0x25 }]);
                    code.extend(distance.to_le_bytes());
                }
                ("take", name) => {
                    let distance = slot(name).wrapping_sub(here(&code, 7));
                    code.extend([0x48, 0x8b, 0x1d]);
                    code.extend(distance.to_le_bytes());
                }
                // lea rbx, the flags of the first entry of the table of texts
                ("texts", "") => {
                    code.extend([0x48, 0x8d, 0x1d]);
                    let distance = (texts + 32).wrapping_sub(start + code.len() as u32 + 4);
                    code.extend(distance.to_le_bytes());
                }
                // mov rcx, the variable of a text
                ("object", name) => {
                    let index = names.iter().position(|(known, _)| *known == name).unwrap() as u32;
                    let distance = (variables + 8 * index).wrapping_sub(here(&code, 7));
                    code.extend([0x48, 0x8b, 0x0d]);
                    code.extend(distance.to_le_bytes());
                }
                ("exec", "") => execute = Some(code.len()),
                _ => code.extend(line.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap())),
            }
        }
        let at = pe.put(&code);
        assert_eq!(at, start);
        if let Some(offset) = execute {
            let execute = u64::from(start) + offset as u64 + IMAGE_BASE;
            let slots = pe.put(&[2u64, execute, 0, 0].map(u64::to_le_bytes).concat());
            let address = u64::from(slots) + IMAGE_BASE;
            pe.patch(definition + 72, &[address as u32, (address >> 32) as u32]);
        }
        let bytes = pe.exports("a.pyd", &[("PyInit_a", &start.to_string())]).build();
        Image::parse(&bytes).unwrap().module_imports().unwrap()
    }

    const IMAGE_BASE: u64 = crate::image::testing::IMAGE_BASE as u64;

    const CYTHON: &str = "lea 'cython_runtime'\ncall AddModule\n";

    #[test]
    fn literal_imports_are_found_in_the_order_in_which_they_run() {
        let code = format!("{CYTHON} lea 'b'\n call ImportModule\n lea 'a.c'\n call ImportModule\n c3");
        assert_eq!(imported(&code), ["b", "a.c"]);
    }

    #[test]
    fn code_that_is_not_of_cython_is_not_believed() {
        assert_eq!(imported("lea 'b'\n call ImportModule\n c3"), Vec::<String>::new());
    }

    #[test]
    fn what_is_tried_after_an_import_has_failed_is_no_import() {
        // test rax, rax; jne +13, over the second import
        let code = format!(
            "{CYTHON} lea 'new.core'\n call ImportModule\n 48 85 c0\n 75 0d\n lea 'old.core'\n call ImportModule\n lea 'last'\n call ImportModule\n c3"
        );
        assert_eq!(imported(&code), ["new.core", "last"]);
    }

    #[test]
    fn both_ways_are_followed_where_the_code_may_go_either() {
        // cmp eax, 1; je +14, to the second import
        let code = format!(
            "{CYTHON} 83 f8 01\n 74 0e\n lea 'a'\n call ImportModule\n c3\n lea 'b'\n call ImportModule\n c3"
        );
        assert_eq!(imported(&code), ["a", "b"]);
    }

    #[test]
    fn a_function_can_be_called_through_a_register_that_holds_its_address() {
        let code = format!("{CYTHON} take ImportModule\n lea 'a'\n ff d3\n lea 'b'\n ff d3\n c3");
        assert_eq!(imported(&code), ["a", "b"]);
    }

    #[test]
    fn functions_that_are_called_are_followed() {
        // call +1; ret; the function
        let code = format!("{CYTHON} e8 01 00 00 00\n c3\n lea 'a'\n call ImportModule\n c3");
        assert_eq!(imported(&code), ["a"]);
    }

    #[test]
    fn the_code_that_executes_a_module_is_named_by_its_definition() {
        let code = format!("lea def\n jmp Init\n exec\n {CYTHON} lea 'a'\n call ImportModule\n c3");
        assert_eq!(imported(&code), ["a"]);
    }

    #[test]
    fn imports_of_the_text_are_calls_of_a_helper_with_a_name_from_the_table_of_texts() {
        // The helper comes first: jmp over it; mov rbx, rcx; mov [rsp+20h], r8d; mov rcx, rbx; call; ret; int3. Before the first
        // call of it, xor r8d, r8d; before the second, mov r8d, 1; before the third, xor edx, edx and lea r8d, [rdx-1].
        let code = format!(
            "eb 13\n 48 89 cb\n 44 89 44 24 20\n 48 89 d9\n call LevelObject\n c3\n cc\n {CYTHON} texts\n \
             45 31 c0\n object 'secrets'\n e8 ca ff ff ff\n \
             41 b8 01 00 00 00\n object 'near'\n e8 b8 ff ff ff\n \
             31 d2\n 44 8d 42 ff\n object 'either'\n e8 a6 ff ff ff\n \
             object 'unknown'\n e8 9a ff ff ff\n c3"
        );
        assert_eq!(imported(&code), ["0:secrets", "1:near", "-1:either"]);
    }

    #[test]
    fn a_helper_may_know_its_level_itself() {
        // xor edi, edi; mov [rsp+20h], edi
        let code = format!(
            "eb 0f\n 31 ff\n 89 7c 24 20\n call LevelObject\n c3\n cc\n cc\n {CYTHON} texts\n \
             object 'secrets'\n e8 d1 ff ff ff\n object 'not-a-name'\n e8 c5 ff ff ff\n c3"
        );
        assert_eq!(imported(&code), ["0:secrets"]);
    }

    #[test]
    fn a_function_that_imports_something_else_than_it_is_given_is_no_helper() {
        // xor ecx, ecx before the call
        let code = format!(
            "eb 11\n 31 c9\n 31 ff\n 89 7c 24 20\n call LevelObject\n c3\n cc\n cc\n {CYTHON} texts\n \
             object 'secrets'\n e8 cf ff ff ff\n c3"
        );
        assert_eq!(imported(&code), Vec::<String>::new());
    }

    #[test]
    fn code_that_never_ends_or_leads_nowhere_comes_to_an_end() {
        // jmp to itself; a call beyond the image; a definition full of zeros
        assert_eq!(imported("eb fe"), Vec::<String>::new());
        assert_eq!(imported("e8 00 00 00 7f\n c3"), Vec::<String>::new());
        assert_eq!(imported("lea def\n jmp Init"), Vec::<String>::new());
    }
}

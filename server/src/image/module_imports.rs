//! Which modules the code of an extension module imports as it is initialized.
//!
//! Cython writes `cimport` as calls of `PyImport_ImportModule` with a literal name, in the function that initializes the module
//! (Cython, `ModuleNode.py`: `generate_type_import_code` and its kin). So a third of the native modules of NumPy,
//! SciPy, pandas and h5py come in, and no Python text tells of it.

use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use super::exports::Export;
use super::imports::{Symbol, entry};
use super::start::address_of;
use super::{Image, ImageError, Machine};

/// So many instructions are looked at, less than a millisecond's work: what is imported stands before the module's own code.
const MOST_INSTRUCTIONS: u32 = 40_000;

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
}

impl Called {
    fn by_name(function: &str) -> Option<Called> {
        match function {
            "PyImport_ImportModule" => Some(Called::Import),
            "PyImport_AddModule" | "PyImport_AddModuleRef" => Some(Called::Add),
            "PyModuleDef_Init" => Some(Called::Define),
            _ => None,
        }
    }
}

impl Image<'_> {
    /// The modules that an extension module made with Cython imports while its own import is under way, by their full names and in
    /// order. Of others, and of code for other processors than x64, none.
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
            for (index, symbol) in (0..).zip(self.symbols(&import)?) {
                if let Symbol::Name(name) = &symbol
                    && let Some(called) = Called::by_name(name)
                {
                    slots.insert(entry(import.addresses, index, 8, "the import address table")?, called);
                }
            }
        }
        let imports = |called| slots.values().any(|known| *known == called);
        if !imports(Called::Import) || !imports(Called::Add) {
            return Ok(Vec::new());
        }
        let Some(init) = self.export_names()?.into_iter().find(|name| name.starts_with("PyInit_")) else {
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
    is_cython: bool,
    imported: Vec<String>,
}

/// What is known where code begins: the registers that hold the address of one of CPython's functions.
#[derive(Clone, Default)]
struct Known {
    functions: Vec<(Register, Called)>,
}

impl Known {
    fn forget(&mut self, register: Register) {
        self.functions.retain(|(known, _)| *known != register);
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
        // The address that the register of the first argument was given last.
        let mut argument = None;
        // An import has just succeeded, and RAX holds the module.
        let mut has_module = false;
        while decoder.can_decode() && self.left > 0 {
            let Ok(here) = u32::try_from(decoder.ip()) else { return };
            if !self.seen.insert(here) {
                return;
            }
            self.left -= 1;
            decoder.decode_out(&mut instruction);
            match instruction.mnemonic() {
                Mnemonic::INVALID | Mnemonic::Ret | Mnemonic::Int3 => return,
                Mnemonic::Lea if instruction.op0_register() == Register::RCX => {
                    argument = address_of(&instruction)
                }
                Mnemonic::Mov if instruction.op0_kind() == OpKind::Register => {
                    let register = instruction.op0_register();
                    known.forget(register);
                    let function = address_of(&instruction).and_then(|slot| self.slots.get(&slot));
                    known.functions.extend(function.map(|function| (register, *function)));
                    if register == Register::RCX {
                        argument = None;
                    }
                    if register.full_register() == Register::RAX {
                        has_module = false;
                    }
                }
                Mnemonic::Call => {
                    let called = self.called(&instruction, &known);
                    match called {
                        Some(called) => self.calls(called, argument, depth),
                        None if depth < DEEPEST_CALL && instruction.op0_kind() == OpKind::NearBranch64 => {
                            self.function(instruction.near_branch_target(), depth + 1);
                        }
                        None => {}
                    }
                    has_module = called == Some(Called::Import);
                    argument = None;
                }
                Mnemonic::Jmp => {
                    if let Some(called) = self.called(&instruction, &known) {
                        self.calls(called, argument, depth);
                    } else if instruction.op0_kind() == OpKind::NearBranch64 {
                        open.push((instruction.near_branch_target(), known));
                    }
                    return;
                }
                Mnemonic::Je if has_module => has_module = false,
                Mnemonic::Jne if has_module => {
                    open.push((instruction.near_branch_target(), known));
                    return;
                }
                _ if instruction.is_jcc_short_or_near() => {
                    open.push((instruction.near_branch_target(), known.clone()));
                }
                _ => {}
            }
        }
    }

    /// CPython's function that an instruction calls or jumps to.
    fn called(&self, instruction: &Instruction, known: &Known) -> Option<Called> {
        match instruction.op0_kind() {
            OpKind::Memory => self.slots.get(&address_of(instruction)?).copied(),
            OpKind::Register => {
                let register = instruction.op0_register();
                known.functions.iter().find(|(known, _)| *known == register).map(|(_, called)| *called)
            }
            OpKind::NearBranch64 => {
                self.slots.get(&self.image.slot_behind(instruction.near_branch_target())?).copied()
            }
            _ => None,
        }
    }

    fn calls(&mut self, called: Called, argument: Option<u32>, depth: usize) {
        let Some(argument) = argument else { return };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::testing::Pe;

    /// A DLL with a Python's functions in its import table, code at `PyInit_a`, and literals. Of the
    /// code, `lea` gives the first argument, `def` being the definition of the module, `take` puts a function's address into RBX, and `exec`
    /// is where the definition leads; all else is bytes in hexadecimal.
    fn imported(lines: &str) -> Vec<String> {
        let functions = ["PyImport_AddModule", "PyImport_ImportModule", "PyModuleDef_Init"];
        let mut pe = Pe::x64().imports(&[("python311.dll", &functions)]);
        // The import address table was put last but the table itself: three slots, a null one, and two descriptors.
        let table = pe.next() - 40;
        let slots = table - 32;
        let mut code: Vec<u8> = Vec::new();
        let mut execute = None;
        let names: Vec<&str> = lines.split_whitespace().filter(|word| word.contains('\'')).collect();
        let names: Vec<(&str, u32)> =
            names.iter().map(|name| (*name, pe.put_name(name.trim_matches('\'')))).collect();
        let definition = pe.put(&[0; 80]);
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
    fn code_that_never_ends_or_leads_nowhere_comes_to_an_end() {
        // jmp to itself; a call beyond the image; a definition full of zeros
        assert_eq!(imported("eb fe"), Vec::<String>::new());
        assert_eq!(imported("e8 00 00 00 7f\n c3"), Vec::<String>::new());
        assert_eq!(imported("lea def\n jmp Init"), Vec::<String>::new());
    }
}

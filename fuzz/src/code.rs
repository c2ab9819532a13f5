//! Machine code that is followed: from the entry point, and from the function that initializes a
//! Python module.

use std::sync::OnceLock;

use whydll::image::{Export, Image, Symbol};
use world::pe::{self, ImageSpec};

use crate::Target;

pub const CODE: Target = Target { name: "code", run, seeds };

/// Functions of Python: one for each way in which a known function is followed.
const FUNCTIONS: [&str; 21] = [
    "PyImport_AddModule",
    "PyImport_ImportModule",
    "PyModuleDef_Init",
    "PyImport_ImportModuleLevelObject",
    "PyImport_GetModule",
    "PyModule_GetDict",
    "PyMemoryView_FromMemory",
    "PyUnicode_DecodeUTF8",
    "PyUnicode_InternFromString",
    "PyUnicode_FromStringAndSize",
    "PyBytes_FromStringAndSize",
    "PyUnicode_FromString",
    "PyImport_Import",
    "PyImport_ImportModuleLevel",
    "PyCapsule_Import",
    "PyErr_ExceptionMatches",
    "PyErr_Clear",
    "PyErr_SetString",
    "PyErr_Occurred",
    "PyModule_AddObject",
    "_PyImport_GetModuleAttrString",
];

fn run(code: &[u8]) {
    let Frame { file, start, capacity, .. } = frame();
    let mut file = file.clone();
    let code = &code[..code.len().min(*capacity)];
    file[*start..*start + code.len()].copy_from_slice(code);
    let image = Image::parse(&file).expect("its headers are not altered");
    let _ = (image.module_imports(), image.instructions_at_start());
    for function in [FUNCTIONS[0], FUNCTIONS[1]] {
        let _ = (image.calls_at_start(function), image.calls_at_init(function));
    }
}

/// The extension module around the code.
struct Frame {
    file: Vec<u8>,
    /// The position of the code in the file, and its maximum length.
    start: usize,
    capacity: usize,
    /// Its RVA.
    rva: u32,
}

/// The beginning of its code: `sub rsp, 40`, `lea rcx, [rip + …]`.
const BEGINNING: [u8; 7] = [0x48, 0x83, 0xec, 0x28, 0x48, 0x8d, 0x0d];

fn frame() -> &'static Frame {
    static FRAME: OnceLock<Frame> = OnceLock::new();
    FRAME.get_or_init(|| {
        let cimports: Vec<String> = (0..600).map(|number| format!("module_{number}")).collect();
        let capacity = 13 * cimports.len();
        let symbols = FUNCTIONS.iter().map(|name| pe::Symbol::Name((*name).to_owned())).collect();
        let spec = ImageSpec {
            exports: vec![pe::Export::named("PyInit_a")],
            imports: vec![pe::Import { dll: "python311.dll".to_owned(), symbols }],
            cimports,
            ..ImageSpec::dll("a.pyd")
        };
        let mut file = pe::write(&spec);
        let init = Symbol::Name("PyInit_a".to_owned());
        let Some(Export::Address(rva)) = Image::parse(&file).unwrap().export(&init).unwrap() else {
            unreachable!("a function is exported");
        };
        let start = file.windows(BEGINNING.len()).position(|bytes| bytes == BEGINNING).unwrap();
        // AddressOfEntryPoint, after the signature, the file header, and the linker version and sizes.
        let entry = word(&file, 0x3c) as usize + 4 + 20 + 16;
        file[entry..entry + 4].copy_from_slice(&rva.to_le_bytes());
        Frame { file, start, capacity, rva }
    })
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// The offset of a seed's tables, after its code.
const TABLES: u32 = 0x400;

/// Code under construction.
struct Code {
    bytes: Vec<u8>,
    /// The literals of the frame, and the slot of its first function.
    literals: u32,
    slots: u32,
}

impl Code {
    fn new() -> Code {
        let Frame { file, start, rva, .. } = frame();
        // The first operands of the frame's own code point there.
        let operand = |at: u32| (rva + at + 4).wrapping_add(word(file, start + at as usize));
        Code { bytes: Vec::new(), literals: operand(7), slots: operand(13) }
    }

    fn put(mut self, bytes: &[u8]) -> Code {
        self.bytes.extend(bytes);
        self
    }

    /// Appends an instruction with an operand in memory, relative to the instruction.
    fn to(self, instruction: &[u8], rva: u32) -> Code {
        let code = self.put(instruction);
        let next = frame().rva + code.bytes.len() as u32 + 4;
        code.put(&rva.wrapping_sub(next).to_le_bytes())
    }

    fn call(self, function: &str) -> Code {
        let index = FUNCTIONS.iter().position(|known| *known == function).unwrap() as u32;
        let slot = self.slots + 8 * index;
        self.to(&[0xff, 0x15], slot)
    }

    /// Appends a call with a literal as the first argument.
    fn call_with_literal(self, function: &str) -> Code {
        let literals = self.literals;
        self.to(&[0x48, 0x8d, 0x0d], literals).call(function)
    }

    /// Appends `ret` and the tables.
    fn end(self, tables: &[u64]) -> Vec<u8> {
        let mut bytes = self.put(&[0xc3]).bytes;
        if !tables.is_empty() {
            bytes.resize(TABLES as usize, 0xcc);
            bytes.extend(tables.iter().flat_map(|entry| entry.to_le_bytes()));
        }
        bytes
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let base = 0x1_8000_0000;
    let table = frame().rva + TABLES;
    let Code { literals, .. } = Code::new();
    let address = |rva: u32| base + u64::from(rva);

    // Each function is called with literals and numbers; its result is compared with zero: test rax,
    // rax; je +2; xor eax, eax.
    let each = FUNCTIONS.iter().fold(Code::new(), |code, function| {
        let code = code.to(&[0x48, 0x8d, 0x15], literals + 9).put(&[0x45, 0x31, 0xc0]);
        code.call_with_literal(function).put(&[0x48, 0x85, 0xc0, 0x74, 0x02, 0x31, 0xc0])
    });

    // A helper like Cython's, after a jump over it: mov rbx, rcx; mov [rsp+20h], r8d; mov rcx, rbx;
    // call; ret. It is called with an object of the string table of Cython 0.29, with the flags of the
    // first entry set.
    let helper =
        Code::new().put(&[0xeb, 0x12, 0x48, 0x89, 0xcb, 0x44, 0x89, 0x44, 0x24, 0x20, 0x48, 0x89, 0xd9]);
    let helper = helper.call("PyImport_ImportModuleLevelObject").put(&[0xc3]);
    let cython = helper.call_with_literal("PyImport_AddModule").to(&[0x48, 0x8d, 0x1d], table + 32);
    let cython = cython.put(&[0x45, 0x31, 0xc0]).to(&[0x48, 0x8b, 0x0d], table + 80);
    let helper_at = frame().rva + 2;
    let cython = cython.to(&[0xe8], helper_at).end(&[
        address(table + 80),
        address(literals),
        9,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);

    // The definition of the module points to the code that executes it, which begins at 16.
    let defined =
        Code::new().to(&[0x48, 0x8d, 0x0d], table).call("PyModuleDef_Init").put(&[0xc3, 0xcc, 0xcc]);
    let defined = defined.call_with_literal("PyImport_ImportModule");
    let slots = [address(table + 80), 2, address(frame().rva + 16), 0, 0];
    let defined = defined.end(&[&[0; 9][..], &slots].concat());

    // vxorps xmm0, xmm0, xmm0; mov eax, 1; a loop; a switch: jmp [rax*8 + …].
    let plain = Code::new()
        .put(&[0xc5, 0xf8, 0x57, 0xc0, 0xb8, 1, 0, 0, 0, 0x75, 0xfe, 0xff, 0x24, 0xc5, 0, 0, 0, 0]);
    vec![each.end(&[]), cython, defined, plain.end(&[])]
}

//! Modules for x64, and for ARM64 in `arm64`.

mod arm64;

use std::io::Write;

use crate::image::Image;
use crate::image::testing::Pe;

/// A fault in the tables of strings.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The strings aren't packed by zlib.
    Packed,
    /// The lengths of the strings don't add up.
    Lengths,
    /// No null ends a table of pointers.
    Endless,
}

fn imported(lines: &str) -> Vec<String> {
    imported_despite(Fault::None, lines)
}

/// Returns what a DLL for x64 imports with this code at `PyInit_a`. It imports functions of Python,
/// and has the tables of strings of all versions of Cython. Each line is bytes in hexadecimal, or
/// one of these:
///
/// - `call FUNCTION`, `jmp FUNCTION`, and `take FUNCTION`, which puts its address into RBX
/// - `lea LITERAL`, `lea rdx LITERAL`: the first or second argument is its address, or that of the
///   module's definition if it is `def`
/// - `sip NAME IMPORT`: the arguments are sip's description of a module of that name with a list of
///   one import, and a version
/// - `object LITERAL`, `object rdx LITERAL`: the first argument, or another, is the object of a string
/// - `texts`, `entries`, `lengths`: RBX is the address of the table of Cython 0.29 or 3.1, or of the
///   lengths of 3.2; `stack`: the lengths are stored at [rsp+40h]
/// - `packed`: the arguments are the packed strings of Cython 3.2
/// - `own`: the module begins to unpack strings itself, whose address is in RBX; `bare`: RBX is the
///   address of unpacked strings
/// - `table`: the table of Cython 3.0 is stored at [rsp+40h]
/// - `state`: RSI is the place where the objects are stored
/// - `keep`, `dictionary`: RAX is stored as the dictionary of the module, or loaded from there
/// - `helper`, `pointer`, `to NUMBER`: a call of the code after the first two bytes, of the code that
///   a variable points to, or of the code at a distance from the first byte
/// - `exec`: the definition points here
fn imported_despite(fault: Fault, lines: &str) -> Vec<String> {
    let functions = [
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
    let mut pe = Pe::x64().imports(&[("python311.dll", &functions)]);
    // Before the end are the slots, a null one, and two descriptors.
    let table = pe.next() - 40;
    let slots = table - 8 * (functions.len() as u32 + 1);
    let mut code: Vec<u8> = Vec::new();
    let mut execute = None;
    let names = lines.split_whitespace().filter(|word| word.contains('\''));
    let names = names.chain(["'__main__'", "'__name__'", "'__test__'", "'__file__'", "'__spec__'"]);
    let names: Vec<(&str, u32)> = names.map(|name| (name, pe.put_name(name.trim_matches('\'')))).collect();
    let definition = pe.put(&[0; 80]);
    // Each literal has a variable, and an entry in each table of strings.
    let variables = pe.put(&vec![0; 8 * names.len() + 8]);
    let [dictionary, pointer] = [pe.put(&[0; 8]), pe.put(&[0; 8])];
    let address = |rva: u32| u64::from(rva) + IMAGE_BASE;
    let text = |name: &str| name.trim_matches('\'').to_owned();
    let mut table = |entries: Vec<Vec<u64>>| {
        let times = if fault == Fault::Endless { 20_000 / entries.len() + 1 } else { 1 };
        let entries = entries.concat().repeat(times).into_iter().chain([0; 5]);
        pe.put(&entries.flat_map(u64::to_le_bytes).collect::<Vec<u8>>())
    };
    let len = |name: &str| text(name).len() as u64 + 1;
    let texts = (0..)
        .zip(&names)
        .map(|(index, (name, at))| vec![address(variables + 8 * index), address(*at), len(name), 0, 1]);
    let texts = table(texts.collect());
    let entries = table(names.iter().map(|(name, at)| vec![address(*at), 0x60 << 32 | len(name)]).collect());
    let mut lengths: Vec<u32> = names.iter().map(|(name, _)| text(name).len() as u32).collect();
    lengths[0] += u32::from(fault == Fault::Lengths);
    let array = pe.put_words(&lengths);
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(names.iter().map(|(name, _)| text(name)).collect::<String>().as_bytes()).unwrap();
    let mut packed = packed.finish().unwrap();
    packed[0] ^= u8::from(fault == Fault::Packed);
    let blob = pe.put(&packed);
    // After the strings are bytes, whose lengths are elsewhere.
    let plain = names.iter().map(|(name, _)| text(name)).collect::<String>() + "bytes";
    let mut own: Vec<u8> = plain.as_bytes().chunks(8).flat_map(|eight| [&[0xff], eight].concat()).collect();
    own[0] ^= u8::from(fault == Fault::Packed);
    let [own, bare] = [pe.put(&own), pe.put_name(&plain)];
    // The name of a module is 4 bytes after the address of sip's strings.
    let sips = lines.lines().filter_map(|line| line.trim().strip_prefix("sip ")?.split_once(' '));
    let sips: Vec<(&str, &str)> = sips.collect();
    let descriptions: Vec<(&str, u32)> = sips
        .into_iter()
        .map(|(name, import)| {
            let at = |name| names.iter().find(|(known, _)| *known == name).unwrap().1;
            let list = [address(at(import)), 0, 0, 0, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
            let list = pe.put(&list);
            let description = [0, 8 | 4 << 32, 0, address(at(name)) - 4, address(list)];
            (name, pe.put(&description.map(u64::to_le_bytes).concat()))
        })
        .collect();
    let start = pe.next();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let here = |code: &Vec<u8>, len: u32| start + code.len() as u32 + len;
        // An instruction with an operand in memory, relative to the next instruction.
        let to = |code: &mut Vec<u8>, instruction: [u8; 3], address: u32| {
            let distance = address.wrapping_sub(here(code, 7));
            code.extend(instruction);
            code.extend(distance.to_le_bytes());
        };
        let call = |code: &mut Vec<u8>, offset: u32| {
            let distance = (start + offset).wrapping_sub(here(code, 5));
            code.push(0xe8);
            code.extend(distance.to_le_bytes());
        };
        let slot =
            |name: &str| slots + 8 * functions.iter().position(|f| f[2..].ends_with(name)).unwrap() as u32;
        match line.split_once(' ').unwrap_or((line, "")) {
            ("lea", name) => {
                let (register, name) = name.split_once(' ').unwrap_or(("rcx", name));
                let load = if register == "rdx" { [0x48, 0x8d, 0x15] } else { [0x48, 0x8d, 0x0d] };
                let literal = names.iter().find(|(known, _)| *known == name);
                to(&mut code, load, literal.map_or(definition, |(_, at)| *at));
            }
            ("sip", words) => {
                let (name, _) = words.split_once(' ').unwrap();
                let description = descriptions.iter().find(|(known, _)| *known == name).unwrap().1;
                to(&mut code, [0x48, 0x8d, 0x0d], description);
                // mov edx, 13; mov r8d, 8; xor r9d, r9d
                code.extend([0xba, 13, 0, 0, 0, 0x41, 0xb8, 8, 0, 0, 0, 0x45, 0x31, 0xc9]);
            }
            (verb @ ("call" | "jmp"), name) => {
                let distance = slot(name).wrapping_sub(here(&code, 6));
                code.extend([0xff, if verb == "call" { 0x15 } else { 0x25 }]);
                code.extend(distance.to_le_bytes());
            }
            ("take", name) => to(&mut code, [0x48, 0x8b, 0x1d], slot(name)),
            // The flags of the first entry of the table.
            ("texts", "") => to(&mut code, [0x48, 0x8d, 0x1d], texts + 32),
            ("entries", "") => to(&mut code, [0x48, 0x8d, 0x1d], entries),
            ("lengths", "") => to(&mut code, [0x48, 0x8d, 0x1d], array),
            ("stack", "") => {
                for (index, length) in (0..).zip(&lengths) {
                    code.extend([0xc7, 0x44, 0x24, 0x40 + 4 * index]);
                    code.extend(length.to_le_bytes());
                }
            }
            ("packed", "") => {
                to(&mut code, [0x48, 0x8d, 0x0d], blob);
                code.push(0xba);
                code.extend((packed.len() as u32).to_le_bytes());
                code.extend([0x41, 0xb8, 0, 1, 0, 0]);
            }
            ("own", "") => {
                code.extend([0x31, 0xc9, 0xba]);
                code.extend((plain.len() as u32).to_le_bytes());
                let distance = slot("Bytes_FromStringAndSize").wrapping_sub(here(&code, 6));
                code.extend([0xff, 0x15]);
                code.extend(distance.to_le_bytes());
                to(&mut code, [0x48, 0x8d, 0x1d], own);
            }
            ("bare", "") => to(&mut code, [0x48, 0x8d, 0x1d], bare),
            ("table", "") => {
                for (index, (_, at)) in (0..).zip(&names) {
                    for (field, address) in [(0, variables + 8 * index), (8, *at)] {
                        to(&mut code, [0x48, 0x8d, 0x1d], address);
                        code.extend([0x48, 0x89, 0x9c, 0x24]);
                        code.extend((0x40 + 40 * index + field).to_le_bytes());
                    }
                }
            }
            ("state", "") => to(&mut code, [0x48, 0x8d, 0x35], variables),
            ("keep", "") => to(&mut code, [0x48, 0x89, 0x05], dictionary),
            ("dictionary", "") => to(&mut code, [0x48, 0x8b, 0x05], dictionary),
            ("pointer", "") => {
                let distance = pointer.wrapping_sub(here(&code, 6));
                code.extend([0xff, 0x15]);
                code.extend(distance.to_le_bytes());
            }
            ("helper", "") => call(&mut code, 2),
            ("to", number) => call(&mut code, number.parse().unwrap()),
            ("object", name) => {
                let (register, name) = name.split_once(' ').unwrap_or(("rcx", name));
                let index = names.iter().position(|(known, _)| *known == name).unwrap() as u32;
                let load = match register {
                    "rcx" => [0x48, 0x8b, 0x0d],
                    "rdx" => [0x48, 0x8b, 0x15],
                    "r8" => [0x4c, 0x8b, 0x05],
                    _ => panic!("{register}"),
                };
                to(&mut code, load, variables + 8 * index);
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
fn code_after_a_failed_import_is_skipped() {
    // test rax, rax; jne +13, over the second import
    let code = format!(
        "{CYTHON} lea 'new.core'\n call ImportModule\n 48 85 c0\n 75 0d\n lea 'old.core'\n call ImportModule\n lea 'last'\n call ImportModule\n c3"
    );
    assert_eq!(imported(&code), ["new.core", "last"]);
}

#[test]
fn pythons_own_modules_import_an_attribute_of_a_module() {
    let code = "lea 'pyexpat'\n lea rdx 'expat_CAPI'\n call GetModuleAttrString\n c3";
    assert_eq!(imported(code), ["pyexpat"]);
}

#[test]
fn both_directions_are_followed_where_the_code_may_take_either() {
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
fn import_statements_are_calls_of_a_helper_with_a_name_from_the_table_of_strings() {
    // The helper comes first: jmp over it; mov rbx, rcx; mov [rsp+20h], r8d; mov rcx, rbx; call;
    // ret; int3. Before the first call of it, xor r8d, r8d; before the second, mov r8d, 1; before
    // the third, xor edx, edx and lea r8d, [rdx-1].
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
fn unoptimized_code_computes_the_place_of_a_string() {
    // mov rax, rsi; add rax, 8; mov ecx, 8; imul rcx, rcx, 1; add rax, rcx; sub rax, 8;
    // mov rcx, [rax]: the second string. The result is stored on the stack and compared there:
    // mov [rsp+40h], rax; cmp qword ptr [rsp+40h], 0; jne +14, over an import.
    let code = format!(
        "{CYTHON} texts\n state\n 48 89 f0\n 48 83 c0 08\n b9 08 00 00 00\n 48 6b c9 01\n 48 01 c8\n 48 83 e8 08\n \
         48 8b 08\n call Import_Import\n 48 89 44 24 40\n 48 83 7c 24 40 00\n 75 0e\n lea 'secrets'\n \
         call ImportModule\n c3\n lea 'last'\n call ImportModule\n c3"
    );
    assert_eq!(imported(&code), ["0:secrets", "last"]);
}

#[test]
fn the_level_may_be_built_into_a_helper() {
    // xor edi, edi; mov [rsp+20h], edi
    let code = format!(
        "eb 0f\n 31 ff\n 89 7c 24 20\n call LevelObject\n c3\n cc\n cc\n {CYTHON} texts\n \
         object 'secrets'\n e8 d1 ff ff ff\n object 'not-a-name'\n e8 c5 ff ff ff\n c3"
    );
    assert_eq!(imported(&code), ["0:secrets"]);
}

#[test]
fn a_function_that_does_not_import_its_argument_is_not_a_helper() {
    // xor ecx, ecx before the call
    let code = format!(
        "eb 11\n 31 c9\n 31 ff\n 89 7c 24 20\n call LevelObject\n c3\n cc\n cc\n {CYTHON} texts\n \
         object 'secrets'\n e8 cf ff ff ff\n c3"
    );
    assert_eq!(imported(&code), ["?"]);
}

/// A helper that imports at level 1: jmp over it; mov edi, 1; mov [rsp+20h], edi; call; ret, at 17;
/// int3.
const HELPER: &str = "eb 12\n bf 01 00 00 00\n 89 7c 24 20\n call LevelObject\n c3\n cc\n cc\n";

/// The objects of Cython 3.1: the first is stored at [rsi].
const OF_3_1: &str = "state\n entries\n lea '__main__'\n call FromString\n 48 89 06\n";

/// Those of Cython 3.2: the first is stored at [rsi+rbx*8].
const OF_3_2: &str = "packed\n call FromMemory\n state\n lengths\n call DecodeUTF8\n 48 89 04 de\n";

#[test]
fn cython_3_1_has_a_table_of_pointers() {
    let code =
        format!("{HELPER} {CYTHON} {OF_3_1} object 'near'\n helper\n object 'not-a-name'\n helper\n c3");
    assert_eq!(imported(&code), ["1:near"]);
}

#[test]
fn the_names_of_an_import_without_a_module_may_be_modules() {
    // mov ecx, 2; the function that packs them only returns; mov rdx, rax
    let code = format!(
        "{HELPER} {CYTHON} {OF_3_1} b9 02 00 00 00\n object rdx 'first'\n object r8 'second'\n to 17\n \
         48 89 c2\n object ''\n helper\n c3"
    );
    assert_eq!(imported(&code), ["1:first", "1:second"]);
}

#[test]
fn cython_3_2_packs_strings() {
    let code = format!("{HELPER} {CYTHON} {OF_3_2} object 'near'\n helper\n c3");
    assert_eq!(imported(&code), ["1:near"]);
}

#[test]
fn cython_3_0_makes_its_table_on_the_stack() {
    let code =
        format!("{HELPER} {CYTHON} table\n lea 'x'\n call InternFromString\n object 'near'\n helper\n c3");
    assert_eq!(imported(&code), ["1:near"]);
}

#[test]
fn cython_3_3_unpacks_strings_itself() {
    let code = format!(
        "{HELPER} {CYTHON} own\n state\n lengths\n call DecodeUTF8\n 48 89 04 de\n object 'near'\n helper\n c3"
    );
    assert_eq!(imported(&code), ["1:near"]);
    assert_eq!(imported_despite(Fault::Packed, &code), ["?"]);
}

#[test]
fn cython_3_3_does_not_pack_a_few_strings() {
    // mov edx, [rbx+rcx*4], which is read before a string is made
    let code = format!(
        "{HELPER} {CYTHON} bare\n state\n lengths\n 8b 14 8b\n call DecodeUTF8\n 48 89 04 de\n object 'near'\n helper\n c3"
    );
    assert_eq!(imported(&code), ["1:near"]);
}

#[test]
fn the_lengths_of_packed_strings_may_be_made_on_the_stack() {
    // mov edx, [rsp+rbx*4+40h], which is read before a string is made
    let of_3_2 = OF_3_2.replace("lengths", "stack\n 8b 54 9c 40");
    let code = format!("{HELPER} {CYTHON} {of_3_2} object 'near'\n helper\n c3");
    assert_eq!(imported(&code), ["1:near"]);
}

#[test]
fn the_helper_of_cython_3_2_is_recognized_by_the_dictionary_that_it_receives() {
    // mov [rsp+20h], rax; the level by mov [rsp+28h], 2, or by xor r9d, r9d
    let code = format!(
        "{CYTHON} {OF_3_2} call GetDict\n keep\n \
         dictionary\n 48 89 44 24 20\n c7 44 24 28 02 00 00 00\n object 'above'\n pointer\n \
         dictionary\n 48 89 44 24 20\n 45 31 c9\n object 'whole'\n pointer\n \
         45 31 c9\n object 'without'\n pointer\n \
         dictionary\n 48 89 44 24 20\n object 'levelless'\n pointer\n c3"
    );
    assert_eq!(imported(&code), ["2:above", "0:whole"]);
}

#[test]
fn a_module_that_is_looked_up_is_imported_if_it_is_missing() {
    let code = format!("{CYTHON} {OF_3_2} object 'asked'\n call GetModule\n c3");
    assert_eq!(imported(&code), ["0:asked"]);
}

#[test]
fn the_level_may_be_on_the_stack() {
    // The helper uses its fifth argument: mov eax, [rsp+28h]; mov [rsp+20h], eax. Its caller stores 3.
    let code = format!(
        "eb 11\n 8b 44 24 28\n 89 44 24 20\n call LevelObject\n c3\n cc\n cc\n {CYTHON} {OF_3_2} \
         c7 44 24 20 03 00 00 00\n object 'far'\n helper\n c3"
    );
    assert_eq!(imported(&code), ["3:far"]);
}

#[test]
fn the_level_is_the_argument_that_is_compared() {
    // The helper compares its fifth argument: mov eax, [rsp+28h]; cmp eax, -1. Its caller stores 2.
    let code = format!(
        "eb 10\n 8b 44 24 28\n 83 f8 ff\n call LevelObject\n c3\n cc\n cc\n {CYTHON} {OF_3_2} \
         c7 44 24 20 02 00 00 00\n object 'far'\n helper\n c3"
    );
    assert_eq!(imported(&code), ["2:far"]);
}

#[test]
fn a_function_with_a_large_frame_keeps_its_arguments() {
    // jmp over a ret; mov eax, 2000h; call of the ret; sub rsp, rax
    let code =
        format!("eb 01\n c3\n {CYTHON} lea 'a'\n b8 00 20 00 00\n to 2\n 48 29 c4\n call ImportModule\n c3");
    assert_eq!(imported(&code), ["a"]);
}

#[test]
fn a_function_of_platform_is_reported() {
    // cmp eax, 1; jne +14, to where the name is looked up; call [rax+90h]; ret; and at the end a jump
    // back to the attribute.
    let code = format!(
        "{HELPER} {CYTHON} texts\n 83 f8 01\n 75 0e\n object rdx 'machine'\n ff 90 90 00 00 00\n c3\n \
         object 'platform'\n to 17\n eb e4"
    );
    assert_eq!(imported(&code), ["platform.machine()"]);
}

#[test]
fn another_name_is_not_platform() {
    let code = format!(
        "{HELPER} {CYTHON} texts\n object 'platform'\n helper\n object rdx 'platform'\n to 17\n object 'sys'\n helper\n c3"
    );
    assert_eq!(imported(&code), ["1:platform", "1:sys"]);
}

#[test]
fn invalid_tables_are_ignored() {
    let of_3_1 = format!("{HELPER} {CYTHON} {OF_3_1} object 'near'\n helper\n c3");
    let of_3_2 = format!("{HELPER} {CYTHON} {OF_3_2} object 'near'\n helper\n c3");
    let of_0_29 = format!("{HELPER} {CYTHON} texts\n object 'near'\n helper\n c3");
    assert_eq!(imported(&of_0_29), ["1:near"]);
    assert_eq!(imported_despite(Fault::Packed, &of_3_2), ["?"]);
    assert_eq!(imported_despite(Fault::Lengths, &of_3_2), ["?"]);
    assert_eq!(imported_despite(Fault::Endless, &of_3_1), ["?"]);
    assert_eq!(imported_despite(Fault::Endless, &of_0_29), ["?"]);
}

#[test]
fn endless_code_and_invalid_addresses_are_bounded() {
    // jmp to itself; a call outside the image; a definition full of zeros
    assert_eq!(imported("eb fe"), Vec::<String>::new());
    assert_eq!(imported("e8 00 00 00 7f\n c3"), Vec::<String>::new());
    assert_eq!(imported("lea def\n jmp Init"), Vec::<String>::new());
}

#[test]
fn any_extension_module_may_import_literal_names() {
    let code = "lea 'a.b'\n call ImportModule\n lea 'datetime.datetime_CAPI'\n call Capsule_Import\n \
        lea 'c'\n call Unicode_FromString\n 48 89 c1\n call Import_Import\n c3";
    assert_eq!(imported(code), ["a.b", "datetime", "c"]);
}

#[test]
fn a_name_may_have_a_given_length() {
    // mov edx, 2; mov rcx, rax
    let code = "lea 'abc'\n ba 02 00 00 00\n call FromStringAndSize\n 48 89 c1\n call Import_Import\n c3";
    assert_eq!(imported(code), ["ab"]);
}

#[test]
fn the_level_of_a_c_import_is_zero() {
    // mov dword [rsp+20h], 0; then 1
    let code = "c7 44 24 20 00 00 00 00\n lea 'a'\n call ModuleLevel\n \
        c7 44 24 20 01 00 00 00\n lea 'b'\n call ModuleLevel\n c3";
    assert_eq!(imported(code), ["a", "?"]);
}

#[test]
fn an_unknown_name_is_reported_once() {
    // mov rcx, rbx; twice
    let code =
        "48 89 d9\n call ImportModule\n 48 89 d9\n call ImportModule\n lea 'a'\n call ImportModule\n c3";
    assert_eq!(imported(code), ["?", "a"]);
}

#[test]
fn an_import_whose_error_is_cleared_may_fail() {
    // test rax, rax; jne +6, over the call
    let code =
        "lea 'a'\n call ImportModule\n 48 85 c0\n 75 06\n call Clear\n lea 'b'\n call ImportModule\n c3";
    assert_eq!(imported(code), ["0:a", "b"]);
}

#[test]
fn an_alternative_to_a_missing_module_is_reported_with_it() {
    // test rax, rax; jne, to the end; test eax, eax; je, over the rest
    let code = "lea 'new'\n call ImportModule\n 48 89 c3\n 48 85 c0\n 75 1d\n call ExceptionMatches\n \
        85 c0\n 74 13\n call Clear\n lea 'old'\n call ImportModule\n 48 89 c3\n c3";
    assert_eq!(imported(code), ["new|old"]);
}

#[test]
fn imports_after_an_error_are_skipped() {
    // test eax, eax; js, to the second import. cmp eax, -1; je, there too. An error that is set ends
    // the path.
    let code = "call AddObject\n 85 c0\n 78 23\n call AddObject\n 83 f8 ff\n 74 18\n call Occurred\n \
        48 85 c0\n 75 0d\n lea 'a'\n call ImportModule\n lea 'b'\n call SetString\n lea 'c'\n call ImportModule\n c3";
    assert_eq!(imported(code), ["a"]);
}

#[test]
fn a_function_that_imports_its_argument_is_followed_for_each_name() {
    // jmp over it; mov rbx, rdx; mov rcx, rbx; call; ret
    let code = "eb 0d\n 48 89 d3\n 48 89 d9\n call ImportModule\n c3\n \
        lea rdx 'a'\n helper\n lea rdx 'b'\n helper\n lea rdx 'not-a-name'\n c3";
    assert_eq!(imported(code), ["a", "b"]);
}

#[test]
fn such_a_function_may_make_an_object_of_the_name_and_its_length() {
    // jmp over it; call; mov rcx, rax; call; ret. Its caller: mov edx, 1
    let code = "eb 10\n call FromStringAndSize\n 48 89 c1\n call Import_Import\n c3\n \
        lea 'ab'\n ba 01 00 00 00\n helper\n lea 'cd'\n ba 02 00 00 00\n helper\n c3";
    assert_eq!(imported(code), ["a", "cd"]);
}

#[test]
fn sip_imports_what_the_description_of_a_module_names() {
    // call [rax]
    assert_eq!(imported("sip 'pkg.a' 'pkg.b'\n ff 10\n lea 'x'\n call ImportModule\n c3"), ["pkg.b", "x"]);
    // The description is one of another module.
    assert_eq!(imported("sip 'pkg.other' 'pkg.b'\n ff 10\n c3"), Vec::<String>::new());
}

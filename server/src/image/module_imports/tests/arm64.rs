//! The same code, compiled for ARM64.

use crate::image::testing::Pe;
use crate::image::{Image, Machine};

const FUNCTIONS: [&str; 5] =
    ["PyImport_ImportModule", "PyImport_AddModule", "PyErr_Clear", "PyErr_Occurred", "PyErr_SetString"];

/// Returns what a DLL for ARM64 imports with this code at `PyInit_a`. Each line is an instruction in
/// hexadecimal, or one of these:
///
/// - `load REGISTER LITERAL`: `adrp` and `add`, the address of a string
/// - `call FUNCTION`: `adrp`, `ldr`, and `blr`, of a function of Python
/// - `bl NUMBER`, `b NUMBER`: a call or jump to a label, a line `NUMBER:`
/// - `cbz NUMBER`, `cbnz NUMBER`: a branch to a label that tests x0
/// - `thunk FUNCTION`: `adrp`, `ldr`, and `br`
fn imported(lines: &str) -> Vec<String> {
    let mut pe = Pe::x64().machine(0xaa64).imports(&[("python313.dll", &FUNCTIONS)]);
    let slots = pe.next() - 40 - 8 * (FUNCTIONS.len() as u32 + 1);
    let lines: Vec<Vec<&str>> = lines
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|line: &Vec<&str>| !line.is_empty())
        .collect();
    let literals: Vec<(&str, u32)> =
        lines.iter().filter(|line| line[0] == "load").map(|line| (line[2], pe.put_name(line[2]))).collect();
    let start = pe.next();
    let size = |line: &Vec<&str>| match line[0] {
        "load" => 8,
        "call" | "thunk" => 12,
        label if label.ends_with(':') => 0,
        _ => 4,
    };
    let label = |name: &str| {
        let before = lines.iter().take_while(|line| line[0].strip_suffix(':') != Some(name));
        start + before.map(size).sum::<u32>()
    };
    let mut code: Vec<u32> = Vec::new();
    for line in &lines {
        let here = start + 4 * code.len() as u32;
        let adrp = |register: u32, to: u32| {
            let pages = (to >> 12).wrapping_sub(here >> 12);
            0x9000_0000 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5 | register
        };
        let distance = |to: u32| to.wrapping_sub(here) as i32 / 4;
        match *line.as_slice() {
            ["load", register, name] => {
                let register: u32 = register.parse().unwrap();
                let at = literals.iter().find(|(known, _)| *known == name).unwrap().1;
                let add = 0x9100_0000 | (at & 0xfff) << 10 | register << 5 | register;
                code.extend([adrp(register, at), add]);
            }
            [verb @ ("call" | "thunk"), name] => {
                let slot =
                    slots + 8 * FUNCTIONS.iter().position(|known| known.ends_with(name)).unwrap() as u32;
                let load = 0xf940_0000 | (slot & 0xfff) >> 3 << 10 | 8 << 5 | 8;
                let branch = if verb == "call" { 0xd63f_0000 } else { 0xd61f_0000 };
                code.extend([adrp(8, slot), load, branch | 8 << 5]);
            }
            ["bl", to] => code.push(0x9400_0000 | distance(label(to)) as u32 & 0x3ff_ffff),
            ["b", to] => code.push(0x1400_0000 | distance(label(to)) as u32 & 0x3ff_ffff),
            ["cbz", to] => code.push(0xb400_0000 | (distance(label(to)) as u32 & 0x7_ffff) << 5),
            ["cbnz", to] => code.push(0xb500_0000 | (distance(label(to)) as u32 & 0x7_ffff) << 5),
            [name] if name.ends_with(':') => {}
            [word] => code.push(u32::from_str_radix(word, 16).unwrap()),
            _ => panic!("{line:?}"),
        }
    }
    assert_eq!(pe.put_words(&code), start);
    let bytes = pe.exports("a.pyd", &[("PyInit_a", &start.to_string())]).build();
    let image = Image::parse(&bytes).unwrap();
    assert_eq!(image.machine(), Machine::Arm64);
    image.module_imports().unwrap()
}

const RETURN: &str = "d65f03c0";

#[test]
fn literal_imports_are_found() {
    let code = format!("load 0 b\n call ImportModule\n load 0 a.c\n call ImportModule\n {RETURN}");
    assert_eq!(imported(&code), ["b", "a.c"]);
}

#[test]
fn the_name_may_be_in_another_register_and_the_function_in_a_thunk() {
    // mov x0, x19
    let code = format!("load 19 b\n aa1303e0\n bl 1\n {RETURN}\n 1:\n thunk ImportModule");
    assert_eq!(imported(&code), ["b"]);
}

#[test]
fn the_name_may_be_on_the_stack() {
    // stp x29, x30, [sp, #-16]!; sub sp, sp, #32; stp x0, x19, [sp, #8]; …; ldp x1, x0, [sp]
    let code = format!(
        "a9bf7bfd\n d10083ff\n load 0 b\n a900cfe0\n call AddModule\n a94003e1\n call ImportModule\n {RETURN}"
    );
    assert_eq!(imported(&code), ["b"]);
}

#[test]
fn a_large_number_is_made_of_several_parts() {
    // A place in a large frame: sub sp, sp, #1024; mov x17, #516; str x0, [sp, x17]; …; ldr x0, [sp, #516]
    // can't be encoded, so add x9, sp, #500 and ldur x0, [x9, #16].
    let code = format!(
        "d11003ff\n load 0 b\n d2804091\n f8316be0\n call AddModule\n 9107d3e9\n f8410120\n call ImportModule\n {RETURN}"
    );
    assert_eq!(imported(&code), ["b"]);
}

#[test]
fn functions_that_import_what_they_are_given_are_recognized() {
    // stp x29, x30, [sp, #-16]!; mov x9, x0; mov x0, x9
    let helper = "1:\n a9bf7bfd\n aa0003e9\n aa0903e0\n call ImportModule\n d65f03c0";
    let code = format!("load 0 b\n bl 1\n load 0 c\n bl 1\n {RETURN}\n {helper}");
    assert_eq!(imported(&code), ["b", "c"]);
}

#[test]
fn what_follows_a_failed_import_is_an_alternative_if_the_error_is_cleared() {
    let tried = |failure: &str| {
        imported(&format!(
            "load 0 new\n call ImportModule\n cbnz 1\n {failure}\n load 0 old\n call ImportModule\n 1:\n \
             load 0 last\n call ImportModule\n {RETURN}"
        ))
    };
    assert_eq!(tried("call Clear"), ["new|old", "last"]);
    assert_eq!(tried(""), ["new", "last"]);
}

#[test]
fn an_error_that_has_occurred_is_not_cleared() {
    // The error is asked for, and the code that follows clears another one.
    let code = |question: &str| {
        imported(&format!(
            "load 0 a\n call ImportModule\n cbz 1\n b 2\n 1:\n {question}\n cbnz 3\n 2:\n call Clear\n {RETURN}\n \
             3:\n call SetString\n {RETURN}"
        ))
    };
    assert_eq!(code("call Occurred"), ["a"]);
    assert_eq!(code("call Clear\n call Occurred"), ["0:a"]);
}

#[test]
fn both_directions_are_followed_where_the_code_may_take_either() {
    // cmp w1, #1; b.eq +6 instructions
    let code = format!(
        "7100043f\n 540000e0\n load 0 a\n call ImportModule\n {RETURN}\n d503201f\n load 0 b\n call ImportModule\n {RETURN}"
    );
    assert_eq!(imported(&code), ["a", "b"]);
}

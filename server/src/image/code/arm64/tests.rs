use super::*;

const AT: u32 = 0x1ff8;

/// Decodes instructions, as `llvm-mc` encodes them.
fn decode(words: &[u32]) -> Vec<Vec<Operation>> {
    let code: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut decoder = Arm64Decoder::new(AT, &code);
    let mut instruction = Instruction::default();
    let mut decoded = Vec::new();
    while decoder.decode(&mut instruction) {
        assert_eq!(instruction.next, instruction.at + 4);
        decoded.push(std::mem::take(&mut instruction.operations));
    }
    decoded
}

fn one(word: u32) -> Vec<Operation> {
    decode(&[word]).remove(0)
}

const fn x(number: u8) -> Register {
    Register::general(number)
}

fn memory(base: u8, offset: i32, size: u8) -> MemoryOperand {
    MemoryOperand { size, ..relative(base.into(), offset) }
}

fn set(register: u8, source: impl Into<AssignedValue>) -> Operation {
    Operation::Set(x(register), source.into())
}

fn load(register: u8, memory: MemoryOperand) -> Operation {
    set(register, CodeValue::Memory(memory))
}

#[test]
fn an_address_is_a_page_and_an_offset() {
    // adrp x8, #4096; add x0, x8, #24; ldr x9, [x8, #8]; blr x9; br x0
    let decoded = decode(&[0xb000_0008, 0x9100_6100, 0xf940_0509, 0xd63f_0120, 0xd61f_0000]);
    assert_eq!(decoded[0], [set(8, AssignedValue::Page(0x2000))]);
    assert_eq!(decoded[1], [set(0, AssignedValue::Address(MemoryOperand::absolute(0x2018, 0)))]);
    assert_eq!(decoded[2], [load(9, MemoryOperand::absolute(0x2008, 8))]);
    let slot = CodeValue::Memory(MemoryOperand::absolute(0x2008, 8));
    assert_eq!(decoded[3], [Operation::Call(Destination::Pointer(slot))]);
    // The call may have overwritten x0.
    assert_eq!(decoded[4], [Operation::Jump(Destination::Pointer(CodeValue::Register(x(0))))]);
    // adr x0, #16
    assert_eq!(one(0x1000_0080), [set(0, AssignedValue::Address(MemoryOperand::absolute(AT + 16, 0)))]);
}

#[test]
fn numbers_are_signed() {
    // movz w0, #7; movz x0, #7, lsl #16; movn w0, #0; mov w0, #0xff00ff (orr); mov w0, wzr
    let numbers = [
        (0x5280_00e0, 7),
        (0xd2a0_00e0, 0x7_0000),
        (0x1280_0000, -1),
        (0x3200_9fe0, 0xff_00ff),
        (0x2a1f_03e0, 0),
    ];
    for (word, number) in numbers {
        assert_eq!(one(word), [set(0, CodeValue::Number(number))], "{word:x}");
    }
    // movk w0, #1, lsl #16; movk w0, #0xffff, lsl #16
    assert_eq!(one(0x72a0_0020), [set(0, AssignedValue::Insert { mask: -0x1_0000, bits: 0x1_0000 })]);
    assert_eq!(one(0x72bf_ffe0), [set(0, AssignedValue::Insert { mask: -0x1_0000, bits: -0x1_0000 })]);
    // movi v16.4s, #3; movi v0.2d, #0
    assert_eq!(
        one(0x4f00_0470),
        [Operation::Set(Register::vector(16), AssignedValue::Value(CodeValue::Number(3)))]
    );
    assert_eq!(
        one(0x6f00_e400),
        [Operation::Set(Register::vector(0), AssignedValue::Value(CodeValue::Number(0)))]
    );
}

#[test]
fn arithmetic() {
    let [a, b] = [1, 2].map(|number| CodeValue::Register(x(number)));
    // add x0, x1, x2, lsl #3; neg w0, w1; mul w0, w1, w2; lsl x0, x1, #3; sxtw x0, w1; mov x0, x2;
    // orr w0, w1, #1
    assert_eq!(one(0x8b02_0c20), [set(0, AssignedValue::Sum(a, b, 3))]);
    assert_eq!(one(0x4b01_03e0), [set(0, AssignedValue::Difference(CodeValue::Number(0), a, 0))]);
    assert_eq!(one(0x1b02_7c20), [set(0, AssignedValue::Product(a, b))]);
    assert_eq!(one(0xd37d_f020), [set(0, AssignedValue::Product(a, CodeValue::Number(8)))]);
    assert_eq!(one(0x9340_7c20), [set(0, a)]);
    assert_eq!(one(0xaa02_03e0), [set(0, b)]);
    assert_eq!(one(0x3200_0020), [set(0, AssignedValue::Or(a, 1))]);
    // add sp, sp, #32; sub sp, sp, x15, lsl #4
    assert_eq!(one(0x9100_83ff), [set(31, AssignedValue::Address(memory(31, 32, 0)))]);
    let [stack, size] = [31, 15].map(|number| CodeValue::Register(x(number)));
    assert_eq!(one(0xcb2f_73ff), [set(31, AssignedValue::Difference(stack, size, 4))]);
    // madd x0, x1, x2, x3, which isn't followed
    assert_eq!(one(0x9b02_0c20), [set(0, AssignedValue::Unknown)]);
}

#[test]
fn comparisons_and_branches() {
    let w0 = CodeValue::Register(x(0));
    // cmp w0, #0; cmn w2, #1; tst w0, w0; subs w8, w0, #1
    assert_eq!(one(0x7100_001f), [Operation::Compare(w0, CodeValue::Number(0))]);
    assert_eq!(one(0x3100_045f), [Operation::Compare(CodeValue::Register(x(2)), CodeValue::Number(-1))]);
    assert_eq!(one(0x6a00_001f), [Operation::Compare(w0, CodeValue::Number(0))]);
    let [compare, set] = one(0x7100_0408)[..] else { panic!() };
    assert_eq!(compare, Operation::Compare(w0, CodeValue::Number(1)));
    assert_eq!(set, Operation::Set(x(8), AssignedValue::Address(memory(0, -1, 0))));
    // b.ne #8; cbz x0, #8; tbz w0, #31, #8; tbz w0, #3, #8
    let zero = Operation::Compare(w0, CodeValue::Number(0));
    let branch = |condition| Operation::Branch(condition, AT + 8);
    assert_eq!(one(0x5400_0041), [branch(BranchCondition::NotEqual)]);
    assert_eq!(one(0xb400_0040), [zero, branch(BranchCondition::Equal)]);
    assert_eq!(one(0x36f8_0040), [zero, branch(BranchCondition::NotNegative)]);
    assert_eq!(one(0x3618_0040), [branch(BranchCondition::Other)]);
    // csel x0, x1, x2, ne
    let [different, equal] = [1, 2].map(|number| CodeValue::Register(x(number)));
    assert_eq!(one(0x9a82_1020), [Operation::Set(x(0), AssignedValue::Select { different, equal })]);
    // bl #-64; b #64; ret; brk #0xf000; udf #0; svc #0
    assert_eq!(one(0x97ff_fff0), [Operation::Call(Destination::Code(AT - 64))]);
    assert_eq!(one(0x1400_0010), [Operation::Jump(Destination::Code(AT + 64))]);
    assert_eq!(one(0xd65f_03c0), [Operation::Return]);
    assert_eq!(one(0xd43e_0000), [Operation::Breakpoint]);
    assert_eq!(one(0), [Operation::Invalid]);
    assert_eq!(one(0xd400_0001), [Operation::Interrupt]);
}

#[test]
fn loads_and_stores() {
    // ldr x0, [x8, #8]; ldr x0, #32; ldrb w0, [x8, x9]; ldrsw x0, [x8, #4]
    assert_eq!(one(0xf940_0500), [load(0, memory(8, 8, 8))]);
    assert_eq!(one(0x5800_0100), [load(0, MemoryOperand::absolute(AT + 32, 8))]);
    let byte = MemoryOperand { index: Index::Scaled(1), ..memory(8, 0, 1) };
    assert_eq!(one(0x3869_6900), [set(0, AssignedValue::Loaded(byte))]);
    assert_eq!(one(0xb980_0500), [set(0, AssignedValue::Loaded(memory(8, 4, 4)))]);
    // ldr w0, [x8, x9, lsl #2]; ldr x0, [x8], #8; ldr x0, [x8, #-8]!
    let word = MemoryOperand { index: Index::Scaled(4), ..memory(8, 0, 4) };
    assert_eq!(one(0xb869_7900), [load(0, word)]);
    let moving = MemoryOperand { index: Index::Advancing(8), ..memory(8, 0, 8) };
    assert_eq!(one(0xf840_8500), [load(0, moving), set(8, AssignedValue::Address(memory(8, 8, 0)))]);
    let moved = [set(8, AssignedValue::Address(memory(8, -8, 0))), load(0, memory(8, 0, 8))];
    assert_eq!(one(0xf85f_8d00), moved);
    // stp x29, x30, [sp, #-16]!; ldp x29, x30, [sp], #16
    let [frame, link] = [29, 30].map(|number| CodeValue::Register(x(number)));
    let stored = [
        set(31, AssignedValue::Address(memory(31, -16, 0))),
        Operation::Store(memory(31, 0, 8), frame),
        Operation::Store(memory(31, 8, 8), link),
    ];
    assert_eq!(one(0xa9bf_7bfd), stored);
    assert_eq!(one(0xa8c1_7bfd).last(), Some(&set(31, AssignedValue::Address(memory(31, 16, 0)))));
    // str xzr, [sp]; strh wzr, [x8]; str q0, [sp, #16]; str x8, [sp, x17] after mov x17, #516
    assert_eq!(one(0xf900_03ff), [Operation::Store(memory(31, 0, 8), CodeValue::Number(0))]);
    assert_eq!(one(0x7900_011f), [Operation::Store(memory(8, 0, 2), CodeValue::Number(0))]);
    let vector = CodeValue::Register(Register::vector(0));
    assert_eq!(one(0x3d80_07e0), [Operation::Store(memory(31, 16, 16), vector)]);
    let large = decode(&[0xd280_4091, 0xf831_6be8]).remove(1);
    assert_eq!(large, [Operation::Store(memory(31, 516, 8), CodeValue::Register(x(8)))]);
}

#[test]
fn other_instructions_overwrite_their_registers() {
    let unknown = |register: Register| Operation::Set(register, AssignedValue::Unknown);
    // cset w0, eq; mrs x0, nzcv; ldaxr x0, [x1]; stlxr w0, x1, [x2]
    assert_eq!(one(0x1a9f_17e0), [unknown(x(0))]);
    assert_eq!(one(0xd53b_4200), [unknown(x(0))]);
    assert!(one(0xc85f_fc20).contains(&unknown(x(0))));
    assert!(one(0xc800_fc41).contains(&unknown(x(0))));
    // ld1 {v0.16b}, [x0], #16; nop; dmb ish; prfm pldl1keep, [x0]
    assert!(one(0x4cdf_7000).contains(&unknown(Register::vector(0))));
    for word in [0xd503_201f, 0xd503_3bbf, 0xf980_0000] {
        assert_eq!(one(word), [], "{word:x}");
    }
}

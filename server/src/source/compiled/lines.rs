//! Maps instructions to source lines.

use super::instructions::Dialect;

/// Returns the offset, in bytes, where the code of each line begins, with the line, in code order.
pub(super) fn line_starts(dialect: Dialect, first: u32, table: &[u8]) -> Vec<(usize, u32)> {
    match dialect {
        Dialect::Of3_8 | Dialect::Of3_9 => by_advances(first, table),
        Dialect::Of3_10 => by_ranges(first, table),
        _ => by_locations(first, table),
    }
}

/// Decodes pairs of code and line advances, the latter signed (`Objects/lnotab_notes.txt` of 3.8
/// and 3.9).
fn by_advances(mut line: u32, table: &[u8]) -> Vec<(usize, u32)> {
    let mut at = 0;
    let mut starts = vec![(0, line)];
    for &[code, lines] in table.as_chunks().0 {
        at += usize::from(code);
        line = line.wrapping_add_signed(i32::from(lines as i8));
        starts.push((at, line));
    }
    starts
}

/// Decodes pairs of a range's length and its distance to the previous line, with -128 for no line
/// (3.10).
fn by_ranges(mut line: u32, table: &[u8]) -> Vec<(usize, u32)> {
    let mut at = 0;
    let mut starts = Vec::new();
    for &[code, lines] in table.as_chunks().0 {
        if lines as i8 != i8::MIN {
            line = line.wrapping_add_signed(i32::from(lines as i8));
        }
        starts.push((at, line));
        at += usize::from(code);
    }
    starts
}

/// Decodes entries of different forms (`Objects/locations.md` of 3.11, "The location table").
fn by_locations(mut line: u32, table: &[u8]) -> Vec<(usize, u32)> {
    let mut bytes = table.iter().copied();
    let mut at = 0;
    let mut starts = Vec::new();
    while let Some(head) = bytes.next() {
        let mut number = || {
            let mut value = 0u32;
            for shift in (0..30).step_by(6) {
                let byte = bytes.next()?;
                value |= u32::from(byte & 63) << shift;
                if byte & 64 == 0 {
                    break;
                }
            }
            Some(value)
        };
        let signed = |value: u32| if value & 1 == 0 { (value >> 1) as i32 } else { -((value >> 1) as i32) };
        let (advance, columns) = match head >> 3 & 15 {
            15 => (Some(0), 0),
            14 => {
                let advance = number().map(signed);
                let _ = (number(), number(), number());
                (advance, 0)
            }
            13 => (number().map(signed), 0),
            form @ 10..=12 => (Some(i32::from(form) - 10), 2),
            _ => (Some(0), 1),
        };
        let Some(advance) = advance else { break };
        for _ in 0..columns {
            bytes.next();
        }
        line = line.wrapping_add_signed(advance);
        starts.push((at, line));
        at += 2 * (usize::from(head & 7) + 1);
    }
    starts
}

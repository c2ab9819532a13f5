//! ARM64X images: they are for ARM64 processes, and Windows on ARM changes them for x64 processes.
//!
//! The file is an ordinary ARM64 image. For an x64 process, Windows overwrites the machine and the
//! entry point in the header, the places of the export table and the load configuration, and the
//! beginnings of import lists. These fixups are in the dynamic value relocation table, under the
//! symbol `IMAGE_DYNAMIC_RELOCATION_ARM64X`.
//!
//! Sources: Microsoft, "Arm64X PE files"; `winnt.h` (`IMAGE_DYNAMIC_RELOCATION_TABLE`,
//! `IMAGE_DVRT_ARM64X_FIXUP_RECORD`); Wine's `update_arm64x_mapping`
//! (`dlls/ntdll/unix/virtual.c`) and LLVM's `Arm64XDynamicRelocEntry` (`lld/COFF/Chunks.cpp`).

use super::{Image, Machine};

/// `IMAGE_DYNAMIC_RELOCATION_ARM64X`.
const ARM64X: u64 = 6;

/// The version of the table that the linkers of Microsoft and LLVM write. Wine supports another,
/// but no file with that version was available.
const VERSION: u32 = 1;

/// The size of `IMAGE_DYNAMIC_RELOCATION64` in bytes: a symbol, and the size of the blocks that
/// follow.
const ENTRY_HEADER_LEN: u32 = 12;

/// The size of `IMAGE_BASE_RELOCATION` in bytes, the header of a block.
const BLOCK_HEADER_LEN: u32 = 8;

/// The maximum size of the table in bytes.
const MAX_TABLE_LEN: u32 = 1 << 24;

const WHAT: &str = "the dynamic value relocation table";

/// A change to the memory at an RVA.
#[derive(Clone, Copy)]
struct Fixup<'a> {
    rva: u32,
    change: Change<'a>,
}

#[derive(Clone, Copy)]
enum Change<'a> {
    /// This number of bytes is set to zero.
    Zero(usize),
    /// These bytes are written.
    Write(&'a [u8]),
    /// This number is added to a 32-bit word.
    Add(i32),
}

impl<'a> Image<'a> {
    /// Returns the file as an x64 process on ARM64 sees it; `None` if it isn't an ARM64X image. The
    /// result can be parsed like any other file, and is an ARM64EC image.
    pub fn seen_by_x64(&self) -> Option<Vec<u8>> {
        if self.machine() != Machine::Arm64X {
            return None;
        }
        let mut file = self.memory.file().to_vec();
        for Fixup { rva, change } in self.fixups() {
            let len = match change {
                Change::Zero(len) => len,
                Change::Write(bytes) => bytes.len(),
                Change::Add(_) => 4,
            };
            // Changes to memory that the file doesn't store can't be represented.
            let Some(target) = self.memory.file_range(rva, len).and_then(|range| file.get_mut(range)) else {
                continue;
            };
            match change {
                Change::Zero(_) => target.fill(0),
                Change::Write(bytes) => target.copy_from_slice(bytes),
                Change::Add(number) => {
                    if let Some(word) = target.first_chunk_mut() {
                        *word = i32::from_le_bytes(*word).wrapping_add(number).to_le_bytes();
                    }
                }
            }
        }
        Some(file)
    }

    /// Whether a fixup changes the machine in the header to x64.
    pub(super) fn turns_into_x64(&self) -> bool {
        const X64: [u8; 2] = 0x8664_u16.to_le_bytes();
        // Headers have the same offsets in memory and in the file. The file header, which begins with
        // the machine, has 20 bytes and precedes the optional header.
        let machine = self.headers.optional_header.saturating_sub(20);
        let becomes_x64 = |change| matches!(change, Change::Write(bytes) if bytes.starts_with(&X64));
        self.fixups().iter().any(|fixup| u64::from(fixup.rva) == machine && becomes_x64(fixup.change))
    }

    /// Returns the fixups that can be read.
    fn fixups(&self) -> Vec<Fixup<'a>> {
        self.arm64x_blocks().map(fixups_of_blocks).unwrap_or_default()
    }

    /// Returns the blocks of fixups under the symbol for ARM64X.
    fn arm64x_blocks(&self) -> Option<&'a [u8]> {
        let table = self.dynamic_relocations()?;
        let [version, size] = self.memory.words(table, WHAT).ok()?;
        if version != VERSION || size > MAX_TABLE_LEN {
            return None;
        }
        let mut rest = self.memory.slice(table.checked_add(8)?, size, WHAT).ok()?;
        loop {
            let (entry, after) = rest.split_at_checked(ENTRY_HEADER_LEN as usize)?;
            let (symbol, size) = entry.split_first_chunk()?;
            let size = u32::from_le_bytes(*size.first_chunk()?);
            let (blocks, next) = after.split_at_checked(size as usize)?;
            if u64::from_le_bytes(*symbol) == ARM64X {
                return Some(blocks);
            }
            rest = next;
        }
    }
}

/// Reads the fixups of all blocks. Each block is for one page.
fn fixups_of_blocks(mut rest: &[u8]) -> Vec<Fixup<'_>> {
    let mut fixups = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<{ BLOCK_HEADER_LEN as usize }>() {
        let [page, size] = [0, 4].map(|at| header.get(at..).and_then(<[u8]>::first_chunk));
        let [Some(page), Some(size)] = [page, size] else { break };
        let Some(len) = u32::from_le_bytes(*size).checked_sub(BLOCK_HEADER_LEN) else { break };
        let Some((records, next)) = after.split_at_checked(len as usize) else { break };
        read_page(u32::from_le_bytes(*page), records, &mut fixups);
        rest = next;
    }
    fixups
}

/// Reads a page's records, up to a null record, which is padding. The upper four bits of a record
/// encode its kind, and its size, or its scale and sign.
fn read_page<'a>(page: u32, mut records: &'a [u8], fixups: &mut Vec<Fixup<'a>>) {
    while let Some((record, rest)) = records.split_first_chunk() {
        let record = u16::from_le_bytes(*record);
        if record == 0 {
            return;
        }
        let (kind, argument) = (record >> 12 & 3, record >> 14);
        let len = 1 << argument;
        let change = match kind {
            0 => Some((Change::Zero(len), rest)),
            1 => rest.split_at_checked(len).map(|(bytes, rest)| (Change::Write(bytes), rest)),
            2 => rest.split_first_chunk().map(|(number, rest)| {
                let scale = if argument & 2 == 0 { 4 } else { 8 };
                let number = i32::from(u16::from_le_bytes(*number)) * scale;
                (Change::Add(if argument & 1 == 0 { number } else { -number }), rest)
            }),
            _ => None,
        };
        let Some((change, rest)) = change else { return };
        let Some(rva) = page.checked_add(u32::from(record & 0xfff)) else { return };
        fixups.push(Fixup { rva, change });
        records = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_kind_are_decoded() {
        let records = [
            0xc010, // eight bytes at 0x10 are set to zero
            0x5014, 0x8664, // two bytes at 0x14 are written
            0x9018, 0x5678, 0x1234, // four bytes
            0x2020, 3, // + 3 * 4
            0xe024, 3, // - 3 * 8
            0, 0xc010, // records after a null record are ignored
        ];
        let bytes: Vec<u8> = records.iter().flat_map(|record: &u16| record.to_le_bytes()).collect();
        let mut fixups = Vec::new();
        read_page(0x1000, &bytes, &mut fixups);
        let described: Vec<String> = fixups
            .iter()
            .map(|fixup| match fixup.change {
                Change::Zero(len) => format!("{:x}: {len} zeros", fixup.rva),
                Change::Write(bytes) => format!("{:x}: {bytes:x?}", fixup.rva),
                Change::Add(number) => format!("{:x}: {number:+}", fixup.rva),
            })
            .collect();
        let expected =
            ["1010: 8 zeros", "1014: [64, 86]", "1018: [78, 56, 34, 12]", "1020: +12", "1024: -24"];
        assert_eq!(described, expected);
    }

    #[test]
    fn a_record_of_an_unknown_kind_ends_the_page() {
        let bytes: Vec<u8> =
            [0xc010_u16, 0x3014, 0xc018].iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut fixups = Vec::new();
        read_page(0x1000, &bytes, &mut fixups);
        assert_eq!(fixups.len(), 1);
    }
}

//! The tables of a Cython module's strings: its names appear in the code as objects in global
//! variables.
//!
//! In Cython 0.29, `__pyx_string_tab`, an array of `__Pyx_StringTabEntry`
//! (`Cython/Utility/ModuleSetupCode.c`), names the variable of each string; in 3.0 the same array
//! is made on the stack. Since Cython 3.1 the objects are one after the other in the module's
//! state, in the order of the strings. Where the first one is stored is found in the code that
//! makes them. The strings themselves are: in 3.1, a table of pointers and lengths; in 3.2, one
//! string packed by zlib and an array of lengths; in 3.3, one string that the module unpacks itself
//! or that isn't packed, and the array of lengths of those that aren't bytes
//! (`Cython/Compiler/Code.py`: `generate_pystring_constants`). The form is recognized by what is
//! found, not by a version.

use std::collections::VecDeque;
use std::io::Read;

use rustc_hash::FxHashMap;

use super::known::{Held, Known};
use super::lzss;
use super::{LONGEST_NAME, MORE_INSTRUCTIONS, Walk};
use crate::image::code::{AssignedValue, CodeValue, MemoryOperand, Operation};
use crate::image::imports::entry;

/// The maximum number of strings in a table.
const MOST_TEXTS: u32 = 20_000;

/// The minimum number of strings: every module has `__main__`, `__name__`, `__test__`, and some more.
const FEWEST_TEXTS: u32 = 5;

/// Strings that every module has.
const NAMES: [&[u8]; 2] = [b"__main__", b"__name__"];

/// The maximum size of all strings of a module, in bytes.
const LONGEST_TEXTS: u64 = 4 << 20;

/// The maximum size of strings that are not packed, in bytes: longer ones are worth packing.
const LONGEST_PLAIN: usize = 1 << 16;

/// The number of the latest addresses among which the array of lengths is searched.
const MOST_ADDRESSES: usize = 64;

/// What the walk has found out about the strings so far.
#[derive(Default)]
pub(super) struct Texts {
    /// Whether there may be a table of Cython 0.29 or 3.1, whose modules import by themselves.
    has_tables: bool,
    table: Table,
    /// Where the object of the first string is stored.
    objects: Option<u32>,
    /// Whether an object has been made of a string, which is stored next.
    is_made: bool,
    /// The bytes of all strings, unpacked, as long as their lengths are unknown.
    unpacked: Vec<u8>,
    /// The number of bytes that the module is about to unpack itself.
    unpacked_size: Option<u32>,
    /// Whether strings were searched that the module doesn't pass to Python's `zlib`.
    is_sought: bool,
    is_unpacked: bool,
    addresses: VecDeque<u32>,
    /// What the code has read as an array of 32-bit numbers.
    array: Option<Held>,
    /// Numbers that the function has stored on the stack, where it makes such an array.
    numbers: FxHashMap<i32, u32>,
    /// Addresses that a function has stored on the stack.
    pointers: FxHashMap<i32, u32>,
}

#[derive(Default)]
enum Table {
    #[default]
    Unknown,
    /// The address of the string, by that of the variable.
    Variables(FxHashMap<u32, u32>),
    /// The address of the first entry, and their number.
    Entries(u32, u32),
    /// All bytes, and the end of each string.
    Packed(Vec<u8>, Vec<u32>),
}

impl Texts {
    pub fn new(has_tables: bool) -> Texts {
        Texts { has_tables, ..Texts::default() }
    }

    pub fn is_known(&self) -> bool {
        !matches!(self.table, Table::Unknown)
    }

    /// Whether arrays on the stack matter.
    pub fn is_open(&self) -> bool {
        self.objects.is_none()
    }

    /// Begins a function, which has a stack of its own. Returns what was known of its caller's.
    pub fn begin(&mut self) -> FxHashMap<i32, u32> {
        std::mem::take(&mut self.numbers)
    }

    /// Ends the function.
    pub fn end(&mut self, callers: FxHashMap<i32, u32>) {
        self.numbers = callers;
    }
}

impl Walk<'_, '_> {
    /// Returns the string that an object is made of.
    pub(super) fn text(&self, object: Option<Held>) -> Option<String> {
        let Some(Held::Global(variable)) = object else { return None };
        let string = |at| self.image.memory.string(at, LONGEST_NAME, "the name of a module").ok();
        if let Table::Variables(texts) = &self.texts.table {
            return string(*texts.get(&variable)?);
        }
        let distance = variable.checked_sub(self.texts.objects?)?;
        let index = (distance % 8 == 0).then_some(distance / 8)?;
        match &self.texts.table {
            Table::Entries(start, count) => string(
                self.image.pointer(entry(*start, index, 16, "texts").ok().filter(|_| index < *count)?, 0)?,
            ),
            Table::Packed(bytes, ends) => {
                let index = index as usize;
                let start = match index.checked_sub(1) {
                    Some(before) => *ends.get(before)? as usize,
                    None => 0,
                };
                let text = bytes.get(start..*ends.get(index)? as usize)?;
                let text = std::str::from_utf8(text).ok()?;
                (text.len() < LONGEST_NAME).then(|| text.to_owned())
            }
            _ => None,
        }
    }

    /// Observes an operation for what it reveals about the strings, before it is followed.
    pub(super) fn watch(&mut self, operation: &Operation, known: &Known) {
        if let Operation::Set(_, AssignedValue::Address(memory)) = operation
            && let Some(Held::Address(at)) = known.place(*memory)
        {
            self.see_address(at);
        }
        let reads = operation.reads();
        // A loop reads packed strings byte by byte.
        if let Some(memory) = reads
            && self.texts.unpacked_size.is_some()
            && memory.size == 1
            && memory.stride().is_some()
            && let Some(Held::Address(at)) = known.base(memory)
            && !self.texts.addresses.contains(&at)
        {
            self.see_address(at);
        }
        if !self.texts.is_open() {
            return;
        }
        if let Operation::Store(memory, value) = operation {
            self.watch_store(*memory, *value, known);
        } else if let Some(memory) = reads
            && memory.stride() == Some(4)
            && let Some(base @ (Held::Address(_) | Held::Stack(_))) = known.base(memory)
        {
            self.texts.array = Some(base);
        }
    }

    fn watch_store(&mut self, memory: MemoryOperand, value: CodeValue, known: &Known) {
        let held = known.value(value, &self.slots);
        match (known.place(memory), known.base(memory)) {
            (Some(Held::Stack(at)), _) => {
                if let Some(Held::Address(address)) = held
                    && self.texts.has_tables
                    && self.texts.pointers.len() < MOST_TEXTS as usize
                {
                    self.texts.pointers.insert(at, address);
                }
                let words = match (held, memory.size) {
                    (Some(Held::Number(number)), 1) => vec![number as u32 & 0xff],
                    (Some(Held::Number(number)), 2) => vec![number as u32 & 0xffff],
                    (Some(Held::Number(number)), 4) => vec![number as u32],
                    (Some(Held::Number(number)), 8) => vec![number as u32, (number >> 32) as u32],
                    (Some(Held::Number(number)), 16) => vec![number as u32; 4],
                    (Some(Held::Global(array)), 16) => {
                        self.image.memory.words::<4>(array, "texts").map_or(Vec::new(), Vec::from)
                    }
                    _ => Vec::new(),
                };
                for (index, word) in (0..).zip(words) {
                    if (self.texts.numbers.len() as u32) < MOST_TEXTS {
                        self.texts.numbers.insert(at.wrapping_add(4 * index), word);
                    }
                }
            }
            // A loop stores the objects: its first iteration writes to the place of the first one.
            (_, Some(Held::Address(at)))
                if memory.size == 8 && value != CodeValue::Unknown && self.texts.is_made =>
            {
                self.texts.objects = Some(at);
                self.left += MORE_INSTRUCTIONS * self.convention.instructions;
            }
            _ => {}
        }
    }

    /// Records an address that is taken, possibly that of a table.
    fn see_address(&mut self, at: u32) {
        if self.texts.is_known() {
            return;
        }
        if self.texts.has_tables {
            self.read_entries(at);
            if !self.texts.is_known() {
                self.read_variables(at);
            }
        }
        if self.texts.addresses.len() >= MOST_ADDRESSES {
            self.texts.addresses.pop_front();
        }
        self.texts.addresses.push_back(at);
    }

    /// Reads the table of Cython 0.29, if the address is one in its first entry: compilers begin with
    /// the field that they need first.
    ///
    /// An entry has 40 bytes: the addresses of a variable and of a string, the length including the
    /// NUL at the end, the address of an encoding, and three flags. A null address ends the table.
    fn read_variables(&mut self, address: u32) {
        const SIZE: u32 = 40;
        for field in (0..SIZE).step_by(8) {
            let Some(start) = address.checked_sub(field) else { return };
            let mut texts = FxHashMap::default();
            let end = self.end_of_table(start, SIZE, |walk, at| {
                let (variable, text) = walk.entry_of_variable(at)?;
                texts.insert(variable, text);
                Some(())
            });
            if end.is_some() {
                self.texts.table = Table::Variables(texts);
                return;
            }
        }
    }

    /// Counts the entries of a size up to a null one. Returns `None` if there are too few for a table
    /// of strings.
    fn end_of_table(
        &mut self,
        start: u32,
        size: u32,
        mut read: impl FnMut(&Self, u32) -> Option<()>,
    ) -> Option<u32> {
        for count in 0..MOST_TEXTS {
            let at = entry(start, count, size, "texts").ok()?;
            if read(self, at).is_none() {
                // Other tables take their time as well.
                self.left = self.left.saturating_sub(count);
                return (count >= FEWEST_TEXTS && self.is_null(at)).then_some(count);
            }
        }
        self.left = self.left.saturating_sub(MOST_TEXTS);
        None
    }

    /// Reads an entry of that table: its variable and its string.
    fn entry_of_variable(&self, at: u32) -> Option<(u32, u32)> {
        let variable = self.image.pointer(at, 0)?;
        let text = self.image.pointer(at, 1)?;
        let len =
            u64::from_le_bytes(self.image.memory.bytes::<8>(entry(at, 2, 8, "texts").ok()?, "texts").ok()?);
        let end = u32::try_from(len.checked_sub(1)?).ok()?.checked_add(text)?;
        let ends = self.image.memory.bytes::<1>(end, "texts").ok()? == [0];
        (ends && self.image.memory.bytes::<8>(variable, "texts").is_ok()).then_some((variable, text))
    }

    /// Reads the table of Cython 3.1, if it is at the address. An entry has 16 bytes: the address of a
    /// string, the length including the NUL at the end, and bits. A null address ends the table.
    fn read_entries(&mut self, start: u32) {
        const SIZE: u32 = 16;
        if let Some(count) = self.end_of_table(start, SIZE, |walk, at| walk.is_entry(at).then_some(())) {
            self.texts.table = Table::Entries(start, count);
        }
    }

    fn is_entry(&self, at: u32) -> bool {
        const MOST_BITS: u32 = 0x7f;
        let Some(text) = self.image.pointer(at, 0) else { return false };
        let Ok([_, _, len, bits]) = self.image.memory.words::<4>(at, "texts") else { return false };
        let end = len.checked_sub(1).and_then(|len| text.checked_add(len));
        bits <= MOST_BITS
            && end.is_some_and(|end| self.image.memory.bytes::<1>(end, "texts").is_ok_and(|end| end == [0]))
    }

    fn is_null(&self, at: u32) -> bool {
        self.image.memory.bytes::<8>(at, "texts").is_ok_and(|end| end == [0; 8])
    }

    /// Follows `PyMemoryView_FromMemory(memory, size, flags)`: this is how Cython 3.2 passes the packed
    /// strings to Python's `zlib`, before anything else.
    pub(super) fn unpack(&mut self, known: &Known) {
        const READ: i64 = 0x100;
        let arguments = [0, 1, 2].map(|index| known.argument(index));
        let [Some(Held::Address(memory)), Some(Held::Number(size)), Some(Held::Number(READ))] = arguments
        else {
            return;
        };
        if self.texts.is_unpacked || self.texts.is_known() {
            return;
        }
        self.texts.is_unpacked = true;
        let Ok(size) = u32::try_from(size) else { return };
        let Ok(packed) = self.image.memory.slice(memory, size, "texts") else { return };
        let mut bytes = Vec::new();
        let unpacked = flate2::read::ZlibDecoder::new(packed).take(LONGEST_TEXTS + 1).read_to_end(&mut bytes);
        if unpacked.is_ok() && bytes.len() as u64 <= LONGEST_TEXTS {
            self.texts.unpacked = bytes;
        }
    }

    /// Follows `PyBytes_FromStringAndSize(null, size)`: the module unpacks something itself, as Cython
    /// 3.3 does.
    pub(super) fn unpack_itself(&mut self, known: &Known) {
        if let [Some(Held::Number(0)), Some(Held::Number(size))] = [0, 1].map(|index| known.argument(index))
            && let Ok(size @ 1..) = u32::try_from(size)
            && u64::from(size) <= LONGEST_TEXTS
        {
            self.texts.unpacked_size = Some(size);
        }
    }

    /// Follows a call that makes an object of a string.
    pub(super) fn make_text(&mut self) {
        if !self.texts.is_known() {
            if !self.texts.unpacked.is_empty() {
                // The lengths are searched once.
                let bytes = std::mem::take(&mut self.texts.unpacked);
                if let Some(ends) = self.ends(&bytes, true).or_else(|| self.ends(&bytes, false)) {
                    self.texts.table = Table::Packed(bytes, ends);
                }
            } else if self.texts.has_tables && !self.texts.is_sought {
                self.texts.is_sought = true;
                self.seek_variables();
                if !self.texts.is_known() {
                    self.seek_texts();
                }
            }
        }
        self.texts.is_made |= self.texts.is_known();
    }

    /// Reads the table of Cython 3.0, which is that of 0.29 on the stack: the addresses of a variable
    /// and of a string are next to each other.
    fn seek_variables(&mut self) {
        const WHAT: &str = "texts";
        let mut texts = FxHashMap::default();
        let mut names = 0;
        for (at, variable) in &self.texts.pointers {
            let Some(text) = at.checked_add(8).and_then(|next| self.texts.pointers.get(&next)) else {
                continue;
            };
            let is_variable =
                self.image.memory.bytes::<8>(*variable, WHAT).is_ok_and(|bytes| bytes == [0; 8]);
            if is_variable && let Ok(bytes) = self.image.memory.until_nul(*text, LONGEST_NAME, WHAT) {
                names += usize::from(NAMES.contains(&bytes));
                texts.insert(*variable, *text);
            }
        }
        if names >= NAMES.len() {
            self.texts.table = Table::Variables(texts);
        }
    }

    /// Follows a pointer to the variables of Cython 3.0: the code reads their place from one.
    pub(super) fn follow_pointer(&self, operation: &Operation, known: &mut Known) {
        if self.texts.has_tables
            && let Operation::Set(register, AssignedValue::Value(CodeValue::Memory(memory))) = operation
            && memory.address().is_some()
            && let Some(Held::Global(at)) = known.get(*register)
            && let Some(to) = self.image.pointer(at, 0)
        {
            known.set(*register, Some(Held::Address(to)));
        }
    }

    /// Searches strings at the latest addresses: packed by Cython's own compression, or unpacked.
    fn seek_texts(&mut self) {
        const WHAT: &str = "texts";
        let addresses = self.texts.addresses.clone();
        for at in addresses.iter().rev() {
            let Ok(stored) = self.image.memory.stored(*at, LONGEST_TEXTS as usize, WHAT) else { continue };
            let unpacked = self.texts.unpacked_size.and_then(|size| lzss::unpack(stored, size as usize));
            if let Some(bytes) = unpacked
                && let Some(ends) = self.ends(&bytes, false)
            {
                self.texts.table = Table::Packed(bytes, ends);
                return;
            }
        }
        for at in addresses.iter().rev() {
            let Ok(stored) = self.image.memory.stored(*at, LONGEST_PLAIN, WHAT) else { continue };
            if let Some(ends) = self.ends_by_array(stored) {
                self.texts.table = Table::Packed(stored.to_vec(), ends);
                return;
            }
        }
    }

    /// Returns the ends of the strings that make up these bytes. Their lengths are in an array that has
    /// been read, or that was copied from one of the addresses. In Cython 3.2 the lengths of all
    /// bytes are in the array. In 3.3 the lengths of bytes objects are elsewhere, and the strings
    /// themselves must show that the lengths are right.
    fn ends(&self, bytes: &[u8], are_all: bool) -> Option<Vec<u32>> {
        let total = u32::try_from(bytes.len()).ok()?;
        let is_right = |ends: &Vec<u32>| match are_all {
            true => ends.last() == Some(&total),
            false => are_texts(bytes, ends),
        };
        self.by_array(total).filter(is_right).or_else(|| {
            let found = self.texts.addresses.iter().filter_map(|at| self.at_address(*at, total));
            found.filter(is_right).find(|ends| ends.len() >= FEWEST_TEXTS as usize)
        })
    }

    /// The same for unpacked strings whose total size is unknown.
    fn ends_by_array(&self, stored: &[u8]) -> Option<Vec<u32>> {
        self.by_array(u32::try_from(stored.len()).ok()?).filter(|ends| are_texts(stored, ends))
    }

    fn at_address(&self, at: u32, total: u32) -> Option<Vec<u32>> {
        let stored = self.image.memory.stored(at, 4 * MOST_TEXTS as usize, "texts").ok()?;
        let words = stored.chunks_exact(4).filter_map(|word| word.try_into().ok());
        Some(sums(words.map(u32::from_le_bytes), total))
    }

    fn by_array(&self, total: u32) -> Option<Vec<u32>> {
        match self.texts.array? {
            Held::Address(at) => self.at_address(at, total),
            Held::Stack(start) => {
                let places = (0..MOST_TEXTS as i32).map(|index| start.wrapping_add(4 * index));
                let length = |at| self.texts.numbers.get(&at).copied().unwrap_or(0);
                Some(sums(places.map(length), total))
            }
            _ => None,
        }
    }
}

/// Whether these are the strings of a module.
fn are_texts(bytes: &[u8], ends: &[u32]) -> bool {
    let starts = std::iter::once(&0).chain(ends);
    let texts =
        || starts.clone().zip(ends).filter_map(|(start, end)| bytes.get(*start as usize..*end as usize));
    NAMES.iter().all(|name| texts().any(|text| text == *name))
}

/// Returns the sums of the first lengths, as far as they are within the total.
fn sums(lengths: impl Iterator<Item = u32>, total: u32) -> Vec<u32> {
    let mut end = 0u32;
    let mut ends = Vec::new();
    for length in lengths {
        match end.checked_add(length).filter(|end| *end <= total) {
            Some(sum) => end = sum,
            None => break,
        }
        ends.push(end);
        if end == total {
            break;
        }
    }
    ends
}

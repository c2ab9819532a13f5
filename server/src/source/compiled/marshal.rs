//! Reads the objects that CPython's `marshal` writes (`Python/marshal.c`), as far as a module's
//! code needs them.

use std::borrow::Cow;

/// The maximum nesting depth. CPython doesn't write deeper ones (`MAX_MARSHAL_STACK_DEPTH` is
/// 2000).
const MAX_DEPTH: u32 = 200;

/// An object in a `.pyc` file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Object<'b> {
    None,
    Bool(bool),
    Int(i64),
    Text(Cow<'b, str>),
    Bytes(&'b [u8]),
    Tuple(Vec<Object<'b>>),
    Code(Box<CodeObject<'b>>),
    /// An object that doesn't matter here.
    Other,
}

/// A compiled module or function.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct CodeObject<'b> {
    pub code: &'b [u8],
    pub constants: Vec<Object<'b>>,
    pub names: Vec<Cow<'b, str>>,
    /// The local variables, parameters first.
    pub locals: Vec<Cow<'b, str>>,
    pub first_line: u32,
    /// The table that maps instructions to lines.
    pub lines: &'b [u8],
    /// The ranges of code and their handlers, in Python 3.11 and later.
    pub exceptions: &'b [u8],
}

/// Reads an object. Returns `None` if the bytes are invalid or end too early.
pub(super) struct MarshalReader<'b> {
    bytes: &'b [u8],
    /// Whether code objects have the layout of Python 3.11 and later.
    has_3_11_layout: bool,
    /// The objects that are referenced later, by number.
    referenced: Vec<Object<'b>>,
}

impl<'b> MarshalReader<'b> {
    pub fn new(bytes: &'b [u8], has_3_11_layout: bool) -> MarshalReader<'b> {
        MarshalReader { bytes, has_3_11_layout, referenced: Vec::new() }
    }

    pub fn object(&mut self) -> Option<Object<'b>> {
        self.nested(0)
    }

    fn nested(&mut self, depth: u32) -> Option<Object<'b>> {
        const REFERRED_TO: u8 = 0x80;
        if depth > MAX_DEPTH {
            return None;
        }
        let [kind] = self.array()?;
        // An object gets its number before the objects in it.
        let number = (kind & REFERRED_TO != 0).then(|| {
            self.referenced.push(Object::Other);
            self.referenced.len() - 1
        });
        let object = match kind & !REFERRED_TO {
            b'0' | b'S' | b'.' => Object::Other,
            b'N' => Object::None,
            b'F' => Object::Bool(false),
            b'T' => Object::Bool(true),
            b'i' => Object::Int(i32::from_le_bytes(self.array()?).into()),
            b'I' => Object::Int(i64::from_le_bytes(self.array()?)),
            b'l' => {
                let digits = i32::from_le_bytes(self.array()?).unsigned_abs();
                self.take(usize::try_from(digits).ok()?.checked_mul(2)?)?;
                Object::Other
            }
            b'g' => self.skip(8)?,
            b'y' => self.skip(16)?,
            b's' => {
                let len = self.size()?;
                Object::Bytes(self.take(len)?)
            }
            b'a' | b'A' | b't' | b'u' => {
                let len = self.size()?;
                self.text(len)?
            }
            b'z' | b'Z' => {
                let [len] = self.array()?;
                self.text(len.into())?
            }
            b')' => {
                let [len] = self.array()?;
                Object::Tuple(self.objects(len.into(), depth)?)
            }
            b'(' => {
                let len = self.size()?;
                Object::Tuple(self.objects(len, depth)?)
            }
            b'<' | b'>' | b'[' => {
                let len = self.size()?;
                self.objects(len, depth)?;
                Object::Other
            }
            // A slice, in 3.14 and later.
            b':' => {
                self.objects(3, depth)?;
                Object::Other
            }
            b'r' => {
                let index = self.size()?;
                self.referenced.get(index)?.clone()
            }
            b'c' => Object::Code(Box::new(self.code(depth)?)),
            _ => return None,
        };
        if let Some(place) = number.and_then(|number| self.referenced.get_mut(number)) {
            // Code is large and never referenced twice.
            *place = if matches!(object, Object::Code(_)) { Object::Other } else { object.clone() };
        }
        Some(object)
    }

    /// Reads the fields of `w_complex_object` for code. Before 3.11, they are `argcount,
    /// posonlyargcount, kwonlyargcount, nlocals, stacksize, flags, code, consts, names, varnames,
    /// freevars, cellvars, filename, name, firstlineno, lnotab`. Since then, there is no `nlocals`,
    /// and the fields after `names` are `localsplusnames, localspluskinds, filename, name,
    /// qualname, firstlineno, linetable, exceptiontable`.
    fn code(&mut self, depth: u32) -> Option<CodeObject<'b>> {
        self.take(if self.has_3_11_layout { 20 } else { 24 })?;
        let Object::Bytes(code) = self.nested(depth + 1)? else { return None };
        let Object::Tuple(constants) = self.nested(depth + 1)? else { return None };
        let names = self.strings(depth)?;
        let locals = self.strings(depth)?;
        for _ in 0..4 {
            self.nested(depth + 1)?;
        }
        let first_line = u32::from_le_bytes(self.array()?);
        let Object::Bytes(lines) = self.nested(depth + 1)? else { return None };
        let mut exceptions: &[u8] = &[];
        if self.has_3_11_layout {
            let Object::Bytes(table) = self.nested(depth + 1)? else { return None };
            exceptions = table;
        }
        Some(CodeObject { code, constants, names, locals, first_line, lines, exceptions })
    }

    fn strings(&mut self, depth: u32) -> Option<Vec<Cow<'b, str>>> {
        let Object::Tuple(strings) = self.nested(depth + 1)? else { return None };
        let text = |object| match object {
            Object::Text(text) => Some(text),
            _ => None,
        };
        strings.into_iter().map(text).collect()
    }

    fn objects(&mut self, len: usize, depth: u32) -> Option<Vec<Object<'b>>> {
        // Each object takes at least one byte, so a larger length is invalid and must not be
        // allocated.
        if len > self.bytes.len() {
            return None;
        }
        (0..len).map(|_| self.nested(depth + 1)).collect()
    }

    fn text(&mut self, len: usize) -> Option<Object<'b>> {
        Some(Object::Text(String::from_utf8_lossy(self.take(len)?)))
    }

    fn skip(&mut self, len: usize) -> Option<Object<'b>> {
        self.take(len).map(|_| Object::Other)
    }

    fn size(&mut self) -> Option<usize> {
        usize::try_from(i32::from_le_bytes(self.array()?)).ok()
    }

    fn take(&mut self, len: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(len)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }
}

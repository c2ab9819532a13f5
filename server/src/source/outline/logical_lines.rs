//! The ends of logical lines, brackets, and strings (Python's language reference, "Lexical
//! analysis").

/// Returns the column of the first character in a line that isn't white space, and its position.
pub(super) fn indentation(bytes: &[u8], start: usize) -> (usize, usize) {
    let mut column = 0;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            b'\x0c' => column = 0,
            _ => break,
        }
        at += 1;
    }
    (column, at)
}

/// The bytes that can affect where a logical line ends.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut at = 0;
    while at < b"\n#'\"\\()[]{}".len() {
        special[b"\n#'\"\\()[]{}"[at] as usize] = true;
        at += 1;
    }
    special
};

/// Returns the start of the line after the logical line that contains `at`, or `None` if a string
/// or bracket is unclosed.
pub(super) fn end_of_logical_line(bytes: &[u8], at: usize) -> Option<usize> {
    walk::<false>(bytes, at)
}

/// Returns the position after the bracket that closes the one at `at`.
pub(super) fn end_of_bracket(bytes: &[u8], at: usize) -> Option<usize> {
    walk::<true>(bytes, at)
}

/// Scans to the end of a bracket or of a logical line.
fn walk<const BRACKET: bool>(bytes: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_u32;
    while let Some(rest) = bytes.get(at..)
        && let Some(special) = rest.iter().position(|byte| SPECIAL[usize::from(*byte)])
    {
        at += special;
        match bytes[at] {
            b'\n' if depth == 0 => return (!BRACKET).then_some(at + 1),
            b'#' => at = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length),
            b'\'' | b'"' => at = end_of_string(bytes, at)?,
            b'\\' => at += if bytes.get(at + 1) == Some(&b'\r') { 3 } else { 2 },
            b'(' | b'[' | b'{' => {
                depth += 1;
                at += 1;
            }
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                at += 1;
                if BRACKET && depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    (!BRACKET && depth == 0).then_some(bytes.len())
}

/// Returns the position after the string that begins at `at`. As far as the end of a string is
/// concerned, a backslash escapes the next character in raw strings, too.
pub(super) fn end_of_string(bytes: &[u8], at: usize) -> Option<usize> {
    let quote = *bytes.get(at)?;
    let triple = bytes.get(at + 1) == Some(&quote) && bytes.get(at + 2) == Some(&quote);
    let mut at = at + if triple { 3 } else { 1 };
    loop {
        // In a long string, usually a docstring, nearly every byte is neither a quote nor a
        // backslash.
        at += memchr::memchr3(quote, b'\\', if triple { quote } else { b'\n' }, bytes.get(at..)?)?;
        match *bytes.get(at)? {
            b'\\' => at += 2,
            b'\n' => return None,
            _ if !triple => return Some(at + 1),
            _ if bytes.get(at + 1) == Some(&quote) && bytes.get(at + 2) == Some(&quote) => {
                return Some(at + 3);
            }
            _ => at += 1,
        }
    }
}

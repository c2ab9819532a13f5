//! The compression by which Cython 3.3 packs the strings of a module (`Cython/LZSS.py`,
//! `Cython/Utility/StringTools.c`).
//!
//! A byte describes the next eight pieces, beginning with its lowest bit: 1 is a literal byte, 0 a
//! reference to earlier bytes. A reference has two or three bytes: the distance to the end of the
//! earlier bytes, and their number less 3. If the highest bit of the first byte is clear, 7 bits are
//! the distance and 8 the length; if it is set in the first byte only, 9 and 5; in both, 14 and 8.

/// Shorter distances have one byte.
const NEAR: usize = 0x80;

/// The minimum number of bytes of a reference.
const SHORTEST: usize = 3;

/// Unpacks strings whose total size is known, in bytes. Returns `None` if the bytes aren't packed
/// strings of this size.
pub(super) fn unpack(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut packed = packed.iter().map(|byte| usize::from(*byte));
    let mut strings = Vec::with_capacity(size);
    while strings.len() < size {
        let pieces = packed.next()?;
        for piece in 0..8 {
            if strings.len() >= size {
                break;
            }
            let first = packed.next()?;
            if pieces >> piece & 1 == 1 {
                strings.push(first as u8);
                continue;
            }
            let second = packed.next()?;
            let (distance, length) = match (first & 0x80, second & 0x80) {
                (0, _) => (first, second),
                (_, 0) => (NEAR + ((second << 2 & 0x180) | (first & 0x7f)), second & 0x1f),
                _ => (NEAR + ((second & 0x7f) << 7 | (first & 0x7f)), packed.next()?),
            };
            let length = length + SHORTEST;
            let start = strings.len().checked_sub(distance.checked_add(length)?)?;
            if strings.len() + length > size {
                return None;
            }
            strings.extend_from_within(start..start + length);
        }
    }
    Some(strings)
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn strings_are_unpacked() {
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 0, 0xff], 6).unwrap(), b"abcabc");
        // One byte back.
        assert_eq!(unpack(&[0b1111, b'a', b'b', b'c', b'd', 1, 0], 7).unwrap(), b"abcdabc");
        // 128 bytes back, as two bytes and as three: 128 letters, after three others.
        let letters: Vec<u8> = [&b"xyz"[..], &[b'a'; 125]].concat();
        let plain: Vec<u8> = letters.chunks(8).flat_map(|eight| [&[0xff], eight].concat()).collect();
        for back in [&[0x80, 0x00][..], &[0x80, 0x80, 0x00]] {
            let unpacked = unpack(&[&plain[..], &[0xf7, b'b', b'c', b'd'], back].concat(), 134).unwrap();
            assert_eq!(&unpacked[128..], b"bcdxyz");
        }
    }

    #[test]
    fn other_bytes_are_rejected() {
        assert_eq!(unpack(&[], 1), None);
        assert_eq!(unpack(&[0, 0, 0], 3), None);
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 200], 6), None);
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 0], 5), None);
        assert_eq!(unpack(&[], 0).unwrap(), b"");
    }
}

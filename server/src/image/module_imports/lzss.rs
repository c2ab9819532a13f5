//! The compression by which Cython 3.3 packs the texts of a module (`Cython/LZSS.py`, `Cython/Utility/StringTools.c`).
//!
//! A byte tells of the next eight pieces, beginning with its lowest bit, whether each is a byte as it stands or something that was there
//! before. That has two or three bytes: how far back its end lies, and its length less 3. A highest bit that is not set in the first
//! leaves 7 bits for the distance and 8 for the length; one that is set in the first only, 9 and 5; in both, 14 and 8.

/// What lies nearer is told by one byte.
const NEAR: usize = 0x80;

/// What is shorter is not packed.
const SHORTEST: usize = 3;

/// Unpacks texts of so many bytes; none if that is not what they are.
pub(super) fn unpack(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut packed = packed.iter().map(|byte| usize::from(*byte));
    let mut texts = Vec::with_capacity(size);
    while texts.len() < size {
        let pieces = packed.next()?;
        for piece in 0..8 {
            if texts.len() >= size {
                break;
            }
            let first = packed.next()?;
            if pieces >> piece & 1 == 1 {
                texts.push(first as u8);
                continue;
            }
            let second = packed.next()?;
            let (distance, length) = match (first & 0x80, second & 0x80) {
                (0, _) => (first, second),
                (_, 0) => (NEAR + ((second << 2 & 0x180) | (first & 0x7f)), second & 0x1f),
                _ => (NEAR + ((second & 0x7f) << 7 | (first & 0x7f)), packed.next()?),
            };
            let length = length + SHORTEST;
            let start = texts.len().checked_sub(distance.checked_add(length)?)?;
            if texts.len() + length > size {
                return None;
            }
            texts.extend_from_within(start..start + length);
        }
    }
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::unpack;

    #[test]
    fn texts_are_unpacked() {
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 0, 0xff], 6).unwrap(), b"abcabc");
        // One byte back.
        assert_eq!(unpack(&[0b1111, b'a', b'b', b'c', b'd', 1, 0], 7).unwrap(), b"abcdabc");
        // 128 bytes back, told by two bytes and by three: 128 letters, behind three others.
        let letters: Vec<u8> = [&b"xyz"[..], &[b'a'; 125]].concat();
        let plain: Vec<u8> = letters.chunks(8).flat_map(|eight| [&[0xff], eight].concat()).collect();
        for back in [&[0x80, 0x00][..], &[0x80, 0x80, 0x00]] {
            let unpacked = unpack(&[&plain[..], &[0xf7, b'b', b'c', b'd'], back].concat(), 134).unwrap();
            assert_eq!(&unpacked[128..], b"bcdxyz");
        }
    }

    #[test]
    fn what_is_not_packed_is_not_unpacked() {
        assert_eq!(unpack(&[], 1), None);
        assert_eq!(unpack(&[0, 0, 0], 3), None);
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 200], 6), None);
        assert_eq!(unpack(&[0b0111, b'a', b'b', b'c', 0, 0], 5), None);
        assert_eq!(unpack(&[], 0).unwrap(), b"");
    }
}

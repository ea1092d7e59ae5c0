//! Finds the few bytes that end a text or a line, many bytes at a time, because most bytes are
//! neither.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

/// Bytes that are looked at together; compilers turn that into few instructions.
const TOGETHER: usize = 32;

/// How many line breaks there are.
pub(crate) fn n_line_breaks(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Where the first line break is.
pub(crate) fn line_break(bytes: &[u8]) -> Option<usize> {
    memchr(b'\n', bytes)
}

/// Where a JSON text ends or says something in another way: a quote, a backslash or a control
/// character.
pub(crate) fn special(bytes: &[u8]) -> Option<usize> {
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    let (pieces, _) = bytes.as_chunks::<TOGETHER>();
    let has_one =
        |piece: &[u8; TOGETHER]| piece.iter().fold(false, |any, byte| any | is_special(byte));
    let begin = pieces.iter().position(has_one).unwrap_or(pieces.len()) * TOGETHER;
    bytes[begin..].iter().position(is_special).map(|at| begin + at)
}

/// Where a JSON text ends, as far as one knows that does not look into it.
pub(crate) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    memchr2(b'"', b'\\', bytes)
}

/// Where a value of CSV ends that has no quotes; one within it is an error.
pub(crate) fn end_of_bare(bytes: &[u8]) -> Option<usize> {
    memchr3(b',', b'\n', b'"', bytes)
}

/// Where the first quote is.
pub(crate) fn quote(bytes: &[u8]) -> Option<usize> {
    memchr(b'"', bytes)
}

/// Where this byte is first.
pub(crate) fn byte(bytes: &[u8], wanted: u8) -> Option<usize> {
    memchr(wanted, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_is_found_wherever_it_is() {
        for n in 0..100 {
            let mut bytes = vec![b'x'; n];
            assert_eq!(line_break(&bytes), None);
            assert_eq!(special(&bytes), None);
            bytes.extend(b"\n\n\"\\y");
            assert_eq!(line_break(&bytes), Some(n));
            assert_eq!(special(&bytes), Some(n));
            assert_eq!(special(&bytes[n + 2..]), Some(0));
            assert_eq!(quote(&bytes), Some(n + 2));
        }
    }
}

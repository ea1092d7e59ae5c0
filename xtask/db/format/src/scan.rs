//! Finds the few bytes that end a text or a line, many bytes at a time, because most bytes are
//! neither.

/// Bytes that are looked at together; compilers turn that into few instructions.
const TOGETHER: usize = 32;

/// How many line breaks there are.
#[expect(
    clippy::naive_bytecount,
    reason = "what is counted is short, or in CSV a text just copied"
)]
pub(crate) fn n_line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Where the first line break is.
pub(crate) fn line_break(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| byte == b'\n')
}

/// Where a JSON text ends or says something in another way: a quote, a backslash or a control
/// character.
pub(crate) fn special(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| matches!(byte, b'"' | b'\\' | 0..0x20))
}

/// Where a JSON text ends, as far as one knows that does not look into it.
pub(crate) fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| matches!(byte, b'"' | b'\\'))
}

/// Where a value of CSV ends that has no quotes; one within it is an error.
pub(crate) fn end_of_bare(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| b",\n\"".contains(byte))
}

/// Where the first quote is.
pub(crate) fn quote(bytes: &[u8]) -> Option<usize> {
    first(bytes, |byte| byte == b'"')
}

/// Where this byte is first.
pub(crate) fn byte(bytes: &[u8], wanted: u8) -> Option<usize> {
    first(bytes, |byte| byte == wanted)
}

/// How many lines end here.
pub(crate) fn count_line_breaks(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[inline]
fn first(bytes: &[u8], is_it: impl Fn(u8) -> bool) -> Option<usize> {
    let (pieces, _) = bytes.as_chunks::<TOGETHER>();
    let has_it = |piece: &[u8; TOGETHER]| piece.iter().fold(false, |any, byte| any | is_it(*byte));
    let begin = pieces.iter().position(has_it).unwrap_or(pieces.len()) * TOGETHER;
    bytes[begin..].iter().position(|byte| is_it(*byte)).map(|at| begin + at)
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

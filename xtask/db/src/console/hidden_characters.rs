//! Characters that nobody sees: control characters that a terminal obeys, and characters that
//! reorder others or hide between them. Text from elsewhere could use them to change how a line
//! reads.

use std::fmt::Write as _;

/// Whether a character is a control character or an invisible one of Unicode's format characters
/// (<https://www.unicode.org/reports/tr9/>, <https://www.unicode.org/reports/tr36/>), or ends a line.
#[must_use]
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A JSON text with such characters as JSON escapes them: it means the same.
#[must_use]
pub(crate) fn in_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_hidden(c) {
            shown.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing into a text never fails.
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// How many bytes of a piece of text are whole characters; the last ones may be the beginning of another.
#[must_use]
pub(crate) fn whole(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = std::str::from_utf8(last).is_err_and(|error| error.error_len().is_none());
    if is_begun { bytes.len() - last.len() } else { bytes.len() }
}

/// Bytes of a text made fit for a terminal: each hidden character except line breaks and tabs
/// becomes as many spaces as it has bytes; bytes that are not a character become question marks.
#[must_use]
pub(crate) fn harmless(bytes: &[u8]) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if is_hidden(c) && c != '\n' && c != '\t' {
                shown.extend(std::iter::repeat_n(b' ', c.len_utf8()));
            } else {
                shown.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        shown.extend(std::iter::repeat_n(b'?', chunk.invalid().len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_never_reaches_the_terminal() {
        let shown = harmless("ü\u{1b}[2J \u{9b}2J\r\n\tß\u{7f}à\u{202e}x".as_bytes());
        assert_eq!(String::from_utf8_lossy(&shown), "ü [2J   2J \n\tß à   x");
        assert_eq!(harmless(b"a\xe2\x80"), b"a??");
        let split = "aü\u{202e}".as_bytes();
        let found: Vec<usize> = (0..=split.len()).map(|n| whole(&split[..n])).collect();
        assert_eq!(found, [0, 1, 1, 3, 3, 3, 6]);
        assert_eq!(whole(b"a\xff"), 2);
        assert_eq!(
            in_json("{\n\"a\u{7f}\u{202e}\u{e0001}ü\"}"),
            "{\n\"a\\u007f\\u202e\\udb40\\udc01ü\"}"
        );
    }

    #[test]
    fn what_people_write_is_seen() {
        for c in "aüß€中あ한العربيةעברית🙂\u{301}\u{fe0f}\u{a0}".chars() {
            assert!(!is_hidden(c), "{c:?}");
        }
    }
}

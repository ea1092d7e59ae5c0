//! The text that `COPY` prints: one line for each row, tabs between values, backslashes before what
//! would be mistaken (<https://www.postgresql.org/docs/current/sql-copy.html>).

use anyhow::{Result, ensure};
use memchr::{memchr, memchr_iter, memrchr};

/// Cuts what comes in pieces of any length into lines.
#[derive(Debug, Default)]
pub struct CopyLines {
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
}

impl CopyLines {
    /// Hands on the lines that are complete with these bytes, without their line feeds.
    ///
    /// # Errors
    ///
    /// As `each`.
    pub fn take(&mut self, bytes: &[u8], each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let Some(last) = memrchr(b'\n', bytes) else {
            self.begun.extend_from_slice(bytes);
            return Ok(());
        };
        let mut rest = &bytes[..=last];
        if !self.begun.is_empty()
            && let Some(first) = memchr(b'\n', rest)
        {
            self.begun.extend_from_slice(&rest[..first]);
            each(&self.begun)?;
            self.begun.clear();
            rest = &rest[first + 1..];
        }
        let mut start = 0;
        for end in memchr_iter(b'\n', rest) {
            each(&rest[start..end])?;
            start = end + 1;
        }
        self.begun.extend_from_slice(&bytes[last + 1..]);
        Ok(())
    }

    /// Makes sure that no line is incomplete.
    ///
    /// # Errors
    ///
    /// If one is.
    pub fn finish(&self) -> Result<()> {
        ensure!(self.begun.is_empty(), "the last row is incomplete");
        Ok(())
    }
}

/// The values of a line, still escaped; `None` is NULL.
pub fn cells(line: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let end = memchr(b'\t', line);
        rest = end.map(|end| &line[end + 1..]);
        let cell = &line[..end.unwrap_or(line.len())];
        Some((cell != b"\\N").then_some(cell))
    })
}

/// A value without its escapes, which is built in the buffer if it has any.
pub fn unescape<'v>(raw: &'v [u8], buffer: &'v mut Vec<u8>) -> &'v [u8] {
    let Some(first) = memchr(b'\\', raw) else { return raw };
    buffer.clear();
    buffer.extend_from_slice(&raw[..first]);
    let mut bytes = raw[first..].iter();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 0x08,
                Some(b'f') => 0x0c,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 0x0b,
                Some(other) => *other,
                None => b'\\',
            },
            other => *other,
        };
        buffer.push(byte);
    }
    buffer
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_told_apart() {
        let found = |line: &'static str| {
            let mut buffer = Vec::new();
            let text = |raw: &[u8], buffer: &mut Vec<u8>| {
                String::from_utf8_lossy(unescape(raw, buffer)).into_owned()
            };
            let cells = cells(line.as_bytes());
            cells.map(|cell| cell.map(|raw| text(raw, &mut buffer))).collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            found("1\ta\\tb\\n\\\\N\t\\N\t"),
            [some("1"), some("a\tb\n\\N"), None, some("")]
        );
        assert_eq!(found(""), [some("")]);
        assert_eq!(found("\\b\\f\\r\\v\\\\."), [some("\u{8}\u{c}\r\u{b}\\.")]);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_bytes_come(
            text in "[ab\n]{0,40}", cuts in proptest::collection::vec(0_usize..40, 0..6)
        ) {
            let text = format!("{text}\n").into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut < text.len()).collect();
            cuts.sort_unstable();
            let (mut lines, mut found, mut at) = (CopyLines::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([text.len()]) {
                lines.take(&text[at..cut], &mut |line| {
                    found.push(line.to_vec());
                    Ok(())
                }).expect("taken");
                at = cut;
            }
            lines.finish().expect("whole");
            let expected: Vec<Vec<u8>> =
                text[..text.len() - 1].split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

//! Rows as `COPY` writes them: a line for each, its values separated by tabs
//! (<https://www.postgresql.org/docs/current/sql-copy.html>, Text Format).

use anyhow::Result;

/// Splits a stream into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    rest: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes and hands on each line that ends in them, without its line feed.
    ///
    /// # Errors
    ///
    /// What the receiver fails with.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        each: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            if self.rest.is_empty() {
                each(&bytes[..end])?;
            } else {
                self.rest.extend_from_slice(&bytes[..end]);
                each(&self.rest)?;
                self.rest.clear();
            }
            bytes = &bytes[end + 1..];
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

/// The values of a line; `None` is NULL.
#[must_use]
pub(crate) fn values(line: &[u8]) -> Vec<Option<Vec<u8>>> {
    line.split(|byte| *byte == b'\t').map(value).collect()
}

fn value(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"\\N" {
        return None;
    }
    let mut value = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            value.push(*byte);
            continue;
        }
        value.extend(rest.next().map(|byte| match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => *other,
        }));
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_null_and_empty_texts_are_told_apart() {
        let values = values(b"1\t\\N\t\ta\\tb\\\\N\\n\xc3\xa4");
        let expected = [Some(&b"1"[..]), None, Some(b""), Some("a\tb\\N\nä".as_bytes())]
            .map(|v| v.map(<[u8]>::to_vec));
        assert_eq!(values, expected);
    }

    #[test]
    fn lines_are_put_together_from_parts() {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for part in ["a", "b\nc\n\nd", "\n"] {
            let each = &mut |line: &[u8]| {
                found.push(String::from_utf8_lossy(line).into_owned());
                Ok(())
            };
            lines.take(part.as_bytes(), each).expect("taken");
        }
        assert_eq!(found, ["ab", "c", "", "d"]);
    }
}

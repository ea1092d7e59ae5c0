//! Line breaks of other systems: git may turn `\n` into `\r\n` when it checks files out.

use std::io::{Read, Result};

use crate::scan;

/// What is read, with `\r\n` as `\n`. No `\r` is lost elsewhere: JSON writes it in another way.
pub(crate) struct Breaks<R> {
    input: R,
    /// A `\r` whose next byte is not known yet.
    has_return: bool,
}

impl<R: Read> Breaks<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, has_return: false }
    }
}

impl<R: Read> Read for Breaks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        // One byte is kept for what was held back.
        let begin = usize::from(self.has_return);
        let Some(rest) = buffer.get_mut(begin..).filter(|rest| !rest.is_empty()) else {
            return Ok(0);
        };
        let n = self.input.read(rest)?;
        if std::mem::take(&mut self.has_return) {
            buffer[0] = b'\r';
        }
        let n_bytes = begin + n;
        let Some(first) = scan::byte(&buffer[..n_bytes], b'\r') else { return Ok(n_bytes) };
        let mut to = first;
        for from in first..n_bytes {
            let is_last = from + 1 == n_bytes;
            match buffer[from] {
                b'\r' if is_last && n > 0 => self.has_return = true,
                b'\r' if !is_last && buffer[from + 1] == b'\n' => {}
                byte => {
                    buffer[to] = byte;
                    to += 1;
                }
            }
        }
        // Nothing at all would mean the end.
        if to == 0 && self.has_return { self.read(buffer) } else { Ok(to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out so many bytes at a time.
    struct Dripping<'b>(&'b [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, to: &mut [u8]) -> Result<usize> {
            let n = self.0.len().min(self.1).min(to.len());
            to[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    #[test]
    fn returns_before_breaks_go_and_others_stay() {
        let text = b"\r\na\r\n\r\r\nb\rc\r\n\n\r";
        for n in 1..text.len() {
            for n_buffer in 2..text.len() {
                let mut breaks = Breaks::new(Dripping(text, n));
                let (mut read, mut buffer) = (Vec::new(), vec![0; n_buffer]);
                loop {
                    match breaks.read(&mut buffer).expect("read") {
                        0 => break,
                        n => read.extend_from_slice(&buffer[..n]),
                    }
                }
                assert_eq!(read, b"\na\n\r\nb\rc\n\n\r", "{n} {n_buffer}");
            }
        }
    }
}

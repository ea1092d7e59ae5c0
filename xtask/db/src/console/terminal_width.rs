//! The size of the terminal, and text made to fit it.

use std::os::fd::AsFd;

use rustix::termios::tcgetwinsize;

/// The size that is assumed for a terminal without one.
pub(crate) const USUAL: Screen = Screen { n_columns: 80, n_rows: 24 };

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Its width.
    pub(crate) n_columns: usize,
    /// Its height.
    pub(crate) n_rows: usize,
}

impl Screen {
    /// The size of the terminal behind a stream; the usual one if it tells none.
    pub(crate) fn of(stream: impl AsFd) -> Self {
        match tcgetwinsize(stream) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Self { n_columns: size.ws_col.into(), n_rows: size.ws_row.into() }
            }
            _ => USUAL,
        }
    }
}

/// Breaks a line between words so that it fits a width, later lines indented; nothing is cut. A
/// word that is longer than the width gets its own line. Two spaces between words stay two.
#[must_use]
pub(crate) fn fold(line: &str, n_columns: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let mut length = 0;
    for word in line.split_inclusive(' ') {
        let n_visible = word.trim_end().chars().count();
        if length + n_visible > n_columns && !current.trim().is_empty() && n_visible > 0 {
            lines.push(current.trim_end().to_owned());
            current = " ".repeat(indent);
            length = indent;
        }
        current.push_str(word);
        length += word.chars().count();
    }
    lines.push(current.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_loses_none() {
        let check = |line: &str, n_columns, expected: &[&str]| {
            assert_eq!(fold(line, n_columns, 2), expected, "{line}");
        };
        check("", 10, &[""]);
        check("one two", 10, &["one two"]);
        check("one two three", 10, &["one two", "  three"]);
        check("  fact  one, two", 10, &["  fact", "  one, two"]);
        check(
            "a-word-that-is-longer-than-the-width b",
            10,
            &["a-word-that-is-longer-than-the-width", "  b"],
        );
        check("ünï cödé täxt", 8, &["ünï cödé", "  täxt"]);
    }
}

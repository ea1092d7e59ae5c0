//! Where in SQL a line begins: between statements, or within a literal, a quoted name or a comment.
//!
//! The rules are the server's
//! (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>), as far as `pg_dump` needs them.

/// Within what the next line begins.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Within {
    Nothing,
    Literal {
        has_escapes: bool,
    },
    Name,
    /// A dollar quote, with both its dollars.
    Dollars(Vec<u8>),
    /// Comments may be nested.
    Comment(u32),
}

/// The state between two lines.
#[derive(Debug)]
pub(super) struct Lexer {
    within: Within,
    is_in_statement: bool,
    has_standard_strings: bool,
}

impl Lexer {
    /// Before the first line.
    pub(super) fn new() -> Self {
        Self { within: Within::Nothing, is_in_statement: false, has_standard_strings: true }
    }

    /// Whether the next line begins between two statements.
    pub(super) fn is_between_statements(&self) -> bool {
        self.within == Within::Nothing && !self.is_in_statement
    }

    /// Takes a line, with its line feed.
    pub(super) fn take(&mut self, line: &[u8]) {
        if self.is_between_statements() {
            match line {
                b"SET standard_conforming_strings = off;\n" => self.has_standard_strings = false,
                b"SET standard_conforming_strings = on;\n" => self.has_standard_strings = true,
                _ => {}
            }
        }
        let mut at = 0;
        while at < line.len() {
            at = match &self.within {
                Within::Nothing => self.outside(line, at),
                Within::Literal { has_escapes } => self.in_literal(line, at, *has_escapes),
                Within::Name => self.in_name(line, at),
                Within::Dollars(_) => self.in_dollars(line, at),
                Within::Comment(depth) => self.in_comment(line, at, *depth),
            };
        }
    }

    /// Each of these takes something from a place on, and returns the place behind it.
    fn outside(&mut self, line: &[u8], at: usize) -> usize {
        let (byte, next) = (line[at], line.get(at + 1));
        match byte {
            b'-' if next == Some(&b'-') => return line.len(),
            b'/' if next == Some(&b'*') => {
                self.within = Within::Comment(1);
                return at + 2;
            }
            b'\'' => {
                let has_escapes = !self.has_standard_strings || is_escape_prefix(line, at);
                self.within = Within::Literal { has_escapes };
            }
            b'"' => self.within = Within::Name,
            b'$' => {
                if let Some(quote) = dollar_quote(line, at) {
                    let end = at + quote.len();
                    self.within = Within::Dollars(quote.to_vec());
                    self.is_in_statement = true;
                    return end;
                }
            }
            _ if byte.is_ascii_whitespace() => return at + 1,
            _ => {}
        }
        self.is_in_statement = byte != b';';
        at + 1
    }

    fn in_literal(&mut self, line: &[u8], at: usize, has_escapes: bool) -> usize {
        match line[at] {
            b'\\' if has_escapes => at + 2,
            b'\'' if line.get(at + 1) == Some(&b'\'') => at + 2,
            b'\'' => {
                self.within = Within::Nothing;
                at + 1
            }
            _ => at + 1,
        }
    }

    fn in_name(&mut self, line: &[u8], at: usize) -> usize {
        if line[at] == b'"' {
            if line.get(at + 1) == Some(&b'"') {
                return at + 2;
            }
            self.within = Within::Nothing;
        }
        at + 1
    }

    fn in_dollars(&mut self, line: &[u8], at: usize) -> usize {
        let Within::Dollars(quote) = &self.within else { return at };
        let found = line[at..].windows(quote.len()).position(|window| window == quote.as_slice());
        let Some(found) = found else { return line.len() };
        let end = at + found + quote.len();
        self.within = Within::Nothing;
        end
    }

    fn in_comment(&mut self, line: &[u8], at: usize, depth: u32) -> usize {
        match (line[at], line.get(at + 1)) {
            (b'/', Some(b'*')) => self.within = Within::Comment(depth + 1),
            (b'*', Some(b'/')) if depth == 1 => self.within = Within::Nothing,
            (b'*', Some(b'/')) => self.within = Within::Comment(depth - 1),
            _ => return at + 1,
        }
        at + 2
    }
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// Whether the quote at a place begins an `E'…'`.
fn is_escape_prefix(line: &[u8], at: usize) -> bool {
    let before = |n: usize| at.checked_sub(n).and_then(|at| line.get(at).copied());
    matches!(before(1), Some(b'E' | b'e')) && !before(2).is_some_and(is_of_name)
}

/// The dollar quote that begins at a place, if one does.
fn dollar_quote(line: &[u8], at: usize) -> Option<&[u8]> {
    if at.checked_sub(1).is_some_and(|before| is_of_name(line[before])) {
        return None;
    }
    let length = line[at + 1..].iter().position(|byte| *byte == b'$' || !is_of_name(*byte))?;
    let tag = &line[at + 1..at + 1 + length];
    let is_closed = line[at + 1 + length] == b'$';
    let is_tag = !tag.first().is_some_and(u8::is_ascii_digit);
    (is_closed && is_tag).then(|| &line[at..at + length + 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a statement is still open after these lines.
    fn check(lines: &str, is_between: bool) {
        let mut lexer = Lexer::new();
        lines.split_inclusive('\n').for_each(|line| lexer.take(line.as_bytes()));
        assert_eq!(lexer.is_between_statements(), is_between, "{lines:?}");
    }

    #[test]
    fn a_statement_ends_where_the_server_ends_it() {
        check("", true);
        check("SELECT 1;\n", true);
        check("SELECT 1\n", false);
        check("SELECT 1; -- '\n", true);
        check("-- it's\n", true);
        check("SELECT ';\n", false);
        check("SELECT 'it''s;\n';\n", true);
        check("SELECT 'a\\';\n", true);
        check("SELECT E'a\\';\n", false);
        check("SELECT E'a\\';\n';\n", true);
        check("SELECT somE'a\\';\n", true);
        check("SET standard_conforming_strings = off;\nSELECT 'a\\';\n", false);
        check("SELECT \"a;\n\"\"b\";\n", true);
        check("SELECT \"'\";\n", true);
        check("AS $$ ; ' \" \n", false);
        check("AS $$ ; ' \" \n$$;\n", true);
        check("AS $_$ $$ \n $_$;\n", true);
        check("AS $a$ $ab$ \n", false);
        check("AS a$b$ 'x';\n", true);
        check("SELECT $1;\n", true);
        check("AS $é$;$é$;\n", true);
        check("/* ; ' /* */ \n", false);
        check("/* ; ' /* */ */\n", true);
        check("SELECT 'x\r\n';\r\n", true);
        check("SELECT 1 /* a\n;*/ ;\n", true);
    }
}

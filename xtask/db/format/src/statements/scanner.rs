//! Finds the end of a statement byte by byte, as SQLite's own tokenizer does.

use crate::scan;

/// What a look at more bytes has found.
pub(super) enum Found {
    /// So many bytes are blanks or a comment between two statements.
    Blank(usize),
    /// A statement of so many bytes.
    Statement(usize),
    /// A line of the shell's own, of so many bytes.
    Command(usize),
    /// The end is not in sight yet.
    More,
}

/// What a byte is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Code,
    /// In quotes, up to this byte; a doubled one ends it and begins it again.
    Quotes(u8),
    LineComment,
    BlockComment,
    Command,
}

/// What the words so far say a statement is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Head {
    #[default]
    Nothing,
    Create,
    Ordinary,
    /// A trigger ends with a semicolon after an END after a semicolon: the END of a CASE does not
    /// follow one. So `sqlite3_complete()` has it (<https://sqlite.org/c3ref/complete.html>).
    Trigger(Tail),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    Body,
    Semicolon,
    End,
}

/// Looks for the end of one piece, and continues where it stopped once more bytes are there.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    at: usize,
    within: Within,
    head: Head,
    has_begun: bool,
}

impl Scanner {
    /// Looks on. The bytes are those of the last time, and more.
    pub(super) fn scan(&mut self, bytes: &[u8], is_line_start: bool) -> Found {
        while self.at < bytes.len() {
            let found = match self.within {
                Within::Code if self.has_begun => self.code(bytes),
                Within::Code => self.blank(bytes, is_line_start),
                Within::Quotes(end) => {
                    self.pass_to(scan::byte(&bytes[self.at..], end), bytes);
                    None
                }
                Within::LineComment => {
                    self.pass_to(scan::line_break(&bytes[self.at..]), bytes);
                    self.comment_end()
                }
                Within::BlockComment => self.block_comment(bytes),
                Within::Command => {
                    self.pass_to(scan::line_break(&bytes[self.at..]), bytes);
                    (self.within == Within::Code).then_some(Found::Command(self.at))
                }
            };
            if let Some(found) = found {
                return found;
            }
        }
        Found::More
    }

    /// Whether a file may end after so many bytes: nothing has begun but a comment up to the end of
    /// its line.
    pub(super) fn may_end(&self, n_bytes: usize) -> bool {
        n_bytes == 0 || !self.has_begun && self.within == Within::LineComment
    }

    /// Whether this is a line of the shell's own.
    pub(super) fn is_command(&self) -> bool {
        self.within == Within::Command
    }

    /// Goes behind what ends the current quotes, comment or line, else to the end of the bytes.
    fn pass_to(&mut self, end: Option<usize>, bytes: &[u8]) {
        if let Some(n_bytes) = end {
            self.at += n_bytes + 1;
            self.within = Within::Code;
        } else {
            self.at = bytes.len();
        }
    }

    /// A comment before a statement is passed over by itself.
    fn comment_end(&self) -> Option<Found> {
        (self.within == Within::Code && !self.has_begun).then_some(Found::Blank(self.at))
    }

    fn block_comment(&mut self, bytes: &[u8]) -> Option<Found> {
        let Some(n_bytes) = scan::byte(&bytes[self.at..], b'*') else {
            self.at = bytes.len();
            return None;
        };
        self.at += n_bytes;
        match bytes.get(self.at + 1) {
            None => Some(Found::More),
            Some(b'/') => {
                self.at += 2;
                self.within = Within::Code;
                self.comment_end()
            }
            Some(_) => {
                self.at += 1;
                None
            }
        }
    }

    /// Looks at what is between two statements.
    fn blank(&mut self, bytes: &[u8], is_line_start: bool) -> Option<Found> {
        let rest = &bytes[self.at..];
        if self.at == 0 && is_line_start && matches!(rest[0], b'.' | b'#') {
            let is_comment = rest[0] == b'#';
            self.within = if is_comment { Within::LineComment } else { Within::Command };
            return None;
        }
        let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == b';';
        let n_blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
        if n_blanks > 0 {
            return Some(Found::Blank(self.at + n_blanks));
        }
        let opened = self.open_comment(rest);
        if opened.is_none() && self.within == Within::Code {
            self.has_begun = true;
        }
        opened
    }

    /// Looks at code up to the next thing that matters.
    fn code(&mut self, bytes: &[u8]) -> Option<Found> {
        if self.head == Head::Ordinary {
            let n_plain = bytes[self.at..].iter().take_while(|byte| is_plain(**byte)).count();
            self.at += n_plain;
            if self.at == bytes.len() {
                return None;
            }
        }
        let rest = &bytes[self.at..];
        match rest[0] {
            b';' => {
                self.at += 1;
                self.semicolon().then_some(Found::Statement(self.at))
            }
            byte @ (b'\'' | b'"' | b'`' | b'[') => {
                self.token(b"");
                self.at += 1;
                self.within = Within::Quotes(if byte == b'[' { b']' } else { byte });
                None
            }
            b'-' | b'/' => {
                let opened = self.open_comment(rest);
                if opened.is_none() && self.within == Within::Code {
                    self.token(b"");
                    self.at += 1;
                }
                opened
            }
            byte if byte.is_ascii_whitespace() => {
                self.at += 1;
                None
            }
            byte if is_word(byte) => {
                let n_bytes = rest.iter().take_while(|byte| is_word(**byte)).count();
                if n_bytes == rest.len() && self.head != Head::Ordinary {
                    return Some(Found::More);
                }
                self.token(&rest[..n_bytes]);
                self.at += n_bytes;
                None
            }
            _ => {
                self.token(b"");
                self.at += 1;
                None
            }
        }
    }

    /// Goes into a comment, if one begins here; asks for more if one byte cannot tell.
    fn open_comment(&mut self, rest: &[u8]) -> Option<Found> {
        let within = match (rest[0], rest.get(1)) {
            (b'-' | b'/', None) => return Some(Found::More),
            (b'-', Some(b'-')) => Within::LineComment,
            (b'/', Some(b'*')) => Within::BlockComment,
            _ => return None,
        };
        self.at += 2;
        self.within = within;
        None
    }

    /// Takes note of a word, or of anything else that is neither blank nor comment.
    fn token(&mut self, word: &[u8]) {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword.as_bytes());
        self.head = match self.head {
            Head::Nothing if is("CREATE") => Head::Create,
            Head::Create if is("TEMP") || is("TEMPORARY") => Head::Create,
            Head::Create if is("TRIGGER") => Head::Trigger(Tail::Body),
            Head::Trigger(Tail::Semicolon) if is("END") => Head::Trigger(Tail::End),
            Head::Trigger(_) => Head::Trigger(Tail::Body),
            _ => Head::Ordinary,
        };
    }

    /// Whether this semicolon ends the statement.
    fn semicolon(&mut self) -> bool {
        match self.head {
            Head::Trigger(Tail::Body | Tail::Semicolon) => {
                self.head = Head::Trigger(Tail::Semicolon);
                false
            }
            _ => true,
        }
    }
}

fn is_plain(byte: u8) -> bool {
    !matches!(byte, b';' | b'\'' | b'"' | b'`' | b'[' | b'-' | b'/')
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

//! What a person reads in Rust code: its comments, and the string literals outside of tests.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string literal.
    Literal,
    /// A comment; its lines are one text.
    Comment,
}

/// A piece of text in Rust code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// What it is.
    pub(crate) kind: Kind,
    /// The number of its first line, from 1.
    pub(crate) line: usize,
    /// The text: lines of a comment without their slashes, a literal without its continuations.
    pub(crate) text: String,
}

/// All comments, and all literals before the tests of a file.
pub(crate) fn pieces(source: &str) -> Vec<Piece> {
    let tests = source.find("#[cfg(test)]\nmod tests").unwrap_or(source.len());
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut at, mut line) = (0, 1);
    // The line after the last comment, if nothing but space came since.
    let mut next_line = None;
    while at < source.len() {
        let (length, found) = first(&source[at..]);
        let token = &source[at..at + length];
        let is_comment = token.starts_with("//");
        match found {
            Some((_, text)) if is_comment && next_line == Some(line) => {
                let last = pieces.last_mut().expect("a comment");
                last.text = format!("{}\n{text}", last.text);
            }
            Some((kind, text)) if is_comment || at < tests => {
                pieces.push(Piece { kind, line, text });
            }
            _ => {}
        }
        if is_comment {
            next_line = Some(line + 1);
        } else if !token.trim().is_empty() {
            next_line = None;
        }
        line += token.matches('\n').count();
        at += length;
    }
    pieces
}

/// The length of the first token, and its text if it is one that a person reads.
fn first(rest: &str) -> (usize, Option<(Kind, String)>) {
    if rest.starts_with("//") {
        let length = rest.find('\n').unwrap_or(rest.len());
        let text = rest[..length].trim_start_matches('/').trim_start_matches('!');
        let text = text.strip_prefix(' ').unwrap_or(text).to_owned();
        return (length, Some((Kind::Comment, text)));
    }
    if let Some((begin, end)) = raw_literal(rest) {
        let length = rest[begin..].find(&end).map_or(rest.len(), |n| begin + n);
        let text = rest[begin..length].to_owned();
        return ((length + end.len()).min(rest.len()), Some((Kind::Literal, text)));
    }
    if let Some(inside) = rest.strip_prefix('"') {
        let length = literal(inside);
        let text = unescaped(&inside[..length]);
        return (length + 2, Some((Kind::Literal, text)));
    }
    if let Some(inside) = rest.strip_prefix('\'') {
        let quoted = inside.chars().next().unwrap_or_default();
        let is_char = quoted == '\\' || rest[1 + quoted.len_utf8()..].starts_with('\'');
        let from = 1 + if quoted == '\\' { 2 } else { quoted.len_utf8() };
        let end = rest.get(from..).and_then(|after| after.find('\''));
        return (if is_char { from + end.unwrap_or(0) + 1 } else { 1 }, None);
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
    (if word > 0 { word } else { rest.chars().next().map_or(1, char::len_utf8) }, None)
}

/// Where the text of a raw literal begins, and what ends it.
fn raw_literal(rest: &str) -> Option<(usize, String)> {
    let after = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let n_hashes = after.len() - after.trim_start_matches('#').len();
    let is_literal = after[n_hashes..].starts_with('"');
    let begin = rest.len() - after.len() + n_hashes + 1;
    is_literal.then(|| (begin, format!("\"{}", "#".repeat(n_hashes))))
}

/// The length of a literal's text, up to its closing quote.
fn literal(rest: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    rest.len()
}

fn unescaped(text: &str) -> String {
    let mut lines = text.split("\\\n");
    let mut whole = lines.next().unwrap_or_default().to_owned();
    lines.for_each(|line| whole.push_str(line.trim_start()));
    whole.replace("\\n", "\n").replace("\\\"", "\"")
}

#[test]
fn comments_and_literals_are_found_and_the_literals_of_tests_are_not() {
    let source = "//! One\n//! two.\n\nfn f<'a>(c: char) {\n    let q = ['\"', '\\'', '/'];\n    \
                  say(\"a \\\"b\\\" \\\n        c // d\", r#\"raw \" one\"#); // why\n}\n\
                  #[cfg(test)]\nmod tests {\n    // here too\n    const T: &str = \"no\";\n}\n";
    let found: Vec<_> = pieces(source).into_iter().map(|p| (p.kind, p.line, p.text)).collect();
    let expected = [
        (Kind::Comment, 1, "One\ntwo."),
        (Kind::Literal, 6, "a \"b\" c // d"),
        (Kind::Literal, 7, "raw \" one"),
        (Kind::Comment, 7, "why"),
        (Kind::Comment, 11, "here too"),
    ];
    assert_eq!(found, expected.map(|(kind, line, text)| (kind, line, text.to_owned())));
}

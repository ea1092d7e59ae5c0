//! Texts and statements as SQL has them.

use std::borrow::Cow;

/// An identifier in double quotes.
#[must_use]
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A statement with its end. A comment at its end must not swallow that; and a line that is only `go`
/// or `/` would be an end to the sqlite3 shell (<https://sqlite.org/cli.html>), so a comment is put
/// before it.
#[must_use]
pub fn ended(sql: &str) -> String {
    let sql = without_early_ends(sql);
    let last_line = sql.lines().last().unwrap_or_default();
    if last_line.contains("--") { format!("{sql}\n;") } else { format!("{sql};") }
}

fn without_early_ends(sql: &str) -> Cow<'_, str> {
    if !sql.split('\n').any(is_early_end) {
        return Cow::Borrowed(sql);
    }
    let mut text = String::with_capacity(sql.len() + 8);
    // What ends the text, name or comment that the line begins in.
    let mut within: Option<&str> = None;
    for line in sql.split_inclusive('\n') {
        if within.is_none() && is_early_end(line) {
            text.push_str("/**/");
        }
        text.push_str(line);
        within = after(line, within);
    }
    Cow::Owned(text)
}

/// Whether the sqlite3 shell takes a line for an end, if no text or comment continues in it.
fn is_early_end(line: &str) -> bool {
    let line = line.trim_start();
    let word = if line.starts_with('/') { 1 } else { 2 };
    let is_word = word == 1 || line.get(..2).is_some_and(|two| two.eq_ignore_ascii_case("go"));
    let rest = line.get(word..).unwrap_or_default().trim();
    is_word && (rest.is_empty() || rest.starts_with("--") || rest.starts_with("/*"))
}

/// What the next line begins in.
fn after<'t>(line: &str, mut within: Option<&'t str>) -> Option<&'t str> {
    const BEGINNINGS: [(&str, &str); 6] =
        [("'", "'"), ("\"", "\""), ("`", "`"), ("[", "]"), ("/*", "*/"), ("--", "\n")];
    let mut rest = line;
    loop {
        if let Some(end) = within {
            let Some((_, after)) = rest.split_once(end) else { return within };
            rest = after;
        }
        let found =
            BEGINNINGS.iter().filter_map(|(begin, end)| Some((rest.find(begin)?, begin, end)));
        let (at, begin, end) = found.min_by_key(|(at, ..)| *at)?;
        (rest, within) = (&rest[at + begin.len()..], Some(*end));
    }
}

/// Calls of `replace()` in one another; before 3.46 SQLite's parser has a stack of 100 entries, of which
/// each takes three (<https://sqlite.org/releaselog/3_46_0.html>).
const MAX_NESTED: usize = 16;

/// A text whose control characters are put in by `replace()`, for a stand-in that it does not hold:
/// so does the `.dump` of the sqlite3 shell. If there are many kinds of them, a subquery replaces
/// them in groups.
#[must_use]
pub fn text_literal(text: &str) -> String {
    let mut odd: Vec<char> = text.chars().filter(|c| c.is_control()).collect();
    odd.sort_unstable();
    odd.dedup();
    let mut mark = "\\".to_owned();
    while odd.iter().any(|c| text.contains(&stand_in(*c, &mark))) {
        mark.push('\\');
    }
    let mut plain = String::with_capacity(text.len() + 2);
    for c in text.chars() {
        match c {
            '\'' => plain.push_str("''"),
            c if c.is_control() => plain.push_str(&stand_in(c, &mark)),
            c => plain.push(c),
        }
    }
    let replaced = |literal: String, odd: &[char]| {
        odd.iter().fold(literal, |literal, c| {
            format!("replace({literal},'{}',char({}))", stand_in(*c, &mark), u32::from(*c))
        })
    };
    let mut groups = odd.chunks(MAX_NESTED);
    let mut literal = replaced(format!("'{plain}'"), groups.next().unwrap_or_default());
    // Subqueries in one another would fill the stack as well.
    for (at, odd) in groups.enumerate() {
        let (with, source) = if at == 0 {
            (format!("(WITH x0(x) AS (SELECT {literal})"), "x0".to_owned())
        } else {
            (literal, format!("x{at}"))
        };
        let next = at + 1;
        let replaced = replaced("x".to_owned(), odd);
        literal = format!("{with},x{next}(x) AS (SELECT {replaced} FROM {source})");
    }
    match odd.len().div_ceil(MAX_NESTED) {
        0 | 1 => literal,
        n_groups => format!("{literal} SELECT x FROM x{})", n_groups - 1),
    }
}

fn stand_in(c: char, mark: &str) -> String {
    match c {
        '\n' => format!("{mark}n"),
        '\r' => format!("{mark}r"),
        '\t' => format!("{mark}t"),
        c => format!("{mark}u{:04x}", u32::from(c)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_does_not_swallow_the_end() {
        assert_eq!(ended("CREATE TABLE t (a)"), "CREATE TABLE t (a);");
        assert_eq!(ended("CREATE TABLE t (\na -- x\n)"), "CREATE TABLE t (\na -- x\n);");
        assert_eq!(ended("CREATE TABLE t (a) -- x"), "CREATE TABLE t (a) -- x\n;");
    }

    #[test]
    fn no_line_is_an_end_to_the_shell() {
        for (sql, expected) in [
            ("CREATE TABLE t (\ngo\nINT)", "CREATE TABLE t (\n/**/go\nINT);"),
            ("CREATE TABLE t (\n  GO -- x\n)", "CREATE TABLE t (\n/**/  GO -- x\n);"),
            ("CREATE VIEW v AS SELECT 4\n/\n2", "CREATE VIEW v AS SELECT 4\n/**//\n2;"),
            ("CREATE TABLE t (a -- '\n,\ngo)", "CREATE TABLE t (a -- '\n,\ngo);"),
            ("CREATE TABLE t (a -- '\n,\ngo\n)", "CREATE TABLE t (a -- '\n,\n/**/go\n);"),
        ] {
            assert_eq!(ended(sql), expected);
        }
        for untouched in [
            "CREATE TABLE t (a DEFAULT '\ngo\n')",
            "CREATE TABLE t (\"\ngo\n\", [\n/\n])",
            "CREATE TABLE t (a /* '\ngo\n */)",
            "CREATE TABLE t (\ngo INT,\ngood\n)",
        ] {
            assert_eq!(ended(untouched), format!("{untouched};"));
        }
    }
}

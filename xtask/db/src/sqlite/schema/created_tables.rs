//! The tables that a schema file creates.

use std::collections::BTreeSet;

/// The tables that a migration's SQL creates, under the names that they have in the end; a table that
/// is rebuilt is among them, and the caller knows whether it was there before.
#[must_use]
pub(crate) fn tables_created(sql: &str) -> BTreeSet<String> {
    let words = words(sql);
    let mut tables = BTreeSet::new();
    let is = |at: usize, word: &str| {
        words.get(at).is_some_and(|found| !found.1 && found.0.eq_ignore_ascii_case(word))
    };
    let name = |at: usize| {
        // A schema's name may be before it.
        let at = if is(at + 1, ".") { at + 2 } else { at };
        words.get(at).map(|(name, _)| name.clone())
    };
    for at in 0..words.len() {
        if is(at, "create") {
            let temporary = is(at + 1, "temp") || is(at + 1, "temporary");
            let at = at + 1 + usize::from(is(at + 1, "virtual"));
            if is(at, "table") && !temporary {
                tables.extend(name(at + 1 + if is(at + 1, "if") { 3 } else { 0 }));
            }
        } else if is(at, "drop") && is(at + 1, "table") {
            let dropped = name(at + 2 + if is(at + 2, "if") { 2 } else { 0 });
            tables.remove(&dropped.unwrap_or_default());
        } else if is(at, "alter") && is(at + 1, "table") {
            let old = name(at + 2).unwrap_or_default();
            let rename = at + 3 + if is(at + 3, ".") { 2 } else { 0 };
            if is(rename, "rename") && is(rename + 1, "to") && tables.remove(&old) {
                tables.extend(name(rename + 2));
            }
        }
    }
    tables
}

/// The words and signs of SQL without comments and text literals; whether each was in quotes.
fn words(sql: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut rest = sql.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '-' if rest.peek() == Some(&'-') => {
                for letter in rest.by_ref() {
                    if letter == '\n' {
                        break;
                    }
                }
            }
            '/' if rest.peek() == Some(&'*') => {
                let mut last = ' ';
                rest.next();
                for letter in rest.by_ref() {
                    if last == '*' && letter == '/' {
                        break;
                    }
                    last = letter;
                }
            }
            '\'' | '"' | '`' | '[' => {
                let end = if letter == '[' { ']' } else { letter };
                let mut word = String::new();
                while let Some(letter) = rest.next() {
                    if letter == end && (end == ']' || rest.next_if_eq(&end).is_none()) {
                        break;
                    }
                    word.push(letter);
                }
                words.push((word, true));
            }
            _ if letter.is_alphanumeric() || letter == '_' => {
                let mut word = String::from(letter);
                while let Some(letter) = rest.next_if(|l| l.is_alphanumeric() || "_$".contains(*l))
                {
                    word.push(letter);
                }
                words.push((word, false));
            }
            _ if letter.is_whitespace() => {}
            _ => words.push((letter.to_string(), false)),
        }
    }
    words
}

//! Texts and statements as SQL has them.

/// An identifier in double quotes.
#[must_use]
pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A statement with its end. A comment at its end must not swallow that.
#[must_use]
pub fn ended(sql: &str) -> String {
    let last_line = sql.lines().last().unwrap_or_default();
    if last_line.contains("--") { format!("{sql}\n;") } else { format!("{sql};") }
}

/// A text whose control characters are put in by `replace()`, for a stand-in that it does not hold:
/// so does the `.dump` of the sqlite3 shell.
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
    odd.iter().fold(format!("'{plain}'"), |literal, c| {
        format!("replace({literal},'{}',char({}))", stand_in(*c, &mark), u32::from(*c))
    })
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
}

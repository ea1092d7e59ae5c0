//! Names in the definitions of a dump.

/// The end of the name, with its schema, at the beginning of a text.
#[must_use]
pub(super) fn end_of_path(text: &str) -> usize {
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            // A doubled quote ends one part and begins the next.
            '"' => is_quoted = !is_quoted,
            _ if is_quoted || c.is_alphanumeric() || "_$.".contains(c) => {}
            _ => return at,
        }
    }
    text.len()
}

/// A name without its quotes, and what follows it.
#[must_use]
pub(super) fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'));
        let end = end.unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, after)),
        }
    }
}

/// The parts of a name with dots, without quotes.
#[must_use]
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    let (mut parts, mut rest) = (Vec::new(), path);
    loop {
        let (part, after) = identifier(rest)?;
        parts.push(part);
        match after.strip_prefix('.') {
            Some(more) => rest = more,
            None => return after.is_empty().then_some(parts),
        }
    }
}

/// Whether a user means a table: by its name as the dump has it, with or without its schema, or unquoted.
#[must_use]
pub(super) fn is_named(table: &str, named: &str) -> bool {
    if table == named {
        return true;
    }
    let Some(parts) = parts(table) else { return false };
    parts.last().is_some_and(|name| name == named) || parts.join(".") == named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_and_without_quotes() {
        assert_eq!(identifier("id integer"), Some(("id".to_owned(), " integer")));
        assert_eq!(identifier("\"a \"\"b\" text"), Some(("a \"b".to_owned(), " text")));
        assert_eq!(identifier("\"a"), None);
        let path = "public.\"a. (b\" (\n";
        assert_eq!(&path[end_of_path(path)..], " (\n");
        assert_eq!(parts("public.\"a.b\""), Some(vec!["public".to_owned(), "a.b".to_owned()]));
        for (named, expected) in
            [("public.\"A b\"", true), ("A b", true), ("public.A b", true), ("a b", false)]
        {
            assert_eq!(is_named("public.\"A b\"", named), expected, "{named}");
        }
    }
}

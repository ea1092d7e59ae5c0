//! The table and the columns that a block of rows is for.

use crate::postgres::quoting::printable;

/// What a line `COPY … FROM stdin;` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CopyTarget {
    /// The table's name as the dump writes it, with its schema.
    pub(crate) name: String,
    /// Schema and table, without quotes.
    path: Vec<Vec<u8>>,
    columns: Vec<Vec<u8>>,
}

impl CopyTarget {
    /// Reads the statement; `None` if it is any other.
    #[must_use]
    pub(crate) fn parse(statement: &[u8]) -> Option<Self> {
        let mut rest = statement.strip_prefix(b"COPY ")?;
        let whole = rest;
        let mut path = vec![identifier(&mut rest)?];
        while let Some(after) = rest.strip_prefix(b".") {
            rest = after;
            path.push(identifier(&mut rest)?);
        }
        let name = printable(&whole[..whole.len() - rest.len()]);
        rest = rest.strip_prefix(b" ")?;
        let mut columns = Vec::new();
        if let Some(after) = rest.strip_prefix(b"(") {
            rest = after;
            loop {
                columns.push(identifier(&mut rest)?);
                match rest.strip_prefix(b", ") {
                    Some(after) => rest = after,
                    None => break,
                }
            }
            rest = rest.strip_prefix(b")")?;
        }
        let is_copy = rest == b" FROM stdin;\n" && path.len() <= 2;
        is_copy.then_some(Self { name, path, columns })
    }

    /// The table and its columns as SQL, every name quoted.
    #[must_use]
    pub(crate) fn sql(&self) -> Vec<u8> {
        let mut sql = list(&self.path, b".");
        if !self.columns.is_empty() {
            sql.extend_from_slice(b" (");
            sql.extend(list(&self.columns, b", "));
            sql.push(b')');
        }
        sql
    }
}

impl CopyTarget {
    /// The names of the columns, without quotes.
    #[must_use]
    pub(crate) fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// Some rows of the table as SQL; the condition is written `WHERE …`.
    #[must_use]
    pub(crate) fn selection(&self, condition: &str) -> Vec<u8> {
        let (columns, table) = (list(&self.columns, b", "), list(&self.path, b"."));
        let parts: [&[u8]; 7] =
            [b"(SELECT ", &columns, b" FROM ONLY ", &table, b" ", condition.as_bytes(), b")"];
        parts.concat()
    }
}

fn list(names: &[Vec<u8>], between: &[u8]) -> Vec<u8> {
    let quoted = names.iter().map(|name| {
        let mut quoted = vec![b'"'];
        for byte in name {
            quoted.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'"')));
        }
        quoted.push(b'"');
        quoted
    });
    quoted.collect::<Vec<_>>().join(between)
}

/// Takes a name from the beginning of a text.
fn identifier(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let Some(quoted) = rest.strip_prefix(b"\"") else {
        let is_of_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || *byte >= 0x80 || b"_$".contains(byte);
        let end = rest.iter().position(|byte| !is_of_name(byte))?;
        let (name, after) = rest.split_at(end);
        *rest = after;
        return (!name.is_empty()).then(|| name.to_vec());
    };
    let (mut name, mut at) = (Vec::new(), 0);
    loop {
        match (quoted.get(at)?, quoted.get(at + 1)) {
            (b'"', Some(b'"')) => at += 1,
            (b'"', _) => {
                *rest = &quoted[at + 1..];
                return Some(name);
            }
            _ => {}
        }
        name.push(quoted[at]);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(statement: &str, expected: Option<(&str, &str)>) {
        let target = CopyTarget::parse(statement.as_bytes());
        let found = target
            .as_ref()
            .map(|target| (target.name.clone(), String::from_utf8(target.sql()).expect("UTF-8")));
        let expected = expected.map(|(name, sql)| (name.to_owned(), sql.to_owned()));
        assert_eq!(found, expected, "{statement}");
    }

    #[test]
    fn a_block_of_rows_names_its_table() {
        check(
            "COPY public.users (id, \"full name\") FROM stdin;\n",
            Some(("public.users", "\"public\".\"users\" (\"id\", \"full name\")")),
        );
        check("COPY public.none  FROM stdin;\n", Some(("public.none", "\"public\".\"none\"")));
        check(
            "COPY \"a.\"\"b\".\"c\n(\" (\") FROM stdin;\") FROM stdin;\n",
            Some(("\"a.\"\"b\".\"c\n(\"", "\"a.\"\"b\".\"c\n(\" (\") FROM stdin;\")")),
        );
        check("COPY public.users (id) TO stdout;\n", None);
        check("COPY public.users (id) FROM '/etc/passwd';\n", None);
        check("COPY public.users (id) FROM stdin;", None);
        check("COPY (SELECT 1) FROM stdin;\n", None);
        check("COPY public.users () FROM stdin;\n", None);
    }
}

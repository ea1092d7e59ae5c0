//! The parts of a `CREATE TABLE`, as `pg_dump` writes it: one column after the other, then constraints.

use crate::rows::diff::dumps::names;

/// A definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    /// The columns in their order, each with its definition.
    pub(super) columns: Vec<Column>,
    /// Everything else.
    pub(super) rest: String,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Its type, its collation, whether it may be NULL.
    pub(super) definition: String,
}

/// Words that begin a constraint. Names like them are quoted.
const CONSTRAINTS: [&str; 7] =
    ["CONSTRAINT ", "CHECK ", "UNIQUE ", "PRIMARY KEY ", "FOREIGN KEY ", "EXCLUDE ", "LIKE "];

impl Parts {
    /// Reads a definition; one that is written in another way has no columns.
    pub(super) fn of(sql: &str) -> Self {
        let Some(list) = list(sql) else {
            return Self { columns: Vec::new(), rest: sql.to_owned() };
        };
        let mut parts = Self { columns: Vec::new(), rest: sql[..list.start].trim().to_owned() };
        for item in list.items.iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
            let is_constraint = CONSTRAINTS.iter().any(|word| item.starts_with(word));
            match names::identifier(item).filter(|_| !is_constraint) {
                Some((name, definition)) => {
                    let definition = definition.trim().to_owned();
                    parts.columns.push(Column { name, definition });
                }
                None => parts.rest.extend(["\n    ", item]),
            }
        }
        parts.rest += &sql[list.end..];
        parts
    }

    /// The definition of a column.
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// What is between the parentheses, and where they are.
struct List<'s> {
    start: usize,
    end: usize,
    items: Vec<&'s str>,
}

fn list(sql: &str) -> Option<List<'_>> {
    let (mut depth, mut within) = (0_u32, None);
    let (mut list, mut begin) = (None, 0);
    for (at, c) in sql.char_indices() {
        match (within, c) {
            (Some(quote), c) if c == quote => within = None,
            (None, '"' | '\'') => within = Some(c),
            (None, '(' | '[') => {
                depth += 1;
                if depth == 1 && list.is_none() {
                    list = Some(List { start: at, end: at, items: Vec::new() });
                    begin = at + 1;
                }
            }
            (None, ',' | ')' | ']') if depth == 1 => {
                list.as_mut()?.items.push(&sql[begin..at]);
                begin = at + 1;
                if c != ',' {
                    list.as_mut()?.end = at + 1;
                    return list;
                }
            }
            (None, ')' | ']') => depth = depth.checked_sub(1)?,
            (None, ';') if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(sql: &str, columns: &[(&str, &str)], rest: &str) {
        let parts = Parts::of(sql);
        let found: Vec<_> =
            parts.columns.iter().map(|one| (one.name.as_str(), one.definition.as_str())).collect();
        assert_eq!((found.as_slice(), parts.rest.as_str()), (columns, rest), "{sql}");
    }

    #[test]
    fn columns_and_constraints_are_told_apart() {
        check(
            "CREATE TABLE public.\"a (\" (\n    id integer NOT NULL,\n    \"x, y\" numeric(10,2) DEFAULT '(,',\n    \
             \"check\" text,\n    CONSTRAINT c CHECK ((id > 0))\n)\nPARTITION BY RANGE (id);",
            &[
                ("id", "integer NOT NULL"),
                ("x, y", "numeric(10,2) DEFAULT '(,'"),
                ("check", "text"),
            ],
            "CREATE TABLE public.\"a (\"\n    CONSTRAINT c CHECK ((id > 0))\nPARTITION BY RANGE (id);",
        );
        check("CREATE TABLE public.none (\n);", &[], "CREATE TABLE public.none;");
        check("CREATE TABLE public.t OF public.c;", &[], "CREATE TABLE public.t OF public.c;");
    }
}

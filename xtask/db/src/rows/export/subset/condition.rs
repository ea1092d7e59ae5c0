//! Chooses the rows to begin with by the user's expression, which can only read.

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, Statement, params_from_iter};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::rows::export::subset::member::Member;
use crate::sqlite::schema::Table;
use crate::sqlite::trouble;

/// The rows with which a subset begins.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    /// Rows of this table,
    pub table: String,
    /// for which this expression is true.
    pub condition: String,
}

/// Rows whose keys are gathered before they are written down.
const MAX_KEYS: usize = 1 << 12;

/// Takes the rows for which the condition is true, as step 0.
///
/// Nothing is written while it is computed: even a function that would write (FTS4 has one) cannot.
///
/// # Errors
///
/// A refusal if it is not a single expression, SQLite does not understand it, or no row fulfils it.
pub(super) fn choose(
    connection: &Connection,
    table: &Table,
    member: &Member,
    root: &Root,
) -> Result<()> {
    let shown = text::plain(root.condition.trim());
    if !is_one_expression(&root.condition) {
        return Err(Refusal::could_not(
            format!("`{shown}` is not one expression"),
            "`--where` takes a condition in SQL, e.g. `name = 'Ada'`",
        ));
    }
    let name = &member.table;
    // A line of its own: a comment at the end swallows no parenthesis.
    let question = format!(
        "SELECT {} FROM {name} WHERE (\n{}\n)",
        member.key_of(name.trim_start_matches("main.")),
        root.condition
    );
    let not_understood = |error: rusqlite::Error| {
        let error = anyhow::Error::from(error);
        // A failure of the limits is reported by those who set them.
        let code = error.downcast_ref().and_then(rusqlite::Error::sqlite_error_code);
        let is_too_much = matches!(code, Some(ErrorCode::TooBig | ErrorCode::OutOfMemory));
        if is_too_much || trouble::trouble(&error) != trouble::Trouble::Other {
            return error;
        }
        Refusal::could_not(
            format!("`{shown}` is not a condition: {}", words(&error)),
            format!("the columns of `{}` are {}", text::plain(&table.name), columns(table)),
        )
    };
    let mut statement = connection.prepare(&question).map_err(not_understood)?;
    if statement.parameter_count() > 0 {
        return Err(Refusal::could_not(
            format!("`{shown}` has parameters, which cannot be bound"),
            "write the values themselves",
        ));
    }
    if take(connection, &mut statement, member, &not_understood)? == 0 {
        return Err(Refusal::no(
            format!("no row of `{}` matches `{shown}`", text::plain(&root.table)),
            "nothing was exported; correct the condition of `--where`",
        ));
    }
    Ok(())
}

/// SQLite's message, without our part of the statement.
fn words(error: &anyhow::Error) -> String {
    match error.downcast_ref() {
        Some(rusqlite::Error::SqlInputError { msg, .. }) => msg.clone(),
        _ => trouble::message(error),
    }
}

fn columns(table: &Table) -> String {
    let names = table.columns.iter().map(|column| format!("`{}`", text::plain(&column.name)));
    names.collect::<Vec<_>>().join(", ")
}

/// Writes the keys down piece by piece; between two pieces only, writing is allowed.
fn take(
    connection: &Connection,
    statement: &mut Statement<'_>,
    member: &Member,
    not_understood: &impl Fn(rusqlite::Error) -> anyhow::Error,
) -> Result<usize> {
    let n_parts = statement.column_count();
    let places = vec!["?"; n_parts].join(", ");
    let insert = format!("INSERT INTO {} VALUES ({places}, 0)", member.rows());
    let write = |keys: &mut Vec<Vec<Value>>| -> Result<()> {
        connection.execute_batch("PRAGMA query_only = OFF")?;
        let mut insert = connection.prepare_cached(&insert)?;
        for key in keys.drain(..) {
            insert.execute(params_from_iter(key))?;
        }
        Ok(())
    };
    let (mut n_rows, mut keys) = (0, Vec::new());
    connection.execute_batch("PRAGMA query_only = ON")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next().map_err(not_understood)? {
        let key = (0..n_parts).map(|part| row.get(part)).collect::<rusqlite::Result<_>>()?;
        keys.push(key);
        n_rows += 1;
        if keys.len() == MAX_KEYS {
            write(&mut keys)?;
            connection.execute_batch("PRAGMA query_only = ON")?;
        }
    }
    write(&mut keys)?;
    Ok(n_rows)
}

/// Whether it stays inside its parentheses and does not end the statement.
fn is_one_expression(text: &str) -> bool {
    let mut rest = text;
    let mut depth = 0_u32;
    let mut is_empty = true;
    while let Some(first) = rest.chars().next() {
        let closing = match first {
            '\'' | '"' | '`' => Some(first.to_string()),
            '[' => Some("]".to_owned()),
            '-' if rest.starts_with("--") => Some("\n".to_owned()),
            '/' if rest.starts_with("/*") => Some("*/".to_owned()),
            ';' | '\0' => return false,
            _ => None,
        };
        is_empty &= first.is_whitespace();
        match first {
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            _ => {}
        }
        let begin = if rest.starts_with("/*") { 2 } else { first.len_utf8() };
        rest = &rest[begin..];
        if let Some(closing) = closing {
            match rest.split_once(&closing) {
                Some((_, after)) => rest = after,
                // A comment to the end of the line may be the end of all.
                None if closing == "\n" => rest = "",
                None => return false,
            }
        }
    }
    depth == 0 && !is_empty
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_expression_is_told_from_more() {
        for text in [
            "1",
            "name = 'a;b)'",
            "name = 'it''s'",
            "\"odd ; )\" IN (SELECT x FROM [a;b] WHERE (1))",
            "1 -- not ; this )",
            "1 /* nor ; this ( */ AND `a;` = 2",
            "id IN (WITH n AS (SELECT 1) SELECT * FROM n)",
        ] {
            assert!(is_one_expression(text), "{text}");
        }
        for text in [
            "",
            "  \n",
            "1; DROP TABLE t",
            "1) UNION SELECT 1 FROM (SELECT 1",
            "1) OR (1",
            "(1",
            "1)",
            "'open",
            "/* open",
            "1 /*/ ; */;",
            "a\0b",
        ] {
            assert!(!is_one_expression(text), "{text}");
        }
    }
}

//! The content of a database without its numbers: each reference is replaced by the row that it
//! means, written out, and rows are sorted. Written without the engine, to judge it.

use rusqlite::Connection;
use rusqlite::types::Value;

/// A table of the test's schema: the number that means nothing, and which columns refer to which
/// table by its number.
pub(super) struct Shape {
    pub name: &'static str,
    pub number: Option<&'static str>,
    pub columns: &'static [&'static str],
    pub references: &'static [(&'static str, &'static str)],
}

/// The content, table by table.
pub(super) fn content(connection: &Connection, shapes: &[Shape]) -> Vec<String> {
    let rows_of = RowsOf { connection, shapes };
    let mut all = Vec::new();
    for shape in shapes {
        let mut rows: Vec<String> = numbers(connection, shape)
            .into_iter()
            .map(|rowid| rows_of.written_out(shape, "rowid", &Value::Integer(rowid), 0))
            .collect();
        rows.sort();
        all.extend(rows);
    }
    all
}

fn numbers(connection: &Connection, shape: &Shape) -> Vec<i64> {
    let question = format!("SELECT rowid FROM {}", shape.name);
    let mut statement = connection.prepare(&question).expect("a table");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("numbers")
}

/// A database and the shapes of its tables.
struct RowsOf<'a> {
    connection: &'a Connection,
    shapes: &'a [Shape],
}

impl RowsOf<'_> {
    /// A row with all that it refers to; a cycle is cut if it comes back.
    fn written_out(&self, shape: &Shape, by: &str, value: &Value, depth: usize) -> String {
        if depth > 6 {
            return "…".to_owned();
        }
        let question =
            format!("SELECT {} FROM {} WHERE {by} = ?1", shape.columns.join(", "), shape.name);
        let values = self.connection.query_row(&question, [value], |row| {
            (0..shape.columns.len())
                .map(|at| row.get::<_, Value>(at))
                .collect::<Result<Vec<_>, _>>()
        });
        let Ok(values) = values else { return format!("nothing {value:?}") };
        let parts = shape.columns.iter().zip(values).map(|(column, value)| {
            let parent = shape.references.iter().find(|(from, _)| from == column);
            match parent {
                Some((_, parent)) if value != Value::Null => {
                    let shape =
                        self.shapes.iter().find(|shape| shape.name == *parent).expect("a table");
                    let number = shape.number.expect("a number");
                    format!("{column}=({})", self.written_out(shape, number, &value, depth + 1))
                }
                _ => format!("{column}={value:?}"),
            }
        });
        format!("{}[{}]", shape.name, parts.collect::<Vec<_>>().join(" "))
    }
}

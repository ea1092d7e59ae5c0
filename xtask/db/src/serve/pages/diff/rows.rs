//! The rows that differ, by table: the first of each.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::text;
use crate::serve::documents::diff::{Difference, RowChange};

/// Rows shown of each table.
const MAX_ROWS: usize = 50;

/// Characters shown of a value.
const MAX_CHARS: usize = 160;

/// The rows by table.
pub(super) fn section(difference: &Difference) -> Markup {
    let mut tables: Vec<&str> = difference.rows.iter().map(|row| &*row.table).collect();
    tables.dedup();
    html! {
        section.card aria-labelledby="rows" {
            h2 #rows { "Rows" }
            @for table in tables {
                @let rows: Vec<_> = difference.rows.iter().filter(|row| row.table == table).collect();
                details open[rows.len() <= 10] {
                    summary { code { (table) } " " span.muted { (text::count(rows.len() as u64, "row")) } }
                    ul.rows { @for row in rows.iter().take(MAX_ROWS) { (change(row)) } }
                    @if rows.len() > MAX_ROWS {
                        p.muted { "and " (rows.len() - MAX_ROWS) " more; the terminal prints all of them" }
                    }
                }
            }
        }
    }
}

fn change(row: &RowChange) -> Markup {
    let (class, sign, word) = match (&row.before, &row.after) {
        (None, _) => ("added", "+", "added"),
        (_, None) => ("removed", "−", "removed"),
        _ => ("changed", "~", "changed"),
    };
    html! {
        li class=(class) {
            p {
                span.sign aria-hidden="true" { (sign) }
                code { (key(&row.key)) } " " span.muted { (word) }
            }
            dl.values { (values(row)) }
        }
    }
}

/// The values of a new or removed row, and of a changed one those that differ.
fn values(row: &RowChange) -> Markup {
    let empty = serde_json::Map::new();
    let of = |value: &Option<Value>| value.as_ref().and_then(Value::as_object).cloned();
    let (before, after) = (of(&row.before), of(&row.after));
    let both = before.is_some() && after.is_some();
    let (before, after) = (before.unwrap_or_else(|| empty.clone()), after.unwrap_or(empty));
    let columns: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    html! {
        @for column in columns {
            @let (old, new) = (before.get(column), after.get(column));
            @if old != new {
                div {
                    dt { (column) }
                    @if both {
                        dd { del { (shown(old)) } " " ins { (shown(new)) } }
                    } @else {
                        dd { (shown(old.or(new))) }
                    }
                }
            }
        }
    }
}

fn key(key: &Value) -> String {
    let Some(parts) = key.as_object() else { return key.to_string() };
    let parts = parts.iter().map(|(name, value)| format!("{name} {}", shown(Some(value))));
    parts.collect::<Vec<_>>().join(", ")
}

/// A value, shortened.
fn shown(value: Option<&Value>) -> String {
    let whole = match value {
        None | Some(Value::Null) => return "NULL".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(blob)) => match blob.get("blob_hex").and_then(Value::as_str) {
            Some(hex) => {
                return format!("{} of binary data", text::count(hex.len() as u64 / 2, "byte"));
            }
            None => Value::Object(blob.clone()).to_string(),
        },
        Some(value) => value.to_string(),
    };
    let mut characters = text::plain(&whole).chars().collect::<Vec<_>>();
    if characters.len() > MAX_CHARS {
        characters.truncate(MAX_CHARS);
        characters.push('…');
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_short() {
        assert_eq!(shown(None), "NULL");
        assert_eq!(shown(Some(&json!({ "blob_hex": "00FF" }))), "2 bytes of binary data");
        assert_eq!(shown(Some(&json!("ä".repeat(200)))).chars().count(), MAX_CHARS + 1);
        assert_eq!(shown(Some(&json!(1.5))), "1.5");
    }

    #[test]
    fn keys_name_their_columns() {
        assert_eq!(key(&json!({ "id": 3, "lang": "de" })), "id 3, lang de");
    }
}

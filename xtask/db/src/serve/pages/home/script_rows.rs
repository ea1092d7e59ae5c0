//! All backups as terse data, so that the script can filter and order at once what is not on this
//! page of the table.

use std::collections::BTreeSet;

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::home::query::PAGE_ROWS;

/// If the data is longer, the script asks the server: the page stays below 150 KB.
const MAX_BYTES: usize = 80_000;

/// The data: nothing that a browser runs.
pub(super) fn data(backups: &[Backup]) -> Markup {
    let data = escaped(&document(backups));
    html! {
        @if data.len() <= MAX_BYTES {
            script #data type="application/json" { (PreEscaped(data)) }
        }
    }
}

fn document(backups: &[Backup]) -> Value {
    let kinds: BTreeSet<&str> = backups.iter().map(Backup::kind).collect();
    let branches: BTreeSet<&str> = backups.iter().filter_map(Backup::branch).collect();
    let (kinds, branches): (Vec<_>, Vec<_>) =
        (kinds.into_iter().collect(), branches.into_iter().collect());
    let prefix = common_prefix(backups);
    let rows: Vec<Value> = backups
        .iter()
        .map(|backup| {
            json!([
                backup.name.get(prefix.len()..),
                backup.created_at.naive_local().and_utc().timestamp() / 60,
                kinds.iter().position(|kind| *kind == backup.kind()),
                branches
                    .iter()
                    .position(|branch| Some(*branch) == backup.branch())
                    .map_or(-1, usize::cast_signed),
                backup.commit().unwrap_or_default(),
                backup.label.as_deref().unwrap_or_default(),
                backup.size_bytes,
                backup.new_bytes(),
                State::ALL.into_iter().position(|state| state == backup.state()),
                u8::from(backup.pinned),
            ])
        })
        .collect();
    let states = State::ALL.map(State::word);
    json!({ "prefix": prefix, "kinds": kinds, "branches": branches, "states": states, "rows": rows,
            "page": PAGE_ROWS })
}

/// What all names begin with.
fn common_prefix(backups: &[Backup]) -> &str {
    let Some((first, others)) = backups.split_first() else { return "" };
    let mut prefix = &*first.name;
    for backup in others {
        while !backup.name.starts_with(prefix) {
            let shorter = prefix.char_indices().next_back().map_or(0, |(at, _)| at);
            prefix = &prefix[..shorter];
        }
    }
    prefix
}

/// JSON that cannot end its element.
fn escaped(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_ends_the_element() {
        let document = json!({ "name": "a.bak", "created_at": "2026-11-30T21:10:00+01:00",
            "size_bytes": 1, "state": "verified", "label": "</script><b>" });
        let backup: Backup = serde_json::from_value(document).unwrap();
        let html = data(&[backup]).into_string();
        assert_eq!(html.matches('<').count(), 2, "{html}");
    }

    #[test]
    fn times_are_those_of_the_clock_on_the_wall() {
        let document = json!({ "name": "a.bak", "created_at": "2026-11-30T21:10:00+01:00",
            "size_bytes": 1, "state": "verified" });
        let backup: Backup = serde_json::from_value(document).unwrap();
        let minutes = document_of(&backup);
        let expected =
            chrono::NaiveDate::from_ymd_opt(2026, 11, 30).unwrap().and_hms_opt(21, 10, 0);
        assert_eq!(minutes * 60, expected.unwrap().and_utc().timestamp());
    }

    fn document_of(backup: &Backup) -> i64 {
        document(std::slice::from_ref(backup))["rows"][0][1].as_i64().unwrap()
    }
}

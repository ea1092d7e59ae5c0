//! The dry-run report of an import.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::import::{Import, Merge, MergedTable, NewDatabase, Rows};
use crate::serve::pages::parts::{Act, act};
use crate::serve::pages::words::file_name;

/// Other plans for an import that cannot go ahead.
pub(super) fn choices(upload: &str) -> Markup {
    let again = |on_conflict, text| {
        let fields = [("upload", upload), ("merge", "1"), ("on_conflict", on_conflict)];
        act(&Act { action: "/do/import", fields: &fields, class: "", text })
    };
    html! {
        section.card.inline aria-label="Other plans" {
            (again("skip", "Merge, and keep the rows here"))
            (again("replace", "Merge, and replace the rows here"))
            p.muted { "For rows that exist here with other values. Each shows its plan first." }
        }
    }
}

/// What would become of the rows.
pub(super) fn section(import: &Import) -> Markup {
    match import {
        Import::Merge(merge) => merged(merge),
        Import::New(new) => created(new),
    }
}

fn merged(merge: &Merge) -> Markup {
    html! {
        @for warning in &merge.warnings { p.warning { (warning) } }
        @for file in &merge.files {
            section.card {
                div.head {
                    h2 { code { (file_name(&file.file)) } }
                    p.muted {
                        (text::count(merge.inserted, "row")) " would be added, "
                        (text::digits(merge.replaced)) " replaced"
                    }
                }
                @for warning in &file.warnings { p.warning { (warning) } }
                (merged_tables(&file.tables))
                @for note in &file.notes { p.muted { (note) } }
            }
        }
    }
}

fn merged_tables(tables: &[MergedTable]) -> Markup {
    let count =
        |n: u64| html! { td.n { @if n == 0 { span.muted { "–" } } @else { (text::digits(n)) } } };
    html! {
        div.wide tabindex="0" role="region" aria-label="Rows by table" {
            table.plain {
                thead {
                    tr {
                        th scope="col" { "Table" }
                        @for name in ["Added", "Replaced", "Unchanged", "Kept here", "Conflicts", "Left out"] {
                            th.n scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for table in tables {
                        tr {
                            th scope="row" { code { (table.table) } }
                            (count(table.inserted.rows))
                            (count(table.replaced.rows))
                            (count(table.unchanged))
                            (count(table.kept.rows))
                            (count(table.conflicting.rows))
                            (count(table.left_out.rows))
                        }
                    }
                }
            }
        }
        @for table in tables { (examples(table)) }
    }
}

/// The first rows of each kind, by their keys.
fn examples(table: &MergedTable) -> Markup {
    let kinds = [
        ("added", &table.inserted),
        ("with another number here", &table.renumbered),
        ("replaced", &table.replaced),
        ("kept as here", &table.kept),
        ("in conflict", &table.conflicting),
        ("left out", &table.left_out),
    ];
    html! {
        @if kinds.iter().any(|(_, rows)| rows.rows > 0) {
            details {
                summary { "Rows of " code { (table.table) } }
                @for (words, rows) in kinds { (named(words, rows)) }
            }
        }
    }
}

fn named(words: &str, rows: &Rows) -> Markup {
    let n_more = rows.rows.saturating_sub(rows.named.len() as u64);
    html! {
        @if rows.rows > 0 {
            p { b { (text::digits(rows.rows)) } " " (words) }
            ul.keys {
                @for row in &rows.named {
                    li {
                        code { (row.row) }
                        @if !row.reason.is_empty() { span.muted { " " (row.reason) } }
                    }
                }
                @if n_more > 0 { li.muted { "and " (text::digits(n_more)) " more" } }
            }
        }
    }
}

fn created(new: &NewDatabase) -> Markup {
    let n_rows: u64 = new.tables.values().flatten().sum();
    html! {
        section.card {
            div.head {
                h2 { code { (file_name(&new.imported)) } }
                p.muted {
                    (text::count(n_rows, "row")) " of " (text::count(new.tables.len() as u64, "table"))
                    ", " (text::size(new.size_bytes))
                }
            }
            p { "Into " code { (new.into) } }
            table.plain {
                thead { tr { th scope="col" { "Table" } th.n scope="col" { "Rows" } } }
                tbody {
                    @for (table, rows) in &new.tables {
                        tr {
                            th scope="row" { code { (table) } }
                            td.n { (rows.map_or_else(|| "–".to_owned(), text::digits)) }
                        }
                    }
                }
            }
            @for violation in &new.violations { p.warning { (violation) } }
            @for remark in &new.remarks { p.muted { (remark) } }
        }
    }
}

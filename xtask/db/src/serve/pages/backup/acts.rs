//! What can be done with a backup, each with the same command for the terminal.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::{Backup, State};
use crate::serve::pages::backup::facts::BackupFacts;
use crate::serve::pages::parts::{Act, act, terminal};
use crate::serve::pages::web_address;

/// Formats of an export.
const FORMATS: [(&str, &str); 4] =
    [("jsonl", "JSONL"), ("json", "JSON"), ("sql", "SQL"), ("csv", "CSV")];

/// The buttons under the heading.
pub(super) fn main(backup: &Backup) -> Markup {
    let name = [("name", &*backup.name)];
    let button = |action, class, text| act(&Act { action, fields: &name, class, text });
    let is_damaged = backup.state() == State::Damaged;
    html! {
        div.acts role="group" aria-label="Acts" {
            @if !is_damaged {
                (button("/do/restore", "primary", "Restore…"))
                a.button href=(web_address::diff(&backup.name, "live")) { "Compare with the live database" }
            }
            (button("/do/verify", "", "Verify"))
            @if backup.pinned { (button("/do/unpin", "", "Unpin")) } @else { (button("/do/pin", "", "Pin")) }
            a.button href={ "/api/backup/file?name=" (web_address::encode(&backup.name)) } download { "Download" }
        }
        @if is_damaged {
            (terminal(&format!("cargo xtask db-verify {}", text::shell(&backup.name))))
        } @else {
            (terminal(&format!("cargo xtask db-restore {} --dry-run", text::shell(&backup.name))))
        }
    }
}

/// The difference to another backup.
pub(super) fn compare(facts: &BackupFacts<'_>) -> Markup {
    let backup = facts.backup;
    let others = facts.backups.iter().filter(|other| other.name != backup.name);
    html! {
        section.card aria-labelledby="compare" {
            h2 #compare { "Compare" }
            form.fields method="get" action={ (web_address::backup(&backup.name)) "/diff" } {
                label {
                    span { "With" }
                    input type="text" name="with" list="others" required value="live" autocomplete="off"
                        aria-describedby="with-hint";
                }
                datalist #others {
                    option value="live" { "the live database" }
                    @for other in others.take(30) {
                        option value=(other.name) { (other.label.as_deref().unwrap_or(other.kind())) }
                    }
                }
                label.check { input type="checkbox" name="rows" value="1"; span { "Show the rows" } }
                button type="submit" { "Compare" }
            }
            p.muted #with-hint {
                code { "live" } ", the name of a backup, or a reference such as " code { "latest~2" } " or " code { "@main" } "."
            }
            (terminal(&format!("cargo xtask db-diff {}", text::shell(&backup.name))))
        }
    }
}

/// Rows in a portable format.
pub(super) fn export(backup: &Backup) -> Markup {
    html! {
        section.card aria-labelledby="export" {
            h2 #export { "Export" }
            form.fields method="get" action="/api/backup/export" {
                input type="hidden" name="ref" value=(backup.name);
                label {
                    span { "Format" }
                    select name="format" {
                        @for (value, shown) in FORMATS { option value=(value) { (shown) } }
                    }
                }
                label {
                    span { "Table" }
                    select name="table" {
                        option value="" { "All tables" }
                        @for table in backup.tables.keys() { option value=(table) { (table) } }
                    }
                }
                button type="submit" { "Export" }
            }
            p.muted { "JSONL has one row per line, and a proof. CSV needs one table." }
            (terminal(&format!("cargo xtask db-export {} --format jsonl", text::shell(&backup.name))))
        }
    }
}

/// A label that helps to find it again.
pub(super) fn label(backup: &Backup) -> Markup {
    html! {
        section.card aria-labelledby="label" {
            h2 #label { "Label" }
            form.fields method="post" action="/do/label" {
                input type="hidden" name="name" value=(backup.name);
                label.grow {
                    span { "Text" }
                    input type="text" name="label" maxlength="200" autocomplete="off"
                        value=(backup.label.as_deref().unwrap_or_default());
                }
                button type="submit" { "Save" }
            }
            (terminal(&format!("cargo xtask db-label {} 'TEXT'", text::shell(&backup.name))))
        }
    }
}

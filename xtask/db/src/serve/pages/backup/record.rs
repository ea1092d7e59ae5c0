//! The record of a backup as a list of facts.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::backup::{Backup, Examination, Git, Sqlite};
use crate::serve::pages::parts::fact;
use crate::serve::pages::words;

/// The record.
pub(super) fn section(backup: &Backup) -> Markup {
    html! {
        section.card aria-labelledby="record" {
            h2 #record { "Record" }
            dl.facts {
                (fact("Taken", &words::time(backup.created_at, &words::full(backup.created_at))))
                @if let Some(number) = &backup.number {
                    (fact("Reference", &html! { code { (number) } }))
                }
                @if let Some(source) = &backup.source {
                    (fact("Database", &html! { code { (source) } }))
                }
                @if let Some(git) = &backup.git { (checked_out(git)) }
                (fact("Size", &html! { (size(backup)) }))
                @if let Some(version) = backup.schema_version {
                    (fact("Schema version", &html! { (version) }))
                }
                @if let Some(sqlite) = &backup.sqlite { (fact("SQLite", &html! { (file(sqlite)) })) }
                (proofs(backup))
                @if let Some(tool) = &backup.tool { (fact("Created by", &html! { (tool) })) }
            }
        }
    }
}

fn size(backup: &Backup) -> String {
    match &backup.stored {
        None => text::size(backup.size_bytes),
        Some(stored) if stored.new_bytes == 0 => {
            format!("{}, all of it in the page store already", text::size(backup.size_bytes))
        }
        Some(stored) => {
            let (whole, new) = (text::size(backup.size_bytes), text::size(stored.new_bytes));
            format!("{whole}, of which {new} new in the page store")
        }
    }
}

fn file(sqlite: &Sqlite) -> String {
    format!(
        "{}, {} of {} bytes, journal mode {}",
        sqlite.version,
        text::count(sqlite.page_count, "page"),
        text::digits(sqlite.page_size_bytes),
        sqlite.journal_mode
    )
}

fn checked_out(git: &Git) -> Markup {
    html! {
        @if let Some(branch) = &git.branch { (fact("Branch", &html! { (branch) })) }
        @if let Some(commit) = &git.commit {
            (fact("Commit", &html! {
                code.hash { (commit) }
                @if git.dirty { " with uncommitted changes" }
            }))
        }
        @if let Some(worktree) = git.worktree.as_deref().filter(|worktree| *worktree != ".") {
            (fact("Worktree", &html! { code { (worktree) } }))
        }
    }
}

fn proofs(backup: &Backup) -> Markup {
    html! {
        @if let Some(examined) = &backup.examined { (fact("Examined", &examination(examined))) }
        @if let Some(verified) = &backup.verified { (fact("Verified", &examination(verified))) }
        @if let Some(hash) = &backup.blake3 { (fact("BLAKE3", &html! { code.hash { (hash) } })) }
        @if let Some(hash) = &backup.content_blake3 {
            (fact("Content", &html! { code.hash { (hash) } }))
        }
    }
}

fn examination(examination: &Examination) -> Markup {
    let found = match examination.findings.len() {
        0 => "nothing found".to_owned(),
        n => text::count(n as u64, "finding"),
    };
    html! {
        (words::time(examination.at, &examination.at.format("%-d %b %Y, %H:%M").to_string()))
        " (" (examination.depth) "): " (found)
    }
}

//! Files that look like SQL for SQLite but are not: named in the error, before anything is tried.

use crate::console::refusal::Refusal;

/// Marks that tools write into the first lines of their dumps.
const MARKS: [(&str, &str); 8] = [
    ("-- MySQL dump", "MySQL"),
    ("-- MariaDB dump", "MariaDB"),
    ("-- phpMyAdmin SQL Dump", "MySQL (phpMyAdmin)"),
    ("-- PostgreSQL database dump", "PostgreSQL"),
    ("-- PostgreSQL database cluster dump", "PostgreSQL"),
    ("-- pg_dump version", "PostgreSQL"),
    ("/*!40101 SET", "MySQL"),
    ("/*M!999999", "MariaDB"),
];

/// Lines in which the marks are searched for.
const FIRST_LINES: usize = 20;

const HINT: &str = "nothing was changed; only SQL for SQLite can be imported: convert it first";

/// Declines files of other databases, recognized by their beginning.
///
/// # Errors
///
/// A refusal that names the line and what it is.
pub(super) fn refuse(start: &[u8]) -> anyhow::Result<()> {
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(Refusal::could_not(
            "the file is UTF-16, as PowerShell's `>` writes it",
            "nothing was changed; convert it with `iconv -f UTF-16 -t UTF-8`",
        ));
    }
    let start = String::from_utf8_lossy(start);
    for (at, line) in start.lines().take(FIRST_LINES).enumerate() {
        let mark = MARKS.iter().find(|(mark, _)| line.trim_start().starts_with(mark));
        if let Some((mark, database)) = mark {
            let number = at + 1;
            return Err(Refusal::could_not(
                format!("it is a dump of {database}: line {number} begins `{mark}`"),
                HINT,
            ));
        }
    }
    Ok(())
}

/// Declines a word that SQLite does not know.
pub(super) fn unknown(word: &str) -> String {
    let of = match word {
        "copy" | "grant" | "comment" | "revoke" => "; PostgreSQL has it",
        "lock" | "unlock" | "use" | "delimiter" => "; MySQL has it",
        "set" => "; MySQL and PostgreSQL have it",
        "go" | "print" | "exec" => "; SQL Server has it",
        _ => "",
    };
    format!("no statement of SQLite begins with it{of}")
}

//! The questions of `db-restore`: which backup, and whether really.

use anyhow::Result;

use crate::backup::Backup;
use crate::commands::list;
use crate::project::{Database, Project};
use crate::refusal::Refusal;
use crate::session::Session;
use crate::text;
use crate::vault::Vault;

const PAGE: usize = 30;

/// The dialogue's list; a wrong number asks again.
pub(super) fn pick(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    backups: &[Backup],
) -> Result<Option<Backup>> {
    session.prompt("Select a backup to restore (newest first):");
    session.prompt(format!("Backup dir: {}", vault.folder().display()));
    session.prompt("");
    let mut shown = 0;
    show_page(session, project, backups, &mut shown);
    loop {
        let answer = session.ask("Enter number to restore (or 'q' to quit): ")?;
        let Some(answer) = answer else {
            return Ok(None);
        };
        if answer.eq_ignore_ascii_case("q") {
            return Ok(None);
        }
        if answer.is_empty() && shown < backups.len() {
            show_page(session, project, backups, &mut shown);
            continue;
        }
        let chosen = answer.parse::<usize>().ok().and_then(|n| backups.get(n.checked_sub(1)?));
        if let Some(backup) = chosen {
            say_choice(session, backup);
            return Ok(Some(backup.clone()));
        }
        let answer = text::plain(&answer);
        session.prompt(format!("`{answer}` is no number from 1 to {}.", backups.len()));
    }
}

fn show_page(session: &mut Session, project: &Project, backups: &[Backup], shown: &mut usize) {
    let end = backups.len().min(*shown + PAGE);
    for (i, backup) in backups.iter().enumerate().take(end).skip(*shown) {
        let size = text::size(backup.size_bytes).replace(' ', "");
        let time = backup.name.time.format("%Y-%m-%d %H:%M:%S");
        let details = list::details(project, backup, session.now());
        let name = text::plain(&backup.name.to_string());
        session.prompt(format!("{}) {name} {size} {time}  {details}", i + 1));
    }
    *shown = end;
    if end < backups.len() {
        session.prompt(format!("{end} of {} shown; press Enter for more.", backups.len()));
    }
}

pub(super) fn say_choice(session: &mut Session, backup: &Backup) {
    session.prompt("");
    session.prompt("You chose:");
    session.prompt(format!("  {}", text::plain(&backup.path().to_string_lossy())));
}

/// A protected database's name has to be typed out; without a terminal, as `--db NAME --yes`.
pub(crate) fn confirm_protected(
    session: &mut Session,
    place: &str,
    database: &Database,
    named: Option<&str>,
    yes: bool,
) -> Result<()> {
    if !session.has_terminal() {
        if yes && named == Some(database.name.as_str()) {
            return Ok(());
        }
        return Err(Refusal::could_not(
            format!("`{}` is protected", database.name),
            format!("without a terminal say `--db {} --yes`", database.name),
        ));
    }
    let question = format!("{place} is protected. Type `{}` to go on: ", database.name);
    match session.ask(&question)? {
        Some(answer) if answer == database.name => Ok(()),
        _ => Err(Refusal::no("not confirmed", "the database is untouched")),
    }
}

//! The list from which `db-restore` lets one choose a backup, and the question of a protected database.

use anyhow::Result;

use crate::backups::backup::Backup;
use crate::backups::vault::Vault;
use crate::console::refusal::{Declined, Refusal};
use crate::console::{terminal_width, text};
use crate::host::project::{Database, Project};
use crate::host::session::{Session, failure};
use crate::operations::find_backup::{self, Wanted};
use crate::operations::list_document;

/// Rows of the screen that the list does not use, so that the heading, the question and a wrong
/// answer stay in view.
const N_OTHER_ROWS: usize = 7;

/// How far the second line of one backup is indented.
const INDENT: usize = 4;

/// What one chooses from.
#[derive(Clone, Copy)]
pub(crate) struct Offer<'a> {
    /// The host.
    pub(crate) project: &'a Project,
    /// Its backups folder.
    pub(crate) vault: &'a Vault,
    /// Its database.
    pub(crate) database: &'a Database,
    /// The backups of the database, newest first.
    pub(crate) backups: &'a [Backup],
}

/// The dialogue's list, of which one chooses by number or by any other reference; an answer that means
/// no backup asks again. `None` for `q`.
pub(crate) fn pick(session: &mut Session, offer: Offer<'_>) -> Result<Option<Backup>> {
    let Offer { project, vault, backups, .. } = offer;
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
        if answer.is_empty() {
            session.prompt(format!("An empty answer is not a number from 1 to {}.", backups.len()));
            continue;
        }
        if let Some(backup) = offer.chosen(session, &answer) {
            say_choice(session, &backup);
            return Ok(Some(backup));
        }
    }
}

impl Offer<'_> {
    /// The backup that an answer means; if there is none, says why.
    fn chosen(&self, session: &mut Session, answer: &str) -> Option<Backup> {
        let number = answer.parse::<usize>().ok();
        if let Some(backup) = number.and_then(|n| self.backups.get(n.checked_sub(1)?)) {
            return Some(backup.clone());
        }
        // A wrong number must not become the beginning of a time.
        let is_number = answer.bytes().all(|byte| byte.is_ascii_digit());
        let found = (!is_number).then(|| {
            let database = Some(self.database.name.as_str());
            let wanted = Wanted { reference: answer, database };
            find_backup::backup(session, self.project, self.vault, wanted)
        });
        let error = match found {
            Some(Ok(backup)) => return Some(backup),
            Some(Err(error)) => Some(error),
            None => None,
        };
        let n = self.backups.len();
        session.prompt(format!("`{}` is not a number from 1 to {n}.", text::plain(answer)));
        if let Some(error) = error {
            explain(session, &error);
        }
        None
    }
}

/// Says why an answer is not a reference either.
fn explain(session: &mut Session, error: &anyhow::Error) {
    let n_columns = session.question_screen().n_columns;
    let (text, _) = failure::layout(error);
    for line in text.replacen("error: ", "As a reference: ", 1).lines() {
        for part in terminal_width::fold(line, n_columns, INDENT) {
            session.prompt(part);
        }
    }
}

/// Shows as many further backups as fit the screen, so that the newest are not scrolled away.
fn show_page(session: &mut Session, project: &Project, backups: &[Backup], shown: &mut usize) {
    let screen = session.question_screen();
    let n_rows = screen.n_rows.saturating_sub(N_OTHER_ROWS).max(1);
    // No more than this many are looked at: each takes a row at least.
    let page = &backups[*shown..backups.len().min(*shown + n_rows)];
    let beginnings: Vec<String> =
        page.iter().enumerate().map(|(i, backup)| beginning(*shown + i + 1, backup)).collect();
    let width = beginnings.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let mut n_used = 0;
    for (beginning, backup) in beginnings.iter().zip(page) {
        let age = text::age(backup.age(session.now()));
        let details = list_document::details(project, backup, session.now());
        let line = format!("{beginning:width$}  {age:>5}  {details}");
        let lines = terminal_width::fold(&line, screen.n_columns, INDENT);
        if n_used > 0 && n_used + lines.len() > n_rows {
            break;
        }
        n_used += lines.len();
        *shown += 1;
        for line in lines {
            session.prompt(line);
        }
    }
    if *shown < backups.len() {
        session.prompt(format!("{shown} of {} shown; press Enter for more.", backups.len()));
    }
}

/// The beginning of a backup's line: its number, name, size and time.
fn beginning(number: usize, backup: &Backup) -> String {
    let size = text::size(backup.size_bytes).replace(' ', "");
    let time = backup.name.time.format("%Y-%m-%d %H:%M:%S");
    format!("{number}) {} {size} {time}", text::plain(&backup.name.to_string()))
}

pub(crate) fn say_choice(session: &mut Session, backup: &Backup) {
    session.prompt("");
    session.prompt("You chose:");
    session.prompt(format!("  {}", text::plain(&backup.path().to_string_lossy())));
}

/// The answers that the command line gave in advance.
pub(crate) struct Consent<'a> {
    /// The database given by `--db`.
    pub(crate) named: Option<&'a str>,
    /// Whether `--yes` was given.
    pub(crate) yes: bool,
}

/// A protected database's name has to be typed out; without a terminal, e.g. `--db NAME --yes`.
pub(crate) fn confirm_protected(
    session: &mut Session,
    place: &str,
    database: &Database,
    consent: &Consent<'_>,
) -> Result<()> {
    if !session.has_terminal() {
        if consent.yes && consent.named == Some(database.name.as_str()) {
            return Ok(());
        }
        return Err(Refusal::could_not(
            format!("`{}` is protected", database.name),
            format!("without a terminal pass `--db {} --yes`", database.name),
        ));
    }
    let question = format!("{place} is protected. Type `{}` to go on: ", database.name);
    match session.ask(&question)? {
        Some(answer) if answer == database.name => Ok(()),
        _ => Err(Declined { untouched: "the database is untouched".to_owned() }.into()),
    }
}

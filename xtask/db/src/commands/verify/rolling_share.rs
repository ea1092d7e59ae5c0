//! `db-verify --all --read 5%`: reads a share of all backups, the longest unread first.

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup_document::BackupDocument;
use crate::backups::store::suspect_packs::Found;
use crate::backups::vault::Vault;
use crate::backups::verification::outcome::Outcome;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::rolling_share::{self, Chosen};
use crate::sqlite::digest::tree;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    read: Read,
    damaged_packs: Vec<String>,
    /// The backups that turned out damaged.
    marked: &'a [String],
    backups: Vec<BackupDocument>,
}

/// The packs that were read.
#[derive(Serialize)]
struct Read {
    percent: u8,
    packs: usize,
    plain: usize,
    bytes: u64,
    of_bytes: u64,
}

/// Reads the chosen packs and plain backups, records that, and marks damage.
///
/// # Errors
///
/// If the folder cannot be read or stays locked, or at the user's interrupt.
pub(super) fn read(
    session: &mut Session,
    project: &Project,
    vault: &Vault,
    chosen: &Chosen<'_>,
) -> Result<Answer> {
    if chosen.n_packs + chosen.n_plain == 0 {
        session.say(format!("No backups in {} to verify.", project.dotted(&project.backups)));
    }
    let (worst, found) = rolling_share::read(session, project, vault, chosen)?;
    say(session, chosen, &found);
    document(session, vault, chosen, &found)?;
    Ok(match worst {
        Outcome::Whole => Answer::Yes,
        Outcome::Damaged => Answer::No,
        Outcome::CannotTell => Answer::CannotTell,
    })
}

fn say(session: &mut Session, chosen: &Chosen<'_>, found: &Found) {
    if chosen.n_packs + chosen.n_plain == 0 {
        return;
    }
    let mut parts = Vec::new();
    if chosen.n_packs > 0 {
        let packs = text::count(chosen.n_packs, "pack");
        parts.push(format!("{} of {packs}", text::digits(chosen.packs.len() as u64)));
    }
    if chosen.n_plain > 0 {
        let plain = text::count(chosen.n_plain, "plain backup");
        parts.push(format!("{} of {plain}", text::digits(chosen.plain.len() as u64)));
    }
    let (bytes, all) = (text::size(chosen.bytes), text::size(chosen.all_bytes));
    let parts = parts.join(" and ");
    session.say(format!("Read {parts}, the longest unread first: {bytes} of {all}"));
    if found.damaged.is_empty() {
        return;
    }
    session.say(format!("Damaged: {found}"));
    session.note("hint: `cargo xtask db-verify --all` reads the rest; take a new backup now");
}

fn document(
    session: &mut Session,
    vault: &Vault,
    chosen: &Chosen<'_>,
    found: &Found,
) -> Result<()> {
    if !session.wants_json() {
        return Ok(());
    }
    let now = session.now();
    let backups = vault.backups()?;
    let damaged = found.damaged.iter().map(|damaged| tree::hex(&damaged.pack));
    session.document(&Document {
        version: VERSION,
        read: Read {
            percent: chosen.percent,
            packs: chosen.packs.len(),
            plain: chosen.plain.len(),
            bytes: chosen.bytes,
            of_bytes: chosen.all_bytes,
        },
        damaged_packs: damaged.collect(),
        marked: &found.marked,
        backups: backups.iter().map(|backup| BackupDocument::of(backup, now)).collect(),
    });
    Ok(())
}

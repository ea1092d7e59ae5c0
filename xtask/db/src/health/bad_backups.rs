//! Problems of a database's backups: what is damaged, not understood, unread, or dated in the future.

use crate::backups::backup::{Backup, State};
use crate::backups::record::proof::Proof;
use crate::console::text;
use crate::health::checkup::Checkup;
use crate::health::problem::Problem;

impl Checkup<'_> {
    /// Backups and records that are damaged, unread, or not understood.
    pub(super) fn bad_backups(&self) -> Vec<Problem> {
        let of = |state| self.backups.iter().copied().filter(move |backup| backup.state() == state);
        let mut problems = Vec::new();
        let (records, damaged): (Vec<_>, Vec<_>) =
            of(State::Damaged).partition(|backup| matches!(backup.proof, Proof::Damaged(_)));
        problems.extend(several(
            &damaged,
            "damaged-backups",
            ["is damaged", "backups are damaged"],
        ));
        problems.extend(records.first().map(|first| {
            let n = text::count(records.len() as u64, "record");
            let are = if records.len() == 1 { "is" } else { "are" };
            let what =
                format!("{n} {are} damaged, e.g. that of `{}`: its checksum is wrong", first.name);
            let name = text::shell(&first.name.to_string());
            let remedy = format!("cargo xtask db-verify {name}   # shows what is left of it");
            Problem::new("damaged-records", what, remedy)
        }));
        problems.extend(self.unread());
        let unreadable = |backup: &&Backup| matches!(backup.proof, Proof::Unreadable(_));
        problems.extend(several(
            &of(State::Unverified).filter(unreadable).collect::<Vec<_>>(),
            "unreadable-records",
            ["has a record that cannot be read", "backups have records that cannot be read"],
        ));
        let newer = of(State::Unverified).find(|backup| matches!(backup.proof, Proof::Newer(_)));
        problems.extend(newer.map(|backup| {
            let what = format!("the record of `{}` was written by a newer xtask-db", backup.name);
            Problem::new("newer-records", what, "cargo update --package xtask-db")
        }));
        problems
    }

    /// Stored backups whose pages nobody read lately: whether they are right is not known.
    fn unread(&self) -> Option<Problem> {
        let since = |backup: &Backup| match backup.state() {
            State::Unread(since) => Some(since),
            _ => None,
        };
        let mut unread = self.backups.iter().copied().filter_map(since);
        let first = unread.next()?;
        let (oldest, n) = unread.fold((first, 1), |(oldest, n), next| (oldest.min(next), n + 1));
        let backups = if n == 1 { "1 backup is".to_owned() } else { format!("{n} backups are") };
        let what = format!("{backups} unread since {}", oldest.format("%Y-%m-%d"));
        Some(Problem::new("unread", what, "cargo xtask db-verify --all"))
    }

    /// A backup that seems to be of later than now.
    pub(super) fn future(&self) -> Option<Problem> {
        let ahead =
            self.backups.iter().copied().find(|backup| backup.is_from_the_future(self.now))?;
        Some(Problem::new(
            "future",
            format!("`{}` is dated in the future: a clock is or was wrong", ahead.name),
            format!(
                "date   # if it is right, keep the backup until then, or delete it: {}",
                remove(ahead)
            ),
        ))
    }
}

/// The command that removes a backup; by force if its record does not match it.
fn remove(backup: &Backup) -> String {
    let force = if backup.record_agrees() { "" } else { " --force" };
    format!("cargo xtask db-remove {}{force}", text::shell(&backup.name.to_string()))
}

/// One problem for one or several backups; the command names the newest of them.
fn several(backups: &[&Backup], code: &'static str, words: [&str; 2]) -> Option<Problem> {
    let first = backups.first()?;
    let name = first.name.to_string();
    Some(match backups.len() {
        1 => Problem::new(
            code,
            format!("`{}` {}", first.name, words[0]),
            format!(
                "cargo xtask db-verify {}   # shows how; then delete it: {}",
                text::shell(&name),
                remove(first)
            ),
        ),
        n => Problem::new(
            code,
            format!("{n} {}, the newest is `{}`", words[1], first.name),
            "cargo xtask db-verify --all   # shows how; then delete each: cargo xtask db-remove REF",
        ),
    })
}

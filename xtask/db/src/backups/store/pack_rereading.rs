//! Rereads packs in passing, the longest unread first, within a budget of time.
//!
//! A checkpoint rereads what it builds on, so that a project with one checkpoint a day reads all
//! its packs within a week. A pack that was begun is read to the end: 32 MiB at most.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use chrono::{DateTime, FixedOffset};

use crate::backups::store::pack;
use crate::backups::store::pack_folder;
use crate::backups::store::pack_readings::{self, Reading, Readings, Was};
use crate::console::interrupt::Interrupt;
use crate::console::planted_faults::Planted;
use crate::sqlite::digest::tree::Id;

/// How long a checkpoint reads.
pub(crate) const BUDGET: Duration = Duration::from_millis(50);
/// Packs that were read within this time are not reread: seconds.
const RECENT_SECONDS: i64 = 24 * 60 * 60;

/// Reads some packs within the budget and notes those that are intact. Returns those that are not, which
/// a closer look has to judge.
///
/// # Errors
///
/// At the user's interrupt.
pub(crate) fn reread(
    packs: &BTreeSet<Id>,
    noted: &mut Readings,
    now: DateTime<FixedOffset>,
    interrupt: &Interrupt,
) -> Result<BTreeSet<Id>> {
    if Planted::UnreadBlock.is_on() {
        return Ok(BTreeSet::new());
    }
    let folder = noted.folder().to_owned();
    let with_last = |pack: &Id| (noted.last_of(pack), *pack);
    let mut unread: Vec<(Option<Reading>, Id)> = packs.iter().map(with_last).collect();
    unread.retain(|(last, _)| !is_recent(last.as_ref(), now));
    unread.sort_by_key(|(last, pack)| (last.map(|last| last.at), *pack));
    let began = Instant::now();
    let (mut read, mut bad) = (Vec::new(), BTreeSet::new());
    for (_, name) in unread {
        interrupt.check()?;
        match read_one(&folder, &name, now) {
            Some(reading) => read.push((name, reading)),
            None => drop(bad.insert(name)),
        }
        if began.elapsed() >= BUDGET {
            break;
        }
    }
    noted.note(read);
    Ok(bad)
}

/// Whether a pack was read so recently that it is not reread in passing.
#[must_use]
pub(crate) fn is_recent(last: Option<&Reading>, now: DateTime<FixedOffset>) -> bool {
    last.is_some_and(|last| {
        pack_readings::counts(last, now) && last.at >= now.timestamp() - RECENT_SECONDS
    })
}

/// Reads one pack completely; `None` if it is not intact or changed in the meantime.
#[must_use]
pub(crate) fn read_one(folder: &Path, name: &Id, now: DateTime<FixedOffset>) -> Option<Reading> {
    let identity = pack_folder::look(folder, name).ok()??;
    let is_intact = pack::is_intact(&folder.join(pack::file_name(name)), name).unwrap_or(false);
    let is_same = pack_folder::look(folder, name).ok()? == Some(identity);
    let reading = Reading { identity, at: now.timestamp(), was: Was::Intact };
    (is_intact && is_same).then_some(reading)
}

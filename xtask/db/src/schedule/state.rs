//! What the runs of a schedule remember from one to the next: `state.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileExt as _;

use anyhow::Result;
use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use crate::console::refusal::Refusal;
use crate::schedule::home::Home;
use crate::schedule::outbox::Message;

/// The name of the file.
const FILE: &str = "state.json";
/// The version that is written.
const VERSION: u32 = 1;
/// The size of the file is a multiple of this.
const ROOM: usize = 8 << 10;

/// A step of a run, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// A backup of each database that changed.
    Backup,
    /// The newest backup and an older one are read.
    Verify,
    /// A bundle.
    Bundle,
    /// An export for git.
    Export,
    /// The configured policy removes old backups.
    Retention,
}

/// What is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    version: u32,
    /// The workspace, for people who find this file.
    pub(crate) root: String,
    /// When the schedule was installed, or first run.
    pub(crate) since: DateTime<FixedOffset>,
    /// The slot that the last run worked for.
    #[serde(default)]
    pub(crate) slot: Option<DateTime<FixedOffset>>,
    /// The steps that are done for it.
    #[serde(default)]
    pub(crate) done: Vec<Step>,
    /// The last slot for which every step was done.
    #[serde(default)]
    pub(crate) complete: Option<DateTime<FixedOffset>>,
    /// For each database, what its backup of the last slot is.
    #[serde(default)]
    pub(crate) databases: BTreeMap<String, Seen>,
    /// When something last asked whether a backup is due.
    #[serde(default)]
    pub(crate) asked_at: Option<DateTime<FixedOffset>>,
    /// How the last run that had something to do ended.
    #[serde(default)]
    pub(crate) last_run: Option<LastRun>,
    /// The failure that has lasted since its first run.
    #[serde(default)]
    pub(crate) failing: Option<Failing>,
    /// For each cause, the day on which it was last reported.
    #[serde(default)]
    pub(crate) told: BTreeMap<String, NaiveDate>,
    /// Messages that nobody has taken yet.
    #[serde(default)]
    pub(crate) outbox: Vec<Message>,
    /// Since when retention waits, because the clock jumped.
    #[serde(default)]
    pub(crate) jumped_at: Option<DateTime<FixedOffset>>,
    /// The damaged backups for which a run has failed already.
    #[serde(default)]
    pub(crate) damaged: BTreeSet<String>,
}

/// The backup that a database has for a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// The slot.
    pub(crate) slot: DateTime<FixedOffset>,
    /// When the database was looked at.
    pub(crate) at: DateTime<FixedOffset>,
    /// The backup that is as it was then.
    pub(crate) backup: String,
    /// Whether it was taken before, because nothing had changed.
    pub(crate) unchanged: bool,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LastRun {
    pub(crate) began_at: DateTime<FixedOffset>,
    pub(crate) slot: DateTime<FixedOffset>,
    /// The step that failed; `None` if none did.
    pub(crate) failed: Option<Step>,
}

/// A failure that has lasted since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(crate) step: Step,
    /// The same for failures of the same kind.
    pub(crate) cause: String,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
    pub(crate) since: DateTime<FixedOffset>,
    pub(crate) n_runs: u32,
    /// Whether anybody was told, who then wants to know of the recovery too.
    pub(crate) is_told: bool,
}

impl Step {
    /// The step as a sentence has it.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Verify => "verification",
            Self::Bundle => "bundle",
            Self::Export => "export",
            Self::Retention => "retention",
        }
    }
}

impl State {
    /// The state of a schedule that begins now.
    #[must_use]
    pub(crate) fn new(root: String, now: DateTime<FixedOffset>) -> Self {
        Self {
            version: VERSION,
            root,
            since: now,
            slot: None,
            done: Vec::new(),
            complete: None,
            databases: BTreeMap::new(),
            asked_at: None,
            last_run: None,
            failing: None,
            told: BTreeMap::new(),
            outbox: Vec::new(),
            jumped_at: None,
            damaged: BTreeSet::new(),
        }
    }

    /// The damaged backups that are still in the folder, in words.
    #[must_use]
    pub(crate) fn still_damaged(&self) -> Option<String> {
        let first = self.damaged.first()?;
        Some(match self.damaged.len() {
            1 => format!("the damaged backup `{first}` is still there"),
            n => format!("{n} damaged backups are still there, e.g. `{first}`"),
        })
    }

    /// Reads it; `None` if there is none, or one that cannot be understood: the records of the backups are the truth, and
    /// the next run writes a new one.
    ///
    /// # Errors
    ///
    /// A refusal if a newer version wrote it.
    pub(crate) fn read(home: &Home) -> Result<Option<Self>> {
        let Ok(bytes) = fs_err::read(home.file(FILE)) else { return Ok(None) };
        let Ok(value) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
            return Ok(None);
        };
        if value["version"].as_u64().is_some_and(|version| version > u64::from(VERSION)) {
            return Err(Refusal::could_not(
                format!("a newer xtask-db wrote `{}`", home.file(FILE).display()),
                "update xtask-db here, or run `cargo xtask db-schedule uninstall` with the newer one",
            ));
        }
        Ok(serde_json::from_value(value).ok())
    }

    /// Writes it; on a full disk in the place of the old one, which has room: a failure that cannot be remembered would be
    /// reported again and again.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.resize(bytes.len().next_multiple_of(ROOM), b'\n');
        home.write(FILE, &bytes).or_else(|error| {
            let in_place = || -> std::io::Result<()> {
                let file = fs_err::OpenOptions::new().write(true).open(home.file(FILE))?;
                file.file().write_all_at(&bytes, 0)?;
                file.set_len(bytes.len() as u64)?;
                file.sync_all()
            };
            in_place().map_err(|_| error)
        })
    }

    /// Forgets the moments that are more than a day ahead: a clock was wrong, and what it said must not hold until then.
    pub(crate) fn forget_the_future(&mut self, now: DateTime<FixedOffset>) {
        let is_ahead = |moment: DateTime<FixedOffset>| moment > now + TimeDelta::days(1);
        if self.slot.is_some_and(is_ahead) {
            self.slot = None;
            self.done.clear();
        }
        if is_ahead(self.since) {
            self.since = now;
        }
        self.complete = self.complete.filter(|slot| !is_ahead(*slot));
        self.asked_at = self.asked_at.filter(|at| !is_ahead(*at));
        self.jumped_at = self.jumped_at.filter(|at| !is_ahead(*at));
        self.databases.retain(|_, seen| !is_ahead(seen.slot) && !is_ahead(seen.at));
        self.told.retain(|_, day| *day <= now.date_naive());
        if let Some(failing) = &mut self.failing
            && is_ahead(failing.since)
        {
            failing.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<FixedOffset> {
        DateTime::parse_from_rfc3339(text).expect(text)
    }

    #[test]
    fn what_a_wrong_clock_left_is_forgotten() {
        let now = at("2026-07-01T12:00:00+02:00");
        let ahead = at("2028-07-01T02:00:00+02:00");
        let seen = |slot| Seen { slot, at: slot, backup: "x".to_owned(), unchanged: false };
        let mut state = State::new("/a".to_owned(), ahead);
        state.slot = Some(ahead);
        state.complete = Some(ahead);
        state.done = vec![Step::Backup];
        state.databases.insert("old".to_owned(), seen(now));
        state.databases.insert("ahead".to_owned(), seen(ahead));
        state.told.insert("cause".to_owned(), ahead.date_naive());
        // A clock that went back by hours keeps what it was told.
        let mut near = state.clone();
        near.forget_the_future(ahead - TimeDelta::hours(2));
        assert_eq!((near.complete, near.done.len(), near.databases.len()), (Some(ahead), 1, 2));
        state.forget_the_future(now);
        let expected = State {
            databases: [("old".to_owned(), seen(now))].into(),
            ..State::new("/a".to_owned(), now)
        };
        assert_eq!(state, expected);
    }

    #[test]
    fn a_damaged_state_is_none_and_a_newer_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let project =
            crate::host::project::Project::in_repository(folder.path().into(), None, Vec::new());
        let home = Home::of(&project, folder.path());
        home.create().expect("created");
        assert_eq!(State::read(&home).expect("none"), None);
        let state = State::new("/a".to_owned(), at("2026-07-01T12:00:00+02:00"));
        state.write(&home).expect("written");
        assert_eq!(State::read(&home).expect("one"), Some(state));
        for damaged in ["", "{", "{}", "[1]", "{\"version\": 1}"] {
            home.write(FILE, damaged.as_bytes()).expect("written");
            assert_eq!(State::read(&home).expect("none"), None, "{damaged}");
        }
        home.write(FILE, b"{\"version\": 2}").expect("written");
        assert!(State::read(&home).is_err());
    }
}

//! A year of a machine that is switched off every night: holidays, clock changes, a clock that goes wrong, a full disk, and
//! each step failing once.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{
    DateTime, Datelike as _, Days, FixedOffset, NaiveDate, TimeDelta, TimeZone as _, Timelike as _,
};

use super::{change, log, rename};
use crate::support::sandbox::Sandbox;
use crate::support::small_disk::SmallDisk;

const KEEP: &str = "[workspace.metadata.db.keep]\ndaily = 7\nweekly = 4\nmonthly = 12\n";

#[test]
fn a_year_ends_with_the_policy_s_backups_and_one_word_for_each_gap() {
    let sandbox = Sandbox::new();
    sandbox.configure(&format!("{}export = {{ into = \"snapshots\" }}\n{KEEP}", super::AT_TWO));
    let (rotten, found) = (Vec::new(), Vec::new());
    let mut year = Year { sandbox: &sandbox, slots: BTreeMap::new(), n_failed: 0, rotten, found };
    let (first, last) = (date(2025, 1, 1), date(2025, 12, 31));
    let mut day = first;
    while day <= last {
        year.live(day);
        day = day + Days::new(1);
    }
    // Never two backups of one slot; one for each day on which something had changed.
    assert_eq!(year.slots.values().filter(|names| names.len() > 1).count(), 0, "{:#?}", year.slots);
    let n_days = first.iter_days().take_while(|day| *day <= last).filter(|day| is_on(*day)).count();
    let n_quiet = first
        .iter_days()
        .take_while(|day| *day <= last)
        .filter(|day| is_on(*day) && is_quiet(*day))
        .count();
    let n_slots = year.slots.len();
    assert!(
        (n_days - n_quiet..=n_days).contains(&n_slots),
        "{n_slots} of {n_days}, {n_quiet} quiet"
    );
    assert!(year.n_failed >= 5, "{}", year.n_failed);
    assert!(!year.rotten.is_empty());
    assert_eq!(year.found, year.rotten, "each that rotted was found by a run, once");
    // Each gap once: the holiday, and the days ahead of time.
    let gaps = all_logs(&sandbox);
    let gaps: Vec<_> = gaps.lines().filter(|line| line.contains("no run came for")).collect();
    assert_eq!(gaps.len(), 2, "{gaps:#?}");
    assert!(gaps.iter().any(|gap| gap.contains("for 20 slots after 2025-08-01")), "{gaps:#?}");
    let listed = sandbox.json(&["db-list"]);
    let all = listed["backups"].as_array().expect("backups").clone();
    for backup in &all {
        assert_eq!(backup["state"], "verified", "{backup:#}");
    }
    sandbox.ok(&["db-verify", "--all"]);
    let said = sandbox.ok(&["db-prune", "--dry-run"]);
    assert!(!said.out.lines().any(|line| line.starts_with("remove ")), "{said:#?}");
    let times: BTreeSet<_> = all
        .iter()
        .map(|one| {
            DateTime::parse_from_rfc3339(one["created_at"].as_str().expect("a time"))
                .expect("a time")
        })
        .collect();
    let (ahead, times): (Vec<_>, Vec<_>) = times.into_iter().partition(|time| time.year() > 2025);
    assert_eq!(ahead.len(), 1, "the one of the wrong clock stays: {ahead:?}");
    let taken: Vec<_> =
        year.slots.values().flatten().copied().filter(|time| time.year() == 2025).collect();
    assert_eq!(times, policy(&taken), "exactly the policy's");
}

/// The year as it went.
struct Year<'s> {
    sandbox: &'s Sandbox,
    /// The backups that were taken, by their slot.
    slots: BTreeMap<NaiveDate, Vec<DateTime<FixedOffset>>>,
    n_failed: usize,
    /// The backups that rotted, and those that a run found.
    rotten: Vec<String>,
    found: Vec<String>,
}

impl Year<'_> {
    /// A day: the machine is switched on at nine and off in the evening.
    fn live(&mut self, day: NaiveDate) {
        if !is_on(day) {
            return;
        }
        if !is_quiet(day) {
            change(self.sandbox, &day.to_string());
        }
        match (day.month(), day.day()) {
            // Nights of the clock changes, with the machine on.
            (3, 30) | (10, 26) => {
                let mut at = local(day, 0, 5);
                while at < local(day, 6, 0) {
                    self.call(at);
                    at += TimeDelta::minutes(30);
                }
            }
            // The clock is set back by two hours.
            (5, 5) => {
                self.call(local(day, 10, 0));
                self.call(local(day, 8, 0));
                self.call(local(day, 9, 0));
            }
            // Two years ahead for a morning.
            (6, 6) => {
                let ahead = local(date(2027, 6, 6), 9, 0);
                self.call(ahead);
                self.call(ahead + TimeDelta::hours(1));
                change(self.sandbox, "after the jump");
            }
            (2, 3) => self.with_full_disk(day),
            (4, 4) => self.with(
                day,
                |s| rename(s, "backend/db/kalito.db", "away.db"),
                |s| rename(s, "away.db", "backend/db/kalito.db"),
            ),
            (7, 7) => self.with(
                day,
                |s| s.write("snapshots", "a file"),
                |s| fs_err::remove_file(s.path("snapshots")).expect("removed"),
            ),
            (9, 9) => self.with_damage(day),
            _ => {}
        }
        self.call(local(day, 9, 5));
        self.call(local(day, 10, 0));
        self.call(local(day, 17, 0));
    }

    /// A call while something is wrong, and one after it was mended.
    fn with(&mut self, day: NaiveDate, spoil: impl Fn(&Sandbox), mend: impl Fn(&Sandbox)) {
        if self.sandbox.path("snapshots").is_dir() && day.month() == 7 {
            fs_err::remove_dir_all(self.sandbox.path("snapshots")).expect("removed");
        }
        spoil(self.sandbox);
        let before = self.n_failed;
        self.call(local(day, 9, 1));
        self.call(local(day, 9, 2));
        mend(self.sandbox);
        assert_eq!(self.n_failed, before + 2, "{day}");
    }

    fn with_full_disk(&mut self, day: NaiveDate) {
        let folder = self.sandbox.path("backups");
        rename(self.sandbox, "backups", "kept");
        fs_err::create_dir(&folder).expect("a folder");
        if let Some(disk) = SmallDisk::at(self.sandbox, &folder, "32k") {
            self.sandbox.write("backups/fill", vec![1; 28 << 10]);
            let before = self.n_failed;
            self.call(local(day, 9, 1));
            assert_eq!(self.n_failed, before + 1, "a full disk was no failure");
            drop(disk);
        }
        fs_err::remove_dir(&folder).expect("an empty folder");
        rename(self.sandbox, "kept", "backups");
    }

    /// A backup rots that is not the newest: one of the next runs finds it.
    fn with_damage(&mut self, day: NaiveDate) {
        self.sandbox.set_clock(&local(day, 8, 0).to_rfc3339());
        let name = self.sandbox.backup();
        change(self.sandbox, "after the backup that rots");
        self.call(local(day, 8, 30));
        let path = self.sandbox.backup_path(&name);
        let mut bytes = fs_err::read(&path).expect("a backup");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs_err::write(&path, bytes).expect("damaged");
        self.rotten.push(name);
    }

    /// Something calls at a moment.
    fn call(&mut self, at: DateTime<FixedOffset>) {
        self.sandbox.set_clock(&at.to_rfc3339());
        let before = self.sandbox.backups();
        let said = self.sandbox.run(&["db-schedule", "run"]);
        let after = self.sandbox.backups();
        let n_new = after.iter().filter(|name| !before.contains(name)).count();
        if n_new > 0 {
            self.slots.entry(slot_of(at)).or_default().extend(std::iter::repeat_n(at, n_new));
        }
        if said.code != Some(0) {
            self.n_failed += 1;
            let damaged = said.err.split("the backup `").nth(1);
            if let Some(name) = damaged.and_then(|rest| rest.split('`').next()) {
                self.sandbox.ok(&["db-remove", name, "--yes"]);
                self.found.push(name.to_owned());
            }
        }
    }
}

/// The day of the last slot up to a moment.
fn slot_of(at: DateTime<FixedOffset>) -> NaiveDate {
    let shown = at.naive_local();
    if shown.time().hour() < 2 { shown.date() - Days::new(1) } else { shown.date() }
}

/// Not in the three weeks of holidays.
fn is_on(day: NaiveDate) -> bool {
    !(date(2025, 8, 2)..=date(2025, 8, 21)).contains(&day)
}

/// Nobody works on Sundays: nothing changes.
fn is_quiet(day: NaiveDate) -> bool {
    day.weekday() == chrono::Weekday::Sun
}

fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).expect("a date")
}

/// A time on the wall in Berlin, where the sandbox is.
fn local(day: NaiveDate, hour: u32, minute: u32) -> DateTime<FixedOffset> {
    let shown = day.and_hms_opt(hour, minute, 0).expect("a time");
    let summer = |day: NaiveDate| {
        let last_sunday = |month| {
            let end = date(day.year(), month, 31);
            end - Days::new(u64::from(end.weekday().num_days_from_sunday()))
        };
        (last_sunday(3).and_hms_opt(2, 0, 0)..last_sunday(10).and_hms_opt(3, 0, 0))
            .contains(&Some(shown))
    };
    let hours = if summer(day) { 2 } else { 1 };
    FixedOffset::east_opt(hours * 3600)
        .expect("an offset")
        .from_local_datetime(&shown)
        .single()
        .expect("a moment")
}

/// What `daily = 7`, `weekly = 4` and `monthly = 12` keep: the newest of each, and the oldest while a rule is not used up.
fn policy(taken: &[DateTime<FixedOffset>]) -> Vec<DateTime<FixedOffset>> {
    let mut newest_first = taken.to_vec();
    newest_first.sort();
    newest_first.reverse();
    let mut kept = BTreeSet::new();
    for (n, period) in [(7, "%Y-%m-%d"), (4, "%G-%V"), (12, "%Y-%m")] {
        let mut last = String::new();
        let mut left = n;
        for time in &newest_first {
            let this = time.format(period).to_string();
            if left > 0 && this != last {
                kept.insert(*time);
                left -= 1;
                last = this;
            }
        }
    }
    kept.into_iter().collect()
}

fn all_logs(sandbox: &Sandbox) -> String {
    let older = fs_err::read_to_string(super::home(sandbox).join("log.1")).unwrap_or_default();
    older + &log(sandbox)
}

//! The grammar of file names in the backups folder.
//!
//! `kalito.db.2025-09-13_142530.bak` and `kalito.db.SAFETY.2025-09-13_142530.bak`; a second backup
//! in the same second gets `-2`, `-3` … before `.bak`. A list, which stands for a backup in the
//! page store, ends in `.pages` or `.chunks` instead, and a dump in `.dump`. A file whose name does not parse here is never listed, read
//! or removed.

use std::fmt;

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, Timelike as _};

use crate::backups::format::Format;

const TIME: &str = "%Y-%m-%d_%H%M%S";

const TIME_LENGTH: usize = "2025-09-13_142530".len();

const SAFETY: &str = ".SAFETY";

/// The name of a backup, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name {
    /// The database's file name, e.g. `kalito.db`.
    pub file: String,
    /// Whether it is a safety backup.
    pub safety: bool,
    /// Local time when it was taken, whole seconds.
    pub time: NaiveDateTime,
    /// 1 for the first backup of a second, 2 for the second …
    pub ordinal: u32,
    /// How its bytes are kept.
    pub format: Format,
}

impl Name {
    /// The name of the first plain backup taken at a local time.
    #[must_use]
    pub(crate) fn new(file: &str, safety: bool, time: NaiveDateTime) -> Self {
        Self { file: file.to_owned(), safety, time, ordinal: 1, format: Format::Plain }
    }

    /// The same name for a backup in another format.
    #[must_use]
    pub(crate) fn in_format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    /// The same second's next name.
    #[must_use]
    pub(crate) fn next(mut self) -> Self {
        self.ordinal += 1;
        self
    }

    /// Parses a file name; `None` if it is not the name of a backup.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let ends = |format: Format| Some((text.strip_suffix(format.ending())?, format));
        let (stem, format) = Format::ALL.into_iter().find_map(ends)?;
        let (stem, ordinal) = split_ordinal(stem)?;
        let at = stem.len().checked_sub(TIME_LENGTH)?;
        if !stem.is_char_boundary(at) {
            return None;
        }
        let (file, time) = stem.split_at(at);
        let time = time_of(time)?;
        let file = file.strip_suffix('.')?;
        let (file, safety) = match file.strip_suffix(SAFETY) {
            Some(file) => (file, true),
            None => (file, false),
        };
        let name = Self { file: file.to_owned(), safety, time, ordinal, format };
        // Only the one spelling that we write is ours: `-1`, `-02` or a short month are not.
        (!file.is_empty() && !file.contains('/') && name.to_string() == text).then_some(name)
    }

    /// The time as it is in the name, which is also a reference.
    #[must_use]
    pub(crate) fn time_text(&self) -> String {
        let time = text_of(&self.time);
        if self.ordinal > 1 { format!("{time}-{}", self.ordinal) } else { time }
    }

    /// The name of the record beside the backup.
    #[must_use]
    pub(crate) fn record(&self) -> String {
        format!("{self}.json")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let safety = if self.safety { SAFETY } else { "" };
        write!(f, "{}{safety}.{}{}", self.file, self.time_text(), self.format.ending())
    }
}

fn split_ordinal(stem: &str) -> Option<(&str, u32)> {
    // The time itself contains two dashes; an ordinal is what follows a dash after it.
    let (before, digits) = stem.rsplit_once('-')?;
    let after_time = before.len().checked_sub(TIME_LENGTH).and_then(|at| before.get(at..));
    match after_time.and_then(time_of) {
        Some(_) => Some((before, digits.parse().ok()?)),
        None => Some((stem, 1)),
    }
}

/// Reads a time in [`TIME`]. Thousands of names are read and written at once, and chrono takes its format apart each
/// time; it is left to what is unusual.
fn time_of(text: &str) -> Option<NaiveDateTime> {
    let is_usual = text.len() == TIME_LENGTH
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'_',
            _ => byte.is_ascii_digit(),
        })
        && !text.ends_with("60");
    if !is_usual {
        return NaiveDateTime::parse_from_str(text, TIME).ok();
    }
    let number = |at: usize| text.get(at..at + 2)?.parse::<u32>().ok();
    let date = NaiveDate::from_ymd_opt(text.get(..4)?.parse().ok()?, number(5)?, number(8)?)?;
    date.and_hms_opt(number(11)?, number(13)?, number(15)?)
}

/// Writes a time in [`TIME`].
fn text_of(time: &NaiveDateTime) -> String {
    let is_leap_second = time.nanosecond() >= 1_000_000_000;
    if is_leap_second || !(0..=9999).contains(&time.year()) {
        return time.format(TIME).to_string();
    }
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    let date = format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day());
    format!("{date}_{hour:02}{minute:02}{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, bool, u32)>) {
        let name = Name::parse(text);
        let got = name.as_ref().map(|n| (n.file.as_str(), n.safety, n.ordinal));
        assert_eq!(got, expected, "{text}");
        if let Some(name) = name {
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn only_names_that_we_write_are_ours() {
        check("kalito.db.2025-09-13_142530.bak", Some(("kalito.db", false, 1)));
        check("kalito.db.SAFETY.2025-09-13_142530.bak", Some(("kalito.db", true, 1)));
        check("kalito.db.2025-09-13_142530-2.bak", Some(("kalito.db", false, 2)));
        check("it's ünï %?#.db.2025-09-13_142530-12.bak", Some(("it's ünï %?#.db", false, 12)));
        check("-rf.db.2025-09-13_142530.bak", Some(("-rf.db", false, 1)));
        check("a.SAFETY.db.2025-09-13_142530.bak", Some(("a.SAFETY.db", false, 1)));
        check("kalito.db.2025-09-13_142530-2.pages", Some(("kalito.db", false, 2)));
        check("memory.SAFETY.2025-09-13_142530.chunks", Some(("memory", true, 1)));
        for foreign in [
            "",
            ".bak",
            "kalito.db",
            "kalito.db.bak",
            "notes.txt",
            "2025-09-13_142530.bak",
            ".2025-09-13_142530.bak",
            ".SAFETY.2025-09-13_142530.bak",
            "kalito.db.2025-13-13_142530.bak",
            "kalito.db.2025-02-30_142530.bak",
            "kalito.db.2025-9-13_142530.bak",
            "kalito.db.2025-09-13_142530-1.bak",
            "kalito.db.2025-09-13_142530-02.bak",
            "kalito.db.2025-09-13_142530-x.bak",
            "kalito.db.2025-09-13_142530.bak.json",
            ".kalito.db.2025-09-13_142530.bak.stage-1-2",
            "kalito.db.2025-09-13_142530.BAK",
            "kalito.db.2025-09-13_142530.bak.pages",
            "kalito.db.2025-09-13_142530-1.pages",
            "ä25-09-13_142530.bak",
        ] {
            check(foreign, None);
        }
    }

    #[test]
    fn times_are_read_and_written_as_by_chrono() {
        for text in [
            "2025-09-13_142530",
            "0000-01-01_000000",
            "9999-12-31_235959",
            "2024-02-29_235960",
            "2025-02-29_000000",
            "2025-13-01_000000",
            "2025-01-01_240000",
            "2025-01-01_006000",
            "2025-01-01_000061",
            "2025-01-01_0000+1",
            "2025-01-01 000000",
            "2025-01-01_00000",
            "٢٠25-01-01_0000",
        ] {
            let by_chrono = NaiveDateTime::parse_from_str(text, TIME).ok();
            assert_eq!(time_of(text), by_chrono, "{text}");
            if let Some(time) = by_chrono {
                assert_eq!(text_of(&time), time.format(TIME).to_string());
            }
        }
        let far = NaiveDate::from_ymd_opt(12_025, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
        let far = far.expect("a time");
        assert_eq!(text_of(&far), far.format(TIME).to_string());
    }

    #[test]
    fn a_second_in_the_same_second_is_another_name() {
        let time = NaiveDateTime::parse_from_str("2025-09-13_142530", TIME).expect("a time");
        let name = Name::new("a.db", false, time).next();
        assert_eq!(name.to_string(), "a.db.2025-09-13_142530-2.bak");
        assert_eq!(name.record(), "a.db.2025-09-13_142530-2.bak.json");
        assert_eq!(name.time_text(), "2025-09-13_142530-2");
    }
}

//! Formats bytes, ages, counts and tables for people: the only formatter.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Days, FixedOffset, Months, TimeDelta};

use crate::console::hidden_characters;

/// A size with one decimal in units of 1024, e.g. `160.0 KB`; below 1024 as `512 B`.
#[must_use]
pub(crate) fn size(size_bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if size_bytes < 1024 {
        return format!("{size_bytes} B");
    }
    // One decimal is shown: the precision lost above 2^53 bytes is far below it.
    #[expect(clippy::cast_precision_loss, reason = "one decimal of a size is shown")]
    let mut value = size_bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// Reads a size, e.g. `2GB`, `500 MB` or a plain number of bytes; units of 1024.
///
/// # Errors
///
/// If it is not a size, or more than 2^63 bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let power = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 1,
        "M" | "MB" | "MIB" => 2,
        "G" | "GB" | "GIB" => 3,
        "T" | "TB" | "TIB" => 4,
        _ => bail!("`{text}` is not a size, e.g. `2GB` or `500MB`"),
    };
    let number: f64 = number.parse().with_context(|| format!("`{text}` is not a size"))?;
    let bytes = number * 1024_f64.powi(power);
    if !bytes.is_finite() || bytes >= 9.2e18 {
        bail!("`{text}` is too large");
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "digits have no sign, and the range was checked"
    )]
    let bytes = bytes as u64;
    Ok(bytes)
}

/// An age in its largest whole unit, e.g. `5min` or `3d`; `0s` for the future.
#[must_use]
pub(crate) fn age(age: TimeDelta) -> String {
    let seconds = age.num_seconds().max(0);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}min", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// A time taken, e.g. `23 ms` or `1.2 s`.
#[must_use]
pub(crate) fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

/// A count and its noun, e.g. `1 table`, `7 tables` or `0 indexes`.
#[must_use]
pub(crate) fn count(n: u64, noun: &str) -> String {
    let plural = if noun.ends_with('x') || noun.ends_with('s') { "es" } else { "s" };
    if n == 1 { format!("1 {noun}") } else { format!("{} {noun}{plural}", digits(n)) }
}

/// A number in groups of three, e.g. `4,490,000`.
#[must_use]
pub(crate) fn digits(n: u64) -> String {
    let plain = n.to_string();
    let mut text = String::new();
    for (i, digit) in plain.chars().enumerate() {
        if i > 0 && (plain.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A path as messages show it: relative to the root if it is inside.
#[must_use]
pub(crate) fn path(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).map_or_else(|_| escape(path), escape)
}

/// A path as results show it: as [`path()`], but `./` in front if it is relative.
#[must_use]
pub(crate) fn dotted(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).map_or_else(|_| escape(path), |inside| format!("./{}", escape(inside)))
}

fn escape(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

/// Text from a file or a name made fit for a terminal: characters that nobody sees, and that a terminal
/// obeys, are shown.
#[must_use]
pub(crate) fn plain(text: &str) -> String {
    if !text.chars().any(hidden_characters::is_hidden) {
        return text.to_owned();
    }
    let mut shown = String::new();
    for c in text.chars() {
        if hidden_characters::is_hidden(c) {
            let _ = write!(shown, "{}", c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Like [`plain()`], for text whose tabs belong to its layout.
#[must_use]
pub(crate) fn plain_but_tabs(text: &str) -> String {
    text.split('\t').map(plain).collect::<Vec<_>>().join("\t")
}

/// A word as a shell takes it literally: in quotes if it needs them.
#[must_use]
pub(crate) fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/~@:+".contains(c);
    if !word.is_empty() && !word.starts_with('~') && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The command that shows the owner and the permissions of a file or a folder, to be pasted.
#[must_use]
pub(crate) fn look_at(path: &Path) -> String {
    format!("`ls -ld {}`", shell(&path.to_string_lossy()))
}

/// Text cut to a number of characters, with `…` if something is missing.
#[must_use]
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(width.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

/// Reads a duration, e.g. `500ms`, `5s`, `10m`, `2h` or `1d`.
///
/// # Errors
///
/// If it is none.
pub(crate) fn parse_duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number
        .parse()
        .with_context(|| format!("`{text}` is not a duration, e.g. `5s` or `10m`"))?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => bail!("`{text}` is not a duration, e.g. `5s` or `10m`"),
    };
    milliseconds.map(Duration::from_millis).with_context(|| format!("`{text}` is too long"))
}

/// A span of the calendar, as retention and references count it: `1y5m7d2h`, where `m` is months as
/// in restic, and `min` minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// Calendar months; years are twelve of them.
    pub n_months: u32,
    /// Calendar days; weeks are seven of them.
    pub n_days: u32,
    /// Number of hours.
    pub n_hours: u32,
    /// Minutes.
    pub n_minutes: u32,
    /// Seconds.
    pub n_seconds: u32,
}

impl Span {
    /// The moment this long before another; `None` before the calendar begins.
    #[must_use]
    pub fn before(self, moment: DateTime<FixedOffset>) -> Option<DateTime<FixedOffset>> {
        moment
            .checked_sub_months(Months::new(self.n_months))?
            .checked_sub_days(Days::new(u64::from(self.n_days)))?
            .checked_sub_signed(TimeDelta::hours(i64::from(self.n_hours)))?
            .checked_sub_signed(TimeDelta::minutes(i64::from(self.n_minutes)))?
            .checked_sub_signed(TimeDelta::seconds(i64::from(self.n_seconds)))
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = [
            (self.n_months / 12, "y"),
            (self.n_months % 12, "m"),
            (self.n_days, "d"),
            (self.n_hours, "h"),
            (self.n_minutes, "min"),
            (self.n_seconds, "s"),
        ];
        for (n, unit) in parts {
            if n > 0 {
                write!(f, "{n}{unit}")?;
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for Span {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || format!("`{text}` is not a span of time, e.g. `30d`, `2h` or `1y6m`");
        let mut span = Self::default();
        let mut rest = text.trim();
        if rest.is_empty() {
            bail!(wrong());
        }
        while !rest.is_empty() {
            let at = rest.find(|c: char| !c.is_ascii_digit()).with_context(wrong)?;
            let (number, unit) = rest.split_at(at);
            let number: u32 = number.parse().with_context(wrong)?;
            let (field, factor, length) = match unit.as_bytes() {
                [b'm', b'i', b'n', ..] => (&mut span.n_minutes, 1, 3),
                [b'y', ..] => (&mut span.n_months, 12, 1),
                [b'm', ..] => (&mut span.n_months, 1, 1),
                [b'w', ..] => (&mut span.n_days, 7, 1),
                [b'd', ..] => (&mut span.n_days, 1, 1),
                [b'h', ..] => (&mut span.n_hours, 1, 1),
                [b's', ..] => (&mut span.n_seconds, 1, 1),
                _ => bail!(wrong()),
            };
            let more = number.checked_mul(factor).and_then(|n| field.checked_add(n));
            *field = more.with_context(wrong)?;
            rest = &unit[length..];
        }
        if span == Self::default() {
            bail!("`{text}` is not longer than zero");
        }
        Ok(span)
    }
}

/// A table without borders: columns padded to their widest cell, two spaces between.
#[must_use]
pub(crate) fn table(rows: &[Vec<String>], right_aligned: &[usize]) -> String {
    let mut columns = Columns::default();
    for row in rows {
        columns.measure(row);
    }
    rows.iter().map(|row| columns.line(row, right_aligned) + "\n").collect()
}

/// The widths of a table's columns, for tables too long to be kept: every row is measured first and
/// laid out afterwards.
#[derive(Debug, Default)]
pub(crate) struct Columns(Vec<usize>);

impl Columns {
    /// Makes room for a row.
    pub(crate) fn measure(&mut self, row: &[String]) {
        self.0.resize(self.0.len().max(row.len()), 0);
        for (width, cell) in self.0.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }

    /// Lays out a row that was measured.
    #[must_use]
    pub(crate) fn line(&self, row: &[String], right_aligned: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&self.0).enumerate() {
            let pad = " ".repeat(width.saturating_sub(cell.chars().count()));
            let right = right_aligned.contains(&column);
            let cell = if right { format!("{pad}{cell}") } else { format!("{cell}{pad}") };
            let _ = write!(line, "{}{cell}", if column > 0 { "  " } else { "" });
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KB"),
            (163_840, "160.0 KB"),
            (1_048_575, "1.0 MB"),
            (1_073_741_824, "1.0 GB"),
            (u64::MAX, "16777216.0 TB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (text, bytes) in [("2GB", 2 << 30), ("500 mb", 500 << 20), ("1.5K", 1536), ("7", 7)] {
            assert_eq!(parse_size(text).expect(text), bytes);
        }
        for wrong in ["", "GB", "-1", "2XB", "1.2.3", "99999999999999999999TB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_read_as_restic_reads_them() {
        let span: Span = "1y5m7d2h3min4s".parse().expect("a span");
        assert_eq!(span, Span { n_months: 17, n_days: 7, n_hours: 2, n_minutes: 3, n_seconds: 4 });
        assert_eq!(span.to_string(), "1y5m7d2h3min4s");
        assert_eq!("2w".parse::<Span>().expect("a span").n_days, 14);
        for wrong in ["", "0d", "-3d", "3", "d", "3x", "99999999999d", "3 d"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_ages_and_counts_carry_their_units() {
        assert_eq!(parse_duration("500ms").expect("ok"), Duration::from_millis(500));
        assert_eq!(parse_duration("10m").expect("ok"), Duration::from_mins(10));
        assert!(parse_duration("5").is_err());
        assert!(parse_duration("-5s").is_err());
        assert_eq!(age(TimeDelta::seconds(59)), "59s");
        assert_eq!(age(TimeDelta::hours(47)), "47h");
        assert_eq!(age(TimeDelta::days(-3)), "0s");
        assert_eq!(count(1, "table"), "1 table");
        assert_eq!(count(4_490_000, "index"), "4,490,000 indexes");
        assert_eq!(took(Duration::from_millis(1234)), "1.2 s");
    }

    #[test]
    fn control_characters_from_files_never_reach_the_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(plain("a\u{202e}b\u{200b}"), "a\\u{202e}b\\u{200b}");
    }
}

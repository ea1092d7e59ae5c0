//! Backups in equal spans of time, and values as the paths of a drawing.

use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta};

use crate::serve::documents::backup::Backup;

/// Spans at most.
const MAX_BINS: usize = 48;

/// The drawing's own units; it is stretched to its place.
pub(super) const WIDTH: usize = 480;
pub(super) const HEIGHT: usize = 60;

/// Room above the highest value.
const MARGIN: f64 = 4.0;

/// The backups of one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bin {
    /// Its last day.
    pub(super) until: NaiveDate,
    /// Size of the newest backup.
    pub(super) size_bytes: u64,
    /// Rows in the newest backup.
    pub(super) rows: u64,
    /// Bytes that all of them added to the folder.
    pub(super) new_bytes: u64,
}

/// The backups in equal spans of time, the oldest first. A span without a backup has the values of
/// the one before.
pub(super) fn bins(newest_first: &[Backup]) -> Vec<Bin> {
    let mut backups: Vec<&Backup> = newest_first.iter().filter(|b| b.age_seconds >= 0).collect();
    backups.sort_by_key(|backup| backup.created_at);
    let (Some(first), Some(last)) = (backups.first(), backups.last()) else { return Vec::new() };
    let (from, to) = (first.created_at, last.created_at);
    let n = MAX_BINS.min(backups.len());
    let mut left = backups.iter().peekable();
    let mut bins = Vec::with_capacity(n);
    for i in 1..=n {
        let until = share(from, to - from, i, n);
        let mut bin = Bin {
            until: until.date_naive(),
            new_bytes: 0,
            ..bins.last().cloned().unwrap_or(Bin {
                until: from.date_naive(),
                size_bytes: 0,
                rows: 0,
                new_bytes: 0,
            })
        };
        while let Some(backup) = left.next_if(|backup| i == n || backup.created_at <= until) {
            bin.size_bytes = backup.size_bytes;
            bin.rows = if backup.tables.is_empty() { bin.rows } else { backup.rows() };
            bin.new_bytes += backup.new_bytes();
        }
        bins.push(bin);
    }
    bins
}

/// The end of span `i` of `n`.
fn share(
    from: DateTime<FixedOffset>,
    whole: TimeDelta,
    i: usize,
    n: usize,
) -> DateTime<FixedOffset> {
    let (i, n) = (i64::try_from(i).unwrap_or(0), i64::try_from(n).unwrap_or(1));
    from + TimeDelta::seconds(whole.num_seconds() * i / n)
}

/// The values as a line.
pub(super) fn line(values: &[u64]) -> String {
    let mut path = String::new();
    for (i, (x, y)) in points(values).into_iter().enumerate() {
        let _ = write!(path, "{}{x:.0} {y:.1}", if i == 0 { 'M' } else { 'L' });
    }
    path
}

/// The values as the area under the line.
pub(super) fn area(values: &[u64]) -> String {
    if values.is_empty() {
        return String::new();
    }
    format!("{}L{WIDTH} {HEIGHT}L0 {HEIGHT}Z", line(values))
}

/// The values as bars.
pub(super) fn bars(values: &[u64]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a position on a screen")]
    let width = WIDTH as f64 / values.len().max(1) as f64;
    let mut path = String::new();
    let mut x = width * 0.15;
    for (_, y) in points(values) {
        let _ = write!(path, "M{x:.1} {HEIGHT}V{y:.1}h{:.1}V{HEIGHT}Z", width * 0.7);
        x += width;
    }
    path
}

/// Places of the values: 0 is at the bottom, the highest near the top.
#[expect(clippy::cast_precision_loss, reason = "positions on a screen")]
fn points(values: &[u64]) -> Vec<(f64, f64)> {
    let highest = values.iter().copied().max().unwrap_or(0).max(1) as f64;
    let (width, height) = (WIDTH as f64, HEIGHT as f64);
    let step = width / (values.len().max(2) - 1) as f64;
    let y = |value: u64| height - value as f64 / highest * (height - MARGIN);
    let mut points: Vec<_> =
        values.iter().enumerate().map(|(i, value)| (i as f64 * step, y(*value))).collect();
    if let [(_, y)] = points[..] {
        points.push((width, y));
    }
    points
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn backup(day: u32, size: u64) -> Backup {
        serde_json::from_value(json!({
            "name": format!("{day}"), "created_at": format!("2026-11-{day:02}T12:00:00Z"),
            "size_bytes": size, "state": "verified", "tables": { "a": size, "b": null },
        }))
        .unwrap()
    }

    #[test]
    fn a_span_has_its_newest_size_and_the_sum_of_what_was_added() {
        let backups = [backup(30, 40), backup(2, 20), backup(1, 10)];
        let bins = bins(&backups);
        let sizes: Vec<_> =
            bins.iter().map(|bin| (bin.size_bytes, bin.rows, bin.new_bytes)).collect();
        assert_eq!(sizes, [(20, 20, 30), (20, 20, 0), (40, 40, 40)]);
        assert_eq!(bins[2].until.to_string(), "2026-11-30");
    }

    #[test]
    fn there_are_no_spans_without_backups() {
        assert!(bins(&[]).is_empty());
        assert_eq!(bins(&[backup(1, 5)]).len(), 1);
    }

    #[test]
    fn zero_is_at_the_bottom_and_the_highest_value_near_the_top() {
        assert_eq!(line(&[0, 50, 100]), "M0 60.0L240 32.0L480 4.0");
        assert_eq!(area(&[0, 100]), "M0 60.0L480 4.0L480 60L0 60Z");
        assert_eq!(line(&[7]), "M0 4.0L480 4.0");
        assert_eq!(bars(&[0, 100]), "M36.0 60V60.0h168.0V60ZM276.0 60V4.0h168.0V60Z");
        assert_eq!(line(&[]), "");
    }
}

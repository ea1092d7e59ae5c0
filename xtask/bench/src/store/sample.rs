//! One timed deed: how long, how much memory, how much room.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::measurement::{self, Run, median_min_max};
use crate::store::folder;

/// The costs of one step of one program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) run: Run,
    /// Of the `.backup` that it read, if it needs one.
    pub(super) copying: Option<Duration>,
    /// Of the keeper's folder afterwards, by the blocks in use.
    pub(super) disk_bytes: u64,
    /// By how much that is more than before.
    pub(super) grown_bytes: i64,
    /// What the kernel counted as written to files, kept or not; `None` if it does not count.
    pub(super) written_bytes: Option<u64>,
}

impl Sample {
    /// Runs a command that keeps what it keeps in a folder.
    pub(super) fn take(command: &mut Command, folder: &Path, log: &Path) -> Result<Self> {
        let disk_before = folder::disk_bytes(folder)?;
        let written_before = written();
        let run = measurement::run(command, None, log)?;
        let written_bytes = written().zip(written_before).map(|(after, before)| after - before);
        let disk_bytes = folder::disk_bytes(folder)?;
        let grown_bytes = disk_bytes.cast_signed() - disk_before.cast_signed();
        Ok(Self { run, copying: None, disk_bytes, grown_bytes, written_bytes })
    }

    /// From the live database to the end.
    pub(super) fn wall(&self) -> Duration {
        self.run.wall + self.copying.unwrap_or_default()
    }
}

/// What this process and the children it waited for have written, by Linux's own count
/// (<https://man7.org/linux/man-pages/man5/proc_pid_io.5.html>).
fn written() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/self/io").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes:"))?;
    line.trim().parse().ok()
}

/// What the samples of one deed have in common; there is at least one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    pub(super) median: Duration,
    pub(super) min: Duration,
    pub(super) max: Duration,
    /// Without the `.backup` before it; `None` if it needs none.
    pub(super) alone: Option<Duration>,
    pub(super) peak_bytes: u64,
    /// Of the second and later ones, or of the only one.
    pub(super) grown_bytes: i64,
    pub(super) written_bytes: Option<u64>,
}

impl Summary {
    /// `None` of no samples.
    pub(super) fn of(samples: &[Sample]) -> Option<Self> {
        let (median, min, max) = median_min_max(samples.iter().map(Sample::wall))?;
        let (alone, ..) = median_min_max(samples.iter().map(|sample| sample.run.wall))?;
        let (.., peak_bytes) = median_min_max(samples.iter().map(|sample| sample.run.peak_bytes))?;
        let later = if samples.len() > 1 { &samples[1..] } else { samples };
        let (grown_bytes, ..) = median_min_max(later.iter().map(|sample| sample.grown_bytes))?;
        let written = median_min_max(later.iter().filter_map(|sample| sample.written_bytes));
        Some(Self {
            median,
            min,
            max,
            alone: samples.iter().any(|sample| sample.copying.is_some()).then_some(alone),
            peak_bytes,
            grown_bytes,
            written_bytes: written.map(|(median, ..)| median),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: u64, grown_bytes: i64) -> Sample {
        let wall = Duration::from_millis(milliseconds);
        let run = Run { wall, cpu: wall, peak_bytes: milliseconds };
        Sample { run, copying: None, disk_bytes: 0, grown_bytes, written_bytes: None }
    }

    #[test]
    fn growth_is_that_of_the_later_ones_and_time_includes_the_copy() {
        assert!(Summary::of(&[]).is_none());
        let mut samples = [sample(900, 5000), sample(100, 10), sample(200, 30), sample(300, 20)];
        for sample in &mut samples {
            sample.copying = Some(Duration::from_secs(1));
        }
        let summary = Summary::of(&samples).expect("samples");
        assert_eq!(summary.grown_bytes, 20);
        assert_eq!(summary.median, Duration::from_millis(1300));
        assert_eq!(summary.alone, Some(Duration::from_millis(300)));
        assert_eq!((summary.peak_bytes, summary.written_bytes), (900, None));
        assert_eq!(Summary::of(&samples[..1]).expect("one").grown_bytes, 5000);
    }
}

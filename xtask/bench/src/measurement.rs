//! One timed run of a program, and what many of them have in common.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fs_err::File;
use wait4::Wait4;

use crate::interrupt;

/// The costs of one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// From the start of the program to the end, and of the sync if one was asked for.
    pub(super) wall: Duration,
    /// Of all its threads, in its own code and in the kernel's.
    pub(super) cpu: Duration,
    /// The kernel's high-water mark of its resident memory.
    ///
    /// Some kernels pass the mark of the starting process on to the program; the report mentions
    /// values that cannot be measured for that reason.
    pub(super) peak_bytes: u64,
}

/// Runs a program to the end, and then syncs a file it wrote, if one is named. Its output goes to a
/// file, and from there into the error if it fails.
pub(super) fn run(command: &mut Command, sync: Option<&Path>, log: &Path) -> Result<Run> {
    let said = File::create(log)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said.into_parts().0);
    let name = command.get_program().to_string_lossy().into_owned();
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("could not start `{name}`"))?;
    let used = child.wait4().with_context(|| format!("could not wait for `{name}`"))?;
    if let Some(path) = sync {
        File::open(path)?.sync_all()?;
    }
    let wall = start.elapsed();
    interrupt::check()?;
    ensure!(
        used.status.success(),
        "`{name}` ended with {}: {}",
        used.status,
        fs_err::read_to_string(log)?.trim()
    );
    Ok(Run { wall, cpu: used.rusage.utime + used.rusage.stime, peak_bytes: used.rusage.maxrss })
}

/// The median, lowest and highest of some values; `None` of none. Of an even number the median is
/// the upper middle one, so that it is always a value that was measured.
pub(super) fn median_min_max<T: Copy + Ord>(values: impl Iterator<Item = T>) -> Option<(T, T, T)> {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    let median = *values.get(values.len() / 2)?;
    Some((median, *values.first()?, *values.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_value_that_was_measured() {
        for (values, expected) in [
            (vec![], None),
            (vec![7], Some((7, 7, 7))),
            (vec![9, 1], Some((9, 1, 9))),
            (vec![5, 1, 100], Some((5, 1, 100))),
        ] {
            assert_eq!(median_min_max(values.iter().copied()), expected);
        }
    }
}

//! The log of the runs: a line with its time for each line that a run prints. It rotates: two files of at most 256 KiB.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::Result;
use fs_err::os::unix::fs::OpenOptionsExt as _;

use crate::files::publish;
use crate::schedule::home::Home;

/// The name of the newer file.
pub(crate) const FILE: &str = "log";
/// The name of the older one.
const OLDER: &str = "log.1";
/// Size at which a new file is begun.
const MAX_BYTES: u64 = 256 << 10;

/// Opens the log for a run, to append to it.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn open(home: &Home) -> Result<fs_err::File> {
    let path = home.file(FILE);
    let is_full = fs_err::metadata(&path).is_ok_and(|file| file.len() >= MAX_BYTES);
    if is_full {
        publish::move_to(&path, &home.file(OLDER))?;
    }
    Ok(fs_err::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?)
}

/// Appends lines, each with a time. The log is for people who look for a cause: that it cannot be written, e.g. because
/// the disk is full, stops no run.
pub(crate) fn append(mut file: &fs_err::File, time: &str, printed: &str) {
    let lines = printed.lines().filter(|line| !line.trim().is_empty());
    let mut text = String::new();
    for line in lines {
        let _ = writeln!(text, "{time} {line}");
    }
    let _ = file.write_all(text.as_bytes());
}

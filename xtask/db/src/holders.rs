//! Who has a file open, where the system can tell (Linux: `/proc`). For messages; where safety
//! depends on it, only a complete view counts. A process in another container is never seen.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A process that has the file or one of its sidecars open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// What was seen of the other processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holders {
    /// Those that have it open.
    pub(crate) seen: Vec<Holder>,
    /// Whether every process could be looked at; another user's cannot.
    pub(crate) complete: bool,
}

/// The other processes that have a database or its WAL open; `None` where the system cannot tell.
#[must_use]
pub(crate) fn of(path: &Path) -> Option<Holders> {
    let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let wanted: Vec<(u64, u64)> = ["", "-wal", "-shm"]
        .iter()
        .filter_map(|suffix| {
            let mut path = path.as_os_str().to_owned();
            path.push(suffix);
            let metadata = fs_err::metadata(Path::new(&path)).ok()?;
            Some((metadata.dev(), metadata.ino()))
        })
        .collect();
    let mut holders = Holders { seen: Vec::new(), complete: true };
    for process in fs_err::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        if pid == std::process::id() {
            continue;
        }
        match holds(&process.path(), &wanted) {
            Some(true) => holders.seen.extend(holder(&process.path())),
            Some(false) => {}
            None => holders.complete = false,
        }
    }
    Some(holders)
}

/// The other processes that still have a file open which was deleted at this path: what they write
/// goes nowhere, and what they read is the last that is left of it.
#[must_use]
pub(crate) fn of_deleted(path: &Path) -> Vec<Holder> {
    let wanted = format!("{} (deleted)", path.display());
    let has_it = |process: &Path| {
        let descriptors = fs_err::read_dir(process.join("fd")).into_iter().flatten().flatten();
        descriptors.into_iter().any(|descriptor| {
            fs_err::read_link(descriptor.path()).is_ok_and(|link| link.to_string_lossy() == wanted)
        })
    };
    let processes = fs_err::read_dir("/proc").into_iter().flatten().flatten();
    let with_it = processes.filter(|process| has_it(&process.path()));
    with_it.filter_map(|process| holder(&process.path())).collect()
}

fn holder(process: &Path) -> Option<Holder> {
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    let name = fs_err::read_to_string(process.join("comm")).unwrap_or_default();
    Some(Holder { pid, name: crate::text::plain(name.trim()) })
}

/// Whether a process has one of the files open; `None` where that is not ours to see.
fn holds(process: &Path, wanted: &[(u64, u64)]) -> Option<bool> {
    let descriptors = match fs_err::read_dir(process.join("fd")) {
        Ok(descriptors) => descriptors,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        // It ended while we looked.
        Err(_) => return Some(false),
    };
    Some(descriptors.flatten().any(|descriptor| {
        fs_err::metadata(descriptor.path())
            .is_ok_and(|metadata| wanted.contains(&(metadata.dev(), metadata.ino())))
    }))
}

/// `: backend (process 4711) has it open`, or nothing.
#[must_use]
pub(crate) fn sentence(path: &Path) -> String {
    sentence_of(&of(path).map(|holders| holders.seen).unwrap_or_default())
}

/// The same of holders that are known.
#[must_use]
pub(crate) fn sentence_of(holders: &[Holder]) -> String {
    let names: Vec<_> =
        holders.iter().map(|h| format!("`{}` (process {})", h.name, h.pid)).collect();
    match names.len() {
        0 => String::new(),
        1 => format!(": {} has it open", names[0]),
        _ => format!(": {} have it open", names.join(", ")),
    }
}

//! The lock file beside a database: who holds it, and where the note of what is under way is.

use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::console::text;
use crate::files::holders;

const SUFFIX: &str = "-xtask-lock";
/// A lock file names a process, a command and a path; a larger file is not ours.
const MAX_BYTES: u64 = 16 << 10;

/// The content of a lock file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// The process and the command, in words.
    pub(super) who: String,
    /// Path of the note of the step that is under way.
    pub(super) note: Option<PathBuf>,
}

impl Said {
    pub(super) fn read(file: &fs_err::File) -> Option<Self> {
        let mut bytes = Vec::new();
        file.file().take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Self::parse(&bytes)
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (pid, command) = std::str::from_utf8(&bytes[..end]).ok()?.split_once(' ')?;
        let pid: u32 = pid.parse().ok()?;
        let who = format!(": `{}` (process {pid})", text::plain(command));
        let note = bytes.get(end + 1..).filter(|rest| !rest.is_empty());
        let note = note.map(|rest| PathBuf::from(std::ffi::OsString::from_vec(rest.to_vec())));
        Some(Self { who, note: note.filter(|path| path.is_absolute()) })
    }
}

/// The path of the note, according to the lock file beside a database; creates nothing and takes no
/// lock.
#[must_use]
pub(crate) fn note_of(database: &Path) -> Option<PathBuf> {
    let path = beside(database);
    let metadata = fs_err::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    let file = fs_err::File::open(&path).ok().filter(|_| metadata.len() <= MAX_BYTES)?;
    Said::read(&file)?.note
}

/// The holder of a lock file: according to the file itself, else to the system.
pub(super) fn holder(path: &Path) -> String {
    let said = fs_err::File::open(path).ok().and_then(|file| Said::read(&file));
    said.map(|said| said.who)
        .or_else(|| {
            let holder = holders::of_lock(path)?;
            Some(format!(": `{}` (process {})", holder.name, holder.pid))
        })
        .unwrap_or_default()
}

/// The path of the lock file of a database.
pub(super) fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(SUFFIX);
    PathBuf::from(path)
}

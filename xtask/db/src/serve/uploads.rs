//! Files that are sent in pieces to be imported. A cut costs at most one piece: the next one goes on at the offset that
//! is there.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use axum::http::StatusCode;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::{Deserialize, Serialize};

use crate::console::text;
use crate::files::{free_space, publish, whole_files};
use crate::serve::keys::Key;
use crate::serve::problem::Problem;

/// After this time without a new piece, an upload is removed.
const MAX_AGE: Duration = Duration::from_hours(24);
/// What stays free on the disk.
const RESERVE_BYTES: u64 = 256 << 20;

/// The folder of the uploads.
#[derive(Debug)]
pub(crate) struct Uploads {
    folder: PathBuf,
}

/// An upload, and how much of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Upload {
    /// Its id.
    pub(crate) id: String,
    /// The name of the file on the other side; never a path here.
    pub(crate) name: String,
    /// The size of the whole file.
    pub(crate) size_bytes: u64,
    /// How much of it is there.
    #[serde(default)]
    pub(crate) offset_bytes: u64,
}

/// An upload that a piece is written to; nobody else can.
#[derive(Debug)]
pub(crate) struct Writer {
    file: fs_err::File,
    /// The upload as it is by now.
    pub(crate) upload: Upload,
}

impl Writer {
    /// Appends a part of the piece.
    ///
    /// # Errors
    ///
    /// 409 if it is more than was announced; a failure if the disk is full.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let end = self.upload.offset_bytes + bytes.len() as u64;
        if end > self.upload.size_bytes {
            let announced = self.upload.size_bytes;
            return Err(conflict(format!("the piece ends behind the announced {announced} bytes")));
        }
        self.file.write_all(bytes).map_err(anyhow::Error::from)?;
        self.upload.offset_bytes = end;
        Ok(())
    }
}

fn conflict(what: String) -> Problem {
    Problem::new(StatusCode::CONFLICT, what, "ask for the offset, and go on there")
}

impl Uploads {
    /// Opens the folder, and removes what was given up.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub(crate) fn open(folder: PathBuf) -> Result<Self> {
        publish::create_folders(&folder)?;
        fs_err::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        let uploads = Self { folder };
        uploads.sweep();
        Ok(uploads)
    }

    /// How large an upload may be now.
    #[must_use]
    pub(crate) fn max_bytes(&self) -> u64 {
        // The import writes a database of about that size, perhaps on the same disk.
        let free = free_space::free_bytes(&self.folder).unwrap_or(0);
        free.saturating_sub(RESERVE_BYTES) / 2
    }

    /// Announces an upload.
    ///
    /// # Errors
    ///
    /// 413 with the limit if it is too large.
    pub(crate) fn begin(&self, name: String, size_bytes: u64) -> Result<Upload, Problem> {
        self.sweep();
        let max_bytes = self.max_bytes();
        if size_bytes > max_bytes {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the file has {}, and at most {} fit here",
                    text::size(size_bytes),
                    text::size(max_bytes)
                ),
                "free some space, or import the file in a terminal",
            ));
        }
        let id = Key::random()?.digits().to_owned();
        let upload = Upload { id, name, size_bytes, offset_bytes: 0 };
        let file = fs_err::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.part(&upload.id));
        file.map_err(anyhow::Error::from)?;
        let record = serde_json::to_vec(&upload).map_err(anyhow::Error::from)?;
        whole_files::replace_file(&self.record(&upload.id), &record, 0o600)?;
        Ok(upload)
    }

    /// An upload as it is now.
    ///
    /// # Errors
    ///
    /// 404 if there is none of this id.
    pub(crate) fn get(&self, id: &str) -> Result<Upload, Problem> {
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let read = || -> Option<Upload> {
            let record = fs_err::read(self.record(id)).ok()?;
            let offset_bytes = fs_err::metadata(self.part(id)).ok()?.len();
            Some(Upload { offset_bytes, ..serde_json::from_slice(&record).ok()? })
        };
        is_id.then(read).flatten().ok_or_else(|| {
            Problem::new(StatusCode::NOT_FOUND, "there is no such upload", "begin it again")
        })
    }

    /// Opens an upload for its next piece, which begins at `offset_bytes`.
    ///
    /// # Errors
    ///
    /// 404 if there is none of this id; 409 if another piece is on its way, or is expected.
    pub(crate) fn writer(&self, id: &str, offset_bytes: u64) -> Result<Writer, Problem> {
        self.get(id)?;
        let file = fs_err::OpenOptions::new().append(true).open(self.part(id));
        let file = file.map_err(anyhow::Error::from)?;
        if file.file().try_lock().is_err() {
            return Err(conflict("another piece of this upload is on its way".to_owned()));
        }
        let upload = self.get(id)?;
        if upload.offset_bytes != offset_bytes {
            return Err(conflict(format!("the next piece begins at {}", upload.offset_bytes)));
        }
        Ok(Writer { file, upload })
    }

    /// The file of an upload that is whole.
    ///
    /// # Errors
    ///
    /// 404 if there is none of this id, 409 if a part of it is missing.
    pub(crate) fn whole(&self, id: &str) -> Result<PathBuf, Problem> {
        let upload = self.get(id)?;
        if upload.offset_bytes != upload.size_bytes {
            return Err(Problem::new(
                StatusCode::CONFLICT,
                format!("{} of {} bytes are there", upload.offset_bytes, upload.size_bytes),
                "send the rest, from that offset on",
            ));
        }
        Ok(self.part(id))
    }

    fn part(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.part"))
    }

    fn record(&self, id: &str) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn sweep(&self) {
        let is_old = |path: &Path| {
            let modified = fs_err::metadata(path).and_then(|metadata| metadata.modified());
            modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > MAX_AGE))
        };
        let files = fs_err::read_dir(&self.folder).into_iter().flatten().flatten();
        for part in files
            .map(|file| file.path())
            .filter(|path| path.extension().is_some_and(|e| e == "part"))
        {
            if is_old(&part) {
                // What cannot be removed now is removed another time.
                let _ = publish::remove(&part);
                let _ = publish::remove(&part.with_extension("json"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_goes_on_where_it_was_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let uploads = Uploads::open(folder.path().join("uploads")).expect("a folder");
        let upload = uploads.begin("../../rows.jsonl".to_owned(), 6).expect("room");
        let mut first = uploads.writer(&upload.id, 0).expect("the first piece");
        first.append(b"abc").expect("appended");
        assert_eq!(uploads.writer(&upload.id, 3).expect_err("not at once").status, 409);
        drop(first);
        assert_eq!(uploads.whole(&upload.id).expect_err("a part").status, 409);
        assert_eq!(uploads.writer(&upload.id, 0).expect_err("not twice").status, 409);
        let mut second = uploads.writer(&upload.id, 3).expect("the second piece");
        assert_eq!(second.append(b"defg").expect_err("too much").status, 409);
        second.append(b"def").expect("appended");
        let path = uploads.whole(&upload.id).expect("whole");
        assert_eq!(fs_err::read(path).expect("a file"), b"abcdef");
        for wrong in ["", "../x", "00000000000000000000000000000000"] {
            assert_eq!(uploads.get(wrong).expect_err("unknown").status, 404, "{wrong}");
        }
        assert_eq!(uploads.begin("x".to_owned(), u64::MAX).expect_err("too large").status, 413);
    }
}

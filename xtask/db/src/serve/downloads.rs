//! The file of a backup for a download. A plain backup is sent as it is; a stored one is put together first.

use std::io::{Read, Seek as _, SeekFrom};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use anyhow::Result;
use axum::http::StatusCode;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;
use serde_json::Value;

use crate::files::publish;
use crate::serve::child::Program;
use crate::serve::keys::Key;
use crate::serve::problem::Problem;

/// Where backups are, and where stored ones are put together.
#[derive(Debug)]
pub(crate) struct Downloads {
    backups: PathBuf,
    scratch: PathBuf,
}

/// A file that is sent.
#[derive(Debug)]
pub(crate) struct Download {
    file: fs_err::File,
    /// Its size.
    pub(crate) size_bytes: u64,
    /// Its content as the record has it, in quotes.
    pub(crate) etag: String,
    /// The name that it is saved under.
    pub(crate) file_name: String,
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its first byte.
    pub(crate) offset_bytes: u64,
    /// Its size.
    pub(crate) n_bytes: u64,
    /// Whether a range was asked for.
    pub(crate) is_partial: bool,
}

impl Downloads {
    /// Opens the scratch folder, and removes what an earlier server left.
    ///
    /// # Errors
    ///
    /// If it cannot be created.
    pub(crate) fn open_scratch(backups: PathBuf, scratch: PathBuf) -> Result<Self> {
        if scratch.is_dir() {
            publish::remove_tree(&scratch)?;
        }
        publish::create_folders(&scratch)?;
        fs_err::set_permissions(&scratch, std::fs::Permissions::from_mode(0o700))?;
        Ok(Self { backups, scratch })
    }

    /// Opens the file of a listed backup. A link in the backups folder is not followed.
    ///
    /// # Errors
    ///
    /// A problem if the backup is gone, cannot be put together, or is a dump of a server.
    pub(crate) fn open(&self, program: &Program, backup: &Value) -> Result<Download, Problem> {
        let name = backup["name"].as_str().unwrap_or_default();
        let hash = backup["blake3"].as_str().unwrap_or(name);
        let is_plain = std::path::Path::new(name).extension().is_some_and(|it| it == "bak");
        let path =
            if is_plain { self.backups.join(name) } else { self.put_together(program, name)? };
        let mut options = fs_err::OpenOptions::new();
        let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = options.read(true).custom_flags(no_links).open(&path);
        if !is_plain {
            // The open file stays until it was sent.
            publish::remove(&path)?;
        }
        let file = file.map_err(|_| {
            Problem::new(
                StatusCode::CONFLICT,
                format!("the file of `{name}` cannot be read"),
                "verify the backup",
            )
        })?;
        let size_bytes = file.metadata().map_err(anyhow::Error::from)?.len();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        Ok(Download {
            file,
            size_bytes,
            etag: format!("\"{hash}\""),
            file_name: format!("{stem}.db"),
        })
    }

    fn put_together(&self, program: &Program, name: &str) -> Result<PathBuf, Problem> {
        let path = self.scratch.join(format!("{}.db", Key::random()?.digits()));
        program.ask(&["db-restore", name, &format!("--into={}", path.display()), "--yes"])?;
        Ok(path)
    }
}

impl Download {
    /// The bytes of a part.
    ///
    /// # Errors
    ///
    /// If the file cannot be read there.
    pub(crate) fn part(&self, part: &Part) -> Result<impl Read + use<>> {
        let mut file = self.file.file().try_clone()?;
        file.seek(SeekFrom::Start(part.offset_bytes))?;
        Ok(file.take(part.n_bytes))
    }
}

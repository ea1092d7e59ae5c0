//! Receives an export's bytes: a pipe, a staged file, or a staged folder. A stage gets its name
//! only when all of it is on the disk. A pipe gets the last bytes only when everything is right: what ended early lacks
//! the proof (JSONL), the closing brackets (JSON), or the COMMIT (SQL), and the last row of CSV is cut.

use std::io::{BufRead as _, BufReader, Seek as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xtask_db_format::Outlet;

use crate::commands::export::destination::{Destination, Naming};
use crate::console::refusal::Refusal;
use crate::console::text;
use crate::files::early_sync::Ahead;
use crate::files::publish::{self, Published};
use crate::files::stage::{self, Scratch, Stage};
use crate::host::session::Session;

/// So many bytes are held back from a pipe: more than what ends an SQL export, from its COMMIT on.
const HELD_BYTES: usize = 64;

/// The destination of the bytes.
pub(super) enum Output<'s> {
    /// Into the pipe, and the bytes that are held back.
    Stdout(&'s mut Session, Vec<u8>),
    /// Into a file.
    File(Stage, Ahead),
    /// Into a folder, and the file in it that is being written.
    Folder(Scratch, Option<Stage>),
}

impl Destination {
    /// Begins to write there, under another name.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written.
    pub(super) fn open<'s>(&self, session: &'s mut Session) -> Result<Output<'s>> {
        let Self::Path { path, is_folder, .. } = self else {
            return Ok(Output::Stdout(session, Vec::new()));
        };
        let folder = path.parent().context("the path does not name a file")?;
        let name = path.file_name().context("the path does not name a file")?.to_string_lossy();
        stage::sweep_dead_stages(folder, &name)?;
        if *is_folder {
            return Ok(Output::Folder(Scratch::create(folder, &name)?, None));
        }
        Ok(Output::File(Stage::create(folder, &name)?, Ahead::default()))
    }
}

/// Result of writing an export.
pub(super) struct Written {
    /// The name it got.
    pub path: PathBuf,
    pub how: How,
}

/// Whether anything changed there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// It was written, perhaps in place of an earlier one.
    New,
    /// A file of the same content already existed and was left as it is.
    Unchanged,
}

impl Outlet for Output<'_> {
    fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Stdout(session, held) => {
                let n_held = bytes.len().min(HELD_BYTES);
                let (on, held_now) = bytes.split_at(bytes.len() - n_held);
                let n_before = held.len().saturating_sub(HELD_BYTES - n_held);
                let before: Vec<u8> = held.drain(..n_before).collect();
                held.extend_from_slice(held_now);
                pour(session, &before)?;
                pour(session, on)
            }
            Self::File(stage, ahead) => {
                stage.append(bytes)?;
                ahead.appended(stage, bytes.len());
                Ok(())
            }
            Self::Folder(_, Some(stage)) => stage.append(bytes),
            Self::Folder(_, None) => Ok(()),
        }
    }

    fn begin_file(&mut self, name: &str) -> Result<()> {
        if let Self::Folder(scratch, current) = self {
            let next = scratch.stage(name)?;
            if let Some(last) = current.replace(next) {
                last.keep()?;
            }
        }
        Ok(())
    }
}

impl Output<'_> {
    /// Gives it its name, once all of it is on the disk; returns that, if it has one.
    ///
    /// # Errors
    ///
    /// If the disk reports an error; a refusal if the name was taken meanwhile.
    pub(super) fn publish(self, destination: &Destination) -> Result<Option<Written>> {
        if let Self::Stdout(session, held) = self {
            pour(session, &held)?;
            return Ok(None);
        }
        let Destination::Path { path, naming, .. } = destination else {
            return Ok(None);
        };
        let published = match self {
            Self::Stdout(..) => return Ok(None),
            Self::File(stage, _) if *naming == Naming::Renewing && is_equal(&stage, path)? => {
                return Ok(Some(Written { path: path.clone(), how: How::Unchanged }));
            }
            Self::File(stage, ahead) => {
                ahead.finish()?;
                stage.sync()?;
                match naming {
                    Naming::Replacing | Naming::Renewing => {
                        stage.replace(path)?;
                        path.clone()
                    }
                    _ => named(path, *naming, |to| stage.publish(to))?,
                }
            }
            Self::Folder(scratch, last) => {
                last.map(Stage::keep).transpose()?;
                named(path, *naming, |to| scratch.publish(to))?
            }
        };
        publish::sync_folder(published.parent().context("the path does not name a file")?)?;
        Ok(Some(Written { path: published, how: How::New }))
    }
}

fn pour(session: &mut Session, bytes: &[u8]) -> Result<()> {
    session.pour(bytes).context("could not write the export")
}

/// Whether a stage contains the bytes of a file.
fn is_equal(stage: &Stage, path: &Path) -> Result<bool> {
    let earlier = fs_err::File::open(path)?;
    if earlier.metadata()?.len() != stage.file().metadata()?.len() {
        return Ok(false);
    }
    stage.file().file().rewind()?;
    let (mut new, mut earlier) = (BufReader::new(stage.file()), BufReader::new(earlier));
    loop {
        let (a, b) = (new.fill_buf()?, earlier.fill_buf()?);
        let n_bytes = a.len().min(b.len());
        if a[..n_bytes] != b[..n_bytes] {
            return Ok(false);
        }
        if n_bytes == 0 {
            return Ok(true);
        }
        new.consume(n_bytes);
        earlier.consume(n_bytes);
    }
}

/// Publishes under a name, or the next one that is free.
fn named(
    path: &Path,
    naming: Naming,
    publish: impl Fn(&Path) -> Result<Published>,
) -> Result<PathBuf> {
    let mut ordinal = 1;
    loop {
        let to = if ordinal == 1 { path.to_owned() } else { numbered(path, ordinal) };
        if publish(&to)? == Published::Yes {
            return Ok(to);
        }
        if naming != Naming::Next {
            return Err(Refusal::could_not(
                format!("`{}` exists now", text::plain(&to.to_string_lossy())),
                "choose another path",
            ));
        }
        ordinal += 1;
    }
}

/// `kalito.2025-09-13_142530-2.jsonl`.
fn numbered(path: &Path, ordinal: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{ordinal}.{ending}"))
}

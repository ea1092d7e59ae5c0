//! The source of a restore: the backup, or a private copy of it with the page size of the live
//! database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::backups::reader::Contents;
use crate::backups::writer::Locked;
use crate::capture;
use crate::console::interrupt::Interrupt;
use crate::files::stage::Stage;
use crate::restore::plan::Plan;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::digest::page_source::{OfFile, Wanted};
use crate::sqlite::examination::finding::{Depth, Weight, has};
use crate::sqlite::{connection, examination};

/// A backup as it was taken.
pub(crate) struct Original<'a> {
    /// Its bytes.
    pub(crate) contents: Contents,
    /// The ids of its groups, as far as they are known.
    pub(crate) ids: Groups,
    /// The hash of its content.
    pub(crate) content_blake3: &'a str,
}

/// The pages as the live database takes them, kept until the restore is proved.
pub(crate) struct Source {
    pages: Pages,
    /// The hash of their content.
    pub(crate) content_blake3: String,
}

enum Pages {
    AsTaken(Contents, Groups),
    Converted(Stage),
}

impl Source {
    /// The backup itself, or its private copy with the page size of the live database.
    ///
    /// # Errors
    ///
    /// If the copy cannot be created.
    pub(crate) fn prepare(
        plan: &Plan,
        original: Original<'_>,
        locked: &Locked<'_>,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Self> {
        let Original { contents, ids, content_blake3 } = original;
        let Some(page_size_bytes) = plan.convert_to_bytes else {
            let content_blake3 = content_blake3.to_owned();
            return Ok(Self { pages: Pages::AsTaken(contents, ids), content_blake3 });
        };
        let stage = locked.stage(&plan.backup.name)?;
        contents.copy_into(&stage, interrupt)?;
        convert(&stage, page_size_bytes, interrupt)?;
        let connection = connection::open_immutable(stage.path())?;
        let folder = locked.vault().folder();
        let content_blake3 = capture::content_hash(&connection, folder, interrupt)?;
        Ok(Self { pages: Pages::Converted(stage), content_blake3 })
    }

    /// The pages, for a restore by difference.
    pub(crate) fn wanted(&self) -> Result<Box<dyn Wanted + '_>> {
        match &self.pages {
            Pages::AsTaken(contents, ids) => contents.wanted(ids.clone()),
            Pages::Converted(stage) => Ok(Box::new(OfFile::open(stage.path(), Groups::default())?)),
        }
    }

    /// Passes on a plain file of them, for the backup API; it may be made for that.
    pub(crate) fn with_file<T>(
        &self,
        interrupt: &Interrupt,
        act: impl FnOnce(&Path) -> Result<T>,
    ) -> Result<T> {
        match &self.pages {
            Pages::AsTaken(contents, _) => act(contents.file(interrupt)?.path()),
            Pages::Converted(stage) => act(stage.path()),
        }
    }
}

/// Gives a private copy another page size, and examines it.
fn convert(stage: &Stage, page_size_bytes: u64, interrupt: &Interrupt) -> Result<()> {
    let connection = connection::open_or_create(stage.path(), Duration::ZERO)?;
    {
        let _watched = interrupt.watch(&connection);
        connection.execute_batch(&format!(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
             PRAGMA page_size={page_size_bytes}; VACUUM;"
        ))?;
    }
    connection.close().map_err(|(_, error)| error)?;
    let findings = examination::examine(stage.path(), Depth::Quick, interrupt)?.findings;
    anyhow::ensure!(
        !has(&findings, Weight::Structural),
        "the converted copy failed its examination"
    );
    Ok(())
}

//! Starts writeback while a large file is being written, so that the final sync has little left to
//! do.

use std::io;
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use crate::files::stage::Stage;

/// Bytes after which another part is written back. Smaller files need no thread.
const PART_BYTES: u64 = 32 << 20;

/// Writes the parts of one stage back to the disk.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    n_bytes: u64,
    /// Channel to start a part, and the thread that waits for them.
    thread: Option<(SyncSender<()>, JoinHandle<io::Result<()>>)>,
}

impl Ahead {
    /// Takes note of bytes that were appended.
    pub(crate) fn appended(&mut self, stage: &Stage, n_bytes: usize) {
        let before = self.n_bytes / PART_BYTES;
        self.n_bytes += n_bytes as u64;
        if self.n_bytes / PART_BYTES == before {
            return;
        }
        // Without a thread the sync at the end has all to do.
        self.thread = self.thread.take().or_else(|| start(stage).ok());
        if let Some((parts, _)) = &self.thread {
            // If the last part still is on its way, the next announcement is for both.
            let _ = parts.try_send(());
        }
    }

    /// Waits for the parts that are being written. The stage itself still has to be synced.
    ///
    /// # Errors
    ///
    /// If the disk reported an error, which it does only once: the later sync would not see it.
    pub(crate) fn finish(self) -> Result<()> {
        let Some((parts, thread)) = self.thread else { return Ok(()) };
        drop(parts);
        match thread.join() {
            Ok(synced) => Ok(synced?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn start(stage: &Stage) -> Result<(SyncSender<()>, JoinHandle<io::Result<()>>)> {
    let file = stage.file().try_clone()?;
    let (parts, begun) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().spawn(move || {
        while begun.recv().is_ok() {
            file.sync_data()?;
        }
        Ok(())
    })?;
    Ok((parts, thread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_back_and_small_files_start_no_thread() {
        let folder = tempfile::tempdir().expect("a folder");
        let stage = Stage::create(folder.path(), "large").expect("a stage");
        let mut ahead = Ahead::default();
        let piece = vec![7_u8; 1 << 20];
        for n in 0..70 {
            assert_eq!(ahead.thread.is_some(), n >= 32, "{n}");
            stage.append(&piece).expect("written");
            ahead.appended(&stage, piece.len());
        }
        ahead.finish().expect("written back");
        assert_eq!(stage.file().metadata().expect("a file").len(), 70 << 20);
        Ahead::default().finish().expect("nothing to wait for");
    }
}

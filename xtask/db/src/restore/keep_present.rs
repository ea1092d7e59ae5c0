//! Keeps the current state in the one moment in which nobody else can commit, for restores through
//! the backup API.

use anyhow::Result;

use crate::console::refusal::Refusal;
use crate::restore::plan::{Live, Plan};
use crate::sqlite::change_counter::ChangeCounter;
use crate::sqlite::digest::database::Groups;
use crate::sqlite::read_only;
use crate::sqlite::snapshot::copy::Locking;

/// How often a writer may slip in between the safety backup and the restore's own lock.
pub(crate) const MAX_RACES: u32 = 30;

/// A writer slipped in: the kept state is no longer the newest.
#[derive(Debug)]
pub(crate) struct Raced;

impl std::fmt::Display for Raced {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the application keeps committing between the safety backup and the restore")
    }
}

impl std::error::Error for Raced {}

/// Keeps the current state in the one moment in which nobody else can commit.
///
/// In WAL mode, that is when the restore holds the write lock: readers can still read. In
/// rollback-journal mode nobody can read then; so another connection blocks writers while the state
/// is kept, and stops right before the restore locks, and the change counter shows whether anybody
/// committed in between.
pub(crate) struct Keeping<'a, K> {
    pub(crate) plan: &'a Plan,
    pub(crate) counter: &'a ChangeCounter,
    pub(crate) keep: &'a mut K,
}

impl<K: FnMut() -> Result<Groups>> Locking for Keeping<'_, K> {
    fn before(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if !shape.wal => {
                let guard = read_only::open_to_write(&self.plan.target, self.plan.busy_timeout)?;
                guard.execute_batch("BEGIN IMMEDIATE")?;
                (self.keep)()?;
                self.counter.remember()
            }
            _ => Ok(()),
        }
    }

    fn locked(&mut self) -> Result<()> {
        match &self.plan.live {
            Live::Readable(shape) if shape.wal => (self.keep)().map(drop),
            Live::Readable(_) if self.counter.has_changed()? => Err(Raced.into()),
            // An application may have made a database while its lock was waited for.
            Live::Absent { .. } if fs_err::metadata(&self.plan.target)?.len() > 0 => {
                Err(Refusal::locked(
                    "a database appeared there while the restore waited for its lock",
                    "restore again: a safety backup then keeps the new database",
                ))
            }
            _ => Ok(()),
        }
    }
}

//! The server's two connections: one that writes, one that reads.
//!
//! A request waits for its connection without holding a thread, then runs on a
//! blocking one. No transaction outlives the closure it was made for, so an idle
//! server holds no lock. `synchronous` stays at its default, `FULL`: what
//! was committed is on disk, in WAL mode too.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::{task, time};

use crate::api::failure::Failure;
use crate::database;
use crate::location::Location;

/// Both connections; a clone shares them.
#[derive(Clone)]
pub(crate) struct Connections {
    writer: Arc<Mutex<Connection>>,
    reader: Arc<Mutex<Connection>>,
}

impl Connections {
    /// Opens the database twice, in the given journal mode.
    pub(crate) fn open(location: &Location, journal_mode: &str) -> Result<Self> {
        let writer = database::open_migrated(location)?;
        database::set_journal_mode(&writer, location, journal_mode)?;
        let reader = database::open_migrated(location)?;
        reader
            .pragma_update(None, "query_only", true)
            .context("could not make the reading connection read-only")?;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), reader: Arc::new(Mutex::new(reader)) })
    }

    /// Runs `query` on the reading connection, all of it in one snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        transact(&self.reader, TransactionBehavior::Deferred, query).await
    }

    /// Runs `change` on the writing connection; returns only once it is committed.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        transact(&self.writer, TransactionBehavior::Immediate, change).await
    }

    /// Closes both, the writing one last: it then empties and removes the WAL.
    pub(crate) fn close(self, location: &Location) -> Result<()> {
        for connection in [self.reader, self.writer] {
            let connection = Arc::into_inner(connection)
                .ok_or_else(|| anyhow!("a connection to `{location}` is still in use"))?
                .into_inner();
            connection.close().map_err(|(_, error)| {
                anyhow!(error).context(format!("could not close `{location}`"))
            })?;
        }
        Ok(())
    }
}

/// Waits for the connection, then runs `act` in a transaction on a blocking thread.
async fn transact<T: Send + 'static>(
    connection: &Arc<Mutex<Connection>>,
    behavior: TransactionBehavior,
    act: impl FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let waiting = Arc::clone(connection).lock_owned();
    let Ok(mut guard): Result<OwnedMutexGuard<Connection>, _> =
        time::timeout(database::BUSY_TIMEOUT, waiting).await
    else {
        return Err(Failure::busy());
    };
    task::spawn_blocking(move || {
        let transaction = guard.transaction_with_behavior(behavior)?;
        let result = act(&transaction)?;
        transaction.commit()?;
        Ok(result)
    })
    .await
    .map_err(|error| Failure::internal(error.to_string()))?
}

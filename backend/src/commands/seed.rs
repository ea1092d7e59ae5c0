//! `backend seed`: fills the database with sample talks.
//!
//! In a database with sessions it adds further ones and continues where the sample stopped: twice
//! ten sessions are the same as twenty at once.

use anyhow::{Context as _, Result};
use clap::value_parser;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::location::Location;
use crate::sample::{self, Memory, Session};
use crate::{database, say};

/// About three thousand rows.
const SESSIONS_PER_TRANSACTION: u32 = 100;

/// The SQL for the time in a parameter, milliseconds of Unix time.
macro_rules! time {
    ($parameter:literal) => {
        concat!("strftime('%Y-%m-%dT%H:%M:%fZ', ", $parameter, " / 1000.0, 'unixepoch')")
    };
}

/// Add sample sessions; the same seed gives the same rows
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Add this many sessions
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=10_000_000))]
    sessions: u32,

    /// Make up the talks from this number
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
}

/// What was added.
#[derive(Debug, Default)]
struct Added {
    messages: usize,
    memories: usize,
}

/// Adds the sessions, a hundred per transaction.
pub(crate) fn run(args: &Args, location: &Location) -> Result<()> {
    let mut connection = database::open_migrated(location)?;
    let context = || format!("could not add sample sessions to `{location}`");
    let personas = add_constants(&mut connection).with_context(context)?;
    let first: u32 = connection
        .query_row("SELECT coalesce(max(id), 0) FROM sessions", [], |row| row.get(0))
        .with_context(context)?;

    let mut added = Added::default();
    let mut done = 0;
    while done < args.sessions {
        let batch = SESSIONS_PER_TRANSACTION.min(args.sessions - done);
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .with_context(context)?;
        for ordinal in (done..done + batch).map(|n| first.saturating_add(n)) {
            add(&transaction, &personas, &sample::session(args.seed, ordinal), &mut added)
                .with_context(context)?;
        }
        transaction.commit().with_context(context)?;
        done += batch;
    }
    say::line(&format!(
        "Added {} with {} and {} to `{location}`",
        say::counted(usize::try_from(done)?, "session", "sessions"),
        say::counted(added.messages, "message", "messages"),
        say::counted(added.memories, "memory entry", "memory entries"),
    ))
}

/// Adds the personas and settings where missing; returns the personas' ids.
fn add_constants(connection: &mut Connection) -> rusqlite::Result<Vec<i64>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut ids = Vec::new();
    for persona in sample::personas() {
        transaction.execute(
            concat!(
                "INSERT INTO personas (name, system_prompt, temperature, created_at)
                 VALUES (?1, ?2, ?3, ",
                time!("?4"),
                ") ON CONFLICT (name) DO NOTHING"
            ),
            (persona.name, persona.system_prompt, persona.temperature, sample::epoch_ms()),
        )?;
        ids.push(transaction.query_row(
            "SELECT id FROM personas WHERE name = ?1",
            [persona.name],
            |row| row.get(0),
        )?);
    }
    for (key, value) in sample::settings() {
        transaction.execute(
            concat!(
                "INSERT INTO settings (key, value, updated_at) VALUES (?1, ?2, ",
                time!("?3"),
                ") ON CONFLICT (key) DO NOTHING"
            ),
            (key, value, sample::epoch_ms()),
        )?;
    }
    transaction.commit()?;
    Ok(ids)
}

/// Adds one session with all that belongs to it.
fn add(
    transaction: &Transaction<'_>,
    personas: &[i64],
    session: &Session,
    added: &mut Added,
) -> rusqlite::Result<()> {
    let persona = session.persona.and_then(|index| personas.get(index).copied());
    let last_ms = session.messages.last().map_or(session.created_ms, |message| message.sent_ms);
    transaction
        .prepare_cached(concat!(
            "INSERT INTO sessions (title, persona_id, created_at, updated_at, archived_at)
             VALUES (?1, ?2, ",
            time!("?3"),
            ", ",
            time!("?4"),
            ", ",
            time!("?5"),
            ")"
        ))?
        .execute((&session.title, persona, session.created_ms, last_ms, session.archived_ms))?;
    let id = transaction.last_insert_rowid();

    let mut insert = transaction.prepare_cached(concat!(
        "INSERT INTO messages (session_id, role, content, sent_at)
         VALUES (?1, ?2, ?3, ",
        time!("?4"),
        ")"
    ))?;
    for message in &session.messages {
        insert.execute((id, message.role, &message.content, message.sent_ms))?;
    }
    added.messages += session.messages.len();

    for memory in &session.memories {
        remember(transaction, id, memory, (persona, last_ms))?;
    }
    added.memories += session.memories.len();

    if let Some(summary) = &session.summary {
        let count = i64::try_from(session.messages.len()).unwrap_or(i64::MAX);
        transaction
            .prepare_cached(concat!(
                "INSERT INTO memory_summaries
                     (session_id, summary, message_count, covered_until, created_at)
                 VALUES (?1, ?2, ?3, ",
                time!("?4"),
                ", ",
                time!("?4"),
                ")"
            ))?
            .execute((id, summary, count, last_ms))?;
    }
    Ok(())
}

/// Adds one memory entry, pinned for the session's persona where it should be.
fn remember(
    transaction: &Transaction<'_>,
    session: i64,
    memory: &Memory,
    (persona, at_ms): (Option<i64>, i64),
) -> rusqlite::Result<()> {
    let entry: i64 = transaction
        .prepare_cached(concat!(
            "INSERT INTO memory_entries
                 (session_id, kind, topic, content, importance, embedding, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ",
            time!("?7"),
            ") RETURNING id"
        ))?
        .query_row(
            (
                session,
                memory.kind,
                memory.topic,
                &memory.content,
                memory.importance,
                &memory.embedding,
                at_ms,
            ),
            |row| row.get(0),
        )?;
    if let Some(persona) = persona.filter(|_| memory.is_pinned) {
        transaction
            .prepare_cached(concat!(
                "INSERT INTO memory_pins (persona_id, memory_entry_id, pinned_at)
                 VALUES (?1, ?2, ",
                time!("?3"),
                ")"
            ))?
            .execute((persona, entry, at_ms))?;
    }
    Ok(())
}

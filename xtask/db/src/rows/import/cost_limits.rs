//! Limits for SQL from outside, in proportion to the size of its file: a schema of 300 bytes can
//! ask for values of gigabytes and for rows without end.
//!
//! Three things are bounded wherever such SQL runs, including CHECKs, generated columns, indexes,
//! triggers and views: the length of a value, the work of SQLite, and its memory. Work is counted
//! in steps of SQLite's virtual machine (<https://sqlite.org/c3ref/progress_handler.html>), and as
//! at least the microseconds of processor time that they took, because a single step may take long.
//! An honest file needs about a hundredth of the limits. Input from a pipe is first kept in a file,
//! so its size is known.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode};
use rustix::time::{ClockId, clock_gettime};

use crate::console::interrupt::Interrupt;
use crate::console::progress::Pulse;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::sqlite::connection;
use crate::sqlite::trouble::{self, Trouble};

/// A value may be this many times as long as the file, plus the base.
const VALUE_FACTOR: u64 = 16;
const VALUE_BASE_BYTES: u64 = 1 << 20;

/// SQLite's own limit for the length of a value (<https://sqlite.org/limits.html>).
const MAX_VALUE_BYTES: u64 = 1_000_000_000;

/// Steps of SQLite for each byte of the file, and for any file.
const STEPS_PER_BYTE: u64 = 256;
const BASE_STEPS: u64 = 2_000_000;

/// Memory of SQLite for each byte of the file, and for any file.
const MEMORY_FACTOR: u64 = 8;
const MEMORY_BASE_BYTES: u64 = 64 << 20;

/// Room that the new database takes for each byte of the file, and for any file.
const ROOM_FACTOR: u64 = 64;
const ROOM_BASE_BYTES: u64 = 64 << 20;

/// Steps between two checks of the limits.
const STEPS_BETWEEN_LOOKS: u16 = 1000;

/// The longest pattern of LIKE and GLOB: the time that one takes is the product of both lengths.
const MAX_PATTERN_BYTES: i32 = 4096;

/// Limits for one file, for all connections together.
#[derive(Debug, Clone)]
pub(crate) struct Bounds {
    /// Bytes that bound the rest; none if nothing does.
    input_bytes: Option<u64>,
    /// The limit of memory; `None` if there is none.
    memory_bytes: Option<u64>,
    spending: Arc<Spending>,
}

#[derive(Debug)]
struct Spending {
    most_steps: u64,
    steps: AtomicU64,
    is_exceeded: AtomicBool,
    /// Whether nothing is counted any more.
    is_lifted: AtomicBool,
    /// How often the user asked to stop.
    asked: Arc<AtomicUsize>,
    pulse: Pulse,
}

/// Counts the costs of one thread.
pub(crate) struct Meter {
    spending: Arc<Spending>,
    /// Processor time at the last look.
    before: Duration,
}

impl Meter {
    /// Counts some steps and the time since the last look; whether that is to be the end.
    pub(crate) fn stops(&mut self, n_steps: u64) -> bool {
        let Spending { most_steps, steps, is_exceeded, is_lifted, asked, pulse } = &*self.spending;
        if is_lifted.load(Ordering::Relaxed) {
            return false;
        }
        let now = processor_time();
        let took = now.saturating_sub(std::mem::replace(&mut self.before, now));
        let microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let n_steps = n_steps.max(microseconds);
        let spent = steps.fetch_add(n_steps, Ordering::Relaxed).saturating_add(n_steps);
        pulse.beat();
        if spent > *most_steps {
            is_exceeded.store(true, Ordering::SeqCst);
        }
        spent > *most_steps || asked.load(Ordering::SeqCst) > 0
    }
}

/// The processor time of this thread: waiting for others costs nothing.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

impl Bounds {
    /// The limits for a file of this size, with everything that is processed beside it.
    #[must_use]
    pub(crate) fn of(input_bytes: u64, interrupt: &Interrupt, pulse: Pulse) -> Self {
        Self::with(Some(input_bytes), interrupt, pulse)
    }

    /// No limits: only the user's interrupt ends a statement.
    #[must_use]
    pub(crate) fn lifted(interrupt: &Interrupt, pulse: Pulse) -> Self {
        Self::with(None, interrupt, pulse)
    }

    fn with(input_bytes: Option<u64>, interrupt: &Interrupt, pulse: Pulse) -> Self {
        let most_steps = input_bytes.map_or(u64::MAX, |n_bytes| {
            n_bytes.saturating_mul(STEPS_PER_BYTE).saturating_add(BASE_STEPS)
        });
        let spending = Spending {
            most_steps,
            steps: AtomicU64::new(0),
            is_exceeded: AtomicBool::new(false),
            is_lifted: AtomicBool::new(false),
            asked: interrupt.asked(),
            pulse,
        };
        Self { input_bytes, memory_bytes: None, spending: Arc::new(spending) }
    }

    /// Bounds SQLite's memory too, of the file and of databases of this size that are worked on beside it:
    /// in the whole process, if it can be lowered later and never raised
    /// (<https://sqlite.org/pragma.html#pragma_hard_heap_limit>).
    #[must_use]
    pub(crate) fn with_memory(self, beside_bytes: u64) -> Self {
        let memory_bytes = self.input_bytes.map(|n_bytes| {
            let factored = n_bytes.saturating_add(beside_bytes).saturating_mul(MEMORY_FACTOR);
            factored.saturating_add(MEMORY_BASE_BYTES).min(i64::MAX.unsigned_abs())
        });
        Self { memory_bytes, ..self }
    }

    /// Limits the costs of a connection from now on, until it is closed or [`Self::lift_from`] is called.
    ///
    /// # Errors
    ///
    /// If SQLite refuses that.
    pub(crate) fn set_on(&self, connection: &mut Connection) -> Result<()> {
        if self.input_bytes.is_some() {
            let _ = connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, self.most_value());
            let _ =
                connection.set_limit(Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, MAX_PATTERN_BYTES);
        }
        if let Some(most_bytes) = self.memory_bytes {
            let pragma = format!("PRAGMA hard_heap_limit = {most_bytes}");
            connection.query_row(&pragma, [], |_| Ok(()))?;
        }
        let mut meter = AssertUnwindSafe(self.meter());
        let handler = move || meter.stops(STEPS_BETWEEN_LOOKS.into());
        // rusqlite before 0.33 answers with nothing here, and from 0.41 on this needs `&mut`; the handler cannot
        // be refused.
        let _ = connection.progress_handler(STEPS_BETWEEN_LOOKS.into(), Some(handler));
        Ok(())
    }

    /// Bounds the room that a new database takes, whose page size is settled.
    ///
    /// # Errors
    ///
    /// If SQLite refuses that.
    pub(crate) fn set_room_of(&self, connection: &Connection) -> Result<()> {
        if let Some(most_bytes) = self.most_room() {
            let page_bytes: u64 = connection::pragma::<i64>(connection, "page_size")?.try_into()?;
            // Pages are counted in 32 bits.
            let n_pages = (most_bytes / page_bytes.max(512)).min(0xffff_fffe);
            let pragma = format!("PRAGMA max_page_count = {n_pages}");
            connection.query_row(&pragma, [], |_| Ok(()))?;
        }
        Ok(())
    }

    fn most_room(&self) -> Option<u64> {
        let factored = self.input_bytes?.saturating_mul(ROOM_FACTOR);
        Some(factored.saturating_add(ROOM_BASE_BYTES))
    }

    /// Reports of an error which bound was exceeded and how to continue, also if the new database
    /// has become so large.
    #[must_use]
    pub(crate) fn explain_of(&self, error: anyhow::Error, new: &Path) -> anyhow::Error {
        const UNTOUCHED: &str = "nothing was changed";
        let is_full = trouble::trouble(&error) == Trouble::Full;
        let size_bytes = fs_err::metadata(new).map_or(0, |metadata| metadata.len());
        // Pages that SQLite still has in memory are not written yet.
        let most = self.most_room().filter(|most| is_full && size_bytes > *most / 2);
        let (Some(most), Some(input_bytes)) = (most, self.input_bytes) else {
            return self.explain(error, UNTOUCHED);
        };
        let (most, input) = (text::size(most), text::size(input_bytes));
        let what = format!(
            "{error}: it fills more than {most}, which is far more than {input} should need"
        );
        refuse(&what, UNTOUCHED)
    }

    /// A meter for this thread, for work that SQLite does not count by itself: statements of a few
    /// steps.
    #[must_use]
    pub(crate) fn meter(&self) -> Meter {
        Meter { spending: Arc::clone(&self.spending), before: processor_time() }
    }

    /// Lets a connection work without bounds again; `SQLite`'s own are in place. The handler stays: to take
    /// it away needs `&mut`, which a snapshot that was begun does not leave.
    pub(crate) fn lift_from(&self, connection: &Connection) {
        self.spending.is_lifted.store(true, Ordering::Relaxed);
        let most = i32::try_from(MAX_VALUE_BYTES).unwrap_or(i32::MAX);
        let _ = connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, most);
    }

    /// Names the limit that an error is about, as the end of a sentence; `None` if it is about
    /// something else.
    #[must_use]
    pub(crate) fn exceeded_by(&self, error: &anyhow::Error) -> Option<String> {
        let input_bytes = self.input_bytes?;
        let is_asked = self.spending.asked.load(Ordering::SeqCst) > 0;
        if self.spending.is_exceeded.load(Ordering::SeqCst) && !is_asked {
            return Some(format!(
                "it takes more than {} steps of SQLite, which is far more than {} should need",
                text::digits(self.spending.most_steps),
                text::size(input_bytes)
            ));
        }
        let sqlite = error.chain().find_map(|cause| cause.downcast_ref::<rusqlite::Error>());
        match sqlite.and_then(rusqlite::Error::sqlite_error_code)? {
            ErrorCode::TooBig => Some(format!(
                "it creates a value longer than {}, which is far more than {} should need",
                text::size(u64::from(self.most_value().unsigned_abs())),
                text::size(input_bytes)
            )),
            ErrorCode::OutOfMemory => self.memory_bytes.map(|most_bytes| {
                format!(
                    "it takes more than {} of memory, which is far more than {} should need",
                    text::size(most_bytes),
                    text::size(input_bytes)
                )
            }),
            _ => None,
        }
    }

    /// Reports of an error which bound was exceeded and how to continue, if one was.
    #[must_use]
    pub(crate) fn explain(&self, error: anyhow::Error, untouched: &str) -> anyhow::Error {
        let refusal = error.downcast_ref::<Refusal>();
        if refusal.is_some_and(|refusal| refusal.exit != Exit::Interrupted) {
            return error;
        }
        let Some(what) = self.exceeded_by(&error) else { return error };
        let place = error.chain().next().filter(|_| refusal.is_none());
        match place.filter(|cause| !cause.is::<rusqlite::Error>()) {
            Some(place) => refuse(&format!("{place}: {what}"), untouched),
            None => refuse(&what, untouched),
        }
    }

    fn most_value(&self) -> i32 {
        let most = self.input_bytes.map_or(MAX_VALUE_BYTES, |n_bytes| {
            n_bytes.saturating_mul(VALUE_FACTOR).saturating_add(VALUE_BASE_BYTES)
        });
        i32::try_from(most.min(MAX_VALUE_BYTES)).unwrap_or(i32::MAX)
    }
}

/// Refuses input that exceeds a limit.
#[must_use]
pub(crate) fn refuse(what: &str, untouched: &str) -> anyhow::Error {
    let hint = format!("{untouched}; if you trust where it comes from, pass `--unbounded`");
    Refusal::could_not(text::plain(what), hint)
}

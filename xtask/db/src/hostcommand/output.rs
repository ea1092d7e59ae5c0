//! What a command prints, read while it runs.

use std::io::Read;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result};

use crate::hostcommand::{
    Ended, Ending, Leftovers, Meanwhile, Output, Reading, Task, await_end, start,
};
use crate::interrupt::Interrupt;

/// Runs a command of the user in the project's root and lets `read` have what it prints; its messages
/// go to stderr. A command that fails, even at its very end, has printed nothing that counts.
///
/// # Errors
///
/// Where it cannot be started, fails, takes longer than the timeout, `read` fails, or at the user's
/// interrupt.
pub(crate) fn read<T>(
    task: &Task<'_>,
    interrupt: &Interrupt,
    read: impl FnOnce(&mut dyn Read) -> Result<T>,
) -> Result<T> {
    let _supervising = interrupt.while_supervising();
    let mut running = start(task, Output::Piped, interrupt)?;
    let output = running.take_output().context("the command has no output")?;
    let reading = AtomicU8::new(Reading::Goes as u8);
    let (done, ended) = std::thread::scope(|scope| {
        let reading = &reading;
        let meanwhile = Meanwhile { interrupt, reading, witness: None };
        let wait = move || await_end((task, running), Leftovers::Stay, meanwhile);
        let waiting = scope.spawn(wait);
        let mut output = UpToEnd { output, is_over: false };
        let done = read(&mut output);
        // What is no good because it was cut short may be so because the command failed.
        let is_good = done.is_ok() || output.is_over;
        let state = if is_good { Reading::Over } else { Reading::GivenUp };
        drop(output);
        reading.store(state as u8, Ordering::SeqCst);
        (done, waiting.join())
    });
    let ended: Ended = ended.map_err(|_| anyhow::anyhow!("the waiting thread ended early"))??;
    interrupt.check()?;
    match ended.failure() {
        Some(failure) if !matches!(ended.ending, Ending::Unwanted) => anyhow::bail!(failure),
        _ => done,
    }
}

/// An output that knows when it was read to its end.
struct UpToEnd<R> {
    output: R,
    is_over: bool,
}

impl<R: Read> Read for UpToEnd<R> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.output.read(to)?;
        self.is_over |= n_bytes == 0 && !to.is_empty();
        Ok(n_bytes)
    }
}

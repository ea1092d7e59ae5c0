//! Work on threads, or on the current one if the system refuses more: one thread is always enough,
//! because a restore after a failed migration may not get another.
//!
//! `std::thread::Scope::spawn` panics if it is refused, so threads are started only here.

use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use anyhow::{Result, anyhow};

/// A thread at work; it has a result unless it could not begin.
pub(crate) type Beside<'scope, R> = ScopedJoinHandle<'scope, Option<R>>;

/// Runs a step on another thread; returns it if no thread is available.
pub(crate) fn beside<'scope, R, F>(
    scope: &'scope Scope<'scope, '_>,
    work: F,
) -> std::result::Result<Beside<'scope, R>, Option<F>>
where
    R: Send + 'scope,
    F: FnOnce() -> R + Send + 'scope,
{
    // A thread that is refused drops what it was to run: so it gets only a way to the work.
    let work = Arc::new(Mutex::new(Some(work)));
    let its = Arc::clone(&work);
    let take = |work: &Mutex<Option<F>>| work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let started = thread::Builder::new().spawn_scoped(scope, move || take(&its).map(|work| work()));
    started.map_err(|_| take(&work))
}

/// Waits for a thread.
///
/// # Errors
///
/// If it ended early.
pub(crate) fn join<R>(thread: Beside<'_, Result<R>>) -> Result<R> {
    thread.join().ok().flatten().unwrap_or_else(|| Err(ended_early()))
}

fn ended_early() -> anyhow::Error {
    anyhow!("a thread ended early")
}

/// Runs two steps at once, or one after the other if there is no thread: the second one on this
/// thread.
pub(crate) fn both<A: Send, B>(
    one: impl FnOnce() -> Result<A> + Send,
    here: impl FnOnce() -> B,
) -> (Result<A>, B) {
    thread::scope(|scope| match beside(scope, one) {
        Ok(thread) => {
            let done = here();
            (join(thread), done)
        }
        Err(one) => {
            let done = here();
            (one.map_or_else(|| Err(ended_early()), |one| one()), done)
        }
    })
}

/// A step of a work through which items pass.
pub(crate) trait Step<T> {
    /// Its result.
    type Done;
    /// Takes the next item.
    ///
    /// # Errors
    ///
    /// If no further item is wanted.
    fn take(&mut self, item: T) -> Result<()>;
    /// Ends, after the last item.
    ///
    /// # Errors
    ///
    /// If what came is not enough.
    fn finish(self) -> Result<Self::Done>;
}

/// The channel to a step: to its own thread, or to the step itself.
pub(crate) struct Lane<'scope, T, S: Step<T>>(How<'scope, T, S>);

enum How<'scope, T, S: Step<T>> {
    Beside(SyncSender<T>, Beside<'scope, Result<S::Done>>),
    Here(S),
    /// It failed, and the error was reported.
    Over,
}

impl<'scope, T, S> Lane<'scope, T, S>
where
    T: Send + 'scope,
    S: Step<T> + Send + 'scope,
    S::Done: Send + 'scope,
{
    /// Begins a step for which this many items can wait.
    pub(crate) fn begin(scope: &'scope Scope<'scope, '_>, n_waiting: usize, step: S) -> Self {
        let (items, to_take) = mpsc::sync_channel::<T>(n_waiting);
        // The step is sent to the thread on its own, so that it comes back if there is none.
        let step = Arc::new(Mutex::new(Some(step)));
        let its = Arc::clone(&step);
        let take =
            |step: &Mutex<Option<S>>| step.lock().unwrap_or_else(PoisonError::into_inner).take();
        let run = move || {
            let mut step = take(&its).ok_or_else(ended_early)?;
            for item in to_take {
                step.take(item)?;
            }
            step.finish()
        };
        match beside(scope, run) {
            Ok(thread) => Self(How::Beside(items, thread)),
            Err(_) => Self(take(&step).map_or(How::Over, How::Here)),
        }
    }

    /// A step that runs on the thread that sends.
    pub(crate) fn here(step: S) -> Self {
        Self(How::Here(step))
    }

    /// Passes the next item on.
    ///
    /// # Errors
    ///
    /// The error of the step.
    pub(crate) fn send(&mut self, item: T) -> Result<()> {
        match &mut self.0 {
            How::Here(step) => step.take(item).inspect_err(|_| self.0 = How::Over),
            How::Beside(items, _) => match items.send(item) {
                Ok(()) => Ok(()),
                Err(_) => Err(self.failure()),
            },
            How::Over => Err(ended_early()),
        }
    }

    /// Hands an item on if nothing has to be waited for; returns whether it did. A step that runs here
    /// gets none.
    pub(crate) fn offer(&self, item: T) -> bool {
        matches!(&self.0, How::Beside(items, _) if items.try_send(item).is_ok())
    }

    fn failure(&mut self) -> anyhow::Error {
        match std::mem::replace(&mut self.0, How::Over) {
            How::Beside(items, thread) => {
                drop(items);
                join(thread).err().unwrap_or_else(ended_early)
            }
            How::Here(_) | How::Over => ended_early(),
        }
    }

    /// Ends the step and returns its result.
    ///
    /// # Errors
    ///
    /// Its failure.
    pub(crate) fn finish(self) -> Result<S::Done> {
        match self.0 {
            How::Here(step) => step.finish(),
            How::Beside(items, thread) => {
                drop(items);
                join(thread)
            }
            How::Over => Err(ended_early()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds numbers up, below a hundred.
    struct Sum(u64);

    impl Step<u64> for Sum {
        type Done = u64;

        fn take(&mut self, item: u64) -> Result<()> {
            anyhow::ensure!(item < 100, "{item} is too much");
            self.0 += item;
            Ok(())
        }

        fn finish(self) -> Result<u64> {
            Ok(self.0)
        }
    }

    fn here<'scope>() -> Lane<'scope, u64, Sum> {
        Lane(How::Here(Sum(0)))
    }

    #[test]
    fn a_step_comes_to_the_same_on_a_thread_and_here() {
        thread::scope(|scope| {
            for mut lane in [Lane::begin(scope, 2, Sum(0)), here()] {
                for n in 0..50 {
                    lane.send(n).expect("taken");
                }
                assert_eq!(lane.finish().expect("a sum"), 1225);
            }
        });
    }

    #[test]
    fn who_sends_hears_why_a_step_failed() {
        thread::scope(|scope| {
            for mut lane in [Lane::begin(scope, 1, Sum(0)), here()] {
                let failed = (100..).find_map(|n| lane.send(n).err()).expect("a failure");
                assert_eq!(failed.to_string(), "100 is too much");
                assert!(lane.finish().is_err());
            }
        });
    }

    #[test]
    fn both_are_done() {
        let (one, other) = both(|| Ok(1), || 2);
        assert_eq!((one.expect("done"), other), (1, 2));
    }
}

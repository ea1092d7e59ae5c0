//! All jobs: those that change something run one after another, and what became of each is kept in the state folder.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::http::StatusCode;
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::files::{publish, whole_files};
use crate::host::session::Clock;
use crate::serve::child::{self, Ended, Program};
use crate::serve::job::{Job, Order, State};
use crate::serve::keys::Key;
use crate::serve::problem::Problem;

/// How many jobs are kept: the one that ended first is forgotten.
const MAX_JOBS: usize = 200;
/// How many jobs may wait.
const MAX_QUEUED: usize = 32;

/// The jobs of this server, and those that are left of earlier ones.
pub(crate) struct Jobs {
    program: Program,
    folder: PathBuf,
    clock: Clock,
    kept: Mutex<Kept>,
    queue: Sender<(String, Order)>,
    /// Counts every change of any job.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    /// From the oldest to the newest.
    jobs: Vec<Job>,
    /// The processes of those that run, by job.
    running: HashMap<String, u32>,
    n_ended: u64,
    is_closed: bool,
}

impl Jobs {
    /// Reads what is left of earlier jobs, and begins to run new ones.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read or created.
    pub(crate) fn open(
        program: Program,
        folder: PathBuf,
        clock: Clock,
        runtime: &Handle,
    ) -> Result<Arc<Self>> {
        publish::create_folders(&folder)?;
        let (queue, orders) = mpsc::channel();
        let jobs = read(&folder)?;
        let kept = Mutex::new(Kept { jobs, ..Kept::default() });
        let changes = watch::Sender::new(0);
        let jobs = Arc::new(Self { program, folder, clock, kept, queue, changes });
        jobs.interrupt_lost_ones();
        let worker = Arc::clone(&jobs);
        runtime.spawn_blocking(move || worker.work(&orders));
        Ok(jobs)
    }

    /// Adds a job to the queue.
    ///
    /// # Errors
    ///
    /// A problem if too many wait, the server ends, or a word cannot be one of a command.
    pub(crate) fn add(&self, order: Order) -> Result<Job, Problem> {
        child::demand_words(&order.words)?;
        let now = (self.clock)();
        let digits = Key::random()?;
        let id = format!("{}-{}", now.format("%Y%m%d%H%M%S"), &digits.digits()[..6]);
        let job = Job::queued(id, &order, now);
        let mut kept = self.kept();
        let n_waiting = kept.jobs.iter().filter(|job| !job.state.is_over()).count();
        if kept.is_closed || n_waiting >= MAX_QUEUED {
            return Err(Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                if kept.is_closed { "the server is ending" } else { "too many jobs are waiting" },
                "try again when they have ended",
            ));
        }
        kept.jobs.push(job.clone());
        self.forget_oldest(&mut kept);
        drop(kept);
        self.keep(&job)?;
        self.announce();
        // The worker lives as long as this value.
        let _ = self.queue.send((job.id.clone(), order));
        Ok(job)
    }

    /// The jobs, newest first.
    #[must_use]
    pub(crate) fn all(&self) -> Vec<Job> {
        self.kept().jobs.iter().rev().cloned().collect()
    }

    /// One job.
    #[must_use]
    pub(crate) fn get(&self, id: &str) -> Option<Job> {
        self.kept().jobs.iter().find(|job| job.id == id).cloned()
    }

    /// How many commands have ended since the server was started.
    #[must_use]
    pub(crate) fn n_ended(&self) -> u64 {
        self.kept().n_ended
    }

    /// A receiver that wakes at every change of any job.
    #[must_use]
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Cancels a job that waits, or asks its command to end; the job as it then is.
    #[must_use]
    pub(crate) fn cancel(&self, id: &str) -> Option<Job> {
        if self.cancel_one(id) {
            self.store(id);
        }
        self.announce();
        self.get(id)
    }

    /// Whether the job itself is changed by that. One that runs changes when its command has ended.
    fn cancel_one(&self, id: &str) -> bool {
        let mut kept = self.kept();
        if let Some(process_id) = kept.running.get(id) {
            child::interrupt(*process_id);
            return false;
        }
        let waiting = kept.jobs.iter_mut().find(|job| job.id == id && !job.state.is_over());
        let Some(job) = waiting else { return false };
        job.interrupt("it was cancelled before it began", (self.clock)());
        true
    }

    /// Accepts no more jobs, cancels those that wait, and asks the one that runs to end.
    pub(crate) fn close(&self) {
        let mut kept = self.kept();
        kept.is_closed = true;
        let ids: Vec<String> =
            kept.jobs.iter().filter(|job| !job.state.is_over()).map(|job| job.id.clone()).collect();
        drop(kept);
        for id in ids {
            let _ = self.cancel(&id);
        }
    }

    /// Whether none waits or runs.
    #[must_use]
    pub(crate) fn is_idle(&self) -> bool {
        self.kept().jobs.iter().all(|job| job.state.is_over())
    }

    fn work(&self, orders: &Receiver<(String, Order)>) {
        while let Ok((id, order)) = orders.recv() {
            let Some(started) = self.begin(&id, &order) else { continue };
            self.store(&id);
            self.announce();
            let ended = started.and_then(|child| {
                child::follow(child, |report| {
                    self.change(&id, |job| job.note(report));
                    self.announce();
                })
            });
            self.end(&id, ended);
        }
    }

    /// Starts the command of a job, unless it was cancelled. A cancellation comes before that, or finds the process.
    fn begin(&self, id: &str, order: &Order) -> Option<Result<Child>> {
        let mut kept = self.kept();
        let job = kept.jobs.iter_mut().find(|job| job.id == id && !job.state.is_over())?;
        job.state = State::Running;
        job.began_at = Some((self.clock)());
        let started = self.program.start(&order.words);
        if let Ok(child) = &started {
            kept.running.insert(id.to_owned(), child.id());
        }
        Some(started)
    }

    fn end(&self, id: &str, ended: Result<Ended>) {
        let now = (self.clock)();
        let mut kept = self.kept();
        kept.running.remove(id);
        kept.n_ended += 1;
        drop(kept);
        self.change(id, |job| match ended {
            Ok(ended) => job.end(ended, now),
            Err(error) => job.fail(&error, now),
        });
        self.store(id);
        self.announce();
    }

    fn change<T>(&self, id: &str, change: impl FnOnce(&mut Job) -> T) -> Option<T> {
        self.kept().jobs.iter_mut().find(|job| job.id == id).map(change)
    }

    fn announce(&self) {
        self.changes.send_modify(|n_changes| *n_changes += 1);
    }

    fn store(&self, id: &str) {
        if let Some(job) = self.get(id) {
            // A job that cannot be written is lost with the server.
            let _ = self.keep(&job);
        }
    }

    fn keep(&self, job: &Job) -> Result<()> {
        let text = serde_json::to_vec(job)?;
        whole_files::replace_file(&self.folder.join(file_name(&job.id)), &text, 0o600)
    }

    fn forget_oldest(&self, kept: &mut Kept) {
        while kept.jobs.len() > MAX_JOBS {
            let Some(at) = kept.jobs.iter().position(|job| job.state.is_over()) else { return };
            let job = kept.jobs.remove(at);
            // The next start of a server reads at most one too many.
            let _ = publish::remove(&self.folder.join(file_name(&job.id)));
        }
    }

    /// A job that was running when an earlier server ended.
    fn interrupt_lost_ones(&self) {
        let now = (self.clock)();
        let ids: Vec<String> = self.all().into_iter().map(|job| job.id).collect();
        for id in ids {
            let is_lost = self.change(&id, |job| {
                let is_lost = !job.state.is_over();
                if is_lost {
                    job.interrupt("the server ended before this job did", now);
                }
                is_lost
            });
            if is_lost == Some(true) {
                self.store(&id);
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file_name(id: &str) -> String {
    format!("{id}.json")
}

/// What is left of earlier jobs, from the oldest to the newest; what cannot be read is left out.
fn read(folder: &std::path::Path) -> Result<Vec<Job>> {
    let mut jobs: Vec<Job> = fs_err::read_dir(folder)?
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "json"))
        .filter_map(|file| serde_json::from_slice(&fs_err::read(file.path()).ok()?).ok())
        .collect();
    jobs.sort_by(|one, other| (one.requested_at, &one.id).cmp(&(other.requested_at, &other.id)));
    Ok(jobs)
}

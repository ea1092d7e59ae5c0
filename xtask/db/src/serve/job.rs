//! One job: a command that was started from the page or the API, and what became of it.

use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::text;
use crate::serve::child::{Ended, Report, Step};
use crate::serve::problem::Problem;

/// How many lines of a command are kept.
const MAX_LINES: usize = 500;

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It waits for the jobs before it.
    Queued,
    /// Its command runs.
    Running,
    /// Its command did it, or answered yes.
    Done,
    /// Its command answered no, refused or failed.
    Failed,
    /// It was cancelled, or the server ended before it did.
    Interrupted,
}

/// A job as it is kept and shown.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Job {
    /// Its id: the moment it was requested, and random digits.
    pub(crate) id: String,
    /// What it does, e.g. `Restore kalito.db.2025-09-13_142530.bak`.
    pub(crate) title: String,
    /// The command in a terminal that does the same.
    pub(crate) command: String,
    /// Where it is.
    pub(crate) state: State,
    /// When it was requested.
    pub(crate) requested_at: DateTime<FixedOffset>,
    /// When its command was started.
    pub(crate) began_at: Option<DateTime<FixedOffset>>,
    /// When it ended.
    pub(crate) ended_at: Option<DateTime<FixedOffset>>,
    /// How far the present step is.
    pub(crate) progress: Option<Step>,
    /// The lines that the command printed, the last 500.
    pub(crate) lines: Vec<String>,
    /// How many lines were dropped before those.
    pub(crate) n_dropped_lines: usize,
    /// The exit code of the command.
    pub(crate) exit_code: Option<i32>,
    /// The document of the command.
    pub(crate) document: Option<Value>,
    /// Why it failed.
    pub(crate) problem: Option<JobProblem>,
}

/// Why a job failed, in the terminal's words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct JobProblem {
    /// What happened.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) hint: String,
    /// What caused it.
    #[serde(default)]
    pub(crate) causes: Vec<String>,
}

/// A command to run as a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// What it does.
    pub(crate) title: String,
    /// The words of the command, from `db-…` on.
    pub(crate) words: Vec<String>,
}

impl Order {
    /// The command in a terminal that does the same.
    #[must_use]
    pub(crate) fn command(&self) -> String {
        let words = self.words.iter().map(|word| text::shell(word)).collect::<Vec<_>>();
        format!("cargo xtask {}", words.join(" "))
    }
}

impl State {
    /// Whether nothing changes any more.
    #[must_use]
    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl Job {
    /// A job that waits.
    #[must_use]
    pub(crate) fn queued(id: String, order: &Order, now: DateTime<FixedOffset>) -> Self {
        Self {
            id,
            title: order.title.clone(),
            command: order.command(),
            state: State::Queued,
            requested_at: now,
            began_at: None,
            ended_at: None,
            progress: None,
            lines: Vec::new(),
            n_dropped_lines: 0,
            exit_code: None,
            document: None,
            problem: None,
        }
    }

    /// Notes what the command reports.
    pub(crate) fn note(&mut self, report: Report) {
        match report {
            Report::Step(step) => self.progress = Some(step),
            Report::Line(line) => {
                if self.lines.len() == MAX_LINES {
                    self.lines.remove(0);
                    self.n_dropped_lines += 1;
                }
                self.lines.push(line);
            }
        }
    }

    /// Notes how the command ended.
    pub(crate) fn end(&mut self, ended: Ended, now: DateTime<FixedOffset>) {
        let problem = ended.document.as_ref().and_then(Problem::of_document);
        self.state = match ended.exit_code {
            Some(0) => State::Done,
            Some(130) | None => State::Interrupted,
            Some(_) => State::Failed,
        };
        self.problem = problem.map(|problem| JobProblem {
            what: problem.what,
            hint: problem.hint,
            causes: problem.causes,
        });
        self.exit_code = ended.exit_code;
        self.document = ended.document;
        self.ended_at = Some(now);
        self.progress = None;
    }

    /// Notes that the command could not be run or followed.
    pub(crate) fn fail(&mut self, error: &anyhow::Error, now: DateTime<FixedOffset>) {
        self.state = State::Failed;
        let causes = error.chain().skip(1).map(ToString::to_string).collect();
        self.problem = Some(JobProblem { what: error.to_string(), hint: String::new(), causes });
        self.ended_at = Some(now);
        self.progress = None;
    }

    /// Notes that it ended before its command was known to.
    pub(crate) fn interrupt(&mut self, what: &str, now: DateTime<FixedOffset>) {
        self.state = State::Interrupted;
        let hint = "look at the backups and the other jobs, then start it again".to_owned();
        self.problem = Some(JobProblem { what: what.to_owned(), hint, causes: Vec::new() });
        self.ended_at = Some(now);
        self.progress = None;
    }
}

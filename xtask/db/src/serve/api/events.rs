//! `GET /api/jobs/{id}/events`: what a job reports, as it happens (server-sent events,
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::watch::Receiver;

use crate::serve::api::job_routes::unknown;
use crate::serve::child::Step;
use crate::serve::job::{Job, State as JobState};
use crate::serve::problem::Problem;
use crate::serve::site::Site;
use crate::serve::stream;

/// Time between two signs of life, by which the server notices that nobody reads any more.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Least time between two events: progress comes ten times a second at most.
const PAUSE: Duration = Duration::from_millis(100);

/// What was sent of a job so far.
#[derive(Default)]
struct Sent {
    n_lines: usize,
    state: Option<JobState>,
    step: Option<Step>,
}

/// Sends the events of a job until it is over.
pub(crate) async fn events(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let changes = site.jobs.changes();
    let job = site.jobs.get(&id).ok_or_else(unknown)?;
    // The id of an event is the number of lines by then: a browser that comes back gets the later ones.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let sent = Sent { n_lines: last.unwrap_or(0), ..Sent::default() };
    let (sender, body) = stream::channel();
    let follower = Follower { site, changes, sent, sender };
    tokio::spawn(async move {
        // It ends when the reader is gone, too.
        let _ = follower.send(job).await;
    });
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, body).into_response())
}

/// A reader of a job's events.
struct Follower {
    site: Arc<Site>,
    changes: Receiver<u64>,
    sent: Sent,
    sender: Sender<io::Result<Bytes>>,
}

impl Follower {
    /// Sends what is new at every change, until the job is over.
    async fn send(mut self, mut job: Job) -> Result<(), SendError<io::Result<Bytes>>> {
        loop {
            let text = self.sent.news(&job);
            if !text.is_empty() {
                self.sender.send(Ok(text.into())).await?;
            }
            if job.state.is_over() {
                return Ok(());
            }
            match tokio::time::timeout(HEARTBEAT, self.changes.changed()).await {
                Ok(Ok(())) => tokio::time::sleep(PAUSE).await,
                Ok(Err(_)) => return Ok(()),
                Err(_) => self.sender.send(Ok(Bytes::from_static(b": alive\n\n"))).await?,
            }
            self.changes.mark_unchanged();
            let Some(now) = self.site.jobs.get(&job.id) else { return Ok(()) };
            job = now;
        }
    }
}

impl Sent {
    /// The events since the last ones.
    fn news(&mut self, job: &Job) -> String {
        let mut text = String::new();
        let n_lines = job.n_dropped_lines + job.lines.len();
        let first = self.n_lines.max(job.n_dropped_lines) - job.n_dropped_lines;
        for (at, line) in job.lines.iter().enumerate().skip(first) {
            let id = job.n_dropped_lines + at + 1;
            let data = json!({ "text": line });
            let _ = write!(text, "id: {id}\nevent: line\ndata: {data}\n\n");
        }
        self.n_lines = n_lines;
        if job.progress != self.step {
            self.step.clone_from(&job.progress);
            if let Some(step) = &job.progress {
                let _ = write!(text, "event: progress\ndata: {}\n\n", json!(step));
            }
        }
        if self.state != Some(job.state) {
            self.state = Some(job.state);
            let data = json!({ "state": job.state, "problem": job.problem });
            let _ = write!(text, "event: state\ndata: {data}\n\n");
        }
        text
    }
}

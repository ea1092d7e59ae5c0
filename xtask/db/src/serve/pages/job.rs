//! One job: how far it is, what it printed, and what came out of it.

mod result;

use maud::{Markup, html};

use crate::console::text;
use crate::serve::child::Step;
use crate::serve::documents::failure::Failure;
use crate::serve::job::{Job, JobProblem, State};
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::parts::{Act, act, back, problem, terminal};
use crate::serve::pages::{icons, job_state, web_address, words};

/// Seconds between two looks at a job if there is no script.
const REFRESH_SECONDS: u32 = 2;

/// The page of a job.
#[must_use]
pub(crate) fn page(context: &Context, job: &Job) -> Markup {
    let refresh_seconds = (!job.state.is_over()).then_some(REFRESH_SECONDS);
    let frame = Frame { refresh_seconds, ..Frame::of(&job.title, Tab::Jobs) };
    let body = html! {
        (back("/jobs", "All jobs"))
        div.title {
            h1 {
                span.eyebrow { "Job" }
                " "
                span.big { (job.title) }
            }
            p.lead { (job_state::state(job.state)) " · " (times(context, job)) }
        }
        @if let Some(failure) = &job.problem {
            (problem(&failure_of(failure)))
        }
        @if job.state == State::Interrupted && job.problem.is_none() {
            p.warning { (icons::icon("warn")) span {
                "It was interrupted. The database is in its old or its new state, never between: "
                code { "cargo xtask db-status" } " reports anything left to do."
            } }
        }
        @if !job.state.is_over() { (progress(job)) }
        @if let Some(document) = &job.document { (result::section(document)) }
        (output(job))
        (terminal(&job.command))
    };
    // The running jobs are not listed above the page of one of them.
    let context = Context { running: Vec::new(), ..context.clone() };
    layout::page(&context, &frame, &body)
}

/// The time that the command of a job took.
pub(super) fn took(job: &Job) -> Option<String> {
    let took = (job.ended_at? - job.began_at?).to_std().unwrap_or_default();
    Some(text::took(took))
}

fn failure_of(problem: &JobProblem) -> Failure {
    Failure {
        message: problem.what.clone(),
        causes: problem.causes.clone(),
        hint: (!problem.hint.is_empty()).then(|| problem.hint.clone()),
    }
}

fn times(context: &Context, job: &Job) -> Markup {
    html! {
        @match job.began_at {
            Some(began_at) => { "began " (words::live_age(began_at, context.now)) },
            None => { "requested " (words::live_age(job.requested_at, context.now)) },
        }
        @if let Some(took) = took(job) { ", took " (took) }
    }
}

/// The bar, which the script moves.
fn progress(job: &Job) -> Markup {
    let events = format!("/api/jobs/{}/events", web_address::encode(&job.id));
    let fields = [("id", &*job.id)];
    let cancel = format!("/do/jobs/{}/cancel", web_address::encode(&job.id));
    html! {
        section.card.progress data-events=(events) aria-labelledby="progress" {
            h2 #progress { "Progress" }
            @match job.progress.as_ref().and_then(counted) {
                Some([done, total]) => {
                    progress #bar max=(total.max(1)) value=(done) aria-labelledby="progress" {}
                }
                None => progress #bar aria-labelledby="progress" {},
            }
            p.muted #bar-text { (present(job)) }
            p.vh #bar-said aria-live="polite" {}
            p.muted { "It goes on if you close this page." }
            (act(&Act { action: &cancel, fields: &fields, class: "", text: "Cancel" }))
        }
    }
}

/// Bytes so far and in all.
fn counted(step: &Step) -> Option<[u64; 2]> {
    Some([step.done_bytes?, step.total_bytes?])
}

/// What it does at present.
fn present(job: &Job) -> String {
    match &job.progress {
        Some(step) => match counted(step) {
            Some([done, total]) => {
                format!("{}: {} of {}", step.verb, text::size(done), text::size(total))
            }
            None => step.verb.clone(),
        },
        None if job.state == State::Queued => "Waiting for the jobs before it".to_owned(),
        None => "Working".to_owned(),
    }
}

/// What it printed.
fn output(job: &Job) -> Markup {
    html! {
        div.card hidden[job.state.is_over() && job.lines.is_empty()] {
            h2 #output { "Output" }
            pre.output #lines tabindex="0" role="region" aria-labelledby="output" {
                @if job.n_dropped_lines > 0 { "… " (job.n_dropped_lines) " lines before\n" }
                @for line in &job.lines { (line) "\n" }
            }
        }
    }
}

//! Running and past jobs.

use maud::{Markup, html};

use crate::serve::job::Job;
use crate::serve::pages::context::Context;
use crate::serve::pages::layout::{self, Frame, Tab};
use crate::serve::pages::{job, job_state, web_address, words};

/// The page of all jobs, the newest first.
#[must_use]
pub(crate) fn page(context: &Context, jobs: &[Job]) -> Markup {
    let body = html! {
        div.title {
            h1 { span.eyebrow { "Backups, restores and checks from this page" } " " span.big { "Jobs" } }
        }
        @if jobs.is_empty() {
            section.card {
                p.figure.soft { "No jobs yet" }
                p.muted { "Each backup, restore or check that you start here is listed, also after a restart of the server." }
            }
        } @else {
            section.card aria-label="Jobs" {
                div.wide {
                    table.plain.jobs {
                        thead {
                            tr {
                                th scope="col" { "Job" }
                                th scope="col" { "State" }
                                th scope="col" { "Requested" }
                                th.n scope="col" { "Took" }
                            }
                        }
                        tbody { @for job in jobs { (row(context, job)) } }
                    }
                }
            }
        }
    };
    layout::page(context, &Frame::of("Jobs", Tab::Jobs), &body)
}

fn row(context: &Context, job: &Job) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(web_address::job(&job.id)) { (job.title) }
                br;
                code.muted { (job.command) }
            }
            td { (job_state::state(job.state)) }
            td { (words::time(job.requested_at, &words::moment(job.requested_at, context.now))) }
            td.n { @match job::took(job) { Some(took) => (took), None => span.muted { "–" } } }
        }
    }
}

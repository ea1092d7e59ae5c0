//! What the routes of pages share: the databases and backups as they are now, and how a problem looks.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use maud::Markup;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::console::text;
use crate::serve::documents::backup::Backup;
use crate::serve::documents::diff::{Diff, Difference};
use crate::serve::documents::failure::Failure;
use crate::serve::documents::status::Status;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::facts::{Since, newest_proved};
use crate::serve::pages::{failure, login};
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// How long a page waits for a comparison before it is shown without.
const PATIENCE: Duration = Duration::from_millis(150);

/// The databases and backups as they are now.
pub(crate) struct View {
    pub(crate) context: Context,
    pub(crate) status: Status,
    /// The backups of the chosen database, newest first.
    pub(crate) backups: Arc<[Backup]>,
}

impl View {
    /// What pages about this database show; about the first if there is no such database.
    ///
    /// # Errors
    ///
    /// The error of `db-list` or `db-status`.
    pub(crate) async fn of(site: &Site, database: &str) -> Result<Self, Problem> {
        let context = context(site, database);
        let (list, status) = tokio::join!(site.list(), site.status());
        let belongs = |backup: &Backup| belongs_to(&context, backup);
        let backups = site.parsed.of_database(&list?, &context.database, belongs)?;
        Ok(Self { backups, status: read(&*status?)?, context })
    }

    /// The same about the database of a backup, and that backup.
    ///
    /// # Errors
    ///
    /// As [`View::of`]; a problem if there is no such backup.
    pub(crate) async fn of_backup(site: &Site, name: &str) -> Result<(Self, Backup), Problem> {
        let all = site.parsed.all(&site.list().await?)?;
        let backup = all.iter().find(|backup| backup.name == name).cloned();
        let backup = backup.ok_or_else(|| {
            let what = format!("there is no backup named `{}`", text::plain(name));
            Problem::new(StatusCode::NOT_FOUND, what, "`cargo xtask db-list` lists the backups")
        })?;
        let view = Self::of(site, backup.database.as_deref().unwrap_or_default()).await?;
        Ok((view, backup))
    }
}

/// What is around every page.
#[must_use]
pub(crate) fn context(site: &Site, database: &str) -> Context {
    let chosen = site.about.chosen(database).map(|database| database.name.clone());
    let mut running = site.jobs.all();
    running.retain(|job| !job.state.is_over());
    running.reverse();
    Context {
        project: site.about.project.clone(),
        databases: site.about.databases.clone(),
        database: chosen.unwrap_or_default(),
        now: (site.clock)(),
        running,
        notice: None,
    }
}

/// Whether a backup belongs to the chosen database: by its record, else by the beginning of its name.
fn belongs_to(context: &Context, backup: &Backup) -> bool {
    match &backup.database {
        Some(database) => *database == context.database,
        None => context.chosen().is_some_and(|database| {
            let file = database.path.rsplit('/').next().unwrap_or_default();
            context.databases.len() == 1
                || backup.name.strip_prefix(file).is_some_and(|rest| rest.starts_with('.'))
        }),
    }
}

/// A document of a command.
///
/// # Errors
///
/// If it is not as the page expects it.
pub(crate) fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Problem> {
    let read = T::deserialize(document);
    read.map_err(|error| Problem::of_failure(&anyhow::Error::new(error)))
}

/// What changed in the database since its newest proved backup, if there is one.
pub(crate) async fn since(site: &Site, backups: &[Backup]) -> Option<Result<Difference, Problem>> {
    let proved = newest_proved(backups)?;
    Some(difference(site, vec![proved.name.clone()]).await)
}

/// The same, or nothing if it takes too long.
pub(crate) async fn since_at_once(
    site: &Arc<Site>,
    backups: &[Backup],
) -> Option<Result<Difference, Problem>> {
    let (site, name) = (Arc::clone(site), newest_proved(backups)?.name.clone());
    // It goes on if the page does not wait for it: the next one has the answer.
    let found = tokio::spawn(async move { difference(&site, vec![name]).await });
    tokio::time::timeout(PATIENCE, found).await.ok()?.ok()
}

/// How the first page shows it.
#[must_use]
pub(crate) fn shown_since(found: Option<&Result<Difference, Problem>>) -> Since<'_> {
    match found {
        Some(Ok(difference)) => Since::Known(difference),
        Some(Err(problem)) => Since::Failed(&problem.what),
        None => Since::Pending,
    }
}

/// The difference that `db-diff` with these words finds.
///
/// # Errors
///
/// The error of `db-diff`.
pub(crate) async fn difference(site: &Site, words: Vec<String>) -> Result<Difference, Problem> {
    let diff: Diff = read(&*site.difference(words).await?)?;
    let nothing = || anyhow::anyhow!("`db-diff` compared nothing").into();
    diff.differences.into_iter().next().ok_or_else(nothing)
}

/// A page, or the page of the problem.
pub(crate) fn shown(site: &Site, page: Result<Markup, Problem>) -> Response {
    match page {
        Ok(page) => Html(page.into_string()).into_response(),
        Err(problem) => {
            let page = failure::page(&context(site, ""), &title(&problem), &failure_of(&problem));
            let mut response = (problem.status(), Html(page.into_string())).into_response();
            problem.mark(&mut response);
            response
        }
    }
}

/// Whether a browser asks for something to look at.
#[must_use]
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// A refusal as a browser or a script reads it.
pub(crate) fn refusal(headers: &HeaderMap, problem: Problem) -> Response {
    if !wants_page(headers) {
        return problem.into_response();
    }
    let page = match problem.status() {
        StatusCode::UNAUTHORIZED => login::page(),
        _ => failure::bare_page(&title(&problem), &failure_of(&problem)),
    };
    let mut response = (problem.status(), Html(page.into_string())).into_response();
    problem.mark(&mut response);
    response
}

fn title(problem: &Problem) -> String {
    problem.status().to_string()
}

/// The same as pages show it.
pub(crate) fn failure_of(problem: &Problem) -> Failure {
    Failure {
        message: problem.what.clone(),
        causes: problem.causes.clone(),
        hint: (!problem.hint.is_empty()).then(|| problem.hint.clone()),
    }
}

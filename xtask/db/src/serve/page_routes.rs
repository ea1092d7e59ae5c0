//! The routes that show a page.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, RawQuery, State};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use maud::Markup;
use serde::Deserialize;

use crate::console::text;
use crate::serve::api::job_routes;
use crate::serve::assets::asset;
use crate::serve::orders::checked;
use crate::serve::page_view::{self, View, context, difference, failure_of, shown};
use crate::serve::pages::backup::facts::BackupFacts;
use crate::serve::pages::diff::DiffFacts;
use crate::serve::pages::home::facts::HomeFacts;
use crate::serve::pages::home::query::Query as TableQuery;
use crate::serve::pages::{backup, diff, home, job, jobs};
use crate::serve::problem::Problem;
use crate::serve::recent::Sources;
use crate::serve::site::Site;

/// Every page, and its files.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/", get(first))
        .route("/since", get(since))
        .route("/backups/{name}", get(one_backup))
        .route("/backups/{name}/diff", get(one_difference))
        .route("/jobs", get(all_jobs))
        .route("/jobs/{id}", get(one_job))
        .route("/assets/{name}", get(asset))
}

/// `GET /`.
async fn first(
    State(site): State<Arc<Site>>,
    Query(query): Query<TableQuery>,
    RawQuery(asked): RawQuery,
) -> Response {
    match recent_page(&site, &query, asked.unwrap_or_default()).await {
        Ok(page) => Html(page).into_response(),
        Err(problem) => shown(&site, Err(problem)),
    }
}

async fn recent_page(
    site: &Arc<Site>,
    query: &TableQuery,
    asked: String,
) -> Result<Bytes, Problem> {
    let (list, status) = tokio::join!(site.list(), site.status());
    let n_changes = *site.jobs.changes().borrow();
    let sources = Sources { query: asked, documents: [list?, status?], n_changes };
    let render = async || Ok(first_page(site, query).await?.into_string().into());
    site.recent.get(sources, render).await
}

async fn first_page(site: &Arc<Site>, query: &TableQuery) -> Result<Markup, Problem> {
    let view = View::of(site, &query.db).await?;
    let found = page_view::since_at_once(site, &view.backups).await;
    let since = page_view::shown_since(found.as_ref());
    let facts = HomeFacts { status: &view.status, backups: &view.backups, since, query };
    Ok(home::page(&view.context, &facts))
}

/// Which database.
#[derive(Deserialize)]
struct Database {
    #[serde(default)]
    db: String,
}

/// `GET /since`: the part of the first page that was not known yet.
async fn since(State(site): State<Arc<Site>>, Query(database): Query<Database>) -> Response {
    let Ok(view) = View::of(&site, &database.db).await else { return Html("").into_response() };
    let found = page_view::since(&site, &view.backups).await;
    let since = page_view::shown_since(found.as_ref());
    Html(home::since_part(&view.context, &view.backups, since).into_string()).into_response()
}

/// `GET /backups/{name}`.
async fn one_backup(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Response {
    let page = View::of_backup(&site, &name).await.map(|(view, backup)| {
        let facts = BackupFacts { backup: &backup, backups: &view.backups, schema: None };
        backup::page(&view.context, &facts)
    });
    shown(&site, page)
}

/// With what a backup is compared.
#[derive(Deserialize)]
#[serde(default)]
struct With {
    with: String,
    rows: String,
}

impl Default for With {
    fn default() -> Self {
        Self { with: "live".to_owned(), rows: String::new() }
    }
}

impl With {
    /// The words of `db-diff` after it.
    fn words(&self, name: &str) -> Result<Vec<String>, Problem> {
        let mut words = vec![name.to_owned()];
        let other = self.with.trim();
        if other != "live" && !other.is_empty() {
            words.push(checked(other)?);
        }
        if !self.rows.is_empty() {
            words.push("--rows".to_owned());
        }
        Ok(words)
    }
}

/// `GET /backups/{name}/diff`.
async fn one_difference(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Query(with): Query<With>,
) -> Response {
    shown(&site, difference_page(&site, &name, &with).await)
}

async fn difference_page(site: &Site, name: &str, with: &With) -> Result<Markup, Problem> {
    let (view, backup) = View::of_backup(site, name).await?;
    let words = with.words(name)?;
    let shown: Vec<_> = words.iter().map(|word| text::shell(word)).collect();
    let command = format!("cargo xtask db-diff {}", shown.join(" "));
    let found = difference(site, words).await.map_err(|problem| failure_of(&problem));
    let other = with.with.trim();
    let facts = DiffFacts {
        backup: &backup,
        with: if other.is_empty() { "live" } else { other },
        result: found.as_ref(),
        command: &command,
    };
    Ok(diff::page(&view.context, &facts))
}

/// `GET /jobs`.
async fn all_jobs(State(site): State<Arc<Site>>) -> Html<String> {
    Html(jobs::page(&context(&site, ""), &site.jobs.all()).into_string())
}

/// `GET /jobs/{id}`.
async fn one_job(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let job = site.jobs.get(&id).ok_or_else(job_routes::unknown);
    shown(&site, job.map(|found| job::page(&context(&site, ""), &found)))
}

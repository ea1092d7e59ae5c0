//! What the forms of the pages do in one step: each starts a job, and leads to it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::post;

use crate::serve::api::job_routes;
use crate::serve::job::Order;
use crate::serve::orders::{self, Create, Verify};
use crate::serve::page_view::shown;
use crate::serve::pages::web_address;
use crate::serve::problem::Problem;
use crate::serve::site::Site;

/// The fields of a form, in their order; a name may come several times.
pub(crate) type Fields = Vec<(String, String)>;

/// Every act that needs no plan.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/do/backup", post(back_up))
        .route("/do/verify", post(verify))
        .route("/do/pin", post(pin))
        .route("/do/unpin", post(unpin))
        .route("/do/label", post(label))
        .route("/do/jobs/{id}/cancel", post(cancel))
}

/// `POST /do/backup`.
async fn back_up(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    let text = |name| value(&fields, name).unwrap_or_default().to_owned();
    let database = Some(text("db")).filter(|database| !database.is_empty());
    let create = Create::labelled(text("label"), !text("pin").is_empty(), database);
    started(&site, create.order().map(|order| vec![order]))
}

/// `POST /do/verify`.
async fn verify(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    if value(&fields, "all").is_some() {
        return started(&site, Verify::all().order().map(|order| vec![order]));
    }
    started(&site, each(&fields, |name| Verify::one(name.to_owned()).order()))
}

/// `POST /do/pin`.
async fn pin(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    started(&site, each(&fields, |name| orders::pin(name, true)))
}

/// `POST /do/unpin`.
async fn unpin(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    started(&site, each(&fields, |name| orders::pin(name, false)))
}

/// `POST /do/label`.
async fn label(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    let label = value(&fields, "label").unwrap_or_default().trim();
    started(&site, each(&fields, |name| orders::label(name, label)))
}

/// `POST /do/jobs/{id}/cancel`.
async fn cancel(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    match site.jobs.cancel(&id) {
        Some(job) => Redirect::to(&web_address::job(&job.id)).into_response(),
        None => shown(&site, Err(job_routes::unknown())),
    }
}

/// An order for each selected backup.
fn each(
    fields: &Fields,
    order: impl Fn(&str) -> Result<Order, Problem>,
) -> Result<Vec<Order>, Problem> {
    let names = fields.iter().filter(|(name, _)| name == "name");
    let orders: Vec<Order> = names.map(|(_, name)| order(name)).collect::<Result<_, _>>()?;
    if orders.is_empty() {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "no backup was selected",
            "go back, and select one in the table",
        ));
    }
    Ok(orders)
}

/// Starts the jobs; leads to the only one, or to all.
pub(crate) fn started(site: &Site, orders: Result<Vec<Order>, Problem>) -> Response {
    let jobs = orders.and_then(|orders| {
        orders.into_iter().map(|order| site.jobs.add(order)).collect::<Result<Vec<_>, _>>()
    });
    match jobs.as_deref() {
        Ok([job]) => Redirect::to(&web_address::job(&job.id)).into_response(),
        Ok(_) => Redirect::to("/jobs").into_response(),
        Err(problem) => shown(site, Err(problem.clone())),
    }
}

/// The first value of a field.
pub(crate) fn value<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.iter().find(|(given, _)| given == name).map(|(_, value)| &**value)
}

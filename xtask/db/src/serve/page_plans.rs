//! Acts in two steps on the pages: a form makes a plan, its page confirms it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use maud::Markup;

use crate::serve::documents::diff::Difference;
use crate::serve::orders::{self, Import, Manner, OnConflict, Restore};
use crate::serve::page_acts::{Fields, started, value};
use crate::serve::page_view::{View, context, difference, failure_of, read, shown};
use crate::serve::pages::import::ImportFacts;
use crate::serve::pages::receipt::ReceiptFacts;
use crate::serve::pages::receipt::planned::Planned;
use crate::serve::pages::{import, receipt, web_address};
use crate::serve::problem::Problem;
use crate::serve::receipts::{Act, Confirmed, Receipt};
use crate::serve::site::Site;

/// Every act that needs a plan.
pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/import", get(choose))
        .route("/do/restore", post(restore))
        .route("/do/prune", post(prune))
        .route("/do/import", post(plan_import))
        .route("/receipts/{id}", get(one))
        .route("/do/receipts/{id}", post(confirm))
}

/// `GET /import`.
async fn choose(State(site): State<Arc<Site>>) -> Html<String> {
    let facts = ImportFacts { max_bytes: site.uploads.max_bytes() };
    Html(import::page(&context(&site, ""), facts).into_string())
}

/// `POST /do/restore`.
async fn restore(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    let name = value(&fields, "name").unwrap_or_default().to_owned();
    let tables = fields.iter().filter(|(field, _)| field == "table");
    let tables = tables.map(|(_, table)| table.clone()).collect();
    let planned = match View::of_backup(&site, &name).await {
        Ok((view, _)) => {
            let several = view.context.databases.len() > 1;
            let database = several.then_some(view.context.database);
            site.plan_restore(Restore { r#ref: name, tables, database }).await
        }
        Err(problem) => Err(problem),
    };
    planned_page(&site, planned)
}

/// `POST /do/prune`.
async fn prune(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    let planned = match orders::db_flag(value(&fields, "db")) {
        Ok(flag) => site.plan_prune(flag).await,
        Err(problem) => Err(problem),
    };
    planned_page(&site, planned)
}

/// `POST /do/import`.
async fn plan_import(State(site): State<Arc<Site>>, Form(fields): Form<Fields>) -> Response {
    let text = |name| value(&fields, name).unwrap_or_default();
    let manner = if text("merge").is_empty() { Manner::New } else { Manner::Merge };
    let on_conflict = match text("on_conflict") {
        "skip" => OnConflict::Skip,
        "replace" => OnConflict::Replace,
        _ => OnConflict::Fail,
    };
    let (upload, database) = (text("upload").to_owned(), text("db").to_owned());
    let database = Some(database).filter(|database| !database.is_empty());
    let planned = site.plan_import(Import { upload, manner, on_conflict, database }).await;
    planned_page(&site, planned)
}

/// Leads to the page of the plan.
fn planned_page(site: &Site, planned: Result<Receipt, Problem>) -> Response {
    match planned {
        Ok(receipt) => Redirect::to(&web_address::receipt(&receipt.id)).into_response(),
        Err(problem) => shown(site, Err(problem)),
    }
}

/// `GET /receipts/{id}`.
async fn one(State(site): State<Arc<Site>>, Path(id): Path<String>) -> Response {
    let page = match site.receipts.get(&id) {
        Ok(receipt) => receipt_page(&site, &receipt, receipt.warning.as_deref()).await,
        Err(problem) => Err(problem),
    };
    shown(&site, page)
}

/// `POST /do/receipts/{id}`.
async fn confirm(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Form(fields): Form<Fields>,
) -> Response {
    let typed = value(&fields, "typed").map(|typed| typed.trim().to_owned());
    let receipt = match site.receipts.get(&id) {
        Ok(receipt) => receipt,
        Err(problem) => return shown(&site, Err(problem)),
    };
    let (receipt, status, warning) = match site.confirm(id, typed).await {
        Ok(Confirmed::Order(order)) => return started(&site, Ok(vec![order])),
        Ok(Confirmed::Changed(new)) => {
            let warning = new.warning.clone().unwrap_or_default();
            (*new, StatusCode::CONFLICT, warning)
        }
        Err(problem) => (receipt, problem.status(), problem.what),
    };
    match receipt_page(&site, &receipt, Some(&warning)).await {
        Ok(page) => (status, Html(page.into_string())).into_response(),
        Err(problem) => shown(&site, Err(problem)),
    }
}

/// The page of a plan.
async fn receipt_page(
    site: &Arc<Site>,
    receipt: &Receipt,
    warning: Option<&str>,
) -> Result<Markup, Problem> {
    let context = context(site, "");
    let valid_for = TimeDelta::from_std(receipt.valid_for()).unwrap_or_default();
    let command = receipt.order().command();
    let facts = |planned| ReceiptFacts {
        id: &receipt.id,
        planned,
        command: &command,
        typed_name: receipt.typed_name(),
        valid_until: context.now + valid_for,
        warning,
    };
    let plan = match &receipt.plan {
        Ok(plan) => plan,
        Err(problem) => {
            let failure = failure_of(problem);
            let upload = receipt.upload.as_deref();
            let refused = Planned::Refused { failure: &failure, upload };
            return Ok(receipt::page(&context, &facts(refused)));
        }
    };
    match receipt.act {
        Act::Prune => Ok(receipt::page(&context, &facts(Planned::Prune(&read(plan)?)))),
        Act::Import => Ok(receipt::page(&context, &facts(Planned::Import(&read(plan)?)))),
        Act::Restore => {
            let plan: crate::serve::documents::restore::Plan = read(plan)?;
            let (view, backup) = View::of_backup(site, &plan.would_restore).await?;
            let since = undone(site, &backup.name).await;
            let planned = Planned::Restore { plan: &plan, backup: &backup, since: since.as_ref() };
            Ok(receipt::page(&view.context, &facts(planned)))
        }
    }
}

/// What a restore undoes, if that can be compared.
async fn undone(site: &Site, name: &str) -> Option<Difference> {
    difference(site, vec![name.to_owned()]).await.ok()
}

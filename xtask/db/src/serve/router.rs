//! The routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::serve::api::{
    acts, backups, diff, events, job_routes, openapi, pour, receipt_routes, upload_routes,
};
use crate::serve::guard::{OPEN, cookie_name, guard};
use crate::serve::page_view::{shown, wants_page};
use crate::serve::problem::Problem;
use crate::serve::site::Site;
use crate::serve::{page_acts, page_plans, page_routes};

/// Every route, behind the guard.
pub(crate) fn routes(site: Arc<Site>) -> Router {
    let guarded = axum::middleware::from_fn_with_state(Arc::clone(&site), guard);
    Router::new()
        .route(OPEN, get(open))
        .route("/api/openapi.json", get(openapi::openapi))
        .merge(page_routes::routes())
        .merge(page_acts::routes())
        .merge(page_plans::routes())
        .route("/api/backup/status", get(backups::status))
        .route("/api/backup/create", post(backups::create))
        .route("/api/backup/verify", post(acts::verify))
        .route("/api/backup/pin", post(acts::pin))
        .route("/api/backup/unpin", post(acts::unpin))
        .route("/api/backup/label", post(acts::label))
        .route("/api/backup/diff", get(diff::diff))
        .route("/api/backup/restore", post(receipt_routes::restore))
        .route("/api/backup/prune", post(receipt_routes::prune))
        .route("/api/backup/import", post(receipt_routes::import))
        .route("/api/receipts/{id}", get(receipt_routes::one))
        .route("/api/receipts/{id}/confirm", post(receipt_routes::confirm))
        .route("/api/backup/uploads", post(upload_routes::begin))
        .route("/api/backup/uploads/{id}", get(upload_routes::one).patch(upload_routes::append))
        .route("/api/backup/export", get(pour::export))
        .route("/api/backup/file", get(pour::file))
        .route("/api/jobs", get(job_routes::all))
        .route("/api/jobs/{id}", get(job_routes::one))
        .route("/api/jobs/{id}/cancel", post(job_routes::cancel))
        .route("/api/jobs/{id}/events", get(events::events))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(guarded)
        .with_state(site)
}

/// The query of the printed address.
#[derive(Deserialize)]
struct Invitation {
    #[serde(default)]
    t: String,
}

/// Exchanges the token of the printed address for a cookie, and goes on to the page.
async fn open(
    State(site): State<Arc<Site>>,
    Query(invitation): Query<Invitation>,
) -> Result<Response, Problem> {
    let Some(cookie) = site.keys.exchange(&invitation.t)? else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "this address was used already, or is from an earlier start",
            "open the address that `cargo xtask db-serve` printed last",
        ));
    };
    // The terminal is gone when the server ends.
    let _ =
        site.terminal.send(format!("A browser was let in. For another one: {}", site.invitation()));
    let cookie = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Strict",
        cookie_name(site.port),
        cookie.digits()
    );
    // Not a redirect: if another site led here, the browser would keep the strict cookie back from where it is led.
    let page = "<!doctype html><html lang=en><title>Backups</title><link rel=icon href=/assets/icon.svg><meta http-equiv=refresh content=\"0; url=/\">\
                <p><a href=\"/\">Go on to the backups</a></p>";
    Ok(([(header::SET_COOKIE, cookie)], Html(page)).into_response())
}

async fn unknown(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let problem = Problem::new(
        StatusCode::NOT_FOUND,
        "there is no such page",
        "see `/`, and `/api/openapi.json` for the API",
    );
    if wants_page(&headers) { shown(&site, Err(problem)) } else { problem.into_response() }
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this address does not know that method",
        "see `/api/openapi.json`",
    )
}

//! Files of the page, compiled in.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::serve::problem::Problem;

/// A file of the page: its name, its type and its content.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: &'static str,
}

const ASSETS: [Asset; 4] = [
    Asset {
        name: "style.css",
        content_type: "text/css; charset=utf-8",
        content: include_str!("assets/style.css"),
    },
    Asset {
        name: "page.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/page.js"),
    },
    Asset {
        name: "table.js",
        content_type: "text/javascript; charset=utf-8",
        content: include_str!("assets/table.js"),
    },
    Asset {
        name: "icon.svg",
        content_type: "image/svg+xml",
        content: include_str!("assets/icon.svg"),
    },
];

/// `GET /assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>) -> Result<Response, Problem> {
    let asset = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = asset else {
        let what = "the page has no such file";
        return Err(Problem::new(StatusCode::NOT_FOUND, what, "see `/`"));
    };
    Ok(([(header::CONTENT_TYPE, asset.content_type)], asset.content).into_response())
}

//! A refusal or failure as an answer: `application/problem+json` (RFC 9457) with the terminal's own `what` and `hint`.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

/// A request that is not done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// What happened: as the terminal prints it after `error:`.
    pub(crate) what: String,
    /// What to do next: as the terminal prints it after `hint:`.
    pub(crate) hint: String,
    /// The causes, as the terminal prints them after `caused by:`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) causes: Vec<String>,
    /// The exit code of the command that did not do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i64>,
}

/// The members that RFC 9457 names, and ours.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    detail: &'a str,
    #[serde(flatten)]
    problem: &'a Problem,
}

/// Why a request was refused, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Why(pub(crate) String);

impl Problem {
    /// A problem of this server's own.
    #[must_use]
    pub(crate) fn new(
        status: StatusCode,
        what: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status: status.as_u16(),
            what: what.into(),
            hint: hint.into(),
            causes: Vec::new(),
            exit_code: None,
        }
    }

    /// The failure that a command reports in its document; `None` if it reports none.
    #[must_use]
    pub(crate) fn of_document(document: &Value) -> Option<Self> {
        let error = document.get("error")?;
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        let exit_code = error["exit_code"].as_i64();
        let status = match exit_code {
            Some(3) => StatusCode::SERVICE_UNAVAILABLE,
            // By the state of the databases and backups, it cannot be done.
            _ => StatusCode::CONFLICT,
        };
        let causes = error["causes"].as_array().into_iter().flatten();
        Some(Self {
            status: status.as_u16(),
            what: text("message"),
            hint: text("hint"),
            causes: causes.filter_map(|cause| Some(cause.as_str()?.to_owned())).collect(),
            exit_code,
        })
    }

    /// A failure of this machine.
    #[must_use]
    pub(crate) fn of_failure(error: &anyhow::Error) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut problem = Self::new(status, error.to_string(), "");
        problem.causes = error.chain().skip(1).map(ToString::to_string).collect();
        problem
    }

    /// Has an answer that shows this problem written down as refused.
    pub(crate) fn mark(&self, response: &mut Response) {
        // If a command refuses, the request was let in.
        if self.exit_code.is_none() {
            response.extensions_mut().insert(Why(self.what.clone()));
        }
    }

    /// The status of HTTP.
    #[must_use]
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<anyhow::Error> for Problem {
    fn from(error: anyhow::Error) -> Self {
        Self::of_failure(&error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let title = status.canonical_reason().unwrap_or("Failed");
        let document =
            Document { r#type: "about:blank", title, detail: &self.what, problem: &self };
        let mut response = (status, axum::Json(&document)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        self.mark(&mut response);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_of_a_command_keeps_its_words() {
        let error = json!({ "error": {
            "message": "the backups folder is locked", "hint": "try again", "causes": ["held"], "exit_code": 3
        }});
        let problem = Problem::of_document(&error).expect("an error");
        assert_eq!((problem.status, problem.exit_code), (503, Some(3)));
        assert_eq!(
            (problem.what.as_str(), problem.hint.as_str()),
            ("the backups folder is locked", "try again")
        );
        assert_eq!(problem.causes, ["held"]);
        assert_eq!(Problem::of_document(&json!({ "backups": [] })), None);
    }
}

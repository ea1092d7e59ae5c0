//! What is too large for memory: rows of an export, and the file of a backup, sent while they are read.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse as _, Response};
use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use crate::serve::api::range;
use crate::serve::child;
use crate::serve::orders;
use crate::serve::problem::Problem;
use crate::serve::site::Site;
use crate::serve::stream;

/// How much is read at once.
const PIECE_BYTES: usize = 128 << 10;

/// Query of `GET /api/backup/export`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Export {
    /// A reference, or `live`.
    #[serde(default = "live")]
    r#ref: String,
    #[serde(default)]
    format: Format,
    /// The only table.
    table: Option<String>,
    /// The database, if several are configured.
    database: Option<String>,
}

/// A format that is one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Jsonl,
    Json,
    Sql,
    Csv,
}

/// Query of `GET /api/backup/file`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    name: String,
}

fn live() -> String {
    "live".to_owned()
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Sql => "sql",
            Self::Csv => "csv",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Json => "application/json",
            Self::Sql => "application/sql",
            Self::Csv => "text/csv",
        }
    }
}

impl Export {
    fn words(&self) -> Result<Vec<String>, Problem> {
        let mut words = vec!["db-export".to_owned()];
        if self.r#ref != "live" {
            words.push(orders::checked(&self.r#ref)?);
        }
        words.extend([format!("--format={}", self.format.word()), "--output=-".to_owned()]);
        // A form sends what was left out as an empty text.
        if let Some(table) = self.table.as_ref().filter(|table| !table.is_empty()) {
            words.push(format!("--table={}", orders::checked_name(table)?));
        }
        words.extend(orders::db_flag(self.database.as_deref())?);
        Ok(words)
    }

    fn file_name(&self) -> String {
        let table = self.table.as_deref().filter(|table| !table.is_empty());
        let parts = [Some(self.r#ref.as_str()), table, Some(self.format.word())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(".")
    }
}

/// `GET /api/backup/export`: the rows of the live database or of a backup.
pub(crate) async fn export(
    State(site): State<Arc<Site>>,
    query: Result<Query<Export>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(export) = query.map_err(|rejection| wrong_query(&rejection.body_text()))?;
    let words = export.words()?;
    child::demand_words(&words)?;
    let mut command = site.program.command(&words)?;
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(anyhow::Error::from)?;
    let (Some(mut rows), Some(messages)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(anyhow::anyhow!("could not read from a command").into());
    };
    // They are read all the time: a full pipe would stop the command.
    let said = tokio::task::spawn_blocking(move || last_words(messages));
    let first = tokio::task::spawn_blocking(move || {
        let first = read_piece(&mut rows);
        (first, rows)
    });
    let (first, rows) = first.await.map_err(anyhow::Error::from)?;
    let first = first.map_err(anyhow::Error::from)?;
    if first.is_empty() {
        let said = said.await.map_err(anyhow::Error::from)?;
        let status = tokio::task::spawn_blocking(move || child.wait()).await;
        let status = status.map_err(anyhow::Error::from)?.map_err(anyhow::Error::from)?;
        return if status.success() {
            Ok(Body::empty().into_response())
        } else {
            Err(failure(status, said))
        };
    }
    let (sender, body) = stream::channel();
    let mut exporting = child;
    tokio::task::spawn_blocking(move || {
        let sent = send(&sender, first, rows);
        if !sent {
            // The reader is gone: nobody needs the rest of the proof either.
            child::interrupt(exporting.id());
        }
        let ended = exporting.wait();
        if sent && !ended.is_ok_and(|status| status.success()) {
            let cut = std::io::Error::other("the export failed");
            let _ = sender.blocking_send(Err(cut));
        }
    });
    let headers = [
        (header::CONTENT_TYPE, export.format.content_type().to_owned()),
        (header::CONTENT_DISPOSITION, attachment(&export.file_name())),
    ];
    Ok((headers, body).into_response())
}

/// `GET /api/backup/file`: a backup as the SQLite file that it is, whole or in ranges.
pub(crate) async fn file(
    State(site): State<Arc<Site>>,
    query: Result<Query<File>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(File { name }) = query.map_err(|rejection| wrong_query(&rejection.body_text()))?;
    let backup = site.backup(&orders::checked_name(&name)?).await?;
    if backup["state"] == "damaged" {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            format!("`{name}` is damaged"),
            "choose another backup",
        ));
    }
    let opened = tokio::task::spawn_blocking(move || site.downloads.open(&site.program, &backup));
    let download = opened.await.map_err(anyhow::Error::from)??;
    let part = range::asked(&headers, download.size_bytes, &download.etag)?;
    let (sender, body) = stream::channel();
    let bytes = download.part(&part)?;
    tokio::task::spawn_blocking(move || send(&sender, Bytes::new(), bytes));
    let mut response = (AppendHeaders(range::headers(&part, &download)), body).into_response();
    if part.is_partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let disposition = attachment(&download.file_name).parse();
    if let Ok(disposition) = disposition {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, disposition);
    }
    Ok(response)
}

/// Sends what was read already, and then the rest; whether all of it went.
fn send(sender: &Sender<std::io::Result<Bytes>>, first: Bytes, mut rest: impl Read) -> bool {
    let mut piece = Ok(first);
    loop {
        if piece.as_ref().is_ok_and(|bytes| !bytes.is_empty())
            && sender.blocking_send(piece).is_err()
        {
            return false;
        }
        piece = read_piece(&mut rest);
        match &piece {
            Ok(bytes) if bytes.is_empty() => return true,
            Ok(_) => {}
            Err(_) => {
                let _ = sender.blocking_send(piece);
                return false;
            }
        }
    }
}

fn read_piece(from: &mut impl Read) -> std::io::Result<Bytes> {
    let mut piece = vec![0; PIECE_BYTES];
    let n_bytes = loop {
        match from.read(&mut piece) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    piece.truncate(n_bytes);
    Ok(piece.into())
}

/// What a command printed why it failed, and what to do.
#[derive(Debug, Default)]
struct LastWords {
    what: String,
    hint: String,
}

fn last_words(messages: impl Read) -> LastWords {
    let mut words = LastWords::default();
    for line in BufReader::new(messages).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        if let Some(what) = line.strip_prefix("error: ") {
            what.clone_into(&mut words.what);
        } else if let Some(hint) = line.strip_prefix("hint: ") {
            hint.clone_into(&mut words.hint);
        }
    }
    words
}

/// The answer for an export without rows.
fn failure(status: ExitStatus, said: LastWords) -> Problem {
    let status = match status.code() {
        Some(3) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, said.what, said.hint)
}

fn attachment(file_name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = file_name.chars().map(plain).collect();
    format!("attachment; filename=\"{name}\"")
}

fn wrong_query(what: &str) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, what, "see `/api/openapi.json`")
}

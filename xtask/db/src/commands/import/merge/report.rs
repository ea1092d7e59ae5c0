//! The report of a merge: table by table, with reasons.

use std::borrow::Cow;

use anyhow::Result;
use serde::Serialize;

use crate::backups::backup::Backup;
use crate::commands::import::merge::job::Job;
use crate::console::refusal::{Answer, Exit, Refusal};
use crate::console::text;
use crate::host::project::Database;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::{derived_data, in_place, safety_backup};
use crate::rows::import;
use crate::rows::merge::report::{FileReport, MAX_NAMED, Problem, Report, Rows, TableReport};

/// Result of the merge.
pub(super) enum Done {
    /// Nothing: a dry run, which found this.
    Nothing(Option<Expected>),
    /// It was merged, after this safety backup; none if nothing changed.
    Merged(Option<Box<Backup>>),
}

impl Done {
    /// Whether the changes in a report were made.
    fn is_of(&self, report: &Report) -> bool {
        matches!(self, Self::Merged(_)) && report.problems.is_empty()
    }
}

/// Reports the result, and rebuilds derived data.
pub(super) fn conclude(
    session: &mut Session,
    job: &Job<'_>,
    report: &Report,
    done: &Done,
) -> Result<Answer> {
    let Job { project, database, .. } = *job;
    let would = if done.is_of(report) { "" } else { "would be " };
    let members = Members::of(report, database, done);
    for file in &report.files {
        say_file(session, file, would);
    }
    for warning in &report.warnings {
        session.warn(warning);
    }
    if let Some(first) = report.problems.first() {
        return Err(refuse(session, report, &members, first));
    }
    let place = project.place(database);
    let dry_run = matches!(done, Done::Nothing(_));
    session.say(summary(report, &place, dry_run));
    session.say("Rows that were deleted elsewhere stay here: deletions are not merged.");
    let safety = match done {
        Done::Merged(Some(safety)) => Some(safety),
        _ => None,
    };
    session.stream(|streamed| {
        let begun = streamed.begin_object();
        begun + &streamed.members(&members)
    });
    if let Some(safety) = safety {
        if in_place::is_replicated(project, database.file()?) {
            in_place::warn_of_replica(session);
        }
        in_place::note_wal(session, database);
        let undo = safety_backup::undo(session, project, database, safety);
        session.say(format!("Undo with: {undo}"));
        let done = derived_data::Done {
            what: "the data is merged",
            content: "the database contains the merged rows",
        };
        derived_data::rebuild(session, project, database, done)?;
    }
    session.document(&End { version: VERSION });
    Ok(Answer::Yes)
}

/// The members of the document except its version, which comes last, because an error's members may
/// take their place.
#[derive(Serialize)]
struct Members<'a> {
    inserted: u64,
    replaced: u64,
    merged: bool,
    dry_run: bool,
    /// The value of `--if-live` with which only this is done; for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    if_live: Option<String>,
    into: Cow<'a, str>,
    safety: Option<String>,
    #[serde(flatten)]
    report: &'a Report,
}

impl<'a> Members<'a> {
    fn of(report: &'a Report, database: &'a Database, done: &Done) -> Self {
        Self {
            inserted: report.n_inserted(),
            replaced: report.n_replaced(),
            merged: done.is_of(report),
            dry_run: matches!(done, Done::Nothing(_)),
            if_live: match done {
                Done::Nothing(Some(live)) => Some(live.word().to_owned()),
                _ => None,
            },
            into: database.home().to_string_lossy(),
            safety: match done {
                Done::Merged(Some(safety)) => Some(safety.name.to_string()),
                _ => None,
            },
            report,
        }
    }
}

/// The end of the document, after [`Members`].
#[derive(Serialize)]
struct End {
    version: u32,
}

fn summary(report: &Report, place: &str, dry_run: bool) -> String {
    let (inserted, replaced) = (report.n_inserted(), report.n_replaced());
    if inserted + replaced == 0 {
        let kept: u64 = report.tables().map(|table| table.kept.n + table.left_out.n).sum();
        let is_partial = kept > 0 || report.files.iter().any(|file| !file.warnings.is_empty());
        let all = if is_partial { "nothing was changed" } else { "every row is here already" };
        return format!("Nothing new for {place}: {all}");
    }
    let (mark, verb) = if dry_run { ("", "Would merge") } else { ("[✓] ", "Merged") };
    format!(
        "{mark}{verb} → {place}: {} inserted, {} replaced",
        text::count(inserted, "row"),
        text::digits(replaced)
    )
}

/// The results for a file's rows, with `would` if nothing was written.
fn say_file(session: &mut Session, file: &FileReport, would: &str) {
    for note in &file.notes {
        session.note(format!("{}: {note}", file.shown));
    }
    for warning in &file.warnings {
        session.warn(format!("{}: {warning}", file.shown));
    }
    session.say(format!("{}:", file.shown));
    if file.tables.is_empty() {
        session.say("  no rows that can be merged");
    }
    for table in &file.tables {
        say_table(session, table, would);
    }
}

fn say_table(session: &mut Session, table: &TableReport, would: &str) {
    let kinds = [
        (would, "inserted", &table.inserted),
        (would, RENUMBERED, &table.renumbered),
        (would, "replaced", &table.replaced),
        (would, "kept as here", &table.kept),
        ("", "conflicting", &table.conflicting),
        (would, "left out", &table.left_out),
    ];
    let mut parts = Vec::new();
    for (would, kind, rows) in kinds.iter().filter(|(.., rows)| rows.n > 0) {
        parts.push(format!("{} {would}{kind}", text::digits(rows.n)));
    }
    parts.push(format!("{} unchanged", text::digits(table.unchanged)));
    session.say(format!("  {}: {}", table.name, parts.join(", ")));
    for (would, kind, rows) in kinds.iter().filter(|(.., rows)| rows.n > 0) {
        say_rows(session, &format!("{would}{kind}"), rows);
    }
}

/// The kind of which there are many, each with a short line.
const RENUMBERED: &str = "renumbered";

/// Rows with a reason are on lines of their own.
fn say_rows(session: &mut Session, kind: &str, rows: &Rows) {
    let more = match rows.n.saturating_sub(rows.named.len() as u64) {
        0 => String::new(),
        n => format!(" and {} more", text::digits(n)),
    };
    if rows.named.iter().all(|named| named.reason.is_empty()) {
        let names: Vec<&str> = rows.named.iter().map(|named| named.row.as_str()).collect();
        session.say(format!("    {kind}: {}{more}", names.join("; ")));
        return;
    }
    if kind.ends_with(RENUMBERED) {
        let names = rows.named.iter().map(|named| format!("{} {}", named.row, named.reason));
        session.say(format!("    {kind}: {}{more}", names.collect::<Vec<_>>().join("; ")));
        return;
    }
    for named in &rows.named {
        session.say(format!("    {kind}: {}: {}", named.row, named.reason));
    }
    if !more.is_empty() {
        session.say(format!("    {kind}:{more}"));
    }
}

/// The refusal that the problems are; the document has all of them.
fn refuse(
    session: &mut Session,
    report: &Report,
    members: &Members<'_>,
    first: &Problem,
) -> anyhow::Error {
    for problem in &report.problems {
        session.note(format!("{}: {}", problem.file, problem.what));
        for named in problem.rows.named.iter().take(MAX_NAMED) {
            let reason = match named.reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            session.note(format!("  {}{reason}", named.row));
        }
    }
    session.stream(|streamed| {
        let begun = streamed.begin_object();
        begun + &streamed.members(members)
    });
    Refusal::no(format!("could not merge `{}`: {}", first.file, first.what), first.hint.clone())
}

/// Adds the name of the file that could not be read to an error; a refusal stays as it is.
pub(super) fn of_file(error: anyhow::Error, shown: &str) -> anyhow::Error {
    let what = format!("could not read `{shown}`");
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.exit == Exit::Interrupted => error,
        Some(refusal) => Refusal { what: format!("{what}: {refusal}"), ..refusal.clone() }.into(),
        None => {
            let exit = import::exit_of(&error);
            let way_out = import::way_out(&error).unwrap_or("the database is untouched");
            let hint = format!("nothing was merged; {way_out}");
            error.context(Refusal { what, hint, exit })
        }
    }
}

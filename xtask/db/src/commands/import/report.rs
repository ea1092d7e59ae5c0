//! The report of an import into a new database.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::commands::import::source::Source;
use crate::commands::import::target::Target;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::expected_live::Expected;
use crate::operations::restore::in_place::{self, Restored};
use crate::operations::restore::preview;
use crate::operations::restore::safety_backup::{self, Kept};
use crate::restore::plan::Live;
use crate::restore::proof::Proved;
use crate::rows::import::proof::Proof;
use crate::rows::import::scratch::{Kind, Loaded};
use crate::sqlite::examination::finding::Weight;

/// Output of `--json`.
#[derive(Serialize)]
pub(super) struct Document {
    version: u32,
    dry_run: bool,
    /// The value of `--if-live` with which only this is done; for a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    if_live: Option<String>,
    imported: String,
    format: &'static str,
    into: String,
    size_bytes: u64,
    /// The rows of each table.
    tables: BTreeMap<String, Option<u64>>,
    /// Tables whose rows the file does not have.
    absent: BTreeSet<String>,
    violations: Vec<String>,
    remarks: Vec<String>,
    safety: Option<String>,
    set_aside: Option<String>,
}

/// The database that was created.
pub(super) struct Made<'a> {
    /// File that was imported.
    pub(super) source: &'a Source,
    /// Where.
    pub(super) target: &'a Target,
    pub(super) loaded: &'a Loaded,
    pub(super) proof: &'a Proof,
    pub(super) size_bytes: u64,
}

/// The place of the new database.
pub(super) enum Place<'a> {
    /// Created where nothing was.
    New,
    /// In the place of the current database.
    Replaced(&'a Restored),
    /// It would be created where nothing is.
    WouldBeNew,
    /// It would replace this.
    WouldReplace(&'a Live, Option<Expected>),
}

impl Place<'_> {
    fn is_dry(&self) -> bool {
        matches!(self, Self::WouldBeNew | Self::WouldReplace(..))
    }

    fn kept(&self) -> Option<&Kept> {
        if let Self::Replaced(restored) = self { Some(&restored.kept) } else { None }
    }
}

/// Reports it.
pub(super) fn say(session: &mut Session, project: &Project, made: &Made<'_>, place: &Place<'_>) {
    let Made { source, target, .. } = *made;
    for remark in &made.loaded.remarks {
        session.warn(remark);
    }
    for finding in made.proof.of_weight(Weight::Unchecked) {
        session.warn(finding.to_string());
    }
    match place {
        Place::WouldReplace(live, _) => {
            session.say(preview::would_keep(project, &target.database, live));
        }
        Place::Replaced(restored) => safety_backup::say_kept(session, project, &restored.kept),
        Place::New | Place::WouldBeNew => {}
    }
    let tables = made.proof.own(&made.loaded.absent);
    session.say(format!(
        "{} {} → {}: {} of {}, {}",
        if place.is_dry() { "Would import" } else { "Imported" },
        source.shown,
        project.dotted_place(&target.database),
        text::count(tables.clone().sum(), "row"),
        text::count(tables.count() as u64, "table"),
        text::size(made.size_bytes)
    ));
    let violated = match made.proof.n_violations() {
        0 => String::new(),
        n => format!(", but for {}", text::count(n, "violation")),
    };
    session.say(format!(
        "[✓] SQLite integrity_check and foreign_key_check: ok{violated}, rows counted"
    ));
    if let Place::Replaced(restored) = place {
        say_replaced(session, project, target, restored);
    }
    if place.is_dry() && target.is_configured {
        for command in &target.database.after_restore {
            session.say(format!("Would run {}", command.join(" ")));
        }
    }
}

fn say_replaced(session: &mut Session, project: &Project, target: &Target, restored: &Restored) {
    if restored.proved == Proved::WrittenSince {
        session.say("[✓] SQLite quick_check: ok (the application has written since)");
    }
    in_place::note_wal(session, &target.database);
    session.say("");
    session.say("Done. You may need to restart your backend if it was running.");
    if let Kept::Backup(safety) = &restored.kept {
        let undo = safety_backup::undo(session, project, &target.database, safety);
        session.say(format!("Undo with: {undo}"));
    }
}

/// The document of `--json`.
pub(super) fn document(made: &Made<'_>, place: &Place<'_>) -> Document {
    let Made { source, target, .. } = *made;
    let kept = place.kept();
    Document {
        version: VERSION,
        dry_run: place.is_dry(),
        if_live: match place {
            Place::WouldBeNew => Some(Expected::Absent.word().to_owned()),
            Place::WouldReplace(_, found) => found.as_ref().map(|it| it.word().to_owned()),
            Place::New | Place::Replaced(_) => None,
        },
        imported: source.shown.clone(),
        format: match source.kind {
            Kind::Jsonl => "jsonl",
            Kind::Json => "json",
            Kind::Csv => "csv",
            Kind::Sql => "sql",
        },
        into: target.path.to_string_lossy().into_owned(),
        size_bytes: made.size_bytes,
        tables: made.proof.tables.clone(),
        absent: made.loaded.absent.clone(),
        violations: made.proof.violations(),
        remarks: made.loaded.remarks.clone(),
        safety: kept.and_then(Kept::safety),
        set_aside: kept.and_then(Kept::set_aside),
    }
}

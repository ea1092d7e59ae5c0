//! The report of a restore of a PostgreSQL database, in words and as a document.

use serde::Serialize;

use crate::backups::backup_document::BackupDocument;
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::restore::on_server::OnServer;
use crate::operations::restore::on_server::run::{Done, Way};
use crate::operations::restore::receipt::{Planned, Receipt};
use crate::operations::restore::safety_backup;
use crate::postgres::restore::source::Proved;

/// Output of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    restored: BackupDocument,
    into: String,
    /// `in-place` or `swap`.
    way: Way,
    safety: Option<String>,
    content_blake3: Option<&'a str>,
    /// Milliseconds in which nobody could connect; `None` in place.
    closed_ms: Option<u128>,
    /// Sessions that were ended.
    sessions_ended: usize,
}

/// Output of `--json` with `--dry-run`.
#[derive(Serialize)]
struct PlanDocument {
    version: u32,
    dry_run: bool,
    would_restore: String,
    into: String,
    way: Way,
    #[serde(flatten)]
    receipt: Receipt,
}

impl OnServer<'_> {
    /// Reports what a restore would do.
    pub(super) fn say_plan(
        &self,
        session: &mut Session,
        planned: &Planned<'_>,
        way: Way,
    ) -> Answer {
        let Self { project, database, backup, .. } = *self;
        let (place, folder) = (project.place(database), project.dotted(&project.backups));
        session.say(format!("Would create a safety backup of {place} in {folder}"));
        let how = match way {
            Way::InPlace => "in place, in one transaction: sessions survive, writers wait",
            Way::Swap => "by a swap: a new database gets its name, and sessions are ended",
        };
        let size = text::size(backup.size_bytes);
        session.say(format!("Would restore {} ({size}) → {place}", backup.name));
        session.say(format!("  {how}"));
        session.document(&PlanDocument {
            version: VERSION,
            dry_run: true,
            would_restore: backup.name.to_string(),
            into: self.server.place(),
            way,
            receipt: planned.of_unknown(),
        });
        Answer::Yes
    }

    /// Reports that the content is there already.
    pub(super) fn say_nothing_to_do(&self, session: &mut Session) -> Answer {
        let Self { project, database, backup, .. } = *self;
        let place = project.place(database);
        session
            .say(format!("Nothing to restore: {place} already has the content of {}", backup.name));
        session.document(&serde_json::json!({ "version": VERSION, "restored": null }));
        Answer::Yes
    }

    /// Reports what a restore did.
    pub(super) fn say(&self, session: &mut Session, done: &Done) {
        let Self { project, database, .. } = *self;
        safety_backup::say(session, project, done.safety.as_deref());
        session.say(format!("[✓] Restored → {}", project.dotted_place(database)));
        session.say(match done.proved {
            Proved::Whole => "[✓] Definitions and rows: equal to the backup, byte for byte",
            Proved::Rows => "[✓] Rows of each table: equal to the backup",
        });
        if let Some((time, n_sessions)) = done.closed {
            let ended = text::count(n_sessions as u64, "session");
            session.say(format!("{ended} ended; nobody could connect for {}", text::took(time)));
        }
        if let Some(old) = &done.old {
            session.warn(format!(
                "the replaced database is still on the server as `{}`, closed to connections: drop it if \
                 you do not need it",
                text::plain(old)
            ));
        }
        if let Some(safety) = &done.safety {
            session.say("");
            session.say(format!(
                "Undo with: {}",
                safety_backup::undo(session, project, database, safety)
            ));
        }
    }

    /// Prints the same as a document.
    pub(super) fn document(&self, session: &mut Session, done: &Done) {
        session.document(&Document {
            version: VERSION,
            restored: BackupDocument::of(self.backup, session.now()),
            into: self.server.place(),
            way: done.way,
            safety: done.safety.as_ref().map(|safety| safety.name.to_string()),
            content_blake3: self.backup.record().map(|record| record.content_blake3.as_str()),
            closed_ms: done.closed.map(|(time, _)| time.as_millis()),
            sessions_ended: done.closed.map_or(0, |(_, n)| n),
        });
    }
}

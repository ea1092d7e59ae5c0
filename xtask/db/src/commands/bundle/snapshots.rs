//! `db-bundle snapshots`: lists the snapshots that were taken before bundles, and how to go back to one.

use anyhow::Result;
use serde::Serialize;

use crate::bundle::snapshots::name::Name;
use crate::commands::bundle::SnapshotsArgs;
use crate::commands::bundle::volumes::{self, Configured, One};
use crate::console::refusal::Answer;
use crate::console::text;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    snapshots: Vec<One>,
}

impl SnapshotsArgs {
    pub(super) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common.project_to_look_at(session)?;
        let all = volumes::configured(&project);
        let interrupt = session.interrupt().clone();
        let programs = volumes::programs(&project, &interrupt);
        if all.is_empty() {
            session.say("No snapshots are configured");
            session.note("Configure them in `[workspace.metadata.db.bundle.snapshots.NAME]`");
        }
        let (mut snapshots, mut failure) = (Vec::new(), None);
        for one in &all {
            match one.volume.list(&programs) {
                Ok(names) => {
                    say(session, one, &names);
                    snapshots.extend(names.into_iter().map(|name| one.one(name)));
                }
                Err(error) => {
                    interrupt.check()?;
                    session.warn(format!(
                        "could not list the snapshots of {}: {error:#}",
                        one.words()
                    ));
                    failure = Some(Answer::CannotTell);
                }
            }
        }
        session.document(&Document { version: VERSION, snapshots });
        Ok(failure.unwrap_or(Answer::Yes))
    }
}

/// Prints the snapshots of a volume, and the way back to the newest.
fn say(session: &mut Session, one: &Configured<'_>, names: &[Name]) {
    let Some(newest) = names.first() else {
        session.say(format!("{}: no snapshot yet", one.words()));
        return;
    };
    session.say(format!("{}: {}", one.words(), text::count(names.len() as u64, "snapshot")));
    for name in names {
        session.say(format!("  {name}"));
    }
    session.say(format!("  To go back to {newest}:"));
    for line in one.volume.way_back(*newest) {
        session.say(format!("    {line}"));
    }
}

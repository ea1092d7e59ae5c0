//! The streams of snapshots in a restore: they are extracted, and how to receive them is left to be done by hand.

use serde::Serialize;

use crate::bundle::journal::Step;
use crate::bundle::snapshots::receive;
use crate::commands::bundle::volumes;
use crate::console::text;
use crate::host::project::Project;
use crate::host::session::Session;

/// A stream that is to be received, in `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Received {
    name: String,
    /// Where it was extracted to.
    file: String,
    snapshot: String,
    /// How to receive it, a line for each step.
    how: Vec<String>,
}

impl Received {
    pub(super) fn say(&self, session: &mut Session) {
        session.say(format!("  receive {} ({}):", self.name, text::plain(&self.snapshot)));
        for line in &self.how {
            session.say(format!("    {line}"));
        }
    }
}

/// The streams among the steps of a restore. The places are those that are configured here; if that cannot be read by now, the
/// user fills them in.
pub(super) fn streams(steps: &[Step], project: Option<&Project>) -> Vec<Received> {
    let volumes = project.map(volumes::configured).unwrap_or_default();
    let streams = steps.iter().filter_map(|step| Some((step, step.stream.as_ref()?)));
    let received = streams.map(|(step, stream)| {
        let volume = volumes.iter().find(|one| one.stream == step.name).map(|one| &one.volume);
        Received {
            name: step.name.clone(),
            file: step.new.display().to_string(),
            snapshot: stream.snapshot.clone(),
            how: receive::lines(stream, volume, &step.new),
        }
    });
    received.collect()
}

//! `db-bundle create --with-snapshots`: writes the stream of each snapshot to a private file, from which the bundle gets it.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::bundle::chain::Base;
use crate::bundle::gather::Gathered;
use crate::bundle::manifest::{Content, Entry, Item, Kind, Parent, Stream};
use crate::bundle::snapshots::name::Name;
use crate::bundle::snapshots::programs::Programs;
use crate::commands::bundle::create::snapshots::Taken;
use crate::commands::bundle::installation::Part;
use crate::commands::bundle::volumes::{self, Configured};
use crate::console::interrupt::Interrupt;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::files::stage::Scratch;
use crate::host::project::Project;
use crate::host::project::bundle::is_name;
use crate::host::session::Session;

/// Refuses what cannot be sent, before a snapshot is taken for it.
///
/// # Errors
///
/// A refusal that names it.
pub(super) fn demand_sendable(all: &[Configured<'_>], items: &[Part]) -> Result<()> {
    if all.is_empty() {
        return Err(Refusal::could_not(
            "no snapshots are configured, so there is nothing to send",
            "configure them in `[workspace.metadata.db.bundle.snapshots.NAME]`, or leave out `--with-snapshots`",
        ));
    }
    for one in all {
        let section = format!("[workspace.metadata.db.bundle.snapshots.{}]", one.snapshots.name);
        if !one.volume.can_be_sent() {
            return Err(Refusal::could_not(
                format!(
                    "the snapshots `{}` cannot be sent: they have no `send` command",
                    one.snapshots.name
                ),
                format!("add `send = [\"COMMAND\", \"{{name}}\", \"{{parent}}\"]` to `{section}`"),
            ));
        }
        let is_taken = items.iter().any(|item| item.name.eq_ignore_ascii_case(&one.stream));
        if is_taken || !is_name(&one.stream) {
            let why = if is_taken { "is that of an item" } else { "is too long" };
            return Err(Refusal::could_not(
                format!("the name of the stream, `{}`, {why}", one.stream),
                format!("give `{section}` another name"),
            ));
        }
    }
    Ok(())
}

/// Sends each snapshot into a file of its own.
///
/// # Errors
///
/// If one cannot be sent, or at the user's interrupt.
pub(super) fn send(
    session: &mut Session,
    project: &Project,
    taken: &[Taken<'_>],
    scratch: &Scratch,
) -> Result<Vec<Gathered>> {
    let interrupt = session.interrupt().clone();
    let programs = volumes::programs(project, &interrupt);
    let mut sent = Vec::new();
    for one in taken {
        let gathered = send_one(session, one, scratch, &programs);
        let gathered = gathered.map_err(|error| stop(error, one, &interrupt))?;
        let (name, words) = (one.name, one.configured.words());
        let size = text::size(gathered.item.size_bytes());
        session.note(match &one.base {
            Base::On(Parent { snapshot, .. }) => {
                format!("Sent {name} of {words}: {size} since {snapshot}")
            }
            Base::Nothing(why) => format!("Sent {name} of {words} in full, {size}: {why}"),
        });
        sent.push(gathered);
    }
    Ok(sent)
}

fn send_one(
    session: &Session,
    one: &Taken<'_>,
    scratch: &Scratch,
    programs: &Programs<'_>,
) -> Result<Gathered> {
    let Taken { configured: Configured { snapshots, volume, stream }, name, base } = one;
    let parent = match base {
        Base::On(parent) => Some(parent.clone()),
        Base::Nothing(_) => None,
    };
    let words =
        volume.send(*name, parent.as_ref().and_then(|parent| Name::parse(&parent.snapshot)));
    let stage = scratch.stage(stream)?;
    let pulse = session.progress("Sending").pulse();
    let (mut hasher, mut size_bytes) = (blake3::Hasher::new(), 0);
    programs.stream(&words, &mut |part| {
        pulse.beat();
        hasher.update(part);
        size_bytes += part.len() as u64;
        stage.append(part)
    })?;
    anyhow::ensure!(size_bytes > 0, "the command that sends it printed nothing");
    let from = stage.path().to_owned();
    stage.keep()?;
    let content = Content::File { size_bytes, blake3: hasher.finalize().to_hex().to_string() };
    let modified = session.now().timestamp();
    let item = Item {
        name: stream.clone(),
        kind: Kind::Snapshot,
        place: volume.place(),
        secret: snapshots.secret,
        server_version: None,
        rows: BTreeMap::new(),
        stream: Some(Stream { sender: volume.sender(), snapshot: name.to_string(), parent }),
        entries: vec![Entry { path: String::new(), mode: 0o600, modified, content }],
    };
    Ok(Gathered { item, from })
}

/// The way on after a stream failed.
fn stop(error: anyhow::Error, one: &Taken<'_>, interrupt: &Interrupt) -> anyhow::Error {
    if interrupt.check().is_err() {
        return error;
    }
    let what = format!(
        "snapshot {} of {} could not be sent, and no bundle was written",
        one.name,
        one.configured.words()
    );
    let hint = match error.downcast_ref::<Refusal>() {
        Some(refusal) => format!("{}, or leave out `--with-snapshots`", refusal.hint),
        None => {
            "correct what it complains about, or leave out `--with-snapshots`; the snapshot stays"
                .to_owned()
        }
    };
    error.context(Refusal { what, hint, exit: Exit::CouldNot })
}

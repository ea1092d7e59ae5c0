//! Removes what a `db-bundle create` that was killed left in the folder that bundles are written to.

use std::path::Path;

use anyhow::Result;

use crate::bundle::name::Name;
use crate::console::text;
use crate::files::{publish, stage};
use crate::host::session::Session;

/// Removes unfinished bundles and records of this project. One that another process is writing has a lock, and stays.
///
/// # Errors
///
/// If the folder cannot be read, or a file cannot be removed.
pub(super) fn sweep(session: &mut Session, output: &Path, project: &str) -> Result<()> {
    if !output.is_dir() {
        return Ok(());
    }
    for one in fs_err::read_dir(output)? {
        let path = one?.path();
        let file = path.file_name().and_then(|name| name.to_str());
        let Some(future) = file.and_then(stage::future_name) else { continue };
        let of_record = future.strip_suffix(".json");
        let bundle = Name::parse(of_record.unwrap_or(future));
        let is_ours = bundle.is_some_and(|bundle| bundle.project == project);
        if is_ours && !stage::is_held(&path) {
            stage::remove_stage(&path)?;
            let shown = text::plain(&path.display().to_string());
            session.note(format!("Removed what an interrupted `db-bundle create` left: {shown}"));
            // Its record comes first: killed between the two, it left that alone.
            if of_record.is_none() && !output.join(future).exists() {
                publish::remove(&output.join(format!("{future}.json")))?;
            }
        }
    }
    Ok(())
}

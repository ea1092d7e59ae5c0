//! The files of a project, without what is built, hidden or set aside.

use std::path::{Path, PathBuf};

const MAX_DEPTH: usize = 5;
const SKIPPED: [&str; 5] = ["target", "node_modules", "backups", "vendor", "tests"];

/// The files that are wanted, in the order of their paths.
pub(crate) fn files(root: &Path, is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    visit(root, 0, &mut |path| {
        if is_wanted(path) {
            found.push(path.to_owned());
        }
    });
    found.sort();
    found
}

/// What cannot be read is passed over, and no symbolic link is followed.
fn visit(folder: &Path, depth: usize, see: &mut dyn FnMut(&Path)) {
    let Ok(entries) = fs_err::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_file() {
            see(&entry.path());
        } else if kind.is_dir() && depth < MAX_DEPTH {
            let is_skipped = name.starts_with('.') || SKIPPED.contains(&name.as_str());
            if !is_skipped {
                visit(&entry.path(), depth + 1, see);
            }
        }
    }
}

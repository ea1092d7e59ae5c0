//! A machine whose triggers are fakes, which keep a note of how they were called.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::sandbox::{Said, Sandbox};

/// Programs that do as the real ones do, as far as an installation sees it: they note how they were called, and keep a
/// crontab in a file.
const FAKES: [(&str, &str); 4] = [
    (
        "systemctl",
        "echo \"$*\" >> \"$FAKES/called\"; case \"$*\" in *is-active*) [ -e \"$FAKES/active\" ];; \
         *enable*) touch \"$FAKES/active\"; mkdir -p \"$HOME/.config/systemd/user/timers.target.wants\"; \
         ln -sf \"../$4\" \"$HOME/.config/systemd/user/timers.target.wants/$4\";; \
         *disable*) rm -f \"$FAKES/active\";; esac",
    ),
    ("loginctl", "cat \"$FAKES/linger\""),
    (
        "crontab",
        "case $1 in -l) [ -e \"$FAKES/tab\" ] || { echo 'no crontab for a' >&2; exit 1; }; cat \"$FAKES/tab\";; \
         -r) rm \"$FAKES/tab\";; -) cat > \"$FAKES/tab\";; *) exit 2;; esac",
    ),
    (
        "launchctl",
        "echo \"$*\" >> \"$FAKES/called\"; case $1 in print|bootout) [ -e \"$FAKES/loaded\" ] || exit 113;; esac; \
         case $1 in bootstrap) touch \"$FAKES/loaded\";; bootout) rm \"$FAKES/loaded\";; esac",
    ),
];

/// A machine with these programs.
pub(super) fn with_fakes(sandbox: &Sandbox) {
    for (name, body) in FAKES {
        sandbox.write(&format!("../fakes/{name}"), format!("#!/bin/sh\n{body}\n"));
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(sandbox.path(&format!("../fakes/{name}")), executable)
            .expect("a mode");
    }
    sandbox.write("../fakes/linger", "yes\n");
}

fn path(sandbox: &Sandbox) -> String {
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("{}:{rest}", sandbox.path("../fakes").display())
}

pub(super) fn on_it<'c>(sandbox: &Sandbox, command: &'c mut Command) -> &'c mut Command {
    command.env("FAKES", sandbox.path("../fakes")).env("PATH", path(sandbox))
}

pub(super) fn run(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    sandbox.said(&on_it(sandbox, &mut command).output().expect("it runs"))
}

pub(super) fn ok(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let said = run(sandbox, arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    said
}

/// Every file below a folder: its permissions, and its bytes or its target.
pub(super) fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = left.pop() {
        let metadata = fs_err::symlink_metadata(&path).expect("an entry");
        let bytes = if metadata.is_dir() {
            left.extend(
                fs_err::read_dir(&path).expect("a folder").map(|one| one.expect("one").path()),
            );
            Vec::new()
        } else if metadata.is_symlink() {
            fs_err::read_link(&path).expect("a target").into_os_string().into_encoded_bytes()
        } else {
            fs_err::read(&path).expect("a file")
        };
        found.insert(path, (metadata.permissions().mode(), bytes));
    }
    found
}

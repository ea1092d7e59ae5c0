//! An installation to bundle: an SQLite database, secrets, a folder, and a file outside the workspace.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::sandbox::Sandbox;

/// What no file, record or output may contain unless it is encrypted.
pub(crate) const SECRET: &str = "marker-secret-77aa";
/// The passphrase of the bundles.
pub(crate) const PASSPHRASE: &str = "correct horse battery";

/// What a bundle contains beside the databases.
pub(crate) const BUNDLE: &str = r#"
[workspace.metadata.db.bundle]
not-covered = ["TLS certificates: re-issue them"]

[workspace.metadata.db.bundle.items]
env = { path = ".env", secret = true }
groups = { path = "groups" }
allowlist = { path = "~/.config/app/allowlist.json" }
"#;

/// A workspace with all of that, and a file with the passphrase outside it.
pub(crate) fn installation() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.configure(BUNDLE);
    fill(&sandbox);
    sandbox
}

/// The files of an installation.
pub(crate) fn fill(sandbox: &Sandbox) {
    let before = fs_err::read_to_string(sandbox.path(".env")).unwrap_or_default();
    sandbox.write(".env", format!("{before}API_KEY={SECRET}\n"));
    sandbox.write("groups/one.txt", "one");
    sandbox.write("groups/deep/er/run.sh", "#!/bin/sh\n");
    let executable = std::fs::Permissions::from_mode(0o755);
    fs_err::set_permissions(sandbox.path("groups/deep/er/run.sh"), executable).expect("a mode");
    fs_err::os::unix::fs::symlink("one.txt", sandbox.path("groups/link")).expect("a link");
    sandbox.write("../home/.config/app/allowlist.json", "[\"a\"]");
    passphrase(sandbox);
}

/// A file with the passphrase.
pub(crate) fn passphrase(sandbox: &Sandbox) {
    sandbox.write("../passphrase", format!("{PASSPHRASE}\n"));
}

/// Creates an encrypted bundle and returns its path relative to the root.
pub(crate) fn bundle(sandbox: &Sandbox) -> String {
    let document = sandbox.json(&["db-bundle", "create", "--passphrase-file", "../passphrase"]);
    let name = document["bundle"]["file"].as_str().unwrap_or_else(|| panic!("{document:#}"));
    format!("backups/{name}")
}

/// What is there: permissions, and content or target, by path.
pub(crate) fn files(sandbox: &Sandbox) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for place in [".env", "groups", "../home/.config"] {
        add(&sandbox.path(place), place, &mut found);
    }
    found
}

fn add(path: &Path, name: &str, found: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    let Ok(meta) = fs_err::symlink_metadata(path) else { return };
    let mode = meta.permissions().mode() & 0o777;
    if meta.is_symlink() {
        let target = fs_err::read_link(path).expect("a target");
        found.insert(name.to_owned(), (0, target.to_string_lossy().into_owned().into_bytes()));
    } else if meta.is_dir() {
        found.insert(name.to_owned(), (mode, Vec::new()));
        for one in fs_err::read_dir(path).expect("a folder") {
            let one = one.expect("an entry");
            add(&one.path(), &format!("{name}/{}", one.file_name().to_string_lossy()), found);
        }
    } else {
        found.insert(name.to_owned(), (mode, fs_err::read(path).expect("read")));
    }
}

//! A bundle from a newer PostgreSQL than the one that it is to be restored into.

use crate::bundle::installation::{files, fill};
use crate::support::postgres_server::PostgresServer;
use crate::support::sandbox::{Sandbox, messages};
use crate::support::strace::complain;

/// The bytes that come after a bundle's frame: a skippable frame with its hash (docs/formats.md).
const TRAILER: [u8; 8] = [0x5a, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];

/// Runs `zstd` on a file, and returns what it prints.
fn zstd(sandbox: &Sandbox, arguments: &[&str]) -> Vec<u8> {
    let output = sandbox.command("zstd").args(arguments).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The same bundle as from another server.
fn with_server_version(sandbox: &Sandbox, bundle: &str, version: &str) {
    let mut tar = zstd(sandbox, &["-d", "-q", "-c", bundle]);
    let key = b"\"server_version\": \"";
    let at = tar.windows(key.len()).position(|part| part == key).expect("a version") + key.len();
    // Of the same length, so that no header changes.
    tar[at..at + version.len()].copy_from_slice(version.as_bytes());
    sandbox.write("../archive.tar", tar);
    let frame = zstd(sandbox, &["-q", "-c", "../archive.tar"]);
    let hash = blake3::hash(&frame);
    sandbox.write(bundle, [&frame[..], &TRAILER, hash.as_bytes()].concat());
}

#[test]
fn an_older_server_is_refused_before_anything_changes() {
    let Some(server) = PostgresServer::shared() else { return };
    let sandbox = Sandbox::new();
    if sandbox.command("zstd").arg("--version").output().is_err() {
        complain("SKIPPED: a test of bundles needs `zstd`");
        return;
    }
    let one = server.database("CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
    sandbox.configure("\n[workspace.metadata.db.databases.one]\nurl-env = \"ONE_URL\"\n");
    sandbox.configure(
        "[workspace.metadata.db.bundle.items]\n\
         env = { path = \".env\" }\ngroups = { path = \"groups\" }\n",
    );
    sandbox.write(".env", format!("ONE_URL={}\n", one.url()));
    fill(&sandbox);
    let said = sandbox.ok(&["db-bundle", "create"]);
    assert!(said.out.contains("one: "), "{said:#?}");
    let bundle = said.out.lines().find_map(|line| line.strip_prefix("Bundle created at "));
    let bundle = bundle.expect("a path");
    sandbox.ok(&["db-bundle", "restore", bundle, "--yes"]);
    sandbox.ok(&["db-bundle", "restore", "--undo", "--yes"]);
    with_server_version(&sandbox, bundle, "99");
    sandbox.sql("DELETE FROM messages WHERE id > 1");
    sandbox.write("groups/one.txt", "changed");
    let before = (files(&sandbox), messages(&sandbox.live()), one.dump());
    let said = sandbox.fails(2, &["db-bundle", "restore", bundle, "--yes"]);
    assert!(said.err.contains(", and the bundle is from PostgreSQL 99"), "{said:#?}");
    assert!(said.err.contains("upgrade the server"), "{said:#?}");
    assert_eq!((files(&sandbox), messages(&sandbox.live()), one.dump()), before);
    // The others are restored.
    sandbox.ok(&["db-bundle", "restore", bundle, "--yes", "--skip", "one"]);
    assert_eq!(files(&sandbox)["groups/one.txt"].1, b"one");
    assert_eq!(messages(&sandbox.live()).len(), 3);
}

//! A file system without hard links, as FAT is: `link` fails with EPERM there.

use crate::support::sandbox::Sandbox;
use crate::support::strace::{traced, works};

#[test]
fn without_hard_links_backups_are_published_all_the_same_and_never_replace() {
    if !works() {
        return;
    }
    let sandbox = Sandbox::new();
    let options = ["-e", "inject=link,linkat:error=EPERM"];
    for arguments in [
        &["db-backup"][..],
        &["db-backup", "--kind", "scheduled"],
        // The content is in the store now: a list of its own, without a link.
        &["db-backup", "--kind", "scheduled"],
        &["db-restore", "latest", "--yes"],
        &["db-restore", "latest", "--into", "new.db"],
    ] {
        sandbox.set_clock("2025-09-13T14:25:30+02:00");
        let said = traced(&sandbox, &options, arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    }
    assert_eq!(sandbox.backups().len(), 4);
    sandbox.ok(&["db-verify", "--all"]);
    assert!(sandbox.path("new.db").exists());
}

//! Traversal: no name in an address leads out of the backups, and no spelling of a path goes round the guard.

use crate::support::page_server::PageServer;
use crate::support::sandbox::Sandbox;

const SECRET: &str = "only-outside-of-the-backups";

/// Spellings of a way out of a folder, and of names that are not a backup's.
const NAMES: [&str; 21] = [
    "..",
    "../outside",
    "..%2foutside",
    "..%2Foutside.bak",
    "%2e%2e%2foutside",
    "%2e%2e/outside",
    "%252e%252e%252foutside",
    "..%5coutside",
    "..\\outside",
    "outside%00.bak",
    "%00",
    "link.bak",
    "kalito.db.2025-09-13_150000.bak",
    "%2fetc%2fpasswd",
    "%c0%ae%c0%ae%2foutside",
    "-",
    "--help",
    "%ff",
    "outside.db",
    "old/kalito.db.2025-09-13_150000.bak",
    "backend/db/kalito.db",
];

/// The routes with a name in them; `NAME` is its place.
const ROUTES: [&str; 6] = [
    "/backups/NAME",
    "/backups/NAME/diff?with=live",
    "/api/jobs/NAME",
    "/api/jobs/NAME/events",
    "/assets/NAME",
    "/receipts/NAME",
];

/// The routes with a name in their query.
const QUERIES: [&str; 3] = [
    "/api/backup/file?name=NAME",
    "/api/backup/export?ref=NAME&format=jsonl",
    "/api/backup/diff?from=NAME",
];

/// A sandbox with a secret beside the backups, and links in the backups that lead to it.
fn with_secret() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    sandbox.write("outside", SECRET);
    sandbox.write("outside.bak", SECRET);
    sandbox.write("../outside", SECRET);
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{SECRET}')"));
    sandbox.ok(&["db-backup", "--output", "old"]);
    fs_err::copy(sandbox.live(), sandbox.path("outside.db")).expect("copied");
    let [other] = &names(&sandbox.path("old"))[..] else { panic!("no other backup") };
    let other = sandbox.path(&format!("old/{other}"));
    fs_err::copy(&other, sandbox.path("old/kalito.db.2025-09-13_150000.bak")).expect("copied");
    sandbox.sql(&format!("DELETE FROM messages WHERE content = '{SECRET}'"));
    for link in ["link.bak", "kalito.db.2025-09-13_150000.bak"] {
        std::os::unix::fs::symlink(sandbox.path("outside"), sandbox.backup_path(link))
            .expect("linked");
    }
    (sandbox, name)
}

/// The backups in a folder.
fn names(folder: &std::path::Path) -> Vec<String> {
    let names = fs_err::read_dir(folder).expect("a folder").flatten();
    let paths = names.map(|entry| entry.path());
    let backups = paths.filter(|path| path.extension().is_some_and(|end| end == "bak"));
    backups.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

#[test]
fn no_name_leads_out_of_the_backups() {
    let (sandbox, _) = with_secret();
    let server = PageServer::start(&sandbox);
    for route in ROUTES.iter().chain(&QUERIES) {
        for name in NAMES {
            let path = route.replace("NAME", name);
            let answer = server.get(&path);
            assert!((400..500).contains(&answer.status), "{path}: {answer:#?}");
            assert!(!answer.body.contains(SECRET), "{path}: {answer:#?}");
            assert!(!answer.body.contains("root:"), "{path}: {answer:#?}");
            assert!(!answer.body.contains("Usage:"), "{path}: {answer:#?}");
        }
    }
    for method in ["/api/jobs/NAME/cancel", "/do/jobs/NAME/cancel", "/do/receipts/NAME"] {
        for name in NAMES {
            let path = method.replace("NAME", name);
            let answer = server.post(&path, "{}");
            assert!((400..500).contains(&answer.status), "{path}: {answer:#?}");
        }
    }
    assert!(server.log().contains("refused GET /backups/..: 404"), "{}", server.log());
    assert_eq!(server.get("/api/jobs").status, 200);
}

#[test]
fn a_link_in_the_backups_is_neither_listed_nor_read() {
    let (sandbox, name) = with_secret();
    let server = PageServer::start(&sandbox);
    let backups = server.get("/api/backup/status").json()["backups"].clone();
    let names: Vec<&str> = backups
        .as_array()
        .expect("backups")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    assert_eq!(names, [name]);
}

#[test]
fn no_spelling_of_a_path_goes_round_the_guard() {
    let sandbox = Sandbox::new();
    let server = PageServer::start(&sandbox);
    for path in [
        "/assets/../api/jobs",
        "/assets/%2e%2e/api/jobs",
        "/assets/..%2fapi/jobs",
        "/assets//../api/jobs",
        "/assets/.%2e/api/backup/status",
        "/open/../api/jobs",
        "/open%2f..%2fapi/jobs",
        "/open/",
        "/open;a/api/jobs",
        "/%6fpen",
        "/OPEN",
        "//open",
        "//assets/style.css",
        "/api/jobs/",
        "/api//jobs",
        "/./api/jobs",
        "/api/jobs?/assets/",
        "/api/jobs#/assets/",
        "/api/jobs;/assets/",
        "/API/jobs",
        "*",
    ] {
        let answer = server.ask(&format!("GET {path}"), &[], "");
        assert!([400, 401, 404].contains(&answer.status), "{path}: {answer:#?}");
        assert!(!answer.body.contains("\"jobs\""), "{path}: {answer:#?}");
        assert!(!answer.body.contains("\"backups\""), "{path}: {answer:#?}");
    }
    for path in ["/assets/style.css", "/open", "/open?t=0"] {
        let answer = server.ask(&format!("POST {path}"), &["Content-Type: application/json"], "{}");
        assert_eq!(answer.status, 401, "{path}: {answer:#?}");
    }
}

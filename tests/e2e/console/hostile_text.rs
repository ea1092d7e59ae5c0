//! What others wrote (names, labels, branches, variables, SQL, a host's command) never changes how a line
//! reads, and no password of a URL is printed or recorded.

use crate::support::sandbox::{Sandbox, open};
use crate::support::terminal::Terminal;

/// Turns the order of characters round, hides in a word, and clears the screen.
const ODD: &str = "a\u{202e}b\u{2066}c\u{200b}d\u{200f}e\u{61c}f\u{1b}[2J\u{feff}";

const PASSWORD: &str = "hunter2";

/// Nothing of what nobody sees is in what was said.
#[track_caller]
fn assert_plain(what: &str, said: &str) {
    let odd = "\u{202e}\u{2066}\u{200b}\u{200f}\u{61c}\u{1b}\u{feff}\u{7f}";
    assert!(!said.contains(|c| odd.contains(c)), "{what}: {said:?}");
}

#[test]
fn what_nobody_sees_is_shown_whoever_wrote_it() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["checkout", "--quiet", "-b", "b\u{202e}r\u{200b}"]);
    sandbox.sql(&format!("CREATE TABLE \"{ODD}\" (x); INSERT INTO \"{ODD}\" VALUES ('{ODD}');"));
    sandbox.ok(&["db-backup", "--label", ODD]);
    sandbox.sql(&format!("UPDATE \"{ODD}\" SET x = 1; UPDATE messages SET content = '{ODD}';"));
    let odd_path = format!("{ODD}.db");
    sandbox.write("odd.sql", format!("CREATE TABLE t (a);\nINSERT INTO \"{ODD}\" VALUES (1);\n"));
    sandbox.write(&format!("{ODD}.sql"), "nonsense");
    for arguments in [
        &["db-list"][..],
        &["db-status"],
        &["db-diff"],
        &["db-diff", "--rows"],
        &["db-restore", ODD],
        &["db-restore", "latest", "--yes", "--into", &odd_path],
        &["db-backup", "--db", ODD],
        &["db-label", "latest", ODD],
        &["db-import", "odd.sql", "--into", "new.db"],
        &["db-import", &format!("{ODD}.sql"), "--into", "new.db"],
        &["db-export", "--table", ODD, "--output", &odd_path],
        &["db-export", "--root", "messages", "--where", ODD],
        &["db-verify", ODD],
        &["db-migrate", "--", "sh", "-c", &format!("echo '{ODD}' >&2; exit 3")],
    ] {
        let said = sandbox.run(arguments);
        // A command of the host speaks for itself.
        if arguments[0] == "db-migrate" {
            let ours = said
                .err
                .lines()
                .filter(|line| !line.starts_with("ab") && !line.starts_with("a\u{202e}"));
            assert_plain("db-migrate", &ours.collect::<String>());
            continue;
        }
        assert_plain(&format!("{arguments:?}"), &(said.out + &said.err));
    }
    let mut command = sandbox.xtask(&["db-list"]);
    command.env("XTASK_DB_NOW", ODD);
    let said = sandbox.said(&command.output().expect("the binary runs"));
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_plain("XTASK_DB_NOW", &said.err);
    for (name, value) in
        [("DATABASE_PATH", ODD), ("AUTO_BACKUP_TIME", ODD), ("BACKUP_MAX_COUNT", ODD)]
    {
        let mut command = sandbox.xtask(&["db-backup"]);
        command.env(name, value);
        let said = sandbox.said(&command.output().expect("the binary runs"));
        assert_eq!(said.code, Some(2), "{name}: {said:#?}");
        assert_plain(name, &said.err);
    }
}

#[test]
fn a_document_on_a_terminal_hides_nothing_and_means_the_same() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup", "--label", ODD]);
    let Some(terminal) = Terminal::run(&sandbox, &["db-list", "--json"]) else { return };
    let ended = terminal.end();
    assert_plain("db-list --json", &ended.screen);
    let document: serde_json::Value = serde_json::from_str(&ended.screen).expect("a document");
    assert_eq!(document["backups"][0]["label"], ODD);
}

#[test]
fn no_password_of_a_url_is_printed_or_recorded() {
    let sandbox = Sandbox::with_hooks();
    for url in [
        format!("postgres://user:{PASSWORD}@host/db"),
        format!("mysql://user:{PASSWORD}@host:3306/db"),
        format!("redis://:{PASSWORD}@host"),
        format!("https://user:{PASSWORD}@host/x.db"),
        format!("https://{PASSWORD}@host/x.db"),
        format!("libsql://host/db?authToken={PASSWORD}"),
        format!("postgresql://host/db?sslmode=require&password={PASSWORD}"),
        format!("file:x.db?key={PASSWORD}"),
    ] {
        let migrate = ["db-migrate", "--", "false", &url];
        for arguments in [
            &["db-restore", &url][..],
            &["db-backup", "--label", &url],
            &["db-backup", "--db", &url],
            &["db-backup", "--output", &format!("Cargo.toml/{url}")],
            &["db-list"],
            &["db-label", "latest", &url],
            &["db-import", &url, "--into", "new.db"],
            &["db-import", "--merge", &url],
            &["db-import", &url, "--records", "", "--table", "messages"],
            &["db-import", "--records", "", "--table", "messages", "--", &url],
            &["db-export", "--output", &format!("Cargo.toml/{url}")],
            &migrate,
        ] {
            for json in [&[][..], &["--json"]] {
                let arguments = if arguments == migrate {
                    [&["db-migrate"][..], json, &arguments[1..]].concat()
                } else if arguments.contains(&"--") {
                    [&arguments[..1], json, &arguments[1..]].concat()
                } else {
                    [arguments, json].concat()
                };
                let said = sandbox.run(&arguments);
                assert!(!said.err.contains(PASSWORD), "{arguments:?}: {said:#?}");
                assert!(!said.out.contains(PASSWORD), "{arguments:?}: {said:#?}");
            }
        }
        for name in ["DATABASE_PATH", "DATABASE_URL", "DATABASE_BACKUP_DIR", "AUTO_BACKUP_TIME"] {
            for arguments in [&["db-status"][..], &["db-backup"], &["db-list", "--json"]] {
                let mut command = sandbox.xtask(arguments);
                command.env(name, &url);
                let said = sandbox.said(&command.output().expect("the binary runs"));
                assert!(!said.err.contains(PASSWORD), "{name} {arguments:?}: {said:#?}");
                assert!(!said.out.contains(PASSWORD), "{name} {arguments:?}: {said:#?}");
            }
        }
    }
    for entry in fs_err::read_dir(sandbox.path("backups")).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let record = fs_err::read_to_string(&path).expect("a record");
            assert!(!record.contains(PASSWORD), "{record}");
        }
    }
    // What a database holds is data, and stays as it is.
    let url = format!("postgres://user:{PASSWORD}@host/db");
    sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{url}')"));
    sandbox.ok(&["db-export", "--output", "e.sql", "--format", "sql"]);
    sandbox.ok(&["db-import", "e.sql", "--into", "new.db"]);
    let question = "SELECT content FROM messages ORDER BY id DESC LIMIT 1";
    let found: String =
        open(&sandbox.path("new.db")).query_row(question, [], |row| row.get(0)).expect("a row");
    assert_eq!(found, url);
    let script = sandbox.ok(&["db-diff", "--sql"]).out;
    assert!(script.contains(&url), "{script}");
}

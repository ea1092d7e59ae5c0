//! Two clones of the sample host with different histories, which share files through git: both end
//! up with the same content, whichever merges first.

use crate::support::sandbox::{Sandbox, open};

/// The sample host's own schema.
const MIGRATIONS: [&str; 5] = [
    include_str!("../../../../backend/db/migrations/0001_initial.sql"),
    include_str!("../../../../backend/db/migrations/0002_memory.sql"),
    include_str!("../../../../backend/db/migrations/0003_memory_search.sql"),
    include_str!("../../../../backend/db/migrations/0004_memory_summaries.sql"),
    include_str!("../../../../backend/db/migrations/0005_session_archive.sql"),
];

/// What both have: it was the same database once.
const COMMON: &str = "
    INSERT INTO personas (name, system_prompt, created_at) VALUES ('Ada', 'x', '2025-01-01'),
        ('Bob', 'y', '2025-01-01');
    INSERT INTO sessions (title, persona_id, created_at, updated_at) VALUES
        ('first', 1, '2025-01-02', '2025-01-03'), ('first', 2, '2025-01-03', '2025-01-03');
    INSERT INTO messages (session_id, role, content, sent_at) VALUES
        (1, 'user', 'hello', '2025-01-02'), (2, 'user', 'hello', '2025-01-03');
    INSERT INTO memory_entries (session_id, kind, topic, content, created_at) VALUES
        (1, 'fact', 'tea', 'green', '2025-01-02');
    INSERT INTO memory_pins VALUES (1, 1, '2025-01-02');
    INSERT INTO settings VALUES ('theme', '\"dark\"', '2025-01-01');";

/// What happened on one machine since; the numbers of its rows are those of the other's rows.
fn history(who: &str, day: u32) -> String {
    format!(
        "INSERT INTO personas (name, system_prompt, created_at)
             VALUES ('of {who}', 'z', '2025-02-{day}');
         INSERT INTO sessions (id, title, persona_id, created_at, updated_at, archived_at) VALUES
             (3, 'daily', 3, '2025-02-{day}', '2025-02-{day}', NULL),
             (4, 'daily', NULL, '2025-03-{day}', '2025-03-{day}', '2025-04-01'),
             (5, 'by Ada', 1, '2025-03-{day}', '2025-03-{day}', NULL);
         INSERT INTO messages (session_id, role, content, sent_at) VALUES
             (3, 'user', 'of {who}', '2025-02-{day}'), (3, 'assistant', 'yes', '2025-02-{day}'),
             (3, 'assistant', 'yes', '2025-02-{day}'), (4, 'user', 'again', '2025-03-{day}'),
             (1, 'user', 'later, by {who}', '2025-03-{day}');
         INSERT INTO memory_entries (session_id, kind, topic, content, created_at) VALUES
             (3, 'fact', 'coffee', 'by {who}', '2025-02-{day}'),
             (NULL, 'task', 'shop', 'milk', '2025-02-{day}');
         INSERT INTO memory_pins VALUES (1, 2, '2025-02-{day}'), (3, 1, '2025-02-{day}');
         INSERT INTO memory_summaries
             (session_id, summary, message_count, covered_until, created_at)
             VALUES (3, 'talk of {who}', 3, '2025-02-{day}', '2025-02-{day}');
         INSERT INTO settings VALUES ('{who}', '1', '2025-02-{day}');"
    )
}

/// Everything with the surrogate keys replaced by what they stand for, sorted.
const CANONICAL: &str = "
    WITH session AS (SELECT id, created_at || ' ' || title AS name FROM sessions),
         entry AS (SELECT id, created_at || ' ' || topic AS name FROM memory_entries)
    SELECT json_array('personas', name, system_prompt, temperature, created_at) FROM personas
    UNION ALL SELECT json_array('sessions', title, created_at, updated_at, archived_at,
        (SELECT name FROM personas WHERE id = persona_id)) FROM sessions
    UNION ALL SELECT json_array('messages', role, content, sent_at,
        (SELECT name FROM session WHERE id = session_id)) FROM messages
    UNION ALL SELECT json_array('memory_entries', kind, topic, content, importance, created_at,
        (SELECT name FROM session WHERE id = session_id)) FROM memory_entries
    UNION ALL SELECT json_array('memory_pins', pinned_at,
        (SELECT name FROM personas WHERE id = persona_id),
        (SELECT name FROM entry WHERE id = memory_entry_id)) FROM memory_pins
    UNION ALL SELECT json_array('memory_summaries', summary, message_count, covered_until, created_at,
        (SELECT name FROM session WHERE id = session_id)) FROM memory_summaries
    UNION ALL SELECT json_array('settings', key, value, updated_at) FROM settings
    UNION ALL SELECT json_array('memory_search', count(*)) FROM memory_search
        WHERE memory_search MATCH 'coffee'
    ORDER BY 1";

fn canonical(sandbox: &Sandbox) -> Vec<String> {
    let connection = open(&sandbox.live());
    let mut statement = connection.prepare(CANONICAL).expect("a question");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<Result<_, _>>().expect("texts")
}

/// The sample host's own keys: this is a test of them, too.
fn merge_key() -> &'static str {
    let manifest = include_str!("../../../../Cargo.toml");
    manifest.lines().find(|line| line.starts_with("merge-key")).expect("a merge-key")
}

/// Two clones of one repository, and the folder that they push to.
struct Clones {
    ada: Sandbox,
    bob: Sandbox,
}

impl Clones {
    fn new() -> Self {
        let ada = Sandbox::new();
        ada.configure(merge_key());
        ada.sql("DROP TABLE messages");
        for migration in MIGRATIONS {
            ada.sql(migration);
        }
        ada.sql(COMMON);
        ada.git_init();
        ada.git(&["clone", "--quiet", "--bare", ".", "../shared.git"]);
        let remote = ada.path("../shared.git");
        let remote = remote.to_str().expect("a path");
        ada.git(&["remote", "add", "origin", remote]);
        let bob = Sandbox::empty();
        bob.git(&["clone", "--quiet", remote, "."]);
        fs_err::create_dir_all(bob.path("backend/db")).expect("a folder");
        let live = bob.live();
        open(&ada.live())
            .execute("VACUUM INTO ?1", [live.to_str().expect("a path")])
            .expect("a copy");
        ada.sql(&history("ada", 11));
        bob.sql(&history("bob", 22));
        Self { ada, bob }
    }

    /// Shares what a machine has, and pushes it.
    fn share(sandbox: &Sandbox) {
        sandbox.git(&["pull", "--quiet", "--no-rebase", "origin", "main"]);
        let said = sandbox.ok(&["db-export", "--share", "shared"]);
        assert!(!said.err.contains("nobody"), "{said:#?}");
        sandbox.git(&["add", "shared"]);
        sandbox.git(&["commit", "--quiet", "--message=share"]);
        sandbox.git(&["push", "--quiet", "origin", "HEAD:main"]);
    }

    /// Pulls what others shared, and merges it.
    fn merge(sandbox: &Sandbox) {
        sandbox.git(&["pull", "--quiet", "--no-rebase", "origin", "main"]);
        sandbox.ok(&["db-import", "--merge", "shared"]);
    }
}

#[test]
fn two_clones_come_to_the_same_content_whoever_merges_first() {
    let mut found = Vec::new();
    for ada_is_first in [true, false] {
        let Clones { ada, bob } = Clones::new();
        let (first, second) = if ada_is_first { (&ada, &bob) } else { (&bob, &ada) };
        Clones::share(first);
        Clones::share(second);
        Clones::merge(first);
        // What the second one merges has its own rows, which came back under other numbers.
        Clones::share(first);
        Clones::merge(second);
        assert_eq!(canonical(first), canonical(second));
        found.push(canonical(first));
    }
    assert_eq!(found[0], found[1]);
    let count = |table: &str| found[0].iter().filter(|row| row.contains(table)).count();
    assert_eq!(
        (count("[\"personas\""), count("[\"sessions\""), count("[\"messages\"")),
        (4, 8, 12)
    );
    assert_eq!((count("[\"memory_entries\""), count("[\"memory_pins\"")), (5, 5));
    assert!(found[0].contains(&"[\"memory_search\",2]".to_owned()), "{found:#?}");
}

#[test]
fn what_was_merged_once_changes_nothing_more() {
    let Clones { ada, bob } = Clones::new();
    Clones::share(&ada);
    Clones::share(&bob);
    Clones::merge(&ada);
    let before = ada.content();
    Clones::merge(&ada);
    assert_eq!(ada.content(), before);
}

#[test]
fn a_persona_with_all_that_hangs_on_it_goes_into_a_fresh_database_and_into_a_populated_one() {
    let Clones { ada, bob } = Clones::new();
    let part = ["db-export", "--root", "personas", "--where", "name = 'of ada'"];
    ada.ok(&[&part[..], &["--output", "part.jsonl"]].concat());
    let file = ada.path("part.jsonl");
    let file = file.to_str().expect("a path");
    ada.ok(&["db-import", file, "--into", "fresh.db"]);
    let fresh = open(&ada.path("fresh.db"));
    let counts = "SELECT (SELECT count(*) FROM personas), (SELECT count(*) FROM sessions),
        (SELECT count(*) FROM messages), (SELECT count(*) FROM memory_pins)";
    let found: (i64, i64, i64, i64) = fresh
        .query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .expect("counts");
    // Another's talk, because something remembered of it is pinned; and another, who pinned something.
    assert_eq!(found, (2, 2, 3, 2));
    let before = canonical(&bob);
    bob.ok(&["db-import", "--merge", file]);
    let after = canonical(&bob);
    let is_row = |row: &&String| !row.contains("memory_search");
    let gone: Vec<&String> =
        before.iter().filter(is_row).filter(|row| !after.contains(row)).collect();
    assert_eq!(gone, [""; 0], "a row of Bob's is gone or changed");
    let new: Vec<&String> = after.iter().filter(|row| !before.contains(row)).collect();
    let new: Vec<&str> = new.into_iter().map(String::as_str).collect();
    insta::assert_snapshot!(new.join("\n"), @r#"
    ["memory_entries","fact","coffee","by ada",3,"2025-02-11","2025-02-11 daily"]
    ["memory_pins","2025-02-11","Ada","2025-02-11 coffee"]
    ["memory_pins","2025-02-11","of ada","2025-01-02 tea"]
    ["memory_search",2]
    ["memory_summaries","talk of ada",3,"2025-02-11","2025-02-11","2025-02-11 daily"]
    ["messages","assistant","yes","2025-02-11","2025-02-11 daily"]
    ["messages","assistant","yes","2025-02-11","2025-02-11 daily"]
    ["messages","user","of ada","2025-02-11","2025-02-11 daily"]
    ["personas","of ada","z",0.7,"2025-02-11"]
    ["sessions","daily","2025-02-11","2025-02-11",null,"of ada"]
    "#);
    for connection in [fresh, open(&bob.live())] {
        let question = "SELECT count(*) FROM pragma_foreign_key_check";
        let n: i64 = connection.query_row(question, [], |row| row.get(0)).expect("checked");
        assert_eq!(n, 0);
    }
}

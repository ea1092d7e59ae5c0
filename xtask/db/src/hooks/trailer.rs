//! The trailer of a commit that names its checkpoint, and the note that passes it from one hook to
//! the next.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::backups::backup::Backup;
use crate::console::text;

/// The trailer's key.
pub(crate) const KEY: &str = "Db-Backup";

/// The note that `pre-commit` leaves for `prepare-commit-msg`: the trailers, which belong to one
/// tree, and to the run of git that called both hooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The tree that is about to be committed.
    pub(crate) tree: String,
    /// The run of git, if the system tells.
    pub(crate) caller: Option<String>,
    /// The values of the trailers.
    pub(crate) trailers: Vec<String>,
}

impl Note {
    /// Whether it belongs to this same commit: an aborted commit, or one that was followed by one
    /// with `--no-verify`, has another tree or another run of git.
    #[must_use]
    pub(crate) fn is_of(&self, tree: Option<&str>, caller: Option<&str>) -> bool {
        let same_caller = match (self.caller.as_deref(), caller) {
            (Some(then), Some(now)) => then == now,
            _ => true,
        };
        tree == Some(self.tree.as_str()) && same_caller
    }
}

/// The trailer's value: `kalito.db.2025-09-13_142530.bak (160.0 KB; +memory_summaries)`.
#[must_use]
pub(crate) fn value(backup: &Backup, added: &BTreeSet<String>) -> String {
    let mut details = text::size(backup.size_bytes);
    let added: Vec<String> = added.iter().map(|table| format!("+{}", text::plain(table))).collect();
    if !added.is_empty() {
        details = format!("{details}; {}", added.join(", "));
    }
    format!("{} ({details})", backup.name)
}

/// The message without the trailers, among those that git found in it, that name an older checkpoint
/// of the same databases.
#[must_use]
pub(crate) fn without_older(message: &str, found: &str, new: &[String]) -> String {
    let file =
        |value: &str| crate::backups::name::Name::parse(value.split(' ').next()?).map(|n| n.file);
    let files: BTreeSet<String> = new.iter().filter_map(|value| file(value)).collect();
    let is_older = |line: &str| {
        let value = line.strip_prefix(KEY).and_then(|rest| rest.strip_prefix(':'));
        value.and_then(|value| file(value.trim())).is_some_and(|file| files.contains(&file))
    };
    let older: BTreeSet<&str> = found.lines().filter(|line| is_older(line)).collect();
    message.split_inclusive('\n').filter(|line| !older.contains(line.trim_end())).collect()
}

/// The prefix of comments in a message; with `auto`, git chose it for this one.
#[must_use]
pub(crate) fn comment_sign(message: &str, setting: Option<&str>) -> String {
    let chosen = || {
        let line =
            message.lines().find(|line| line.contains(" Please enter the commit message"))?;
        line.split(' ').next().map(str::to_owned)
    };
    match setting {
        Some("auto") => chosen().unwrap_or_else(|| "#".to_owned()),
        setting => setting.unwrap_or("#").to_owned(),
    }
}

/// A message that the user still has to write in an editor, with a note on how to leave without a
/// commit: an empty message does that, but with a trailer the message is no longer empty. `None` if
/// something else is already written, or if the message has no comment.
#[must_use]
pub(crate) fn with_way_out(message: &str, sign: &str) -> Option<String> {
    // Git itself takes a message for empty that contains nothing but sign-offs.
    let is_ours = |line: &str| {
        [KEY, "Signed-off-by"]
            .iter()
            .any(|key| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':')))
    };
    let is_open =
        |line: &&str| !line.trim().is_empty() && !line.starts_with(sign) && !is_ours(line);
    // Below the scissors of `git commit --verbose` there is no message.
    let above = message.split_once(&format!("{sign} ------------------------ >8")).map(|(a, _)| a);
    let above = above.unwrap_or(message);
    if above.lines().any(|line| is_open(&line)) || !above.lines().any(|l| l.starts_with(sign)) {
        return None;
    }
    with_way_out_of_template(message, sign)
}

/// The same for a template: if it is left as it is, git ends without a commit, but with a trailer
/// it is no longer as it was. `None` if it has no comment.
#[must_use]
pub(crate) fn with_way_out_of_template(message: &str, sign: &str) -> Option<String> {
    let at = message.find(&format!("\n{sign}"))? + 1;
    let (before, after) = message.split_at(at);
    // Then everything above the scissors is kept, comments too.
    if after.starts_with(&format!("{sign} ------------------------ >8")) {
        return None;
    }
    Some(format!("{before}{sign} To abort the commit, delete the {KEY} line too.\n{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema::created_tables::tables_created;

    #[test]
    fn tables_that_a_migration_creates_are_named() {
        for (sql, names) in [
            ("CREATE TABLE memory_summaries (id INTEGER PRIMARY KEY);", "memory_summaries"),
            (
                "create table if not exists \"a b\"(x); create virtual table f using fts5(x)",
                "a b f",
            ),
            ("-- CREATE TABLE x\n/* CREATE TABLE y */ CREATE TABLE main.[z](a)", "z"),
            ("INSERT INTO t VALUES ('CREATE TABLE x (a)')", ""),
            ("CREATE TEMP TABLE x (a)", ""),
            (
                "CREATE TABLE messages_new(a); INSERT INTO messages_new SELECT a FROM messages;
                 DROP TABLE messages; ALTER TABLE messages_new RENAME TO messages;",
                "messages",
            ),
            ("CREATE TABLE x (a); DROP TABLE IF EXISTS x;", ""),
            ("CREATE INDEX table_a ON t (a); CREATE TRIGGER", ""),
            ("CREATE TABLE", ""),
        ] {
            let found: Vec<String> = tables_created(sql).into_iter().collect();
            assert_eq!(found.join(" "), names, "{sql}");
        }
    }

    #[test]
    fn only_an_older_checkpoint_of_the_same_database_goes() {
        let message = "Add a table\n\nDb-Backup: is described here\n\n\
                       Db-Backup: a.db.2025-09-13_142530.bak (1.0 KB)\n\
                       Db-Backup: b.db.2025-09-13_142530.bak (1.0 KB)\n";
        let found = "Db-Backup: a.db.2025-09-13_142530.bak (1.0 KB)\n\
                     Db-Backup: b.db.2025-09-13_142530.bak (1.0 KB)\n";
        let new = ["a.db.2025-09-13_150000.bak (2.0 KB)".to_owned()];
        let without = without_older(message, found, &new);
        assert!(!without.contains("a.db"), "{without}");
        assert!(without.contains("b.db") && without.contains("is described"), "{without}");
    }

    #[test]
    fn an_editor_that_opens_on_nothing_but_the_trailer_says_how_to_leave() {
        let open = "\nDb-Backup: a.bak (1.0 KB)\n# Please enter\n# x\n";
        let said = with_way_out(open, "#").expect("a word");
        assert_eq!(
            said,
            "\nDb-Backup: a.bak (1.0 KB)\n# To abort the commit, delete the Db-Backup line too.\n# \
             Please enter\n# x\n"
        );
        let verbose = "\nDb-Backup: a\n; x\n; ------------------------ >8 ---\ndiff\n";
        assert!(with_way_out(verbose, ";").is_some());
        for done in ["Words\n\nDb-Backup: a\n# x\n", "\nDb-Backup: a\n", "Db-Backup: a"] {
            assert_eq!(with_way_out(done, "#"), None, "{done}");
        }
    }

    #[test]
    fn a_note_is_of_one_tree_and_one_run_of_git() {
        let note =
            Note { tree: "t".to_owned(), caller: Some("1 2".to_owned()), trailers: Vec::new() };
        assert!(note.is_of(Some("t"), Some("1 2")));
        assert!(note.is_of(Some("t"), None));
        assert!(!note.is_of(Some("t"), Some("3 4")));
        assert!(!note.is_of(Some("u"), Some("1 2")));
        assert!(!note.is_of(None, None));
    }
}

//! The branch whose data the database contains, as far as the hooks know: a note in git's own folder, by
//! which the next checkout finds a switch that the hooks did not see.

use anyhow::Result;

use crate::files::whole_files;
use crate::git::reflog::Reflog;
use crate::git::repository::Place;

/// The file with the note: the branch's name, empty for a detached HEAD, and on a second line how the
/// branch's reflog began. Notes of earlier versions have the name alone.
const FILE: &str = "xtask-db-branch";

/// The branch that was checked out when a hook ran last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LastSeen {
    name: String,
    created: Option<String>,
}

impl LastSeen {
    fn parse(text: &str) -> Self {
        let (name, created) = text.split_once('\n').unwrap_or((text, ""));
        let created = created.trim_end();
        let created = (!created.is_empty()).then(|| created.to_owned());
        Self { name: name.to_owned(), created }
    }

    fn text(&self) -> String {
        let created = self.created.as_deref().unwrap_or_default();
        if created.is_empty() { self.name.clone() } else { format!("{}\n{created}", self.name) }
    }
}

/// The name that a checked-out branch had after the renamings since the last move but one: HEAD's
/// reflog ends with the checkout that leaves it.
fn renamed_since(head: &Reflog, name: &str) -> Option<String> {
    let (_, earlier) = head.0.split_last()?;
    let arrived = earlier.iter().rposition(|entry| entry.moved().is_some()).map_or(0, |at| at + 1);
    let mut current = None;
    for (from, to) in earlier[arrived..].iter().filter_map(|entry| entry.renamed()) {
        if from == current.unwrap_or(name) {
            current = Some(to);
        }
    }
    current.map(str::to_owned)
}

/// The branch that was checked out when a hook ran last, by the name that it has now; empty for a
/// detached HEAD, `None` if no hook ever ran in this work tree. `head` is the reflog of HEAD.
#[must_use]
pub(crate) fn last_seen(place: &Place, head: &Reflog) -> Option<String> {
    let seen = LastSeen::parse(&fs_err::read_to_string(place.own.join(FILE)).ok()?);
    let renamed = renamed_since(head, &seen.name);
    let by_creation = || name_by_creation(place, seen.created.as_deref()?, &seen.name);
    Some(renamed.or_else(by_creation).unwrap_or(seen.name))
}

/// The branch that began so and was once called `name`, if another branch, or none, has this name by now.
fn name_by_creation(place: &Place, created: &str, name: &str) -> Option<String> {
    if name.is_empty() || place.reflog(name).created().as_deref() == Some(created) {
        return None;
    }
    // There may be many branches, and few began so.
    let is_it = |other: &String| {
        place.reflog(other).created().as_deref() == Some(created)
            && place.branch_named(other).is_called(name)
    };
    place.branches().into_iter().find(is_it)
}

/// Remembers the branch that is checked out, for the next switch.
///
/// # Errors
///
/// If the file system refuses.
pub(crate) fn remember(place: &Place, branch: Option<&str>) -> Result<()> {
    let name = branch.unwrap_or_default().to_owned();
    let created = branch.and_then(|name| place.reflog(name).created());
    let text = LastSeen { name, created }.text();
    whole_files::replace_file(&place.own.join(FILE), text.as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::reflog::Entry;

    /// HEAD's reflog by the messages of its lines.
    fn head(messages: &[&str]) -> Reflog {
        let line = |said: &&str| Entry {
            old: "1".repeat(40),
            new: "1".repeat(40),
            at: chrono::DateTime::UNIX_EPOCH.fixed_offset(),
            said: (*said).to_owned(),
        };
        Reflog(messages.iter().map(line).collect())
    }

    #[test]
    fn a_note_comes_back_as_it_was_written_and_an_earlier_one_is_read() {
        let detached = LastSeen { name: String::new(), created: None };
        let known = LastSeen { name: "a/b".to_owned(), created: Some("1f 17".to_owned()) };
        for seen in [detached, known] {
            assert_eq!(LastSeen::parse(&seen.text()), seen);
        }
        let earlier = LastSeen { name: "main".to_owned(), created: None };
        assert_eq!(LastSeen::parse("main"), earlier);
    }

    #[test]
    fn a_branch_that_was_renamed_while_it_was_checked_out_is_known_by_its_new_name() {
        let check = |entries: &[&str], expected: Option<&str>| {
            assert_eq!(renamed_since(&head(entries), "a").as_deref(), expected, "{entries:?}");
        };
        let (arrives, leaves) = ("checkout: moving from m to a", "checkout: moving from c to a");
        let renames = |from, to| format!("Branch: renamed refs/heads/{from} to refs/heads/{to}");
        let (a_c, a_b, b_c) = (renames("a", "c"), renames("a", "b"), renames("b", "c"));
        check(&[], None);
        check(&[arrives, leaves], None);
        check(&[arrives, &a_c, &a_c, leaves], Some("c"));
        check(&[arrives, &a_b, &a_b, &b_c, &b_c, leaves], Some("c"));
        // Another branch had the name at that time.
        check(&[&a_c, arrives, leaves], None);
    }
}

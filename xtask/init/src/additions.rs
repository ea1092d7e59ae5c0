//! The keys that a person added to the table of the database that `init` wrote: they go with it.
//!
//! Nothing else that was added counts: another table may be needed by something else.

use toml_edit::{Document, Item, TableLike};

use crate::hunk::Hunk;

/// How the header of that table begins.
const HEADER: &str = "[workspace.metadata.db.databases.";
const DATABASES: [&str; 4] = ["workspace", "metadata", "db", "databases"];

/// A manifest without what was added to the table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stripped {
    /// The manifest as if nothing had been added.
    pub(crate) text: String,
    /// The lines that were added.
    pub(crate) added: Vec<String>,
}

/// Finds what was added; the text as it is if there is nothing, or if a line of `init` is gone.
pub(crate) fn strip(text: String, edits: &[Vec<Hunk>]) -> Stripped {
    let mut blocks = edits.iter().flatten().map(Hunk::after);
    let stripped = blocks.find_map(own_lines).and_then(|own| without(&text, &own));
    stripped.unwrap_or_else(|| Stripped { text, added: Vec::new() })
}

/// The lines of the table as `init` wrote them.
fn own_lines(block: &str) -> Option<Vec<&str>> {
    let mut lines = block.split_inclusive('\n').skip_while(|line| !line.starts_with(HEADER));
    let header = lines.next()?;
    let is_own = |line: &&str| !line.trim().is_empty() && !line.starts_with(['[', '#']);
    Some(std::iter::once(header).chain(lines.take_while(is_own)).collect())
}

fn without(text: &str, own: &[&str]) -> Option<Stripped> {
    let (header, keys) = own.split_first()?;
    let mut starts = text.match_indices(header).map(|(at, _)| at);
    let start = starts.next().filter(|at| *at == 0 || text[..*at].ends_with('\n'))?;
    let body = start + header.len();
    let end = end_of_table(text, &own.concat())?;
    if starts.next().is_some() || end < body {
        return None;
    }
    let (mut kept, mut added) = (String::new(), Vec::new());
    let mut keys = keys.iter().peekable();
    for line in text[body..end].split_inclusive('\n') {
        match keys.next_if_eq(&&line) {
            Some(_) => kept.push_str(line),
            None => added.push(line.trim_end().to_owned()),
        }
    }
    let text = [&text[..body], &kept, &text[end..]].concat();
    keys.peek().is_none().then_some(Stripped { text, added })
}

/// Where the last line ends that has a value of the table in `block`.
fn end_of_table(text: &str, block: &str) -> Option<usize> {
    let block = Document::parse(block).ok()?;
    let (name, _) = databases(&block)?.iter().next()?;
    let document = Document::parse(text).ok()?;
    let table = databases(&document)?.get(name)?.as_table_like()?;
    let end = end_of_values(table)?;
    Some(text[end..].find('\n').map_or(text.len(), |line_end| end + line_end + 1))
}

fn databases<'a>(document: &'a Document<&str>) -> Option<&'a dyn TableLike> {
    let step = |item: &'a Item, key: &&str| item.as_table_like()?.get(key);
    DATABASES.iter().try_fold(document.as_item(), step)?.as_table_like()
}

/// Tables below it have headers of their own.
fn end_of_values(table: &dyn TableLike) -> Option<usize> {
    let end = |(_, item): (&str, &Item)| match item {
        Item::Table(table) if table.is_dotted() => end_of_values(table),
        Item::Value(value) => value.span().map(|span| span.end),
        _ => None,
    };
    table.iter().filter_map(end).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hunk;

    const BEFORE: &str = "[package]\nname = \"app\"\n";
    const TABLE: &str = "[workspace.metadata.db.databases.app]\npath = \"app.db\"\nschema = []\n";
    const AFTER: &str = "\n# Fast.\n[profile.dev.package.itoa]\nopt-level = 3\n";

    #[track_caller]
    fn check(now: &str, expected: &[&str]) {
        let written = format!("{BEFORE}\n{TABLE}{AFTER}");
        let edits = [hunk::hunks(BEFORE, &written)];
        let text = format!("{BEFORE}\n{now}{AFTER}");
        let stripped = strip(text.clone(), &edits);
        assert_eq!(stripped.added, expected, "{now}");
        let expected = if expected.is_empty() { text } else { written };
        assert_eq!(stripped.text, expected, "{now}");
    }

    #[test]
    fn keys_and_comments_of_the_table_are_found_wherever_they_are_in_it() {
        let [header, path, schema] = TABLE.split_inclusive('\n').collect::<Vec<_>>()[..] else {
            panic!("three lines");
        };
        check(TABLE, &[]);
        check(&format!("{TABLE}tracked = true # why\n"), &["tracked = true # why"]);
        check(
            &format!("{header}# a\nallow-loss = [\n  \"a\",\n]\n{path}\nkeep.last = 3\n{schema}"),
            &["# a", "allow-loss = [", "  \"a\",", "]", "", "keep.last = 3"],
        );
    }

    #[test]
    fn other_tables_and_changed_lines_are_not_taken_for_additions() {
        check(&format!("{TABLE}\n[workspace.metadata.db.keep]\nlast = 3\n"), &[]);
        check(&format!("{TABLE}\n[workspace.metadata.db.databases.app.groups]\na = []\n"), &[]);
        check(&TABLE.replace("app.db", "other.db"), &[]);
        check(&format!("{TABLE}not TOML\n"), &[]);
    }
}

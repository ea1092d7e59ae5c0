//! What an edit replaced, so that it can be undone, even if the file has changed elsewhere since.

use serde::{Deserialize, Serialize};
use similar::{DiffOp, TextDiff};

/// Some lines as they were and as they became, with enough lines around them to be found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hunk {
    before: String,
    after: String,
    /// Whether it began the file.
    is_first: bool,
    /// Whether it ended the file.
    is_last: bool,
}

impl Hunk {
    /// The lines as they became.
    pub(crate) fn after(&self) -> &str {
        &self.after
    }

    /// The lines that were not there before.
    pub(crate) fn added(&self) -> impl Iterator<Item = &str> {
        self.after.lines().filter(|line| !self.before.lines().any(|before| before == *line))
    }
}

/// The hunks between two texts. Each occurs once in its text, so that it can be told where it belongs.
pub(crate) fn hunks(before: &str, after: &str) -> Vec<Hunk> {
    let diff = TextDiff::from_lines(before, after);
    let (old, new) = (lines(before), lines(after));
    for n_context in [1, 2, 4, 8, 16] {
        let groups = diff.grouped_ops(n_context);
        let hunks: Vec<Hunk> = groups.iter().map(|group| hunk(group, &old, &new)).collect();
        let leads_back = replaced(after, &hunks, Direction::Back).as_deref() == Some(before);
        let leads_on = replaced(before, &hunks, Direction::On).as_deref() == Some(after);
        if leads_back && leads_on {
            return hunks;
        }
    }
    let (before, after) = (before.to_owned(), after.to_owned());
    vec![Hunk { before, after, is_first: true, is_last: true }]
}

/// The text without the edit; `None` if the lines of the edit are not there as they were written.
pub(crate) fn reverted(text: &str, hunks: &[Hunk]) -> Option<String> {
    replaced(text, hunks, Direction::Back)
}

/// Whether the text is one that the edit was not made in, or has been undone in.
pub(crate) fn is_absent(text: &str, hunks: &[Hunk]) -> bool {
    replaced(text, hunks, Direction::On).is_some()
}

#[derive(Clone, Copy)]
enum Direction {
    On,
    Back,
}

fn hunk(group: &[DiffOp], old: &[&str], new: &[&str]) -> Hunk {
    let is_first = group.first().is_some_and(|op| op.old_range().start == 0);
    let is_last = group.last().is_some_and(|op| op.old_range().end == old.len());
    let mut hunk = Hunk { before: String::new(), after: String::new(), is_first, is_last };
    for op in group {
        hunk.before.extend(old[op.old_range()].iter().copied());
        hunk.after.extend(new[op.new_range()].iter().copied());
    }
    hunk
}

fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn replaced(text: &str, hunks: &[Hunk], direction: Direction) -> Option<String> {
    let mut text = text.to_owned();
    for hunk in hunks {
        let (from, to) = match direction {
            Direction::On => (&hunk.before, &hunk.after),
            Direction::Back => (&hunk.after, &hunk.before),
        };
        let at = only_place(&text, from)?;
        let end = at + from.len();
        // Only one line tells where lines were added at an end: nothing may be behind it.
        let is_at_its_edge = (!hunk.is_first || at == 0) && (!hunk.is_last || end == text.len());
        if matches!(direction, Direction::On) && !is_at_its_edge {
            return None;
        }
        text.replace_range(at..end, to);
    }
    Some(text)
}

/// Where a block of whole lines is, if it is there once.
fn only_place(text: &str, block: &str) -> Option<usize> {
    if block.is_empty() {
        return text.is_empty().then_some(0);
    }
    let is_of_lines = |at: usize| {
        let end = at + block.len();
        let begins = at == 0 || text[..at].ends_with('\n');
        begins && (block.ends_with('\n') || end == text.len())
    };
    let mut places = text.match_indices(block).map(|(at, _)| at).filter(|at| is_of_lines(*at));
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_taken_back_to_the_byte() {
        for (before, after) in [
            ("", "a\n"),
            ("a\n", "a\nb\n"),
            ("a", "a\nb\n"),
            ("a\nb\nc\n", "x\na\nb\ny\nc\n"),
            ("m = []\nm = []\n", "m = []\nm = [1]\n"),
            ("a\n\na\n\na\n", "a\n\na\n\na\n\na\n"),
        ] {
            let hunks = hunks(before, after);
            assert_eq!(reverted(after, &hunks).as_deref(), Some(before), "{after:?}");
            assert!(is_absent(before, &hunks), "{before:?}");
        }
    }

    #[test]
    fn an_edit_is_taken_back_in_a_file_that_changed_elsewhere_and_nowhere_else() {
        let lines: Vec<String> = (0..40).map(|n| format!("line {n}\n")).collect();
        let before = lines.concat();
        let after = before.replace("line 20\n", "line 20\nnew\n");
        let hunks = hunks(&before, &after);
        let later = after.replace("line 3\n", "changed\n");
        assert_eq!(reverted(&later, &hunks), Some(before.replace("line 3\n", "changed\n")));
        assert_eq!(reverted(&after.replace("new\n", "newer\n"), &hunks), None);
        assert_eq!(reverted(&after.replace("new\n", "new\nline 21\nline 20\nnew\n"), &hunks), None);
    }
}

//! Everything that a person reads is plain English. Some habits of language can be searched for: in documents,
//! in help, in the messages of the product, and, fewer of them, in comments.

use super::phrases::{EVERYWHERE, SHOWN, Tic};
use super::rust_text::{Kind, pieces};
use super::{rust_files, workspace};
use crate::console::help;
use crate::support::markdown;
use crate::support::sandbox::Sandbox;

/// Where phrases are searched for in a text whose code is `…`.
struct Text {
    lower: String,
}

impl Text {
    fn of(paragraph: &str) -> Self {
        Self { lower: format!(" {} ", paragraph.to_lowercase()) }
    }

    /// Where a phrase begins and ends, as whole words.
    fn places(&self, phrase: &str) -> Vec<(usize, usize)> {
        let is_edge = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        let found = self.lower.match_indices(phrase).map(|(at, m)| (at, at + m.len()));
        found
            .filter(|&(at, end)| {
                is_edge(self.lower[..at].chars().next_back())
                    && is_edge(self.lower[end..].chars().next())
            })
            .collect()
    }

    fn has(&self, tic: &Tic) -> bool {
        let right: Vec<_> = tic
            .right
            .iter()
            .flat_map(|text| {
                self.lower
                    .match_indices(&text.to_lowercase())
                    .map(|(at, m)| (at, at + m.len()))
                    .collect::<Vec<_>>()
            })
            .collect();
        self.places(tic.phrase)
            .iter()
            .any(|&(at, end)| !right.iter().any(|&(from, to)| from <= at && end <= to))
    }

    /// `is no X` (but "there is no X", "is no longer", and an answer that is no).
    fn denials(&self) -> Vec<String> {
        let is_right = |&(at, end): &(usize, usize)| {
            let after = &self.lower[end..];
            self.lower[..at].ends_with("there ")
                || [" longer", " more", " such", " other"].iter().any(|n| after.starts_with(n))
                || !after.trim_start_matches(' ').starts_with(char::is_alphanumeric)
        };
        let wrong = |phrase: &&&str| !self.places(phrase).iter().all(is_right);
        let phrases = ["is no", "are no", "was no", "were no"];
        phrases.iter().filter(wrong).map(|p| format!("`{p}`; write `is not a`")).collect()
    }

    /// `, as …` before code (but "as … does").
    fn examples(&self) -> Vec<String> {
        let verbs = [" does", " do ", " would", " has", " is", " names", " writes", " count"];
        let found = self.lower.match_indices(", as …").map(|(at, m)| &self.lower[at + m.len()..]);
        let wrong = found.filter(|after| !verbs.iter().any(|verb| after.starts_with(verb)));
        wrong.map(|_| "`, as …`; write `, e.g. …`".to_owned()).collect()
    }
}

fn phrases(text: &Text, tics: &[Tic]) -> Vec<String> {
    let found = tics.iter().filter(|tic| text.has(tic));
    found.map(|tic| format!("`{}`; write `{}`", tic.phrase, tic.instead)).collect()
}

/// The sentences of a paragraph.
fn sentences(paragraph: &str) -> impl Iterator<Item = &str> {
    paragraph.split_inclusive(['.', '?', ':']).map(str::trim)
}

/// The habits in what a user sees: all phrases, conditions that begin with "Where", and sentences that begin
/// with "What" or "Who" without being questions.
fn tics(paragraph: &str) -> Vec<String> {
    let text = Text::of(paragraph);
    let mut found = [phrases(&text, &EVERYWHERE), phrases(&text, &SHOWN)].concat();
    found.extend(text.denials());
    found.extend(text.examples());
    for sentence in sentences(paragraph).filter(|sentence| sentence.ends_with('.')) {
        let first = sentence.split(' ').next().unwrap_or_default();
        let is_condition = first == "Where" && sentence.contains(',');
        if is_condition || ["What", "Who", "Whoever"].contains(&first) {
            found.push(format!("`{sentence}`; name the subject, or write `If`"));
        }
    }
    found
}

/// The habits in a comment, paragraph by paragraph. Its first sentence may be a noun: "Where backups go, absolute."
fn comment_tics(comment: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_errors = false;
    for (at, (_, paragraph)) in markdown::paragraphs(comment).into_iter().enumerate() {
        let text = Text::of(&paragraph);
        found.extend(phrases(&text, &EVERYWHERE));
        found.extend(text.denials());
        found.extend(text.examples());
        for (n, sentence) in sentences(&paragraph).enumerate() {
            let is_where = sentence.starts_with("Where ");
            if is_where && (is_errors || (at + n > 0 && sentence.contains(','))) {
                found.push(format!("`{sentence}`; write `If`"));
            }
        }
        if !paragraph.is_empty() {
            is_errors = paragraph == "# Errors";
        }
    }
    found
}

/// The code of all packages and tests. The words of the sample host's chats are a matter of taste.
fn code() -> Vec<(String, String)> {
    let mut files = Vec::new();
    for folder in ["backend", "tests", "xtask"] {
        files.extend(rust_files(&workspace().join(folder)));
    }
    let kept = ["backend/src/sample/", "tests/e2e/tidy/"];
    files.retain(|(name, _)| {
        !name.contains("/target/") && !kept.iter().any(|folder| name.starts_with(folder))
    });
    files
}

/// The habits in the code of one file: in its comments, and in its messages if it is not a test.
fn code_tics(name: &str, source: &str) -> Vec<String> {
    let is_test = name.starts_with("tests/") || name.contains("/tests");
    let mut all = Vec::new();
    for piece in pieces(source) {
        let found = match piece.kind {
            Kind::Comment => comment_tics(&piece.text),
            Kind::Literal if is_test || !piece.text.trim().contains(' ') => continue,
            Kind::Literal => shown_tics(&without_values(&piece.text)).collect(),
        };
        all.extend(found.into_iter().map(|tic| format!("{name}:{}: {tic}", piece.line)));
    }
    all
}

/// A text with `…` for each value that is formatted into it.
fn without_values(text: &str) -> String {
    let mut parts = text.split('{');
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without.push('…');
        without.push_str(part.split_once('}').map_or(part, |(_, after)| after));
    }
    without
}

/// The habits in a text that is printed.
fn shown_tics(text: &str) -> impl Iterator<Item = String> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let paragraphs = markdown::paragraphs(&lines.join("\n"));
    paragraphs.into_iter().flat_map(|(_, paragraph)| tics(&paragraph))
}

#[test]
fn documents_are_written_in_plain_english() {
    let mut all = Vec::new();
    for document in markdown::documents() {
        for (line, paragraph) in markdown::paragraphs(&document.text) {
            let found = tics(&paragraph).into_iter();
            all.extend(found.map(|tic| format!("{}:{line}: {tic}", document.name)));
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn help_is_written_in_plain_english() {
    let mut all = Vec::new();
    for (command, help) in help::helps(&Sandbox::new()) {
        all.extend(shown_tics(&help).map(|tic| format!("{command}: {tic}")));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn messages_and_comments_are_written_in_plain_english() {
    let files = code();
    assert!(files.len() > 400, "{} files", files.len());
    let all: Vec<_> = files.iter().flat_map(|(name, text)| code_tics(name, text)).collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn constants_of_upper_limits_begin_with_max() {
    for (name, text) in code() {
        let most = text.split(|c: char| !c.is_alphanumeric() && c != '_');
        let most: Vec<_> = most.filter(|word| word.starts_with("MOST_")).collect();
        assert!(most.is_empty(), "{name}: {most:?}; write `MAX_…`");
    }
}

#[test]
fn each_phrase_is_found_where_it_is_planted_and_not_where_it_is_right() {
    for (tic, is_shown) in
        EVERYWHERE.iter().map(|tic| (tic, false)).chain(SHOWN.iter().map(|tic| (tic, true)))
    {
        let planted = format!("A backup {} this.", tic.phrase);
        assert!(!tics(&planted).is_empty(), "{planted}");
        assert_eq!(comment_tics(&planted).is_empty(), is_shown, "{planted}");
        let message = format!("fn f() {{ say(\"a backup {} this\"); }}", tic.phrase);
        assert!(!code_tics("xtask/db/src/f.rs", &message).is_empty(), "{message}");
        for right in tic.right {
            let text = Text::of(&format!("A backup {right}."));
            assert!(!text.has(tic), "{right}");
        }
    }
}

#[test]
fn each_habit_of_language_is_found_where_it_is_planted() {
    for planted in [
        "This is no SQLite database.",
        "How old it may be, as `1d` or `2h`.",
        "It ends. Where nothing is pending, it exits.",
    ] {
        assert!(!comment_tics(planted).is_empty(), "{planted}");
        assert!(shown_tics(planted).next().is_some(), "{planted}");
        let comment = format!("/// {planted}\nconst X: u8 = 0;\n");
        assert!(!code_tics("tests/e2e/x.rs", &comment).is_empty(), "{comment}");
    }
    assert!(!comment_tics("Reads it.\n\n# Errors\n\nWhere it is gone.").is_empty());
    for planted in ["It ends. What is new is examined.", "Who needs less passes a flag."] {
        assert!(!tics(planted).is_empty(), "{planted}");
    }
    for right in [
        "There is no backup, and it is no longer pinned.",
        "It relies on what it understands, as `git` does.",
        "See what is new. What is a backup? It waits where it is.",
    ] {
        assert_eq!(shown_tics(right).collect::<Vec<_>>(), Vec::<String>::new(), "{right}");
        assert_eq!(comment_tics(right), Vec::<String>::new(), "{right}");
    }
    assert_eq!(comment_tics("Where backups go, absolute."), Vec::<String>::new());
    let in_tests = "#[cfg(test)]\nmod tests {\n    const X: &str = \"it is no file\";\n}\n";
    assert_eq!(code_tics("xtask/db/src/f.rs", in_tests), Vec::<String>::new());
}

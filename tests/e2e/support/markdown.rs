//! Reads the documents of this repository: their blocks, the hidden preparation of their tests, their
//! prose and their links.
//!
//! A hidden preparation is a comment, `<!-- test: … -->`, whose lines a shell runs. A line `clock TIME` in it
//! sets the sandbox's clock.

use std::path::{Path, PathBuf};

/// A document.
pub(crate) struct Document {
    /// Its path, relative to the workspace.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// All of it.
    pub(crate) text: String,
}

/// A part of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Lines for a shell that the reader does not see.
    Hidden(Vec<String>),
    /// A fenced block.
    Block(Block),
}

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The word after its fence.
    pub(crate) language: String,
    /// Its lines, without the fence's indentation.
    pub(crate) lines: Vec<String>,
    /// The number of its first line, from 1.
    pub(crate) line: usize,
}

/// The folders that have documents, relative to the workspace.
const FOLDERS: [&str; 6] =
    ["", "docs", ".github", ".github/ISSUE_TEMPLATE", "xtask/db", "xtask/db/format"];

/// The workspace this test was built from; it is only read.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

/// All documents, in the order of their names.
pub(crate) fn documents() -> Vec<Document> {
    let mut documents = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs_err::read_dir(workspace().join(folder)) else { continue };
        for entry in entries {
            let path = entry.expect("entry").path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(workspace()).expect("inside");
                let name = name.to_string_lossy().into_owned();
                let text = fs_err::read_to_string(&path).expect("text");
                documents.push(Document { name, path, text });
            }
        }
    }
    documents.sort_by(|a, b| a.name.cmp(&b.name));
    documents
}

/// The paths of all files that a document may name, relative to the workspace.
pub(crate) fn files() -> Vec<String> {
    let mut folders: Vec<_> =
        ["backend", "docs", "tests", "xtask", ".ci"].map(|f| workspace().join(f)).to_vec();
    let mut files: Vec<PathBuf> = documents().into_iter().map(|document| document.path).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).expect("folder") {
            let path = entry.expect("entry").path();
            if path.is_dir() { &mut folders } else { &mut files }.push(path);
        }
    }
    let relative = |path: PathBuf| {
        path.strip_prefix(workspace()).expect("inside").to_string_lossy().into_owned()
    };
    files.into_iter().map(relative).collect()
}

/// The hidden and the fenced parts of a document, in order.
pub(crate) fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if let Some(first) = line.strip_prefix("<!-- test:") {
            let mut hidden = vec![first.to_owned()];
            while !hidden.last().expect("a line").ends_with("-->") {
                hidden.push(lines.next().expect("the end of a comment").1.to_owned());
            }
            let last = hidden.last_mut().expect("a line");
            *last = last.trim_end_matches("-->").trim_end().to_owned();
            parts.push(Part::Hidden(hidden));
        } else if let Some(language) = line.trim_start().strip_prefix("```") {
            let indent = line.len() - line.trim_start().len();
            let mut block =
                Block { language: language.to_owned(), lines: Vec::new(), line: at + 2 };
            for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
                block.lines.push(line.get(indent..).unwrap_or_default().to_owned());
            }
            parts.push(Part::Block(block));
        }
    }
    parts
}

/// The lines that a person reads as text, with their numbers: no blocks, no comments, and `…` for each
/// code span.
pub(crate) fn prose(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut within = None;
    for (at, line) in text.lines().enumerate() {
        let begins = line.trim_start();
        match within {
            Some(end) if begins.trim_end().ends_with(end) => within = None,
            Some(_) => {}
            None if begins.starts_with("```") => within = Some("```"),
            None if begins.starts_with("<!--") && !begins.ends_with("-->") => within = Some("-->"),
            None if begins.starts_with("<!--") || line.starts_with("    ") => {}
            None => lines.push((at + 1, without_code(line))),
        }
    }
    lines
}

/// The prose as paragraphs, with the numbers of their first lines. A heading, an item of a list and a cell of a table
/// are one each.
pub(crate) fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut ended = true;
    for (number, line) in prose(text) {
        let words = line.trim();
        let is_alone = words.starts_with('#') || words.starts_with('|');
        let is_item =
            words.starts_with("- ") || words.split_once(". ").is_some_and(|(n, _)| is_number(n));
        if is_alone {
            paragraphs.extend(words.split('|').map(|cell| (number, cell.trim().to_owned())));
        } else if let Some((_, last)) = paragraphs.last_mut().filter(|_| !ended && !is_item) {
            last.push(' ');
            last.push_str(words);
        } else {
            let words = words.trim_start_matches("- ").to_owned();
            paragraphs.push((number, words));
        }
        ended = is_alone || words.is_empty();
    }
    paragraphs
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}

fn without_code(line: &str) -> String {
    let pieces = line.split('`').enumerate();
    pieces.map(|(at, piece)| if at % 2 == 0 { piece } else { "…" }).collect()
}

/// The code spans of the prose, with their lines' numbers. A span ends in the line that it begins in.
pub(crate) fn spans(text: &str) -> Vec<(usize, String)> {
    let mut spans = Vec::new();
    let mut is_block = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            let pieces = line.split('`').skip(1).step_by(2);
            spans.extend(pieces.map(|span| (at + 1, span.to_owned())));
        }
    }
    spans
}

/// The targets of the links of a document, with their lines' numbers.
pub(crate) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (number, line) in prose(text) {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            links.push((number, target.to_owned()));
        }
    }
    links
}

/// The anchors of a document's headings, as GitHub makes them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| -> String {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn blocks_and_hidden_lines_are_found_and_prose_has_no_code() {
    let text =
        "# A b\n\n<!-- test: one\ntwo\n-->\n\nSay `x` [here](a.md#b).\n\n   ```sh\n   ls\n   ```\n";
    let hidden = vec![" one".to_owned(), "two".to_owned(), String::new()];
    let block = Block { language: "sh".to_owned(), lines: vec!["ls".to_owned()], line: 10 };
    assert_eq!(parts(text), [Part::Hidden(hidden), Part::Block(block)]);
    let said = prose(text).into_iter().map(|(_, line)| line).collect::<String>();
    assert_eq!(said, "# A bSay … [here](a.md#b).");
    assert_eq!(spans(text), [(7, "x".to_owned())]);
    assert_eq!(links(text), [(7, "a.md#b".to_owned())]);
    assert_eq!(anchors("## The `a` of B, C\n"), ["the-a-of-b-c"]);
}

//! The git hooks, and our marked block in a hook's file.
//!
//! A hook belongs to the user: the block is inserted right after its first line (after an `exec` it
//! would never run), and removed again to the byte. A file that is not a plain `sh`, `bash` or
//! `dash` script is left alone.

pub(crate) mod block;
pub(crate) mod folder;
pub(crate) mod hook;
pub(crate) mod seen_branch;
pub(crate) mod trailer;

use crate::hooks::block::{Settings, block};
use crate::hooks::hook::Hook;

/// The first line of a project's block. It contains the project's place in the repository, because
/// two projects in one repository have a block each, and a note if the file contained nothing
/// before.
fn begin(owner: &str, is_own_file: IsOwnFile) -> String {
    let owner = if owner.is_empty() { String::new() } else { format!(" {owner}") };
    match is_own_file {
        IsOwnFile::Yes => format!("# >>> xtask-db{owner} (a file of its own) >>>"),
        IsOwnFile::No => format!("# >>> xtask-db{owner} >>>"),
    }
}

/// Whether a hook held nothing before the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IsOwnFile {
    Yes,
    No,
}

const END: &str = "# <<< xtask-db <<<";
/// First line of a hook script that did not exist before.
const SHEBANG: &str = "#!/bin/sh\n";

/// The text with a block inserted right after its first line; a new file if there is none.
///
/// # Errors
///
/// Why the file is left alone.
pub(crate) fn insert(
    there: Option<&[u8]>,
    owner: &str,
    body: &str,
) -> Result<Vec<u8>, &'static str> {
    let Some(there) = there else {
        let begin = begin(owner, IsOwnFile::Yes);
        return Ok(format!("{SHEBANG}{begin}\n{body}{END}\n").into_bytes());
    };
    if let Some((before, _, after)) = find(there, owner) {
        let begin = begin(owner, is_own_file(there, owner));
        let block = format!("{begin}\n{body}{END}");
        return Ok([before, block.as_bytes(), after].concat());
    }
    check(there)?;
    let begin = begin(owner, IsOwnFile::No);
    let first = there.iter().position(|byte| *byte == b'\n');
    let Some(first) = first else {
        // A single line without an end: the block has none either, and is found by that again.
        return Ok([there, format!("\n{begin}\n{body}{END}").as_bytes()].concat());
    };
    let (shebang, rest) = there.split_at(first + 1);
    Ok([shebang, format!("{begin}\n{body}{END}\n").as_bytes(), rest].concat())
}

/// The block as it is pasted into a hook by hand.
#[must_use]
pub(crate) fn snippet(hook: Hook, settings: &Settings) -> String {
    format!("{}\n{}{END}\n", begin(&settings.prefix, IsOwnFile::No), block(hook, settings))
}

/// The text without the block: as it was before, byte for byte.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    /// There is no block in it.
    Nothing,
    /// The file contained nothing else: it is removed.
    File,
    /// The text that is left.
    Text(Vec<u8>),
}

/// Takes the block out again.
#[must_use]
pub(crate) fn remove(there: &[u8], owner: &str) -> Removed {
    let Some((before, _, after)) = find(there, owner) else {
        return Removed::Nothing;
    };
    let text = match after.strip_prefix(b"\n") {
        Some(after) => [before, after].concat(),
        // Put in after a line that had no end.
        None => before.strip_suffix(b"\n").unwrap_or(before).to_vec(),
    };
    if is_own_file(there, owner) == IsOwnFile::Yes && text == SHEBANG.as_bytes() {
        return Removed::File;
    }
    Removed::Text(text)
}

/// The body of the block in a text.
#[must_use]
pub(crate) fn body<'a>(there: &'a [u8], owner: &str) -> Option<&'a str> {
    let (_, block, _) = find(there, owner)?;
    let block = std::str::from_utf8(block).ok()?;
    block.split_once('\n')?.1.strip_suffix(END)
}

/// The text before the block, the block without its final newline, and the text after it.
fn find<'a>(there: &'a [u8], owner: &str) -> Option<(&'a [u8], &'a [u8], &'a [u8])> {
    let begins = |is_own_file| position_of_line(there, &begin(owner, is_own_file));
    let begin = begins(IsOwnFile::No).or_else(|| begins(IsOwnFile::Yes))?;
    let length = position_of_line(&there[begin..], END)? + END.len();
    let (block, after) = there[begin..].split_at(length);
    Some((&there[..begin], block, after))
}

fn is_own_file(there: &[u8], owner: &str) -> IsOwnFile {
    match position_of_line(there, &begin(owner, IsOwnFile::Yes)) {
        Some(_) => IsOwnFile::Yes,
        None => IsOwnFile::No,
    }
}

/// The offset of the first line that consists of just this text.
fn position_of_line(there: &[u8], line: &str) -> Option<usize> {
    let mut at = 0;
    for found in there.split(|byte| *byte == b'\n') {
        if found == line.as_bytes() {
            return Some(at);
        }
        at += found.len() + 1;
    }
    None
}

/// Why a file is left alone.
fn check(there: &[u8]) -> Result<(), &'static str> {
    let mut lines = there.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    if first.ends_with(b"\r") {
        return Err("its lines end with CRLF");
    }
    let Some(interpreter) = first.strip_prefix(b"#!") else {
        return Err("it does not begin with `#!`");
    };
    let interpreter = String::from_utf8_lossy(interpreter);
    let mut words = interpreter.split_ascii_whitespace();
    let mut program = words.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    if program == "env" {
        program = words.find(|word| !word.starts_with('-') && !word.contains('=')).unwrap_or("");
        program = program.rsplit('/').next().unwrap_or_default();
    }
    if !["sh", "bash", "dash"].contains(&program) {
        return Err("it is not an `sh`, `bash` or `dash` script");
    }
    let text = String::from_utf8_lossy(there).to_ascii_lowercase();
    // As pip writes them: '''exec' python "$0" "$@", read by Python from the first line again.
    let hands_itself_on =
        |line: &str| line.contains("exec") && ["$0\" ", "$0 "].iter().any(|own| line.contains(own));
    if text.lines().any(hands_itself_on) {
        return Err("it is a script in two languages");
    }
    if text.contains("lefthook") {
        return Err("it belongs to lefthook");
    }
    if text.contains("husky") {
        return Err("it belongs to husky");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BODY: &str = "(\n  true\n) </dev/null\n";

    fn back(text: &[u8]) -> Removed {
        remove(&insert(Some(text), "", BODY).expect("a shell script"), "")
    }

    #[test]
    fn what_is_no_plain_shell_script_is_left_alone() {
        for (text, why) in [
            ("#!/bin/sh\r\necho\r\n", "CRLF"),
            ("#!/usr/bin/env python3\n", "not an `sh`"),
            ("#!/bin/zsh\n", "not an `sh`"),
            ("#!/usr/bin/env -S node --x\n", "not an `sh`"),
            ("echo\n", "#!"),
            ("", "#!"),
            ("\u{feff}#!/bin/sh\n", "#!"),
            ("#!/bin/sh\n'''exec' \"/a b/python\" \"$0\" \"$@\"\n", "two languages"),
            ("#!/bin/sh\n':' //; exec node \"$0\" \"$@\"\n", "two languages"),
            ("#!/bin/sh\n# \\\nexec tclsh \"$0\" \"$@\"\n", "two languages"),
            ("#!/bin/sh\n\"exec\" \"python3\" \"$0\" \"$@\"\n", "two languages"),
            ("#!/bin/sh\ncall_lefthook run pre-commit \"$@\"\n", "lefthook"),
            ("#!/bin/sh\n. \"$(dirname \"$0\")/husky.sh\"\n", "husky"),
        ] {
            let said = insert(Some(text.as_bytes()), "", BODY).expect_err(text);
            assert!(said.contains(why), "{text:?}: {said}");
        }
    }

    #[test]
    fn every_shell_is_known_by_its_first_line() {
        for first in [
            "#!/bin/sh",
            "#! /bin/sh -eu",
            "#!/usr/bin/env bash",
            "#!/usr/bin/env -S bash -e",
            "#!/usr/bin/env A=1 dash",
            "#!/opt/homebrew/bin/bash",
        ] {
            for rest in ["", "\n", "\nexec \"$(dirname \"$0\")/o\" \"$@\"\n", "\n\n# no end"] {
                let text = format!("{first}{rest}");
                assert_eq!(back(text.as_bytes()), Removed::Text(text.into_bytes()));
            }
        }
    }

    #[test]
    fn a_file_of_our_own_goes_and_one_that_somebody_wrote_into_stays() {
        let ours = insert(None, "", BODY).expect("a new file");
        assert_eq!(remove(&ours, ""), Removed::File);
        let mut theirs = ours.clone();
        theirs.extend_from_slice(b"echo theirs\n");
        assert_eq!(remove(&theirs, ""), Removed::Text(b"#!/bin/sh\necho theirs\n".to_vec()));
        assert_eq!(remove(b"#!/bin/sh\n", ""), Removed::Nothing);
    }

    #[test]
    fn two_projects_of_one_repository_have_a_block_each() {
        let one = insert(None, "a/", "first\n").expect("inserted");
        let both = insert(Some(&one), "b/", "second\n").expect("inserted");
        assert_eq!(body(&both, "a/"), Some("first\n"));
        assert_eq!(body(&both, "b/"), Some("second\n"));
        assert_eq!(body(&both, ""), None);
        assert_eq!(remove(&both, "b/"), Removed::Text(one.clone()));
        assert_eq!(remove(&one, "a/"), Removed::File);
    }

    #[test]
    fn a_second_insertion_only_renews_the_block() {
        for there in [None, Some(&b"#!/bin/sh\nexit 0\n"[..]), Some(&b"#!/bin/sh"[..])] {
            let once = insert(there, "", "old\n").expect("inserted");
            let twice = insert(Some(&once), "", BODY).expect("renewed");
            assert_eq!(twice, insert(there, "", BODY).expect("inserted"));
            assert_eq!(body(&twice, ""), Some(BODY));
        }
    }

    proptest! {
        #[test]
        fn every_byte_comes_back(rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = [b"#!/bin/sh\n".as_slice(), &rest].concat();
            if let Ok(with) = insert(Some(&text), "", BODY) {
                prop_assert_eq!(remove(&with, ""), Removed::Text(text));
            }
        }
    }
}

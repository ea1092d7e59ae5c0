//! Which file of a crate names which other: by `use`, by a path in its code, or as a parent that calls a child.
//!
//! A bare `mod child;` is not an import: it says where a file is, not that anything of it is used.

use std::collections::BTreeSet;

/// One file names another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    /// The file, below `src`.
    pub(super) from: String,
    /// The file that it names.
    pub(super) to: String,
}

/// All imports among `files`, which are pairs of a path below `src` and a text.
pub(super) fn imports(files: &[(String, String)]) -> BTreeSet<Import> {
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let mut imports = BTreeSet::new();
    for (from, text) in files {
        let code = super::code(text);
        let mut paths = paths(&code);
        paths.extend(calls_of_children(&code).map(|child| vec!["self", child]));
        for path in paths {
            let to = file(&absolute(from, &path), &names);
            if let Some(to) = to.filter(|to| to != from) {
                imports.insert(Import { from: from.clone(), to });
            }
        }
    }
    imports
}

/// The paths in a file that begin with `crate`, `super` or `self`; those of a group are taken apart.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for start in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let before = code[..at].chars().next_back();
            if !before.is_some_and(|c| is_of_word(c) || c == ':') {
                tree(&code[at..], &[], &mut found);
            }
        }
    }
    found
}

/// Reads a path or a group of paths; returns the text after it.
fn tree<'a>(text: &'a str, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> &'a str {
    if let Some(group) = text.strip_prefix('{') {
        let mut rest = group;
        loop {
            rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
            match rest.strip_prefix('}') {
                Some(rest) => return rest,
                None if rest.is_empty() => return rest,
                None => rest = tree(rest, before, found),
            }
        }
    }
    let (word, mut rest) = text.split_at(text.find(|c| !is_of_word(c)).unwrap_or(text.len()));
    let path = [before, &[word]].concat();
    if let Some(below) = rest.strip_prefix("::") {
        return tree(below, &path, found);
    }
    found.push(path);
    if let Some(alias) = rest.strip_prefix(" as ") {
        rest = alias.trim_start_matches(is_of_word);
    }
    // What is not a word, e.g. `<`, is skipped.
    if word.is_empty() { rest.get(1..).unwrap_or_default() } else { rest }
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The child modules that a file declares and also uses.
fn calls_of_children(code: &str) -> impl Iterator<Item = &str> {
    let declared = code.lines().filter_map(|line| {
        let (before, name) = line.trim().strip_suffix(';')?.rsplit_once(' ')?;
        before.ends_with("mod").then_some(name)
    });
    declared.filter(|child| {
        let calls = format!("{child}::");
        let mut places = code.match_indices(&calls).map(|(at, _)| code[..at].chars().next_back());
        places.any(|before| !before.is_some_and(|c| is_of_word(c) || c == ':' || c == '.'))
    })
}

/// A path from the root of the crate.
fn absolute<'a>(from: &'a str, path: &[&'a str]) -> Vec<&'a str> {
    let own = from.trim_end_matches(".rs");
    let mut whole: Vec<&str> = own.split('/').filter(|_| own != "lib").collect();
    for word in path {
        match *word {
            "crate" => whole.clear(),
            "super" => drop(whole.pop()),
            "self" => {}
            word => whole.push(word),
        }
    }
    whole
}

/// The file that a path leads to: the last module on it that is one.
fn file(path: &[&str], names: &BTreeSet<&str>) -> Option<String> {
    let file = |n: usize| if n == 0 { "lib.rs".to_owned() } else { path[..n].join("/") + ".rs" };
    (0..=path.len()).rev().map(file).find(|file| names.contains(file.as_str()))
}

#[test]
fn each_way_to_name_another_file_is_an_import() {
    let files = |text: &str| {
        let names = ["lib.rs", "a.rs", "a/b.rs", "a/b/c.rs", "d.rs"];
        let text = |name| if name == "a/b.rs" { text } else { "" };
        names.map(|name| (name.to_owned(), text(name).to_owned())).to_vec()
    };
    let check = |text: &str, expected: &[&str]| {
        let found: Vec<String> =
            imports(&files(text)).into_iter().map(|import| import.to).collect();
        assert_eq!(found, expected, "{text}");
    };
    check("use crate::d::Thing;", &["d.rs"]);
    check("use crate::{a::Other as Alias, d::{self, Thing}};", &["a.rs", "d.rs"]);
    check("use super::Thing;", &["a.rs"]);
    check("use super::super::d;", &["d.rs"]);
    check("fn f() { crate::d::act(); }", &["d.rs"]);
    check("fn f() { crate::version(); }", &["lib.rs"]);
    check("mod c;", &[]);
    check("pub(crate) mod c;\nfn f() { c::act(); }", &["a/b/c.rs"]);
    check("mod c;\nfn f() { abc::act(); x.c::<u8>(); }", &[]);
    check("// crate::d::Thing\nuse crate::a::b::Own;", &[]);
    check("#[cfg(test)]\nmod tests { use crate::d::Thing; }", &[]);
}

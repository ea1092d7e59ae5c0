//! `db-complete`: answers the completion scripts, one candidate per line.

use std::collections::{HashMap, HashSet};

use anyhow::Result;

use crate::backups::kind::Kind;
use crate::backups::reference::field::Field;
use crate::backups::reference::printed;
use crate::backups::vault::Vault;
use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::hooks::hook::Hook;
use crate::host::project::Database;
use crate::host::session::Session;

/// Arguments of `db-complete`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The words after `cargo xtask`; the last one is being typed
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// The kind of word that may come at a place of the command line.
#[derive(Debug, PartialEq, Eq)]
enum Expected {
    /// One of these.
    Words(Vec<String>),
    /// A backup.
    Reference,
    /// A configured database.
    Database,
    /// Something that only the shell knows, e.g. a file.
    Other,
}

impl Args {
    /// Prints the words that may come next on the command line of `host`.
    pub(crate) fn run(self, session: &mut Session, host: &clap::Command) -> Result<Answer> {
        let (current, before) = match self.words.split_last() {
            Some((current, before)) => (current.as_str(), before),
            None => ("", &[][..]),
        };
        let candidates = match expected(host, before, current) {
            Expected::Words(words) => words,
            Expected::Reference => references(session)?,
            Expected::Database => databases(session)?,
            Expected::Other => Vec::new(),
        };
        for candidate in candidates.iter().filter(|word| word.starts_with(current)) {
            session.say(candidate);
        }
        Ok(Answer::Yes)
    }
}

/// The kind of word that may come after these words.
fn expected(host: &clap::Command, before: &[String], current: &str) -> Expected {
    let (mut command, mut option, mut n_positionals) = (host, None, 0);
    for word in before {
        if option.take().is_some() {
            continue;
        }
        if word == "--" {
            return Expected::Other;
        }
        if let Some(long) = word.strip_prefix("--") {
            let named = |arg: &&clap::Arg| arg.get_long() == Some(long);
            option = command.get_arguments().find(named).filter(|a| a.get_action().takes_values());
        } else if let Some(below) = command.find_subcommand(word) {
            (command, n_positionals) = (below, 0);
        } else if !word.starts_with('-') {
            n_positionals += 1;
        }
    }
    if let Some(option) = option {
        return value(option);
    }
    if current.starts_with('-') {
        let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
        let flags = shown.filter_map(clap::Arg::get_long).chain(["help"]);
        return Expected::Words(flags.map(|flag| format!("--{flag}")).collect());
    }
    let names: Vec<String> = command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .map(|command| command.get_name().to_owned())
        .collect();
    if !names.is_empty() {
        return Expected::Words(names);
    }
    let positional = command.get_positionals().filter(|arg| !arg.is_last_set()).nth(n_positionals);
    positional.map_or(Expected::Other, value)
}

/// The kind of value of an argument.
fn value(arg: &clap::Arg) -> Expected {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        return Expected::Words(possible.iter().map(|value| value.get_name().to_owned()).collect());
    }
    match arg.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str) {
        Some("REF" | "A" | "B") => Expected::Reference,
        Some("HOOK") => Expected::Words(Hook::ALL.map(|hook| hook.word().to_owned()).to_vec()),
        Some("NAME") if arg.get_long() == Some("db") => Expected::Database,
        _ => Expected::Other,
    }
}

/// The references of the backups, newest first: only those that need no quotes in any shell.
fn references(session: &mut Session) -> Result<Vec<String>> {
    let project = session.project(None)?;
    let vault = Vault::of(&project, session.now());
    let all = vault.backups()?;
    let field = Field {
        all: &all,
        databases: project.databases.iter().map(Database::owner).collect(),
        git: project.git.as_ref(),
        vault: &vault,
        folder: session.folder(),
        now: session.now(),
    };
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let mut words = vec!["latest".to_owned(), "oldest".to_owned()];
    if all.iter().any(|backup| backup.kind() == Some(Kind::Safety)) {
        words.push("safety".to_owned());
    }
    let printed = all.iter().zip(printed::all(&field));
    words.extend(printed.map(|(backup, printed)| printed.reference(backup)));
    let mut n_of = HashMap::new();
    for backup in &all {
        *n_of.entry(backup.name.time_text()).or_insert(0) += 1;
    }
    let times = all.iter().map(|backup| backup.name.time_text());
    words.extend(times.filter(|time| n_of[time] == 1));
    words.extend(all.iter().filter_map(|backup| backup.label().map(str::to_owned)));
    words.extend(all.iter().filter_map(|backup| Some(format!("@{}", backup.branch()?))));
    let is_plain = |c: char| c.is_alphanumeric() || "-_.@~/+".contains(c);
    let mut known = HashSet::new();
    words.retain(|word| word.chars().all(is_plain) && known.insert(word.clone()));
    Ok(words)
}

fn databases(session: &mut Session) -> Result<Vec<String>> {
    let project = session.project(None)?;
    Ok(project.databases.into_iter().map(|database| database.name).collect())
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;
    use crate::command::Command;

    #[test]
    fn what_comes_next_follows_from_the_words_before() {
        let host = Command::augment_subcommands(clap::Command::new("xtask"));
        let check = |before: &[&str], current: &str, is_right: &dyn Fn(&Expected) -> bool| {
            let words: Vec<String> = before.iter().map(|&word| word.to_owned()).collect();
            let expected = expected(&host, &words, current);
            assert!(is_right(&expected), "{before:?}: {expected:?}");
        };
        let has = |word: &'static str| move |expected: &Expected| matches!(expected, Expected::Words(w) if w.iter().any(|w| w == word));
        check(&[], "", &has("db-restore"));
        check(&[], "", &|expected| !has("db-supervise")(expected));
        check(&["db-hooks"], "", &has("install"));
        check(&["db-hooks", "print"], "", &has("pre-commit"));
        check(&["db-restore"], "--", &has("--yes"));
        check(&["db-completions"], "", &has("fish"));
        check(&["db-restore"], "", &|expected| *expected == Expected::Reference);
        check(&["db-diff", "latest"], "", &|expected| *expected == Expected::Reference);
        check(&["db-rollback", "--to"], "", &|expected| *expected == Expected::Reference);
        check(&["db-list", "--db"], "", &|expected| *expected == Expected::Database);
        check(&["db-restore", "latest"], "", &|expected| *expected == Expected::Other);
        check(&["db-restore", "--into"], "", &|expected| *expected == Expected::Other);
        check(&["db-migrate", "--"], "", &|expected| *expected == Expected::Other);
    }
}

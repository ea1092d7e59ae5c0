//! The command line as a whole: grouped help, the nearest command for a misspelt one, and wrong
//! arguments as a JSON document.
//!
//! Only a host that calls [`parse`] gets these: clap's own `Parser::parse` ends the process before
//! this crate sees a wrong argument.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::sync::OnceLock;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::console::terminal_width;
use crate::host::session::Session;
use crate::host::session::failure::{Document, Failure};
use crate::host::session::json_stream::VERSION;

/// How wide help is at most.
const MAX_COLUMNS: usize = 80;
/// So many wrong letters still name one command.
const MAX_WRONG_LETTERS: usize = 2;

/// The commands by purpose, as help lists them.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Set up and check", &["db-setup", "db-status", "db-recover", "db-completions"]),
    (
        "Back up and restore",
        &["db-backup", "db-schedule", "db-list", "db-verify", "db-restore", "db-diff", "db-serve"],
    ),
    ("Keep and remove backups", &["db-prune", "db-pin", "db-unpin", "db-label", "db-remove"]),
    (
        "Branches and migrations",
        &["db-hooks", "db-rollback", "db-pre-migrate", "db-migrate", "db-pre-deploy", "db-reset"],
    ),
    ("Move data", &["db-export", "db-import", "db-bundle"]),
];

/// The host's command line, once it was read.
static HOST: OnceLock<clap::Command> = OnceLock::new();

/// Reads the command line of this process.
///
/// It does what `clap::Parser::parse` does. Besides, `--help` lists the `db-*` commands by purpose,
/// a misspelt command is answered with the nearest one, and with `--json` wrong arguments are
/// reported as one JSON document.
#[must_use]
pub fn parse<T: Parser>() -> T {
    parse_words(&with_help(std::env::args_os().collect()))
}

/// Does the same with a command line that is given.
pub(crate) fn parse_words<T: Parser>(typed: &[OsString]) -> T {
    let mut command = grouped(T::command());
    let _ = HOST.set(command.clone());
    let outcome = command
        .try_get_matches_from_mut(typed)
        .and_then(|mut matches| T::from_arg_matches_mut(&mut matches))
        .map_err(|error| error.format(&mut command));
    outcome.unwrap_or_else(|error| fail(error, &command, typed))
}

/// The command line of an xtask that reads its own, if its first word is for this crate.
pub(crate) fn ours(typed: Vec<OsString>) -> Option<Vec<OsString>> {
    let is_ours = typed.get(1)?.as_encoded_bytes().starts_with(b"db-");
    is_ours.then(|| with_help(typed))
}

/// `db-help` asks for help, on the command that follows it or on all.
fn with_help(mut typed: Vec<OsString>) -> Vec<OsString> {
    if typed.get(1).is_some_and(|task| task == "db-" || task == "db-help") {
        typed.remove(1);
        typed.push("--help".into());
    }
    typed
}

/// The host's command line; `None` if the host reads its own.
pub(crate) fn host() -> Option<clap::Command> {
    HOST.get().cloned()
}

/// Ends the process with a message about its arguments, or with the help.
fn fail(mut error: clap::Error, command: &clap::Command, typed: &[OsString]) -> ! {
    suggest_nearest(&mut error, command, typed);
    let wants_json = typed.iter().skip(1).take_while(|word| *word != "--").any(|w| w == "--json");
    if wants_json
        && error.use_stderr()
        && let Ok(mut session) = Session::from_process()
    {
        let text = error.render().to_string();
        session.write_json();
        session.complain(&text);
        session.document(&document(&text, error.exit_code()));
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// The error for wrong arguments, in the form of other failures.
fn document(text: &str, exit_code: i32) -> Document {
    let mut paragraphs = text.split("\n\n").map(|lines| {
        let words: Vec<&str> = lines.split_whitespace().collect();
        words.join(" ")
    });
    let message = paragraphs.next().unwrap_or_default();
    let rest: Vec<String> = paragraphs.collect();
    let tip = rest.iter().find_map(|paragraph| paragraph.strip_prefix("tip: "));
    let hint = tip.map(str::to_owned).or_else(|| rest.last().cloned());
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let error = Failure { message, causes: Vec::new(), hint, exit_code };
    Document { version: VERSION, error }
}

/// Suggests the nearest command first, and alone if it is near; `backup` is near `db-backup`.
fn suggest_nearest(error: &mut clap::Error, command: &clap::Command, typed: &[OsString]) {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return;
    }
    let Some(ContextValue::String(wrong)) = error.get(ContextKind::InvalidSubcommand) else {
        return;
    };
    let wrong = wrong.clone();
    let mut known = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    };
    if typed.get(1).is_some_and(|first| *first == *wrong) {
        known.extend(visible(command).map(|command| command.get_name().to_owned()));
        let is_hidden =
            |name: &String| command.find_subcommand(name).is_some_and(clap::Command::is_hide_set);
        known.retain(|name| !is_hidden(name));
    }
    let suggested = nearest(&wrong, known);
    if !suggested.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(suggested));
    }
}

/// The names in order of likeness: one if it is near and no other is as near, else at most three.
fn nearest(wrong: &str, known: Vec<String>) -> Vec<String> {
    let whole = format!("db-{wrong}");
    let distance = |name: &str| {
        // The beginning of a name is nearer than another name of its length.
        if name.starts_with(wrong) || name.starts_with(&whole) {
            return 0;
        }
        let distance = |typed: &str| strsim::damerau_levenshtein(typed, name);
        distance(wrong).min(distance(&whole))
    };
    let mut known: Vec<(usize, String)> =
        known.into_iter().map(|name| (distance(&name), name)).collect();
    known.sort();
    known.dedup();
    let best = known.first().map_or(0, |(distance, _)| *distance);
    let n_best = known.iter().filter(|(distance, _)| *distance == best).count();
    let is_alone = best <= MAX_WRONG_LETTERS && n_best == 1;
    let names = known.into_iter().filter(|(distance, name)| *distance * 2 <= name.len());
    names.map(|(_, name)| name).take(if is_alone { 1 } else { 3 }).collect()
}

/// The commands that are listed.
fn visible(command: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// Lays out the help of a host's command line: at most 80 columns, the commands by purpose.
fn grouped(command: clap::Command) -> clap::Command {
    let command = command.max_term_width(MAX_COLUMNS);
    let ours = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    if !visible(&command).any(|command| ours(command.get_name())) {
        return command;
    }
    let header = command.get_styles().get_header();
    let width = visible(&command).map(|command| command.get_name().len()).max().unwrap_or(0);
    let mut list = String::new();
    let mut add = |heading: &str, commands: Vec<&clap::Command>| {
        if commands.is_empty() {
            return;
        }
        let _ = writeln!(list, "{header}{heading}:{header:#}");
        for command in commands {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let line = format!("  {:width$}  {about}", command.get_name());
            for line in terminal_width::fold(&line, MAX_COLUMNS, width + 4) {
                let _ = writeln!(list, "{line}");
            }
        }
        list.push('\n');
    };
    for (heading, names) in GROUPS {
        add(heading, names.iter().filter_map(|name| command.find_subcommand(name)).collect());
    }
    add("Other commands", visible(&command).filter(|c| !ours(c.get_name())).collect());
    let template = format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{list}\
         {header}Options:{header:#}\n{{options}}{{after-help}}"
    );
    command.help_template(template)
}

#[cfg(test)]
mod tests {
    use clap::Subcommand as _;

    use super::*;
    use crate::command::{Alone, Command};

    #[test]
    fn an_xtask_that_reads_its_own_arguments_lists_the_tasks_with_db_help() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (typed, expected) in [
            ("x", None),
            ("x db", None),
            ("x help", None),
            ("x db-list --json", Some("x db-list --json")),
            ("x db-", Some("x --help")),
            ("x db-help", Some("x --help")),
            ("x db-help db-pin", Some("x db-pin --help")),
        ] {
            assert_eq!(ours(words(typed)), expected.map(words), "{typed}");
        }
        let mut command = grouped(<Alone as clap::CommandFactory>::command());
        let help = |typed| {
            let ended = command.try_get_matches_from_mut(ours(words(typed)).expect("ours"));
            ended.expect_err("help").render().to_string()
        };
        let [all, pin] = ["x db-help", "x db-help db-pin"].map(help);
        for part in ["cargo xtask db-help [COMMAND]\n", "\nSet up and check:\n  db-setup "] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(!all.contains("Other commands"), "{all}");
        assert!(pin.starts_with("Protect a backup from pruning\n"), "{pin}");
    }

    #[test]
    fn no_line_of_an_example_is_broken_in_help() {
        fn check(command: &clap::Command) {
            let example = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in example.lines() {
                assert!(line.chars().count() <= MAX_COLUMNS, "{}: {line}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Command::augment_subcommands(clap::Command::new("xtask")));
    }

    #[test]
    fn every_command_is_in_one_group_and_every_name_in_a_group_is_a_command() {
        let command = Command::augment_subcommands(clap::Command::new("xtask"));
        let mut listed: Vec<&str> = visible(&command).map(clap::Command::get_name).collect();
        let mut in_groups: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        listed.sort_unstable();
        in_groups.sort_unstable();
        assert_eq!(listed, in_groups);
    }

    #[test]
    fn the_nearest_command_comes_first_and_alone_if_it_is_near() {
        let known = || ["db-backup", "db-restore", "db-reset", "db-pin", "db-unpin"];
        let check = |wrong: &str, expected: &[&str]| {
            let known = known().map(str::to_owned).to_vec();
            assert_eq!(nearest(wrong, known), expected, "{wrong}");
        };
        check("db-bakcup", &["db-backup"]);
        check("db-restor", &["db-restore"]);
        check("restore", &["db-restore"]);
        check("db-resore", &["db-restore"]);
        check("db-rest", &["db-restore"]);
        check("db-restoration", &["db-restore"]);
        check("entirely-other", &[]);
    }

    #[test]
    fn wrong_arguments_are_a_document_with_the_tip_as_its_hint() {
        let text = "error: unexpected argument '--lable' found\n\n  tip: a similar argument exists: \
                    '--label'\n\nUsage: x\n\nFor more information, try '--help'.\n";
        let error = document(text, 2).error;
        assert_eq!(error.message, "unexpected argument '--lable' found");
        assert_eq!(error.hint.as_deref(), Some("a similar argument exists: '--label'"));
        let error = document("error: odd\n\nFor more information, try '--help'.\n", 2).error;
        assert_eq!(error.hint.as_deref(), Some("For more information, try '--help'."));
    }
}

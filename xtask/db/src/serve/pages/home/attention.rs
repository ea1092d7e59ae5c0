//! Whether anything is late or damaged, and what to do about it.

use maud::{Markup, html};

use crate::console::text;
use crate::serve::documents::status::Problem;
use crate::serve::pages::context::Context;
use crate::serve::pages::home::facts::HomeFacts;
use crate::serve::pages::icons;
use crate::serve::pages::parts::{Act, act, with_code};

/// Problems that are shown at once; the others open with a click.
const SHOWN: usize = 2;

/// Problems of this database and of the project.
pub(super) fn section(context: &Context, facts: &HomeFacts<'_>) -> Markup {
    let problems = &facts.status.problems;
    let (shown, folded) = problems.split_at(problems.len().min(SHOWN));
    html! {
        section.card.care.well[problems.is_empty()] aria-labelledby="care" {
            h2 #care { "Late or damaged" }
            @if problems.is_empty() {
                p.figure { (icons::icon("ok")) "Nothing" }
                p.muted { (all_well(facts)) }
            } @else {
                p.figure { (icons::icon("warn")) (problems.len()) " " span.unit { (need(problems)) } }
                ul.problems { @for problem in shown { (item(context, problem)) } }
                @if !folded.is_empty() {
                    details {
                        summary { (folded.len()) " more" }
                        ul.problems { @for problem in folded { (item(context, problem)) } }
                    }
                }
            }
        }
    }
}

fn need(problems: &[Problem]) -> &'static str {
    if problems.len() == 1 { "thing needs attention" } else { "things need attention" }
}

fn all_well(facts: &HomeFacts<'_>) -> String {
    let n = facts.backups.len() as u64;
    match n {
        0 => "No problem was found.".to_owned(),
        _ => format!("{} examined, the folder and the hooks too.", text::count(n, "backup")),
    }
}

fn item(context: &Context, problem: &Problem) -> Markup {
    let (command, comment) = split(&problem.remedy);
    let database = problem.database.as_deref().filter(|_| context.databases.len() > 1);
    html! {
        li {
            p {
                @if let Some(database) = database { b { (database) ": " } }
                (with_code(&problem.what))
            }
            @if command.starts_with("cargo ") {
                p.cmd { code { (command) } }
            } @else if !command.is_empty() {
                p.muted { (with_code(command)) }
            }
            @match button(problem) {
                Some(button) => (button),
                None => @if let Some(comment) = comment { p.muted { (with_code(comment)) } },
            }
        }
    }
}

/// A remedy as its command and the comment behind it.
fn split(remedy: &str) -> (&str, Option<&str>) {
    match remedy.split_once("   # ") {
        Some((command, comment)) => (command.trim(), Some(comment.trim())),
        None => (remedy.trim(), None),
    }
}

/// The act that is the remedy, if the page has it.
fn button(problem: &Problem) -> Option<Markup> {
    let of = |action, fields, text| Some(act(&Act { action, fields, class: "small", text }));
    match problem.code.as_str() {
        "unread" | "unverified" => of("/do/verify", &[("all", "1")], "Verify all"),
        "no-backup" | "too-old" | "schedule-late" => match problem.database.as_deref() {
            Some(database) => of("/do/backup", &[("db", database)], "Back up now"),
            None => of("/do/backup", &[], "Back up now"),
        },
        "damaged-backups" => Some(
            html! { a.button.small href="/?state=damaged#backups" { "Show the damaged ones" } },
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_a_command_and_a_comment() {
        assert_eq!(split("cargo xtask db-verify --all"), ("cargo xtask db-verify --all", None));
        let (command, comment) = split("cargo xtask db-verify a.bak   # shows how");
        assert_eq!((command, comment), ("cargo xtask db-verify a.bak", Some("shows how")));
    }
}

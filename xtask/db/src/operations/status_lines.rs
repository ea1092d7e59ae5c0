//! Lines of `db-status` and of other commands that report a state.

use crate::console::text;
use crate::health::problem::Problem;
use crate::host::session::Session;

/// Column at which facts begin.
const INDENT: usize = 15;

/// Prints a fact with its name in front.
pub(crate) fn say_fact(session: &mut Session, name: &str, fact: &str) {
    session.say_facts(&format!("  {name:<11}  {}", text::plain(fact)), INDENT);
}

/// Prints a problem and its remedy; with `--quiet` as a warning, so that cron mails nothing else.
pub(crate) fn say_problem(session: &mut Session, problem: &Problem) {
    if session.is_quiet() {
        session.warn(format!("{}: {}", problem.what, problem.remedy));
    }
    session.say_folded(&format!("- {}", problem.what), 2);
    // A command to copy stays on one line.
    session.say(format!("    {}", problem.remedy));
}

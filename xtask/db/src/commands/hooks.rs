//! `db-hooks`: installs the marked blocks in git's hooks, removes them, shows them, and runs what
//! they call.

mod branch_switch;
mod checkpoint;
mod commit;
mod follow_branches;
mod new_worktree;
mod switch;

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;

use crate::commands::flags::Common;
use crate::commands::hooks::branch_switch::Rewrite;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::git::repository::Place;
use crate::hooks;
use crate::hooks::block::{NOT_CONFIGURED, Settings};
use crate::hooks::folder::{Folder, Look};
use crate::hooks::hook::Hook;
use crate::host::project::Project;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;
use crate::operations::hook_blocks;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-hooks install
  cargo xtask db-hooks status
  cargo xtask db-hooks print pre-commit    # for a hook manager, e.g. lefthook

Set XTASK_DB_HOOKS=0 to turn the hooks off, for one command or a whole shell.";

const EXAMPLE_INSTALL: &str = "\
Example:
  cargo xtask db-hooks install";
const EXAMPLE_UNINSTALL: &str = "\
Example:
  cargo xtask db-hooks uninstall";
const EXAMPLE_STATUS: &str = "\
Example:
  cargo xtask db-hooks status --json | jq -r '.hooks[] | .name + \" \" + .state'";
const EXAMPLE_PRINT: &str = "\
Example:
  cargo xtask db-hooks print pre-commit";

/// Arguments of `db-hooks`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Add a marked block to each hook; the rest of the hook is kept
    #[command(after_help = EXAMPLE_INSTALL)]
    Install(Common),
    /// Remove the blocks and leave each hook as it was, byte for byte
    #[command(after_help = EXAMPLE_UNINSTALL)]
    Uninstall(Common),
    /// Show the state of each hook; exit with 1 if one is not installed
    #[command(after_help = EXAMPLE_STATUS)]
    Status(Common),
    /// Print the block of a hook, for a hook manager
    #[command(after_help = EXAMPLE_PRINT)]
    Print {
        /// Hook to print, e.g. `pre-commit` [default: all]
        #[arg(value_name = "HOOK")]
        hook: Option<Hook>,
        #[command(flatten)]
        common: Common,
    },
    /// Run a hook (started by git)
    #[command(hide = true)]
    Run {
        hook: Hook,
        /// What git handed to the hook
        #[arg(last = true)]
        arguments: Vec<String>,
        #[command(flatten)]
        common: Common,
    },
}

/// Output of `status --json`.
#[derive(Serialize)]
struct Status<'a> {
    version: u32,
    folder: Cow<'a, str>,
    hooks: Vec<HookStatus>,
}

/// One hook in it.
#[derive(Serialize)]
struct HookStatus {
    name: &'static str,
    state: &'static str,
    reason: String,
}

/// Output of `uninstall --json`.
#[derive(Serialize)]
struct Uninstalled<'a> {
    version: u32,
    folder: Cow<'a, str>,
    /// The hooks whose blocks were removed.
    removed: Vec<&'static str>,
}

/// Output of `print --json`: the blocks by the names of their hooks.
#[derive(Serialize)]
struct Blocks {
    version: u32,
    blocks: BTreeMap<&'static str, String>,
}

impl Args {
    pub(crate) fn common(&self) -> &Common {
        match &self.act {
            Act::Install(common)
            | Act::Uninstall(common)
            | Act::Status(common)
            | Act::Print { common, .. }
            | Act::Run { common, .. } => common,
        }
    }

    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let project = self.common().project_by_itself(session).inspect(|project| {
            hook_blocks::refresh(session, project);
        });
        if matches!(self.act, Act::Run { .. }) && project.is_err() && session.is_unconfigured() {
            // A branch from before the adoption: its commits and checkouts are none of our business.
            session.note(NOT_CONFIGURED);
            return Ok(Answer::Yes);
        }
        let mut project = project?;
        let place = place_of(&project)?;
        // A hook that runs has no question about the others, so git is not asked for their folder.
        let folder = || Folder::of(&place, &project.root);
        match self.act {
            Act::Install(_) => {
                let answer = hook_blocks::install(session, &project, &place)?;
                document(session, &project, &folder(), &place);
                Ok(answer)
            }
            Act::Uninstall(_) => uninstall(session, &project, &place, &folder()),
            Act::Status(_) => Ok(status(session, &project, &place)),
            Act::Print { hook, .. } => {
                let settings = hook_blocks::settings(session, &project, &place);
                print(session, &settings, hook);
                Ok(Answer::Yes)
            }
            Act::Run { hook, arguments, .. } => {
                project.hidden_variables = session.variables_beginning_with("GIT_");
                match hook {
                    Hook::PreCommit => commit::before(session, &project, &place),
                    Hook::PrepareCommitMsg => commit::message(session, &place, &arguments),
                    Hook::PostCheckout => {
                        branch_switch::entered(session, &project, &place, &arguments)
                    }
                    Hook::PostMerge | Hook::PostRewrite => {
                        let rewrite = Rewrite::of(hook, arguments.first().map(String::as_str));
                        branch_switch::rewritten(session, &project, &place, rewrite)
                    }
                }
            }
        }
    }
}

fn place_of(project: &Project) -> Result<Place> {
    project.git.clone().ok_or_else(|| {
        Refusal::could_not(
            format!("`{}` is not in a git repository", project.root.display()),
            "hooks need one: create it with `git init`",
        )
    })
}

fn uninstall(
    session: &mut Session,
    project: &Project,
    place: &Place,
    folder: &Folder,
) -> Result<Answer> {
    let (mut removed, mut from) = (Vec::new(), folder);
    // `core.hooksPath` may have been set after the blocks were put in.
    let own = Folder::own(place, &project.root);
    for hook in Hook::ALL {
        let is_out_of_own = own.path() != folder.path() && own.uninstall(hook)?;
        if is_out_of_own {
            from = &own;
        }
        if folder.uninstall(hook)? || is_out_of_own {
            removed.push(hook.word());
        }
    }
    let shown = project.dotted(from.path());
    session.say(match removed.len() {
        0 => format!("Nothing to remove: no hook in {shown} has a block"),
        n => format!("Removed {} from {shown}", text::count(n as u64, "block")),
    });
    session.document(&Uninstalled {
        version: VERSION,
        folder: from.path().to_string_lossy(),
        removed,
    });
    Ok(Answer::Yes)
}

fn status(session: &mut Session, project: &Project, place: &Place) -> Answer {
    let folder = Folder::of(place, &project.root);
    let settings = hook_blocks::settings(session, project, place);
    let rows: Vec<Vec<String>> = Hook::ALL
        .iter()
        .map(|hook| {
            let look = folder.look(*hook, &settings);
            vec![hook.word().to_owned(), word(&look).to_owned(), reason(&look)]
        })
        .collect();
    for line in text::table(&rows, &[]).lines() {
        session.say(line);
    }
    document(session, project, &folder, place);
    let all = rows.iter().all(|row| row[1] == word(&Look::Installed));
    if all {
        return Answer::Yes;
    }
    session.note("`cargo xtask db-hooks install` installs them, or shows where they belong");
    Answer::No
}

fn word(look: &Look) -> &'static str {
    match look {
        Look::Installed => "installed",
        Look::Stale => "stale",
        Look::NotExecutable => "not executable",
        Look::Missing => "missing",
        Look::Foreign(_) => "left alone",
    }
}

fn reason(look: &Look) -> String {
    match look {
        Look::Foreign(why) => why.clone(),
        Look::Stale => "its configuration is outdated".to_owned(),
        Look::NotExecutable => "git does not run it".to_owned(),
        Look::Installed | Look::Missing => String::new(),
    }
}

fn document(session: &mut Session, project: &Project, folder: &Folder, place: &Place) {
    let settings = hook_blocks::settings(session, project, place);
    let status = |hook: &Hook| {
        let look = folder.look(*hook, &settings);
        HookStatus { name: hook.word(), state: word(&look), reason: reason(&look) }
    };
    let hooks = Hook::ALL.iter().map(status).collect();
    session.document(&Status { version: VERSION, folder: folder.path().to_string_lossy(), hooks });
}

fn print(session: &mut Session, settings: &Settings, hook: Option<Hook>) {
    let wanted: Vec<Hook> =
        Hook::ALL.into_iter().filter(|h| hook.is_none_or(|w| w == *h)).collect();
    for hook in &wanted {
        if wanted.len() > 1 {
            session.say(format!("# {}", hook.word()));
        }
        // The output is one line, with its control characters shown.
        for line in hooks::snippet(*hook, settings).lines() {
            session.say(line);
        }
    }
    let block = |hook: &Hook| (hook.word(), hooks::snippet(*hook, settings));
    let blocks = wanted.iter().map(block).collect();
    session.document(&Blocks { version: VERSION, blocks });
}

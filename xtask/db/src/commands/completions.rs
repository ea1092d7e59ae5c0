//! `db-completions`: the script with which a shell completes `cargo xtask`, references included.
//!
//! clap's own scripts complete the first word of a command line, which is `cargo` here. These
//! scripts therefore extend the existing completion of cargo and call the built program
//! (`db-complete`), never cargo: pressing TAB compiles nothing.

mod scripts;

use anyhow::Result;
use serde::Serialize;

use crate::commands::flags::Common;
use crate::console::refusal::{Answer, Refusal};
use crate::console::text;
use crate::host::session::Session;
use crate::host::session::json_stream::VERSION;

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-completions bash > ~/.xtask-completions.bash
  cargo xtask db-completions zsh > ~/.xtask-completions.zsh
  cargo xtask db-completions fish > ~/.config/fish/conf.d/xtask.fish

Bash and zsh need one more line, in ~/.bashrc or, after compinit, in ~/.zshrc:
  source ~/.xtask-completions.bash    # bash
  source ~/.xtask-completions.zsh     # zsh

The script completes commands, flags and references to backups in every
workspace whose xtask has been built.";

/// Arguments of `db-completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Shell to print the script for
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// A shell with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Output of `--json`.
#[derive(Serialize)]
struct Document {
    version: u32,
    script: String,
}

impl Args {
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        let script = match self.shell {
            Shell::Bash => scripts::BASH,
            Shell::Zsh => scripts::ZSH,
            Shell::Fish => scripts::FISH,
        };
        let script = script.replace("@PROGRAM@", &text::shell(&program(session)?));
        for line in script.lines() {
            session.say(line);
        }
        session.document(&Document { version: VERSION, script });
        Ok(Answer::Yes)
    }
}

/// The path of the program: below the workspace root if it is there, so that one script serves
/// every workspace.
fn program(session: &mut Session) -> Result<String> {
    let unknown = || {
        Refusal::could_not(
            "could not find the path of this program",
            "build it again with `cargo build --package xtask`",
        )
    };
    let program = session.binary().ok_or_else(unknown)?.to_owned();
    let root = session.project(None).ok().map(|project| project.root);
    let below = root.as_deref().and_then(|root| program.strip_prefix(root).ok());
    Ok(below.unwrap_or(&program).to_str().ok_or_else(unknown)?.to_owned())
}

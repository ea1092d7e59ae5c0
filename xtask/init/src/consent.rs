//! Whether changes are written: asked for, answered, or only shown.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::refusal::Refusal;
use crate::screen;

/// Whether changes are written.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Consent {
    /// Show the changes and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the changes without asking
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
}

impl Consent {
    /// Whether it was given, on the command line or as the answer to a question.
    ///
    /// # Errors
    ///
    /// A refusal if nobody can answer.
    pub(crate) fn is_given(self, question: &str) -> Result<bool> {
        if self.dry_run || self.yes {
            return Ok(self.yes);
        }
        screen::ask(question)?.ok_or_else(|| {
            Refusal::error(
                "nobody can answer: this is not a terminal",
                "write the changes with `--yes`, or only show them with `--dry-run`",
            )
        })
    }

    /// The exit code if it was not given.
    pub(crate) fn without(self) -> ExitCode {
        screen::say("Nothing was written.");
        if self.dry_run { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

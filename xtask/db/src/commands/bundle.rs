//! `db-bundle`: one archive of a whole installation, and the way back from it.
//!
//! What encrypts and archives is compiled only with the feature `bundle`. Without it, the command builds this program once
//! more with the feature, and runs in it.

#[cfg(feature = "bundle")]
mod create;
#[cfg(feature = "bundle")]
mod find;
#[cfg(feature = "bundle")]
mod installation;
#[cfg(feature = "bundle")]
mod list;
#[cfg(feature = "bundle")]
mod restore;
#[cfg(feature = "bundle")]
mod retain;
#[cfg(feature = "bundle")]
mod snapshots;
#[cfg(feature = "bundle")]
mod verify;
#[cfg(feature = "bundle")]
mod volumes;

use std::path::PathBuf;

use anyhow::Result;

use crate::commands::flags::Common;
use crate::console::refusal::Answer;
use crate::host::session::Session;
use crate::operations::optional_feature::{self, BUNDLE};

pub(crate) const EXAMPLE: &str = "\
Examples:
  cargo xtask db-bundle create
  cargo xtask db-bundle create --output /mnt/usb --passphrase-file pw.txt
  cargo xtask db-bundle list
  cargo xtask db-bundle verify --identity key.txt
  cargo xtask db-bundle restore app.2025-09-13_142530.tar.zst --dry-run
  cargo xtask db-bundle restore --resume

Rescue without this program: age -d FILE | zstd -d | tar x";

/// Arguments of `db-bundle`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Write databases, secrets, files and folders into one archive, and prove it
    Create(CreateArgs),
    /// List bundles, or the contents of one
    List(ListArgs),
    /// Check that a bundle is intact, file by file
    Verify(VerifyArgs),
    /// Restore an installation from a bundle
    Restore(RestoreArgs),
    /// List the snapshots that were taken before bundles, and how to go back
    Snapshots(SnapshotsArgs),
}

/// Arguments of `db-bundle create`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask db-bundle create
  cargo xtask db-bundle create --skip search-index --output /mnt/usb
  cargo xtask db-bundle create --with-snapshots")]
pub(crate) struct CreateArgs {
    /// Leave out an item that has a `rebuild` command (repeatable)
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,
    /// Folder to write to [default: as configured, else the backups folder]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Write secret items without encryption
    #[arg(long, conflicts_with_all = ["passphrase_file", "identity"])]
    plaintext: bool,
    /// Do not take the configured snapshots of file systems before
    #[arg(long)]
    no_snapshot: bool,
    /// Also write the stream of each snapshot (`zfs send`) into the bundle
    #[arg(long, conflicts_with = "no_snapshot")]
    with_snapshots: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    common: Common,
}

/// What opens a bundle.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Encryption")]
pub(crate) struct KeyArgs {
    /// File with an age identity that decrypts the bundle
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// File whose first line is the passphrase of the bundle
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Arguments of `db-bundle list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask db-bundle list
  cargo xtask db-bundle list latest --identity key.txt")]
pub(crate) struct ListArgs {
    /// Bundle whose contents to list [default: list all bundles]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `db-bundle verify`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask db-bundle verify
  cargo xtask db-bundle verify latest --spot")]
pub(crate) struct VerifyArgs {
    /// Bundle to verify [default: the newest one]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Also compare files with the live installation, and report which differ
    #[arg(long)]
    spot: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `db-bundle restore`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask db-bundle restore app.2025-09-13_142530.tar.zst --dry-run
  cargo xtask db-bundle restore /mnt/usb/BUNDLE.tar.zst.age --yes
  cargo xtask db-bundle restore FILE --only env --yes
  cargo xtask db-bundle restore --resume
  cargo xtask db-bundle restore --undo")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(crate) struct RestoreArgs {
    /// Bundle to restore; `latest` is the newest one in the backups folder
    #[arg(value_name = "FILE", required_unless_present_any = ["resume", "undo"])]
    file: Option<PathBuf>,
    /// Restore only this item (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Leave this item as it is (repeatable)
    #[arg(long, value_name = "NAME", conflicts_with = "only")]
    skip: Vec<String>,
    /// Show what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    yes: bool,
    /// Continue a restore that was interrupted
    #[arg(long, conflicts_with_all = ["file", "only", "skip", "dry_run", "undo"])]
    resume: bool,
    /// Undo the last restore: every item is again what it was before
    #[arg(long, conflicts_with_all = ["file", "only", "skip", "dry_run"])]
    undo: bool,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    common: Common,
}

/// Arguments of `db-bundle snapshots`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cargo xtask db-bundle snapshots
  cargo xtask db-bundle snapshots --json")]
pub(crate) struct SnapshotsArgs {
    #[command(flatten)]
    common: Common,
}

impl Args {
    /// The flags that every command has.
    pub(crate) fn common(&self) -> &Common {
        match &self.action {
            Action::Create(args) => &args.common,
            Action::List(args) => &args.common,
            Action::Verify(args) => &args.common,
            Action::Restore(args) => &args.common,
            Action::Snapshots(args) => &args.common,
        }
    }

    #[cfg(feature = "bundle")]
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        optional_feature::note(session, &BUNDLE);
        match self.action {
            Action::Create(args) => args.run(session),
            Action::List(args) => args.run(session),
            Action::Verify(args) => args.run(session),
            Action::Restore(args) => args.run(session),
            Action::Snapshots(args) => args.run(session),
        }
    }

    #[cfg(not(feature = "bundle"))]
    #[expect(
        clippy::unused_self,
        reason = "the program with the feature reads the arguments again"
    )]
    pub(crate) fn run(self, session: &mut Session) -> Result<Answer> {
        optional_feature::rebuild::run_with(session, &BUNDLE)
    }
}

//! The source of an import: a file or a folder in place, or a pipe, which is first copied into a private
//! file.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::commands::import::args::Args;
use crate::console::refusal::Refusal;
use crate::files::stage::{self, Stage};
use crate::host::project::Project;
use crate::host::session::Session;
use crate::rows::import;
use crate::rows::import::scratch::Kind;

/// Bytes that are taken from a pipe at once.
const PIECE_BYTES: usize = 1 << 16;

/// The file to import.
pub(super) struct Source {
    /// Path of the file.
    pub(super) path: PathBuf,
    /// Name in messages.
    pub(super) shown: String,
    /// Its kind.
    pub(super) kind: Kind,
    /// Copy of the piped input; it removes itself.
    _spool: Option<Stage>,
}

impl Source {
    /// The only file that the user named; `target` is the file that it must not be.
    ///
    /// # Errors
    ///
    /// A refusal if it is none or several, or nothing that can be imported; if a pipe breaks or the
    /// disk is full; at the user's interrupt.
    pub(super) fn of(
        args: &Args,
        session: &mut Session,
        project: &Project,
        target: &Path,
    ) -> Result<Self> {
        let [file] = args.files.as_slice() else {
            return Err(Refusal::could_not(
                if args.files.is_empty() { "no file to import" } else { "several files to import" },
                "name one file, or merge several with `--merge`; nothing was changed",
            ));
        };
        let is_stdin = file == Path::new("-");
        let path = session.folder().join(file);
        let shown = if is_stdin { "stdin".to_owned() } else { project.path(&path) };
        let spool = if is_stdin || is_pipe(&path) {
            Some(spool(session, (!is_stdin).then_some(&*path), target)?)
        } else {
            refuse_itself(&path, target, &shown)?;
            None
        };
        let path = spool.as_ref().map_or(path, |stage| stage.path().to_owned());
        let kind = import::kind(&path).map_err(|error| renamed(error, &path, &shown))?;
        Ok(Self { path, shown, kind, _spool: spool })
    }

    /// How much there is to read.
    pub(super) fn size_bytes(&self) -> u64 {
        import::size_bytes(&self.path)
    }
}

fn is_pipe(path: &Path) -> bool {
    fs_err::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

fn refuse_itself(path: &Path, target: &Path, shown: &str) -> Result<()> {
    let id = |path: &Path| fs_err::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    if id(path).is_none() || id(path) != id(target) {
        return Ok(());
    }
    Err(Refusal::could_not(
        format!("`{shown}` is both the file to import and the database to create"),
        "choose another path with `--into`; nothing was changed",
    ))
}

/// Keeps the input of a pipe beside the target: its first bytes show its type, and the rest may be
/// read more than once.
fn spool(session: &mut Session, pipe: Option<&Path>, target: &Path) -> Result<Stage> {
    let folder = target.parent().context("the path does not name a file")?;
    let name = target.file_name().context("the path does not name a file")?.to_string_lossy();
    stage::sweep_dead_stages(folder, &name)?;
    let stage = Stage::create(folder, &name)?;
    drain(session, pipe, &mut |piece| stage.append(piece))?;
    Ok(stage)
}

/// Passes on the input of a pipe, or of stdin if none is named, until it ends.
///
/// # Errors
///
/// If it breaks, at the user's interrupt, or as `take`.
pub(super) fn drain(
    session: &mut Session,
    pipe: Option<&Path>,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let interrupt = session.interrupt().clone();
    interrupt.check()?;
    // The input may pause for any time, so an interrupt ends the process at once meanwhile.
    let _asking = interrupt.while_asking();
    let mut pipe = pipe.map(fs_err::File::open).transpose()?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        interrupt.check()?;
        let read = match &mut pipe {
            Some(pipe) => pipe.read(&mut piece),
            None => session.read(&mut piece),
        };
        match read {
            Ok(0) => return Ok(()),
            Ok(n) => take(&piece[..n])?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("could not read the pipe"),
        }
    }
}

/// Makes a refusal name the user's file instead of the private one.
pub(super) fn renamed(error: anyhow::Error, path: &Path, shown: &str) -> anyhow::Error {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) => {
            let what = refusal.what.replace(&*path.to_string_lossy(), shown);
            Refusal { what, ..refusal.clone() }.into()
        }
        None => error,
    }
}

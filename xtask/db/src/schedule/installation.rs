//! What `db-schedule install` put in: the trigger, the script, and a copy of this program, which works while the project
//! does not compile.

use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use chrono::{DateTime, FixedOffset};
use serde::{Deserialize, Serialize};

use crate::files::publish;
use crate::files::stage::Stage;
use crate::host::project::schedule::When;
use crate::schedule::home::Home;
use crate::schedule::trigger::Trigger;
use crate::schedule::trigger::contract::{Call, Traces, User};

/// The name of the note.
const FILE: &str = "installed.json";
/// The name of the copy of this program.
pub(crate) const PROGRAM: &str = "xtask";
/// The name of the script that a trigger calls.
pub(crate) const SCRIPT: &str = "call.sh";
/// The version that is written.
const VERSION: u32 = 1;

/// The note of an installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Installation {
    version: u32,
    pub(crate) at: DateTime<FixedOffset>,
    pub(crate) trigger: Trigger,
    /// The schedule in words; the trigger follows it.
    pub(crate) when: String,
    #[serde(default)]
    pub(crate) traces: Traces,
    /// The folders that were created for this one, the innermost first.
    #[serde(default)]
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) program: Program,
}

/// The program that was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Program {
    /// Where it was.
    pub(crate) path: PathBuf,
    pub(crate) size_bytes: u64,
    /// Nanoseconds since 1970.
    pub(crate) modified: i128,
    pub(crate) blake3: String,
}

impl Installation {
    /// Describes an installation that is being made.
    #[must_use]
    pub(crate) fn new(
        at: DateTime<FixedOffset>,
        trigger: Trigger,
        when: When,
        program: Program,
    ) -> Self {
        let traces = Traces::default();
        let (when, folders) = (when.to_string(), Vec::new());
        Self { version: VERSION, at, trigger, when, traces, folders, program }
    }

    /// Reads the note; `None` if nothing is installed.
    ///
    /// # Errors
    ///
    /// If it cannot be understood.
    pub(crate) fn read(home: &Home) -> Result<Option<Self>> {
        let path = home.file(FILE);
        let bytes = match fs_err::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let note = serde_json::from_slice(&bytes);
        note.map(Some).with_context(|| format!("could not understand `{}`", path.display()))
    }

    /// Writes the note.
    ///
    /// # Errors
    ///
    /// If the file system refuses.
    pub(crate) fn write(&self, home: &Home) -> Result<()> {
        home.write(FILE, &serde_json::to_vec_pretty(self)?)
    }

    /// Whether a program is another one than was copied. The copy itself is not.
    #[must_use]
    pub(crate) fn is_stale(&self, home: &Home, program: &Path) -> bool {
        if program.starts_with(home.folder()) {
            return false;
        }
        let Ok(metadata) = fs_err::metadata(program) else { return false };
        if (metadata.len(), modified(&metadata)) == (self.program.size_bytes, self.program.modified)
        {
            return false;
        }
        // Built again, it may still be the same.
        hash(program).is_ok_and(|hash| hash != self.program.blake3)
    }
}

/// What a trigger has to call.
#[must_use]
pub(crate) fn call<'a>(home: &'a Home, script: &'a Path, when: When, user: &'a User) -> Call<'a> {
    Call { id: home.id(), script, when, user }
}

/// Copies a program into the schedule's folder, in one step: a run that is under way keeps the old one.
///
/// # Errors
///
/// If it cannot be read, or the file system refuses.
pub(crate) fn copy_program(home: &Home, from: &Path) -> Result<Program> {
    let mut file = fs_err::File::open(from)?;
    let metadata = file.metadata()?;
    let stage = Stage::create(home.folder(), PROGRAM)?;
    io::copy(&mut file, &mut stage.file().file())?;
    stage.file().set_permissions(std::fs::Permissions::from_mode(0o700))?;
    stage.sync()?;
    let blake3 = hash(stage.path())?;
    stage.replace(&home.file(PROGRAM))?;
    publish::sync_folder(home.folder())?;
    Ok(Program {
        path: from.to_owned(),
        size_bytes: metadata.len(),
        modified: modified(&metadata),
        blake3,
    })
}

fn modified(metadata: &std::fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

fn hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs_err::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

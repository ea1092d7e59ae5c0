//! The lock of the backups folder: the file `.lock`, how long a command waits for it, and who holds it.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use rustix::fs::OFlags;

use crate::console::interrupt::Interrupt;
use crate::console::refusal::Refusal;
use crate::console::text;

/// Waits for the lock and returns its file, which holds it until it is closed.
///
/// # Errors
///
/// If the lock stays taken (exit 3), cannot be opened, or is not a file.
pub(crate) fn take(path: &Path, timeout: Duration, interrupt: &Interrupt) -> Result<fs_err::File> {
    let mut file = fs_err::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)
        .map_err(|error| not_a_file(path).unwrap_or_else(|| error.into()))?;
    if let Some(refused) = not_a_file(path) {
        return Err(refused);
    }
    let began = Instant::now();
    loop {
        match file.file().try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if began.elapsed() >= timeout => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(Refusal::locked(
                    format!(
                        "another command is using it{}: waited {}",
                        holder_text(&holder),
                        text::took(timeout)
                    ),
                    "try again when it is done, or wait longer with `--busy-timeout SECS`",
                ));
            }
            Err(TryLockError::WouldBlock) => {
                interrupt.check()?;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    say_who(&mut file);
    Ok(file)
}

/// A refusal if the lock's name belongs to something other than a file: opening a pipe would wait
/// forever.
fn not_a_file(lock: &Path) -> Option<anyhow::Error> {
    let metadata = fs_err::symlink_metadata(lock).ok()?;
    (!metadata.is_file()).then(|| {
        Refusal::could_not(
            format!("`{}` is not a file, so it cannot be locked", lock.display()),
            "remove it; the next command creates the file",
        )
    })
}

/// Writes this process's id into the lock: a courtesy for the one who waits, whose failure harms
/// nobody. A file that contains no id belongs to another program and stays.
fn say_who(file: &mut fs_err::File) {
    let mut before = String::new();
    let is_ours = (&mut *file).take(64).read_to_string(&mut before).is_ok()
        && (before.is_empty() || before.trim().parse::<u32>().is_ok());
    if is_ours {
        let _ = file.set_len(0).and_then(|()| file.rewind());
        let _ = writeln!(file, "{}", std::process::id());
    }
}

fn holder_text(holder: &str) -> String {
    match holder.trim().parse::<u32>() {
        Ok(pid) => format!(" (process {pid})"),
        Err(_) => String::new(),
    }
}

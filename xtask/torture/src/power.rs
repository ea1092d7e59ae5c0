//! Power cuts: a file system of its own on a loop device, shut down in the middle of things.
//!
//! `FS_IOC_SHUTDOWN` stops ext4 and xfs at once, with or without what the journal had not written; mounted
//! again, the disk contains what had reached it. A control in each run does the same to SQLite alone,
//! because on xfs with a rollback journal SQLite itself loses a commit now and then.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::dice::Dice;
use crate::fault::Fault;
use crate::host::Plan;
use crate::ledger::{Expected, Partial};
use crate::outcome::Verdict;
use crate::program;
use crate::run::Run;
use crate::scenarios::{Control, Ran, Stage};
use crate::state::State;
use crate::world::{Setting, World};

/// What the migration of a run migrates to.
const VERSION: u32 = 2;

/// Shuts a file system down without writing its journal (`FS_IOC_SHUTDOWN` with NOLOGFLUSH).
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A file system that can be cut off.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    fn create(folder: &Path, kind: &str) -> Result<Self> {
        let disk = Self { image: folder.join("disk.img"), mounted: folder.join("disk") };
        fs_err::create_dir(&disk.mounted)?;
        let size = if kind == "xfs" { 320 << 20 } else { 48 << 20 };
        fs_err::File::create(&disk.image)?.set_len(size)?;
        let make = format!("mkfs.{kind}");
        let quiet = if kind == "xfs" { "-q" } else { "-qF" };
        tool(&make, &[quiet, &disk.image.to_string_lossy()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<()> {
        tool(
            "mount",
            &["-o", "loop", &self.image.to_string_lossy(), &self.mounted.to_string_lossy()],
        )
    }

    fn cut(&self) -> Result<()> {
        tool("python3", &["-c", SHUTDOWN, &self.mounted.to_string_lossy()])?;
        self.unmount()?;
        self.mount()
    }

    fn unmount(&self) -> Result<()> {
        let mut last = None;
        for _ in 0..200 {
            match tool("umount", &[&self.mounted.to_string_lossy()]) {
                Ok(()) => return Ok(()),
                Err(error) => last = Some(error),
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Err(last.context("never tried")?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}

/// Whether power can be cut on this machine.
pub(crate) fn is_possible(folder: &Path) -> bool {
    let Ok(disk) = Disk::create(folder, "ext4") else { return false };
    disk.cut().is_ok()
}

fn has_xfs() -> bool {
    tool("mkfs.xfs", &["-V"]).is_ok()
}

#[expect(clippy::disallowed_methods, reason = "the machine's own tools, outside of any world")]
fn tool(name: &str, arguments: &[&str]) -> Result<()> {
    let output = std::process::Command::new(name)
        .args(arguments)
        .output()
        .with_context(|| format!("could not run `{name}`"))?;
    let why = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "`{name}` failed: {}", why.trim());
    Ok(())
}

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let kind = if has_xfs() && dice.one_in(4) { "xfs" } else { "ext4" };
    let disk = Disk::create(stage.folder, kind)?;
    let journal_mode = if dice.one_in(3) { "delete" } else { "wal" };
    let setting = Setting { journal_mode, ..Setting::default() };
    let world = World::create(stage.programs, &disk.mounted, &setting)?;
    world.note(format!("{kind}, journal mode {journal_mode}"));
    let mut run = Run::new(&world, stage.tools);
    prepare(&mut run, dice)?;
    let before = world.state();
    let (arguments, moment) = choose(&run, dice)?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = cut_during(&disk, &world, &arguments, moment)?;
    judge(&mut run, &Cut { what: arguments.join(" "), before, said_ok: said })?;
    let control = control(&disk, &world, dice)?;
    Ok(Ran { control: Some(control), ..run.end()? })
}

/// The same cut after a commit of the application alone.
fn control(disk: &Disk, world: &World, dice: &mut Dice) -> Result<Control> {
    if !world.state().has_content() {
        return Ok(Control::Kept);
    }
    world.work(dice)?;
    let state = state_of_copy(world)?;
    disk.cut()?;
    let control = if world.state() == state { Control::Kept } else { Control::Lost };
    world.note(format!("control: {control:?}"));
    Ok(control)
}

/// The command that was cut, and its output.
struct Cut {
    what: String,
    before: State,
    said_ok: Option<Acknowledged>,
}

/// The state when the command had reported success.
struct Acknowledged {
    state: State,
    /// The backups, wherever they are.
    backups: Vec<PathBuf>,
}

/// A first backup, other data afterwards, and everything on the disk.
fn prepare(run: &mut Run, dice: &mut Dice) -> Result<()> {
    let world = run.world;
    world.xtask(&["db-backup", "--label", "first"])?;
    let first = world.state();
    world.work(dice)?;
    if dice.one_in(2) {
        world.xtask(&["db-backup", "--kind", "branch"])?;
        let second = world.state();
        world.work(dice)?;
        run.learn(&Expected::states(&[first, second]))?;
    } else {
        run.learn(&Expected::states(&[first]))?;
    }
    tool("sync", &[])
}

fn choose(run: &Run, dice: &mut Dice) -> Result<(Vec<String>, Option<Duration>)> {
    // In half of the cases right after the command has said that it is done.
    let moment = dice.one_in(2).then(|| dice.delay(Duration::from_millis(150)));
    let name = run.ledger.any(dice).context("a first backup")?;
    run.world.plan(Plan {
        version: VERSION,
        is_faulty: dice.one_in(2),
        pause: Duration::from_millis(5),
    })?;
    let commands: [&[&str]; 7] = [
        &["db-backup"],
        &["db-backup", "--kind", "pre-commit"],
        &["db-backup", "--output", "elsewhere"],
        &["db-restore", &name, "--yes"],
        &["db-restore", &name, "--yes"],
        &["db-migrate"],
        &["db-reset", "--yes"],
    ];
    Ok((dice.pick(&commands).iter().map(|argument| (*argument).to_owned()).collect(), moment))
}

/// Cuts the power during a command, or right after it; says which state it left if it succeeded.
fn cut_during(
    disk: &Disk,
    world: &World,
    arguments: &[&str],
    moment: Option<Duration>,
) -> Result<Option<Acknowledged>> {
    let child = world.start(arguments, Fault::None)?;
    let Some(moment) = moment else {
        let said = program::finish(child, Fault::None)?;
        let left = said.is_ok().then(|| acknowledged(world)).transpose()?;
        disk.cut()?;
        world.note(format!("{}: {:?}, then the power went", arguments.join(" "), said.code));
        return Ok(left);
    };
    std::thread::sleep(moment);
    tool("python3", &["-c", SHUTDOWN, &disk.mounted.to_string_lossy()])?;
    let _ = program::finish(child, Fault::None)?;
    disk.unmount()?;
    disk.mount()?;
    world.note(format!("the power went {moment:?} into {}", arguments.join(" ")));
    Ok(None)
}

/// What there is now; only files are looked at, so that nothing reaches the disk by it.
fn acknowledged(world: &World) -> Result<Acknowledged> {
    let mut backups = Vec::new();
    for folder in ["backups", "elsewhere"] {
        let Ok(entries) = fs_err::read_dir(world.path(folder)) else { continue };
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "bak" || ending == "pages") {
                backups.push(path);
            }
        }
    }
    Ok(Acknowledged { state: state_of_copy(world)?, backups })
}

/// The live state, read from a copy elsewhere: looking at the database itself would end what is in its WAL.
fn state_of_copy(world: &World) -> Result<State> {
    let folder = world.root().parent().context("a parent")?.join("../copy");
    fs_err::create_dir_all(&folder)?;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let name = format!("app.db{suffix}");
        let from = world.path(&name);
        let to = folder.join(&name);
        let _ = fs_err::remove_file(&to);
        if from.exists() {
            fs_err::copy(from, to)?;
        }
    }
    Ok(crate::state::of(&folder.join("app.db")))
}

fn judge(run: &mut Run, cut: &Cut) -> Result<()> {
    let world = run.world;
    let mut after = world.state();
    let what = &cut.what;
    if let Some(Acknowledged { state, backups }) = &cut.said_ok {
        if *state != after {
            let what = format!("`{what}` left {state}, and after a power cut there is {after}");
            run.find(Verdict::Lie, what);
        }
        for backup in backups.iter().filter(|backup| !backup.exists()) {
            let name = backup.display();
            run.find(
                Verdict::Lost,
                format!("`{what}` was done; after a power cut `{name}` is gone"),
            );
        }
    }
    let is_partial = cut.said_ok.is_none()
        && after != cut.before
        && !what.contains("restore")
        && world.version() != Some(VERSION);
    let mut states = vec![cut.before, after];
    if is_partial {
        let reported = world.xtask(&["db-status"])?;
        let recovered = world.xtask(&["db-recover", "--yes"])?;
        states.push(after);
        after = world.state();
        let was_left = reported.out.contains("db-recover");
        if was_left && after != cut.before && recovered.is_ok() {
            run.find(Verdict::Lie, format!("`db-recover` after `{what}` left {after}"));
        }
        if reported.is_ok() && !what.contains("reset") && after != cut.before {
            run.find(Verdict::Lie, format!("`{what}` was cut off with {after}, and all is well"));
        }
    }
    run.learn(&Expected { states, partial: Partial::Safety, ..Expected::default() })?;
    if after != cut.before && !run.ledger.has(world, cut.before)? {
        run.find(
            Verdict::Lost,
            format!("`{what}`: the state before it is nowhere after a power cut"),
        );
    }
    Ok(())
}

/// Whether the program that the standard library would start exists.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(OsStr::new(program)).is_file())
}

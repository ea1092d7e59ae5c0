//! What is done to a command while it works.

use std::time::Duration;

use rustix::process::Signal;

use crate::dice::Dice;

/// A fault under which a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None.
    None,
    /// A signal after some time.
    Signal {
        /// Which.
        signal: Signal,
        /// After how long.
        after: Duration,
    },
    /// Something happens at one of its system calls.
    AtCall {
        /// The calls that are counted, each name and thread by itself.
        calls: &'static str,
        /// At which of them.
        when: usize,
        /// What happens, as strace writes it.
        effect: &'static str,
    },
    /// It may open no more descriptors than this.
    Descriptors(usize),
}

/// System calls that change what is on the disk.
const WRITING: &str = "write,pwrite64,fsync,fdatasync,ftruncate,fallocate,linkat,link,unlink,unlinkat,rename,renameat,renameat2,mkdir";
/// System calls that read, too.
const ALL: &str = "openat,pread64,write,pwrite64,fsync,fdatasync,ftruncate,fallocate,linkat,unlink,unlinkat,rename,mkdir,fstat,flock,fcntl";

/// System calls that start threads and processes.
const STARTING: &str = "clone,clone3,vfork";

const EFFECTS: [&str; 5] =
    ["signal=SIGKILL", "signal=SIGKILL", "error=EIO", "error=ENOSPC", "error=EINTR"];
const FATAL: [&str; 1] = ["signal=SIGKILL"];

impl Fault {
    /// A random one, none in half of the cases.
    pub(crate) fn random(dice: &mut Dice, tools: Tools) -> Self {
        match dice.below(16) {
            0..=7 => Self::None,
            8..=10 => Self::Signal { signal: Signal::KILL, after: moment(dice) },
            11 => {
                let signals = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];
                Self::Signal { signal: dice.pick(&signals), after: moment(dice) }
            }
            12 => Self::Descriptors(8 + dice.below(24)),
            13 if tools.has_strace => {
                let when = 1 + dice.below(6);
                Self::AtCall { calls: STARTING, when, effect: "error=EAGAIN" }
            }
            _ if tools.has_strace => Self::at_call(dice),
            _ => Self::Signal { signal: Signal::KILL, after: moment(dice) },
        }
    }

    /// One that ends the process at once, wherever it is.
    pub(crate) fn fatal(dice: &mut Dice, tools: Tools) -> Self {
        if tools.has_strace && dice.one_in(2) {
            let when = 1 + dice.below(120);
            return Self::AtCall { calls: WRITING, when, effect: FATAL[0] };
        }
        Self::Signal { signal: Signal::KILL, after: moment(dice) }
    }

    fn at_call(dice: &mut Dice) -> Self {
        let calls = if dice.one_in(3) { ALL } else { WRITING };
        let effect: &str = dice.pick(&EFFECTS);
        Self::AtCall { calls, when: 1 + dice.below(48), effect }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => formatter.write_str("no fault"),
            Self::Signal { signal, after } => {
                write!(formatter, "signal {} after {after:?}", signal.as_raw())
            }
            Self::AtCall { calls, when, effect } => {
                let calls = match *calls {
                    ALL => "calls",
                    STARTING => "calls that start something",
                    _ => "writing calls",
                };
                write!(formatter, "{effect} at number {when} of its {calls}")
            }
            Self::Descriptors(n) => write!(formatter, "at most {n} descriptors"),
        }
    }
}

fn moment(dice: &mut Dice) -> Duration {
    dice.delay(Duration::from_millis(120))
}

/// What this machine has for faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// `strace`, with leave to trace.
    pub(crate) has_strace: bool,
    /// Root, loop devices, `mkfs` and Python: power can be cut.
    pub(crate) can_cut_power: bool,
}

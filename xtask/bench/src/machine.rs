//! What the numbers were measured on.

use serde_json::{Value, json};

use crate::scratch::Scratch;

/// The machine and the programs.
pub(super) struct Machine {
    cpu: String,
    n_cores: usize,
    kernel: String,
    folder: String,
    sqlite3: Option<String>,
    cp: Option<String>,
    git: Option<String>,
}

impl Machine {
    /// Asks the system; unknown values are `unknown`.
    pub(super) fn read(scratch: &Scratch) -> Self {
        let unknown = || "unknown".to_owned();
        let first_line = |words: &[&str]| {
            let said = scratch.output(words)?;
            said.lines().next().map(str::to_owned)
        };
        let version = first_line(&["sqlite3", "--version"]);
        Self {
            cpu: cpu(scratch).unwrap_or_else(unknown),
            n_cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: first_line(&["uname", "-sr"]).unwrap_or_else(unknown),
            folder: scratch.root().display().to_string(),
            sqlite3: version.and_then(|line| line.split(' ').next().map(str::to_owned)),
            cp: first_line(&["cp", "--version"]),
            git: first_line(&["git", "--version"]),
        }
    }

    /// The two lines under a table.
    pub(super) fn to_text(&self) -> String {
        format!(
            "{}, {} cores, {}, in {}\nxtask {} ({}), SQLite {} in it, sqlite3 {}\n",
            self.cpu,
            self.n_cores,
            self.kernel,
            self.folder,
            env!("CARGO_PKG_VERSION"),
            profile(),
            rusqlite::version(),
            self.sqlite3.as_deref().unwrap_or("not installed"),
        )
    }

    /// What `--json` contains about the machine.
    pub(super) fn machine_json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cores": self.n_cores,
            "kernel": self.kernel,
            "folder": self.folder,
        })
    }

    /// What `--json` contains about the programs.
    pub(super) fn versions_json(&self) -> Value {
        json!({
            "xtask": env!("CARGO_PKG_VERSION"),
            "profile": profile(),
            "sqlite": rusqlite::version(),
            "sqlite3": self.sqlite3,
            "cp": self.cp,
            "git": self.git,
        })
    }
}

/// How this program was compiled.
fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

fn cpu(scratch: &Scratch) -> Option<String> {
    if let Ok(text) = fs_err::read_to_string("/proc/cpuinfo") {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        return Some(line.split_once(':')?.1.trim().to_owned());
    }
    scratch.output(&["sysctl", "-n", "machdep.cpu.brand_string"])
}

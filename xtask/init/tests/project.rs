//! A project in a temporary folder, and the real binary in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A single package with a database in `.env`.
pub(crate) const SINGLE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "# The application.\n[package]\nname = \"app\"\nversion = \"0.1.0\" # first\nedition = \"2024\"\n",
    ),
    ("src/main.rs", "fn main() {}\n"),
    (".env", "DATABASE_URL=sqlite://data/app.db\n"),
];

/// A workspace of one member.
pub(crate) const WORKSPACE: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nresolver = \"3\"\nmembers = [\n    \"server\", # the application\n]\n",
    ),
    (
        "server/Cargo.toml",
        "[package]\nname = \"server\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    ("server/src/main.rs", "fn main() {}\n"),
    ("server/.env", "DATABASE_PATH=app.db\n"),
];

/// The workspace with an xtask of its own.
pub(crate) fn with_xtask() -> Project {
    let project = Project::new(WORKSPACE);
    project
        .write("Cargo.toml", "[workspace]\nmembers = [\"server\", \"xtask\"]\nresolver = \"3\"\n");
    project.write(
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write("xtask/src/main.rs", "fn main() {\n}\n");
    project
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A project in a temporary folder.
pub(crate) struct Project(TempDir);

impl Project {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let project = Self(tempfile::tempdir().expect("a folder"));
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        // A temporary folder may be behind a symbolic link, as on macOS.
        fs_err::canonicalize(self.0.path()).expect("a folder").join(relative)
    }

    pub(crate) fn write(&self, relative: &str, text: &str) {
        let path = self.path(relative);
        fs_err::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs_err::write(path, text).expect("written");
    }

    pub(crate) fn read(&self, relative: &str) -> String {
        fs_err::read_to_string(self.path(relative)).expect("read")
    }

    /// Every file but git's, with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(""), "", &mut files);
        files
    }

    /// Runs the program in a folder of the project.
    #[expect(clippy::disallowed_methods, reason = "its environment is sealed")]
    pub(crate) fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .args(arguments)
            .current_dir(self.path(""))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CEILING_DIRECTORIES", self.path("").parent().expect("a parent"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn git_init(&self) {
        let output = self.command("git", &["init", "--quiet"]).output().expect("git runs");
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let program = env!("CARGO_BIN_EXE_cargo-xtask-db");
        let output = self.command(program, arguments).output().expect("it runs");
        self.said(&output)
    }

    /// Runs `init` with the library of this repository and whatever else, and demands exit 0.
    pub(crate) fn init(&self, arguments: &[&str]) -> Said {
        let library = library();
        let own = ["xtask-db", "init", "--yes", "--xtask-db", library.to_str().expect("a path")];
        let said = self.run(&[&own, arguments].concat());
        assert_eq!(said.code, Some(0), "{said:#?}");
        said
    }

    /// Runs `init`, demands a refusal, and that not a byte was written.
    pub(crate) fn refused(&self, arguments: &[&str]) -> Said {
        let before = self.files();
        let library = library();
        let own = ["init", "--yes", "--xtask-db", library.to_str().expect("a path")];
        let said = self.run(&[&own, arguments].concat());
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(said.err.starts_with("error: ") && said.err.contains("\nhint: "), "{said:#?}");
        assert_eq!(self.files(), before);
        said
    }

    fn said(&self, output: &Output) -> Said {
        let root = self.path("").to_string_lossy().trim_end_matches('/').to_owned();
        let library = library().to_string_lossy().into_owned();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).replace(&root, "$ROOT");
            text.replace(&library, "$LIBRARY")
        };
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// The library in this repository.
pub(crate) fn library() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../db");
    fs_err::canonicalize(folder).expect("the library")
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs_err::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            if name != ".git" {
                files.insert(format!("{name}/"), Vec::new());
                collect(&entry.path(), &format!("{name}/"), files);
            }
        } else {
            files.insert(name, fs_err::read(entry.path()).expect("read"));
        }
    }
}

//! The package that runs `cargo xtask`: the project's own, or a new one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use toml_edit::DocumentMut;

use crate::files::Files;
use crate::host::{Host, Package};
use crate::refusal::Refusal;
use crate::toml_text;

/// What an alias begins with: nothing of cargo's but a progress bar while something compiles.
const RUN: &str =
    "run --quiet --config term.progress.when='always' --config term.progress.width=80";

const BY_HAND: &str = "add `xtask_db::intercept();` as the first line of its `main` and the dependency to its \
                       Cargo.toml by hand, then run this again";

/// The package that runs the tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// Its name.
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: String,
    /// Whether it has a workspace of its own.
    pub(crate) is_apart: bool,
    /// Whether it depends on clap.
    has_clap: bool,
    /// Where it begins, relative to the root; `None` if it is new.
    main: Option<String>,
}

impl Tasks {
    /// Finds the project's own xtask: the package that the alias names, `xtask` if there is none.
    ///
    /// # Errors
    ///
    /// A refusal if there is something in its place that is not understood.
    pub(crate) fn find(host: &Host, named: Option<&str>) -> Result<Option<Self>> {
        let name = named.unwrap_or("xtask");
        if let Some(package) = host.package(name) {
            return Self::of(host, package, false).map(Some);
        }
        let folder = host.root.join("xtask");
        if folder.join("Cargo.toml").is_file() {
            let own = Host::around(&folder)?;
            let package = own.packages.iter().find(|package| package.folder() == folder);
            return match package {
                Some(package) if own.root == folder => Self::of(host, package, true).map(Some),
                _ => Err(Refusal::error(
                    "`xtask/Cargo.toml` belongs to no workspace",
                    "add `xtask` to `members` in Cargo.toml, or `[workspace]` to `xtask/Cargo.toml`",
                )),
            };
        }
        if fs_err::symlink_metadata(&folder).is_ok() {
            return Err(Refusal::error(
                "there is an `xtask` without a Cargo.toml",
                "rename it, or make it a package",
            ));
        }
        Ok(None)
    }

    /// A package that does not exist yet.
    pub(crate) fn new(is_apart: bool) -> Self {
        let name = "xtask".to_owned();
        Self { folder: name.clone(), name, is_apart, has_clap: true, main: None }
    }

    /// Whether it does not exist yet.
    pub(crate) fn is_new(&self) -> bool {
        self.main.is_none()
    }

    fn of(host: &Host, package: &Package, is_apart: bool) -> Result<Self> {
        let binaries = package.binaries();
        let [main] = binaries[..] else {
            return Err(Refusal::error(
                format!("package `{}` has {} binaries, not one", package.name, binaries.len()),
                "give the tasks a package with one binary",
            ));
        };
        Ok(Self {
            name: package.name.clone(),
            folder: host.relative(package.folder()),
            is_apart,
            has_clap: package.depends_on("clap"),
            main: Some(host.relative(main)),
        })
    }

    /// How the commands of a package that gets the call are listed, which its own help does not do.
    pub(crate) fn note_of_help(&self, files: &Files) -> Option<String> {
        let main = self.main.as_ref()?;
        if !files.changes().iter().any(|change| change.path == *main) {
            return None;
        }
        let mut note = "`cargo xtask db-help` lists the new commands".to_owned();
        if self.has_clap {
            let _ = write!(
                note,
                "; to list them in `cargo xtask --help` too, flatten `xtask_db::Command` into the clap \
                 commands of `{main}` in place of `xtask_db::intercept()`, as docs/adoption.md shows"
            );
        }
        Some(note)
    }

    /// A package that is a member of the project's workspace is not moved out of it.
    pub(crate) fn refuse_own_workspace(&self) -> anyhow::Error {
        let Self { folder, .. } = self;
        Refusal::error(
            format!(
                "`--own-workspace` is for a new xtask, and `{folder}` is in this workspace already"
            ),
            format!(
                "leave the flag out; or, by hand, add `[workspace]` to `{folder}/Cargo.toml`, list `{folder}` in \
                 `exclude` instead of `members` in `Cargo.toml`, let the alias run `--manifest-path \
                 {folder}/Cargo.toml` instead of a package, and run this again"
            ),
        )
    }

    /// Its manifest, relative to the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Where a task would write its alias.
    pub(crate) fn alias(&self) -> String {
        if self.is_apart {
            return format!("{RUN} --manifest-path {} --", self.manifest());
        }
        format!("{RUN} --package {} --", self.name)
    }

    /// Makes it run the `db-*` tasks.
    ///
    /// # Errors
    ///
    /// A refusal if its `main` is not understood.
    pub(crate) fn plan(&self, files: &mut Files, library: &Path, was_relative: bool) -> Result<()> {
        let root = fs_err::canonicalize(files.root())?;
        let library = self.path_to(&root, library, was_relative);
        let dependency = format!("xtask-db = {{ path = {} }}", toml_text::quoted(&library));
        let Some(main) = &self.main else {
            files.set(&self.manifest(), &manifest(&dependency, self.is_apart))?;
            return files.set(&format!("{}/src/main.rs", self.folder), MAIN);
        };
        self.depend(files, &dependency, &library)?;
        let text = files.text(main)?.unwrap_or_default();
        if text.contains("xtask_db::") {
            return Ok(());
        }
        let Some(text) = with_call(&text) else {
            let what = format!("could not find one plain `fn main() {{` in `{main}`");
            return Err(Refusal::error(what, BY_HAND));
        };
        files.set(main, &text)
    }

    /// How its manifest reaches the library: relative if the library is in the project or was named so,
    /// because the manifest is committed.
    fn path_to(&self, root: &Path, library: &Path, was_relative: bool) -> String {
        let common = if was_relative { common_folder(root, library) } else { root.to_owned() };
        let (Ok(inside), Ok(down)) = (library.strip_prefix(&common), root.strip_prefix(&common))
        else {
            return library.to_string_lossy().into_owned();
        };
        let down = down.components().chain(Path::new(&self.folder).components());
        let up: PathBuf = down.map(|_| "..").collect();
        up.join(inside).to_string_lossy().into_owned()
    }

    fn depend(&self, files: &mut Files, dependency: &str, library: &str) -> Result<()> {
        let path = self.manifest();
        let text = files.text(&path)?.unwrap_or_default();
        let mut document = toml_text::parse(&path, &text)?;
        let Some(dependencies) = toml_text::table_mut(&mut document, &["dependencies"]) else {
            let block = format!("[dependencies]\n{dependency}\n");
            return files.set(&path, &toml_text::with_block(&text, &block));
        };
        if dependencies.contains_key("xtask-db") {
            return Ok(());
        }
        let mut table = toml_edit::InlineTable::new();
        table.insert("path", library.into());
        dependencies.insert("xtask-db", toml_edit::value(table));
        files.set(&path, &document.to_string())
    }
}

/// The text with the call as the first line of its only `main`.
fn with_call(text: &str) -> Option<String> {
    let starts = ["fn main(", "pub fn main(", "async fn main(", "pub async fn main("];
    let is_main = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    let mut mains = text.split_inclusive('\n').filter(is_main);
    let main = mains.next()?;
    if mains.next().is_some() || !main.trim_end().ends_with('{') {
        return None;
    }
    let at = main.as_ptr() as usize - text.as_ptr() as usize + main.len();
    let call = "    xtask_db::intercept(); // `cargo xtask db-*`\n";
    Some(format!("{}{call}{}", &text[..at], &text[at..]))
}

fn manifest(dependency: &str, is_apart: bool) -> String {
    let apart = if is_apart { "\n[workspace]\n" } else { "" };
    format!(
        "[package]\nname = \"xtask\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\nclap = {{ version = \"4.5\", features = [\"derive\"] }}\n{dependency}\n{apart}"
    )
}

/// The optimisation of what a backup spends its time in, for packages that a manifest does not mention.
pub(crate) fn profile(manifest: &DocumentMut) -> String {
    let mut block = String::new();
    for (name, level) in OPTIMISED {
        if toml_text::item(manifest, &["profile", "dev", "package", name]).is_none() {
            let _ = writeln!(block, "[profile.dev.package.{name}]\nopt-level = {level}");
        }
    }
    if block.is_empty() {
        return block;
    }
    format!("# What a backup spends its time in: without this it takes longer.\n{block}")
}

/// Whether a line is the header of such an optimisation.
pub(crate) fn is_profile(line: &str) -> bool {
    OPTIMISED.iter().any(|(name, _)| line == format!("[profile.dev.package.{name}]"))
}

/// What pays in a dev build.
const OPTIMISED: [(&str, u8); 6] = [
    ("blake3", 3),
    ("zstd-sys", 2),
    ("xtask-db-format", 2),
    ("memchr", 3),
    ("itoa", 3),
    ("fastcdc", 3),
];

/// The deepest folder that contains both.
fn common_folder(one: &Path, other: &Path) -> PathBuf {
    let both = one.components().zip(other.components());
    both.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
}

/// The `main` of a new package.
pub(crate) const MAIN: &str = r#"//! Tasks of this workspace: `cargo xtask --help`.

use clap::Parser;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Xtask {
    #[command(flatten)]
    Db(xtask_db::Command),
}

fn main() -> std::process::ExitCode {
    let Xtask::Db(command) = xtask_db::parse();
    xtask_db::main(command)
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_comes_first_in_main_and_only_where_main_is_understood() {
        let call = "    xtask_db::intercept(); // `cargo xtask db-*`\n";
        for (before, after) in [
            ("fn main() {\n    a();\n}\n", Some(format!("fn main() {{\n{call}    a();\n}}\n"))),
            ("fn main() -> R {\n}\n", Some(format!("fn main() -> R {{\n{call}}}\n"))),
            ("async fn main() {\n}\n", Some(format!("async fn main() {{\n{call}}}\n"))),
            ("fn main()\nwhere {\n}\n", None),
            ("fn main() { a() }\n", None),
            ("fn main() {\n}\n#[cfg(unix)]\nfn main() {\n}\n", None),
            ("mod a {\n    fn main() {\n    }\n}\n", None),
        ] {
            assert_eq!(with_call(before), after, "{before:?}");
        }
    }
}

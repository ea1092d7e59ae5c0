//! The invariants of ARCHITECTURE.md that a machine can check.

mod imports;
mod language;
mod phrases;
mod places;
mod rust_text;
mod wings;

use std::path::{Path, PathBuf};

/// The workspace this test was built from; it is only read.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn rust_files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs_err::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name =
                path.strip_prefix(workspace()).expect("inside").to_string_lossy().into_owned();
            files.push((name, fs_err::read_to_string(&path).expect("text")));
        }
    }
    files.sort();
    files
}

/// The product's own code, without files of tests.
pub(crate) fn product() -> Vec<(String, String)> {
    let mut files = rust_files(&workspace().join("xtask/db/src"));
    files.extend(rust_files(&workspace().join("xtask/db/format/src")));
    files.retain(|(name, _)| !name.ends_with("/tests.rs") && !name.contains("/tests/"));
    files
}

/// The code of a file without its tests and comments.
pub(crate) fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn only_reader_rs_reads_backups() {
    // Elsewhere a backup's path is shown, linked or removed, and its permissions are looked at.
    let others = [
        "backups/writer.rs",
        "capture/stored.rs",
        "health/backups_folder.rs",
        "commands/verify.rs",
    ];
    let shown = ["dotted(&backup.path())", "plain(&backup.path()"];
    for (name, text) in product() {
        let room = name.trim_start_matches("xtask/db/src/");
        let code = shown.iter().fold(code(&text), |code, shown| code.replace(shown, ""));
        let is_reader = code.contains("backup.path()") && room != "backups/reader.rs";
        assert!(!is_reader || others.contains(&room), "{name} reads a backup past `Contents`");
    }
}

#[test]
fn a_lifeboat_is_not_built_from_the_ship_s_wood() {
    for manifest in ["xtask/Cargo.toml", "xtask/db/Cargo.toml", "xtask/db/format/Cargo.toml"] {
        let text = fs_err::read_to_string(workspace().join(manifest)).expect("manifest");
        let depends = text.lines().any(|line| line.trim_start().starts_with("backend"));
        assert!(!depends, "{manifest} depends on backend");
    }
}

#[test]
fn every_file_says_what_it_is_and_every_test_file_is_run() {
    let tests = rust_files(&workspace().join("tests"));
    for (name, text) in product().iter().chain(&tests) {
        assert!(text.starts_with("//! "), "{name} does not begin with what it is");
    }
    for (name, _) in tests.iter().filter(|(name, _)| name != "tests/e2e/main.rs") {
        let (folder, file) = name.trim_end_matches(".rs").rsplit_once('/').expect("a folder");
        let parent = if folder == "tests/e2e" {
            "tests/e2e/main.rs".to_owned()
        } else {
            format!("{folder}.rs")
        };
        let list = tests.iter().find(|(name, _)| *name == parent).map(|(_, text)| text.as_str());
        let declared = format!("mod {file};");
        let is_run = list.unwrap_or_default().lines().any(|line| line.ends_with(&declared));
        assert!(is_run, "{name} is never run: no `{declared}` in {parent}");
    }
}

#[test]
fn every_dependency_says_why_it_is_there() {
    for manifest in [
        "xtask/Cargo.toml",
        "xtask/bench/Cargo.toml",
        "xtask/db/Cargo.toml",
        "xtask/db/format/Cargo.toml",
        "xtask/init/Cargo.toml",
        "xtask/torture/Cargo.toml",
        "backend/Cargo.toml",
    ] {
        let text = fs_err::read_to_string(workspace().join(manifest)).expect("manifest");
        let mut within = false;
        for line in text.lines() {
            if line.starts_with('[') {
                within = line.contains("dependencies");
            }
            let is_own = line.starts_with("xtask-db =");
            if within && line.contains('=') && !is_own {
                assert!(line.contains("# "), "{manifest}: no reason for `{line}`");
            }
        }
    }
}

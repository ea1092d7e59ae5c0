//! `uninit`: back to the byte, with what was changed elsewhere since, after a kill, or not at all.

use crate::project::{Project, SINGLE, Said, WORKSPACE, with_xtask};

const RECORD: &str = ".cargo/xtask-db-init.json";

fn uninit(project: &Project) -> Said {
    project.run(&["uninit", "--yes"])
}

/// Projects of every kind, each with a repository.
fn projects() -> Vec<Project> {
    let own = Project::new(WORKSPACE);
    own.write("Cargo.toml", "[workspace]\nmembers = [\"server\", \"xtask\"]\nresolver = \"3\"\n");
    own.write("xtask/Cargo.toml", "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies] # none");
    own.write("xtask/src/main.rs", "fn main() {\r\n    println!();\r\n}\r\n");
    let odd = Project::new(SINGLE);
    odd.write(".gitignore", "/target");
    odd.write(".cargo/config.toml", "[alias]\nb = \"build\"\n\n[env]\nA = \"1\"");
    let apart = with_xtask();
    apart.write("Cargo.toml", "[workspace]\nmembers = [\"server\"]\nexclude = [\"xtask\"]\n");
    apart.write("xtask/Cargo.toml", &(apart.read("xtask/Cargo.toml") + "\n[workspace]"));
    let projects = vec![Project::new(SINGLE), Project::new(WORKSPACE), own, odd, apart];
    projects.iter().for_each(Project::git_init);
    projects
}

#[test]
fn every_project_comes_back_to_the_byte() {
    for project in projects() {
        let before = project.files();
        project.init(&["--dbpage"]);
        assert_ne!(project.files(), before);
        let said = uninit(&project);
        assert_eq!(said.code, Some(0), "{said:#?}");
        assert_eq!(project.files(), before);
        let again = uninit(&project);
        assert!(again.err.contains("`init` has left no record here"), "{again:#?}");
        assert!(again.err.contains("was found in this project either"), "{again:#?}");
    }
}

#[test]
fn the_lock_file_of_an_own_workspace_goes_with_it() {
    let project = Project::new(SINGLE);
    project.git_init();
    let before = project.files();
    project.init(&["--own-workspace"]);
    project.write("xtask/Cargo.lock", "# written by cargo\n");
    let said = uninit(&project);
    assert!(said.err.contains("`xtask/Cargo.lock`, which cargo wrote"), "{said:#?}");
    assert_eq!(project.files(), before);
}

#[test]
fn what_was_changed_elsewhere_since_stays() {
    let project = Project::new(SINGLE);
    project.init(&[]);
    let edit = |text: &str| text.replace("version = \"0.1.0\" # first", "version = \"0.2.0\"");
    project.write("Cargo.toml", &edit(&project.read("Cargo.toml")));
    let said = uninit(&project);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(project.read("Cargo.toml"), edit(SINGLE[0].1));
}

const TABLE: &str = "[workspace.metadata.db.databases.app]\npath = \"data/app.db\"\n";

/// A project with its own xtask, and one without.
fn with_and_without_an_xtask() -> [Project; 2] {
    let own = Project::new(SINGLE);
    own.write("Cargo.toml", &format!("{}[workspace]\nmembers = [\"xtask\"]\n", SINGLE[0].1));
    own.write(
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    own.write("xtask/src/main.rs", "fn main() {\n}\n");
    [own, Project::new(SINGLE)]
}

#[test]
fn keys_that_were_added_to_the_table_of_init_are_shown_and_go_with_it() {
    for project in with_and_without_an_xtask() {
        let before = project.files();
        project.init(&[]);
        let added = "allow-loss = [\n    \"notes\", # why\n]\ntracked = true\n";
        let manifest = project.read("Cargo.toml");
        assert!(manifest.contains(TABLE), "{manifest}");
        project.write("Cargo.toml", &manifest.replace(TABLE, &format!("{TABLE}{added}")));
        let said = project.run(&["uninit", "--dry-run"]);
        assert!(said.out.contains("\n-    \"notes\", # why\n-]\n-tracked = true\n"), "{said:#?}");
        assert!(said.out.ends_with("\nNothing was written.\n"), "{said:#?}");
        let said = uninit(&project);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let note = "in `Cargo.toml` since, and removed with it: `allow-loss = [`, `\"notes\", # why`, `]`, \
                    `tracked = true`\n";
        assert!(said.err.contains(note), "{said:#?}");
        assert_eq!(project.files(), before);
    }
}

#[test]
fn a_table_that_was_added_behind_the_last_line_stays_and_is_named() {
    let project = Project::new(SINGLE);
    project.init(&[]);
    let keep = "\n[workspace.metadata.db.keep]\nlast = 3\n";
    project.write("Cargo.toml", &(project.read("Cargo.toml") + keep));
    let said = uninit(&project);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains("did not write [workspace.metadata.db.keep] in"), "{said:#?}");
    assert_eq!(project.read("Cargo.toml"), format!("{}{keep}", SINGLE[0].1));
}

#[test]
fn a_key_that_would_lose_the_header_above_it_is_refused() {
    let project = Project::new(SINGLE);
    project.init(&[]);
    project.write("Cargo.toml", &(project.read("Cargo.toml") + "debug = true\n"));
    let before = project.files();
    let said = uninit(&project);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("has been changed since in `Cargo.toml`\nhint: "), "{said:#?}");
    assert_eq!(project.files(), before);
}

#[test]
fn without_a_record_the_lines_to_remove_are_listed() {
    for (project, expected) in with_and_without_an_xtask().into_iter().zip([
        &[
            ".cargo/config.toml:6: LIBSQLITE3_FLAGS = \"-DSQLITE_ENABLE_DBPAGE_VTAB\"",
            ".gitignore:1: /data/app.db",
            "Cargo.toml:9-11: [workspace.metadata.db.databases.app]",
            "xtask/Cargo.toml:7: xtask-db = { path = ",
            "xtask/src/main.rs:2: xtask_db::intercept(); // `cargo xtask db-*`",
        ][..],
        &[
            ".cargo/config.toml:2: xtask = \"run --quiet --config term",
            "Cargo.toml:8: members = [\"xtask\"]",
            "Cargo.toml:10-12: [workspace.metadata.db.databases.app]",
            "Cargo.toml:14-16: [profile.dev.package.blake3]",
            "xtask/: the package `xtask`",
        ],
    ]) {
        project.git_init();
        project.init(&["--dbpage"]);
        fs_err::remove_file(project.path(RECORD)).expect("removed");
        let before = project.files();
        let said = uninit(&project);
        assert_eq!(said.code, Some(2), "{said:#?}");
        for line in expected {
            assert!(said.err.contains(&format!("\n  {line}")), "{line}: {said:#?}");
        }
        assert_eq!(project.files(), before);
    }
}

#[test]
fn what_was_changed_in_the_lines_of_init_is_refused() {
    let gone = ", where these lines are gone: ";
    for (path, from, to, expected) in [
        (
            "Cargo.toml",
            "path = \"data/app.db\"",
            "path = \"data/other.db\"",
            format!("{gone}`path = \"data/app.db\"`"),
        ),
        ("xtask/src/main.rs", "fn main", "fn other() {}\n\nfn main", String::new()),
        (".cargo/config.toml", "--quiet ", "", format!("{gone}`xtask = \"run --quiet --config")),
    ] {
        let project = Project::new(SINGLE);
        project.init(&[]);
        project.write(path, &project.read(path).replace(from, to));
        let before = project.files();
        let said = uninit(&project);
        assert_eq!(said.code, Some(2), "{said:#?}");
        assert!(
            said.err.contains(&format!("has been changed since in `{path}`{expected}")),
            "{said:#?}"
        );
        assert!(said.err.contains("\nhint: restore those lines, or remove `.cargo/"), "{said:#?}");
        assert_eq!(project.files(), before);
    }
}

#[test]
fn killed_between_any_two_files_it_is_taken_back() {
    for seed in projects() {
        let before = seed.files();
        seed.init(&[]);
        let after = seed.files();
        let is_new = |path: &&String| {
            let is_file = !path.ends_with('/') && *path != RECORD;
            is_file && after.get(*path) != before.get(*path)
        };
        let written: Vec<_> = after.keys().filter(is_new).collect();
        let backwards: Vec<_> = written.iter().rev().copied().collect();
        for order in [&written, &backwards] {
            for n_done in 0..order.len() {
                let project = Project::new(&[]);
                project.git_init();
                for (path, bytes) in &after {
                    let is_undone = order[n_done..].contains(&path);
                    let bytes = if is_undone { before.get(path) } else { Some(bytes) };
                    if let Some(bytes) = bytes.filter(|_| !path.ends_with('/')) {
                        project.write(path, std::str::from_utf8(bytes).expect("text"));
                    }
                }
                let said = project.refused(&[]);
                assert!(said.err.contains("with `cargo xtask-db uninit`"), "{said:#?}");
                let said = uninit(&project);
                assert_eq!(said.code, Some(0), "{said:#?}");
                assert_eq!(project.files(), before, "after {n_done} files");
            }
        }
    }
}

#[test]
fn hooks_have_to_be_taken_out_first() {
    let project = Project::new(SINGLE);
    project.git_init();
    project.init(&[]);
    project
        .write(".git/hooks/pre-commit", "# `cargo xtask db-hooks uninstall` removes this block,\n");
    let said = uninit(&project);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("hint: run `cargo xtask db-hooks uninstall` first"), "{said:#?}");
}

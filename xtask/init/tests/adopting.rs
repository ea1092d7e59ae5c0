//! `init`: what it writes into which project, and that cargo reads it.

use crate::project::{Project, SINGLE, WORKSPACE, with_xtask};

/// Cargo reads the project, and these are its packages.
fn packages(project: &Project) -> Vec<String> {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = project.command(cargo, &arguments).output().expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = document["packages"].as_array().expect("packages");
    let mut names: Vec<_> =
        packages.iter().map(|p| p["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_single_package_becomes_a_workspace_and_keeps_its_comments() {
    let project = Project::new(SINGLE);
    project.git_init();
    let said = project.init(&[]);
    assert!(said.out.contains("+[workspace]\n+members = [\"xtask\"]\n"), "{said:#?}");
    assert!(
        said.err.contains("database: `data/app.db`, from `DATABASE_URL` in `.env`"),
        "{said:#?}"
    );
    assert_eq!(packages(&project), ["app", "xtask"]);
    let manifest = project.read("Cargo.toml");
    assert!(manifest.starts_with(SINGLE[0].1), "{manifest}");
    assert!(manifest.contains("databases.app]\npath = \"data/app.db\"\n"), "{manifest}");
    assert_eq!(
        project.read(".cargo/config.toml"),
        "[alias]\nxtask = \"run --quiet --config term.progress.when='always' \
         --config term.progress.width=80 --package xtask --\"\n"
    );
    assert_eq!(
        project.read(".gitignore"),
        "/data/app.db\n/data/app.db-wal\n/data/app.db-shm\n/data/app.db-journal\n"
    );
    let tasks = project.read("xtask/Cargo.toml");
    let library = crate::project::library();
    assert!(
        tasks.contains(&format!("xtask-db = {{ path = \"{}\" }}", library.display())),
        "{tasks}"
    );
}

#[test]
fn a_workspace_gets_a_member_in_the_layout_of_its_list() {
    let project = Project::new(WORKSPACE);
    project.init(&[]);
    let manifest = project.read("Cargo.toml");
    let members = "members = [\n    \"server\", # the application\n    \"xtask\",\n]\n";
    assert!(manifest.contains(members), "{manifest}");
    assert!(manifest.contains("path = \"server/app.db\"\n"), "{manifest}");
    assert_eq!(packages(&project), ["server", "xtask"]);
    // Without a repository there is nothing to ignore.
    assert!(!project.path(".gitignore").exists());
}

#[test]
fn an_xtask_of_the_project_s_own_keeps_its_tasks() {
    let project = Project::new(WORKSPACE);
    project.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"server\", \"tools/*\"]\nresolver = \"3\"\n",
    );
    project.write(
        "tools/tasks/Cargo.toml",
        "[package]\nname = \"tasks\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    );
    project.write(
        "tools/tasks/src/main.rs",
        "// Ours.\nfn main() -> Result<(), String> {\n    Ok(())\n}\n",
    );
    project.write(
        ".cargo/config.toml",
        "[alias] # short\nxtask = [\"run\", \"-p\", \"tasks\", \"--\"]\n",
    );
    let config = project.read(".cargo/config.toml");
    project.init(&[]);
    assert_eq!(
        project.read("tools/tasks/src/main.rs"),
        "// Ours.\nfn main() -> Result<(), String> {\n    xtask_db::intercept(); // `cargo xtask db-*`\n    Ok(())\n}\n"
    );
    assert!(
        project.read("tools/tasks/Cargo.toml").contains("\n[dependencies]\nxtask-db = { path = ")
    );
    assert_eq!(project.read(".cargo/config.toml"), config);
    assert!(!project.path("xtask").exists());
}

#[test]
fn a_second_init_has_nothing_to_do() {
    for files in [SINGLE, WORKSPACE] {
        let project = Project::new(files);
        project.git_init();
        project.init(&[]);
        let before = project.files();
        let said = project.init(&[]);
        assert_eq!(said.out, "Nothing to do: this project has xtask-db already\n");
        assert_eq!(project.files(), before);
    }
}

#[test]
fn a_dry_run_shows_the_diff_and_writes_nothing() {
    let project = Project::new(SINGLE);
    let before = project.files();
    let library = crate::project::library();
    let said = project.run(&["init", "--dry-run", "--xtask-db", library.to_str().expect("a path")]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.contains("--- /dev/null\n+++ b/xtask/src/main.rs\n"), "{said:#?}");
    assert!(said.out.contains("--- a/Cargo.toml\n+++ b/Cargo.toml\n"), "{said:#?}");
    assert!(said.out.ends_with("\nNothing was written.\n"), "{said:#?}");
    assert_eq!(project.files(), before);
    // Without a terminal nobody is asked, and nothing is taken for granted.
    let said = project.run(&["init", "--xtask-db", library.to_str().expect("a path")]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("write the changes with `--yes`"), "{said:#?}");
    assert_eq!(project.files(), before);
}

#[test]
fn migrations_are_told_by_their_files_and_the_library() {
    let sqlx = "[dependencies]\nsqlx = \"0.8\"\n";
    let diesel = "[dependencies]\ndiesel = \"2\"\n";
    let rwc = "migrate-env = \"DATABASE_URL=sqlite://{path}?mode=rwc\"\n";
    for (dependencies, file, expected) in [
        (sqlx, "migrations/1_a.sql", format!("schema = [\"migrations/*.sql\"]\nmigrate = [\"sqlx\", \"migrate\", \"run\"]\n{rwc}")),
        (sqlx, "db/migrations/1_a.sql", format!("schema = [\"db/migrations/*.sql\"]\nmigrate = [\"sqlx\", \"migrate\", \"run\", \"--source\", \"db/migrations\"]\n{rwc}")),
        (diesel, "migrations/2024-05-01-120000_a/up.sql", "schema = [\"migrations/*/up.sql\"]\nmigrate = [\"diesel\", \"migration\", \"run\"]\nmigrate-env = \"DATABASE_URL={path}\"\n".to_owned()),
        ("", "migrations/1_a.sql", "schema = [\"migrations/*.sql\"]\n".to_owned()),
    ] {
        let project = Project::new(SINGLE);
        project.write("Cargo.toml", &format!("{}{dependencies}", SINGLE[0].1));
        project.write(file, "SELECT 1;\n");
        project.init(&[]);
        let manifest = project.read("Cargo.toml");
        assert!(manifest.contains(&format!("path = \"data/app.db\"\n{expected}")), "{manifest}");
    }
}

#[test]
fn sea_orm_s_migrations_are_a_package_of_their_own() {
    let project = Project::new(WORKSPACE);
    project.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"server\", \"migration\"]\nresolver = \"3\"\n",
    );
    project.write("migration/Cargo.toml", "[package]\nname = \"migration\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\nsea-orm-migration = \"1\"\n");
    project.write("migration/src/main.rs", "fn main() {}\n");
    project.init(&[]);
    let manifest = project.read("Cargo.toml");
    assert!(manifest.contains("schema = [\"migration/src/m*.rs\"]\n"), "{manifest}");
    let migrate = "migrate = [\"cargo\", \"run\", \"--quiet\", \"--package\", \"migration\", \"--\", \"up\"]\n";
    assert!(manifest.contains(migrate), "{manifest}");
}

#[test]
fn outside_the_range_the_xtask_gets_a_workspace_of_its_own() {
    let project = Project::new(WORKSPACE);
    project.write("Cargo.lock", "[[package]]\nname = \"libsqlite3-sys\"\nversion = \"0.28.0\"\n");
    let said = project.init(&[]);
    assert!(said.err.contains("libsqlite3-sys 0.28.0 in Cargo.lock is outside of"), "{said:#?}");
    assert!(said.err.contains("works in the project's root only"), "{said:#?}");
    assert!(project.read("Cargo.toml").contains("exclude = [\"xtask\"]\n"));
    assert!(project.read("xtask/Cargo.toml").contains("\n[workspace]\n"));
    assert!(project.read(".cargo/config.toml").contains("--manifest-path xtask/Cargo.toml --"));
    assert_eq!(packages(&project), ["server"]);
    let again = project.init(&[]);
    assert_eq!(again.out, "Nothing to do: this project has xtask-db already\n");
}

#[test]
fn a_database_may_be_named_by_its_url() {
    for url in ["sqlite:data/other.db", "sqlite://data/other.db?mode=rwc"] {
        let project = Project::new(SINGLE);
        project.init(&["--database", url]);
        let manifest = project.read("Cargo.toml");
        assert!(manifest.contains("databases.other]\npath = \"data/other.db\"\n"), "{manifest}");
    }
}

#[test]
fn an_xtask_with_the_call_is_told_how_its_new_commands_are_listed() {
    let listed = "note: `cargo xtask db-help` lists the new commands";
    let flatten = "flatten `xtask_db::Command` into the clap commands of `xtask/src/main.rs`";
    for (dependencies, has_clap) in [("", false), ("[dependencies]\nclap = \"4\"\n", true)] {
        let project = with_xtask();
        project.write("xtask/Cargo.toml", &(project.read("xtask/Cargo.toml") + dependencies));
        let said = project.init(&[]);
        assert!(said.err.contains(listed), "{said:#?}");
        assert_eq!(said.err.contains(flatten), has_clap, "{said:#?}");
    }
    let said = Project::new(SINGLE).init(&[]);
    assert!(!said.err.contains(listed), "{said:#?}");
}

#[test]
fn the_workspace_of_every_xtask_gets_the_optimisation() {
    let optimised = "\n[profile.dev.package.blake3]\nopt-level = 3\n";
    let member = with_xtask();
    let apart = with_xtask();
    apart.write("Cargo.toml", "[workspace]\nmembers = [\"server\"]\nexclude = [\"xtask\"]\n");
    apart.write("xtask/Cargo.toml", &(apart.read("xtask/Cargo.toml") + "\n[workspace]\n"));
    let known = with_xtask();
    let own = "[profile.dev.package]\nblake3 = { opt-level = 1 }\n";
    known.write("Cargo.toml", &(known.read("Cargo.toml") + own));
    for (project, path, expected) in [
        (&member, "Cargo.toml", true),
        (&apart, "xtask/Cargo.toml", true),
        (&apart, "Cargo.toml", false),
        (&known, "Cargo.toml", false),
    ] {
        project.init(&[]);
        let manifest = project.read(path);
        assert_eq!(manifest.contains(optimised), expected, "{manifest}");
    }
    assert!(known.read("Cargo.toml").contains("\n[profile.dev.package.itoa]\n"));
}

//! What `init` does not understand is refused, with a way on, and not a byte is written.

use crate::project::{Project, SINGLE, with_xtask};

#[test]
fn what_is_not_understood_is_refused_before_anything_is_written() {
    for (path, text, expected) in [
        (".cargo/config", "", "there is a `.cargo/config`"),
        (".cargo/config.toml", "[alias]\nxtask = \"run --bin x --\"\n", "the alias `xtask`"),
        (
            ".cargo/config.toml",
            "[alias]\nxtask = \"run -p gone --\"\n",
            "a package that was not found",
        ),
        ("Cargo.toml", "[package\n", "cargo could not read the project around"),
        (".cargo/config.toml", "[alias\n", "could not load Cargo configuration"),
        (
            ".env",
            "DATABASE_URL=postgres://app:hunter2@localhost/app\n",
            "not a path or a URL of an SQLite",
        ),
        (".env", "", "could not find the project's database"),
        ("xtask/README.md", "", "there is an `xtask` without a Cargo.toml"),
    ] {
        let project = Project::new(SINGLE);
        project.write(path, text);
        let said = project.refused(&[]);
        assert!(said.err.contains(expected), "{path}: {said:#?}");
        assert!(!said.err.contains("hunter2"), "{said:#?}");
    }
}

#[test]
fn several_databases_or_folders_of_migrations_have_to_be_named() {
    let project = Project::new(SINGLE);
    project.write(".env", "");
    for name in ["a.db", "data/b.sqlite"] {
        project.write(name, "SQLite format 3\0");
    }
    project.write("notes.db", "something else");
    let said = project.refused(&[]);
    assert!(said.err.contains("several databases: `a.db`, `data/b.sqlite`\n"), "{said:#?}");
    project.write("one/migrations/1_a.sql", "");
    project.write("two/migrations/1_a/up.sql", "");
    let said = project.refused(&["--database", "a.db"]);
    assert!(said.err.contains("`one/migrations/*.sql`, `two/migrations/*/up.sql`"), "{said:#?}");
    project.init(&[
        "--database",
        "a.db",
        "--schema",
        "one/migrations/*.sql",
        "--migrate",
        "app migrate",
    ]);
    assert!(project.read("Cargo.toml").contains("migrate = [\"app\", \"migrate\"]\n"));
}

#[test]
fn an_xtask_whose_main_is_not_understood_is_left_alone() {
    let project = with_xtask();
    project.write("xtask/src/main.rs", "entry!(main);\n");
    let said = project.refused(&[]);
    assert!(
        said.err.contains("`xtask_db::intercept();` as the first line of its `main`"),
        "{said:#?}"
    );
}

#[test]
fn without_the_library_s_folder_the_way_to_it_is_named() {
    let project = Project::new(SINGLE);
    let said = project.run(&["init", "--yes"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert!(said.err.contains("it is not published yet\nhint: give the folder"), "{said:#?}");
    let said = project.run(&["init", "--yes", "--xtask-db", "src"]);
    assert!(said.err.contains("`src` is not the folder of the package `xtask-db`"), "{said:#?}");
}

#[test]
fn outside_of_a_project_cargo_s_own_words_are_shown() {
    let project = Project::new(&[]);
    let said = project.refused(&[]);
    assert!(
        said.err.contains("caused by: ") && said.err.contains("could not find `Cargo.toml`"),
        "{said:#?}"
    );
}

#[test]
#[cfg(unix)]
fn a_symbolic_link_is_not_replaced() {
    let project = Project::new(SINGLE);
    project.write("shared/config.toml", "");
    fs_err::create_dir_all(project.path(".cargo")).expect("a folder");
    fs_err::os::unix::fs::symlink("../shared/config.toml", project.path(".cargo/config.toml"))
        .expect("a link");
    let said = project.refused(&[]);
    assert!(said.err.contains("`.cargo/config.toml` is not an ordinary file"), "{said:#?}");
}

#[test]
fn values_that_cannot_work_are_refused_with_what_to_write() {
    let project = Project::new(SINGLE);
    project.write("data/notes.txt", "not a database, and longer than its first bytes\n");
    for (arguments, what, hint) in [
        (["--database", "data"], "`data` of `--database` is a folder", "`--database data/app.db`"),
        (
            ["--database", "data/notes.txt"],
            "`data/notes.txt` of `--database` is not an SQLite database",
            "`--database data/app.db`",
        ),
        (
            ["--database", "postgres://app:hunter2@localhost/app"],
            "`--database` does not name a file of SQLite",
            "`--database data/app.db`",
        ),
        (["--database", ""], "`--database` does not name a file", "`--database data/app.db`"),
        (
            ["--migrate-env", "DATABASE URL"],
            "does not begin with the name of an environment variable",
            "`--migrate-env DATABASE_PATH`",
        ),
        (
            ["--migrate-env", "DATABASE_URL=sqlite://"],
            "has no `{path}`",
            "`--migrate-env 'DATABASE_URL=sqlite://{path}'`",
        ),
        (
            ["--migrate", "FOO=1 ./migrate.sh"],
            "begins with the variable `FOO=1`",
            "`--migrate 'env FOO=1 ./migrate.sh'`",
        ),
        (["--migrate", "a && b"], "that only a shell understands", "[\"sh\", \"-c\", \"…\"]"),
    ] {
        let said = project.refused(&arguments);
        let (error, rest) = said.err.split_once("\nhint: ").expect("a hint");
        assert!(error.contains(what) && rest.contains(hint), "{arguments:?}: {said:#?}");
        assert!(!said.err.contains("hunter2"), "{said:#?}");
    }
}

#[test]
fn a_member_does_not_get_a_workspace_of_its_own() {
    let project = with_xtask();
    let said = project.refused(&["--own-workspace"]);
    assert!(said.err.contains("is for a new xtask, and `xtask` is in this workspace"), "{said:#?}");
    // What the hint says, by hand.
    project.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"server\"]\nexclude = [\"xtask\"]\nresolver = \"3\"\n",
    );
    project.write("xtask/Cargo.toml", &(project.read("xtask/Cargo.toml") + "[workspace]\n"));
    project.init(&["--own-workspace"]);
}

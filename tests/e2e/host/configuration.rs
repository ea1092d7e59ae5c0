//! Where the project, its databases and its backups folder are found.

use crate::support::sandbox::{Sandbox, messages, open};

#[test]
fn the_root_is_found_from_any_folder_below_it() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.xtask(&["db-backup"]);
    let output = command.current_dir(sandbox.path("backend/db")).output().expect("runs");
    assert_eq!(sandbox.said(&output).code, Some(0));
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn outside_a_workspace_the_way_in_is_named() {
    let sandbox = Sandbox::empty();
    let said = sandbox.run(&["db-list"]);
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(said.err, @r"
    error: no workspace was found from `$ROOT` upwards
    hint: run this inside the workspace whose `Cargo.toml` has `[workspace.metadata.db]`
    ");
}

#[test]
fn a_postgres_url_in_dot_env_is_left_alone_and_its_password_never_said() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "DATABASE_URL=postgres://app:hunter2@localhost/app\n");
    let said = sandbox.ok(&["db-backup"]);
    assert!(!format!("{said:?}").contains("hunter2"));
    let record = sandbox.path(&format!("backups/{}.json", sandbox.backups()[0]));
    assert!(!fs_err::read_to_string(record).expect("record").contains("hunter2"));
}

#[test]
fn a_url_without_a_scheme_that_names_another_file_is_pointed_out() {
    let sandbox = Sandbox::new();
    sandbox.write(".env", "DATABASE_URL=data/other.db\n");
    let said = sandbox.ok(&["db-backup"]);
    let advice =
        "warning: DATABASE_URL in .env is not used: it does not name the same file as `path`";
    assert!(said.err.contains(advice), "{said:#?}");
    sandbox.write(".env", "DATABASE_URL=backend/db/kalito.db\n");
    assert!(!sandbox.ok(&["db-backup"]).err.contains("DATABASE_URL"));
}

#[test]
fn a_forgotten_variable_is_named_with_the_path_it_leads_to() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["db-backup"]);
    let mut command = sandbox.xtask(&["db-restore", "latest", "--dry-run"]);
    let said = sandbox.said(&command.env("DATABASE_PATH", "other.db").output().expect("runs"));
    let origin = "./other.db (from DATABASE_PATH in the environment)";
    assert!(said.out.contains(origin), "{said:#?}");
}

#[test]
fn several_databases_are_backed_up_each_and_named_by_db() {
    let sandbox = Sandbox::new();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    let second = "[workspace.metadata.db.databases.queue]\npath = 'queue.db'\n";
    sandbox.write("Cargo.toml", format!("{manifest}\n{second}"));
    open(&sandbox.path("queue.db")).execute_batch("CREATE TABLE jobs (id)").expect("table");
    sandbox.ok(&["db-backup"]);
    assert_eq!(sandbox.backups().len(), 2);
    let said = sandbox.run(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(2), "whose latest? {said:#?}");
    assert!(said.err.contains("choose one with `--db NAME`"), "{}", said.err);
    sandbox.ok(&["db-restore", "kalito.db.2025", "--yes"]);
    sandbox.ok(&["db-restore", "latest", "--db", "queue", "--yes"]);
    let said = sandbox.run(&["db-backup", "--db", "que"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("`kalito`, `queue`"), "{}", said.err);
    // DATABASE_PATH can mean only one of them.
    let mut command = sandbox.xtask(&["db-backup"]);
    let said = sandbox.said(&command.env("DATABASE_PATH", "queue.db").output().expect("runs"));
    assert!(said.err.contains("no `--db`"), "{}", said.err);
}

#[test]
fn one_failing_database_does_not_keep_the_others_from_their_backup() {
    let sandbox = Sandbox::new();
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("manifest");
    let second = "[workspace.metadata.db.databases.a-missing]\npath = 'missing.db'\n";
    sandbox.write("Cargo.toml", format!("{manifest}\n{second}"));
    let said = sandbox.run(&["db-backup"]);
    assert_eq!(said.code, Some(2), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 1);
}

#[test]
fn odd_characters_in_a_path_are_just_characters() {
    for name in
        ["it's a \"db\".db", "100%41.db", "a?x=1#y.db", "ünïcode 数据.db", "-rf.db", "a\nb.db"]
    {
        let sandbox = Sandbox::new();
        let manifest = "[workspace]\n[workspace.metadata.db.databases.odd]\n";
        let path = toml_text(&format!("data dir/{name}"));
        sandbox.write("Cargo.toml", format!("{manifest}path = {path}\n"));
        let live = sandbox.path(&format!("data dir/{name}"));
        sandbox.write(&format!("data dir/{name}"), "");
        open(&live)
            .execute_batch("CREATE TABLE messages (id INTEGER PRIMARY KEY, content); INSERT INTO messages VALUES (1, 'x')")
            .expect(name);
        sandbox.ok(&["db-backup"]);
        open(&live).execute_batch("DELETE FROM messages").expect(name);
        sandbox.ok(&["db-verify", "--all", "--drill"]);
        sandbox.ok(&["db-restore", "latest", "--yes"]);
        assert_eq!(messages(&live), ["x"], "{name}");
        let names = sandbox.backups();
        assert!(names.iter().all(|backup| backup.starts_with(name)), "{names:?}");
    }
}

fn toml_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[test]
fn a_linked_worktree_shares_the_main_worktree_s_backups() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.ok(&["db-backup"]);
    sandbox.git(&["worktree", "add", "--quiet", "-b", "feature", "wt"]);
    fs_err::create_dir_all(sandbox.path("wt/backend/db")).expect("folder");
    let in_worktree = |arguments: &[&str]| {
        let output = sandbox.xtask(arguments).current_dir(sandbox.path("wt")).output();
        sandbox.said(&output.expect("runs"))
    };
    // The worktree has no backup of its own yet: another's is taken, and said.
    let said = in_worktree(&["db-restore", "latest", "--yes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.err.contains("this worktree has no such backup"), "{}", said.err);
    assert_eq!(messages(&sandbox.path("wt/backend/db/kalito.db")), ["one", "two", "three"]);
    let said = in_worktree(&["db-backup"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(!sandbox.path("wt/backups").exists());
    assert_eq!(sandbox.backups().len(), 2);
    let newest = &sandbox.json(&["db-list"])["backups"][0];
    assert_eq!(
        (&newest["git"]["worktree"], &newest["git"]["branch"]),
        (&"wt".into(), &"feature".into())
    );
    // `latest` means this worktree's first, though the other one's is newer.
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.out.starts_with("kalito.db.2025-09-13_142530.bak"), "{}", said.out);
}

#[test]
fn worktrees_of_a_bare_repository_keep_backups_in_its_common_folder() {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.git(&["clone", "--quiet", "--bare", ".", "bare.git"]);
    sandbox.git(&["-C", "bare.git", "worktree", "add", "--quiet", "../wt", "main"]);
    let folder = sandbox.path("wt/backend/db");
    fs_err::create_dir_all(&folder).expect("folder");
    fs_err::copy(sandbox.live(), folder.join("kalito.db")).expect("copied");
    let output = sandbox.xtask(&["db-backup"]).current_dir(sandbox.path("wt")).output();
    assert_eq!(sandbox.said(&output.expect("runs")).code, Some(0));
    let backups = fs_err::read_dir(sandbox.path("bare.git/xtask-db/backups")).expect("folder");
    assert!(backups.count() >= 2);
}

#[test]
fn a_url_variable_that_one_database_claims_is_not_another_s() {
    let sandbox = Sandbox::new();
    let databases = "[workspace]\n[workspace.metadata.db.databases.a]\nurl-env = 'DATABASE_URL'\n\
                     [workspace.metadata.db.databases.b]\npath = 'b.db'\n";
    sandbox.write("Cargo.toml", databases);
    sandbox.write(".env", "DATABASE_URL=sqlite://a.db\n");
    for name in ["a", "b"] {
        open(&sandbox.path(&format!("{name}.db")))
            .execute_batch(&format!(
                "CREATE TABLE messages (id INTEGER PRIMARY KEY, content);
                 INSERT INTO messages (content) VALUES ('{name}')"
            ))
            .expect("table");
    }
    let said = sandbox.ok(&["db-backup"]);
    assert_eq!(said.err, "");
    sandbox.ok(&["db-restore", "latest", "--db", "b", "--yes"]);
    assert_eq!(messages(&sandbox.path("a.db")), ["a"]);
    assert_eq!(messages(&sandbox.path("b.db")), ["b"]);
}

#[test]
fn a_timeout_beyond_all_bounds_is_usage() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["db-backup", "--busy-timeout", "3000000"]).code, Some(2));
    sandbox.ok(&["db-backup", "--busy-timeout", "86400"]);
}

#[test]
fn a_timeout_on_the_command_line_is_seconds_or_has_a_unit() {
    let sandbox = Sandbox::new();
    for timeout in ["5", "5s", "500ms"] {
        sandbox.ok(&["db-backup", "--busy-timeout", timeout]);
    }
    let said = sandbox.fails(2, &["db-backup", "--busy-timeout", "5x"]);
    assert!(said.err.contains("`5x` is not a duration, e.g. `5s` or `10m`"), "{said:#?}");
    let said = sandbox.fails(2, &["db-backup", "--busy-timeout", "2d"]);
    assert!(said.err.contains("the maximum is one day"), "{said:#?}");
}

#[test]
fn a_command_that_was_written_as_one_string_is_shown_as_a_list() {
    let sandbox = Sandbox::new();
    let mut said = String::new();
    for (key, command) in [("migrate", "sh migrate.sh"), ("after-restore", "A=1 ./after.sh")] {
        sandbox.write(
            "Cargo.toml",
            format!(
                "[workspace]\n[workspace.metadata.db.databases.kalito]\npath = 'backend/db/kalito.db'\n\
                 {key} = '{command}'\n"
            ),
        );
        said += &sandbox.fails(2, &["db-list"]).err;
    }
    insta::assert_snapshot!(said, @r#"
    error: `migrate` in `[workspace.metadata.db.databases.kalito]` is not a command as a list of words
    hint: write `migrate = ["sh", "migrate.sh"]`: the command runs without a shell
    error: `after-restore` in `[workspace.metadata.db.databases.kalito]` is not a command as a list of words
    hint: write `after-restore = ["sh", "-c", "A=1 ./after.sh"]`: the command runs without a shell
    "#);
}

#[test]
fn only_what_is_near_is_suggested_and_one_name_is_one() {
    let sandbox = Sandbox::new();
    let said = sandbox.fails(2, &["db-backup", "--db", "two"]);
    assert!(said.err.contains("hint: the configured one is `kalito`"), "{said:#?}");
    sandbox.configure("busy = '5s'");
    let said = sandbox.fails(2, &["db-backup"]);
    assert!(said.err.contains("unknown key `busy`"), "{said:#?}");
    assert!(said.err.contains("hint: the known ones are path, "), "{said:#?}");
}

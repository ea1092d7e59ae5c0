//! Triggers: installed once, removed without a trace, whatever the paths look like.

use super::fake_machine::{ok, on_it, run, tree, with_fakes};
use super::{AT_TWO, scheduled};

#[test]
fn installed_twice_is_once_and_uninstalled_leaves_nothing() {
    for trigger in ["systemd", "cron", "launchd"] {
        let sandbox = scheduled();
        with_fakes(&sandbox);
        for tab in [None, Some("MAILTO=\"\"\n5 4 * * * own\n")] {
            if let Some(tab) = tab {
                sandbox.write("../fakes/tab", tab);
            }
            let before = tree(&sandbox.path("../home"));
            let table = || fs_err::read_to_string(sandbox.path("../fakes/tab")).ok();
            let table_before = table();
            let said = ok(&sandbox, &["db-schedule", "install", "--with", trigger]);
            assert!(said.out.starts_with("Installed with "), "{said:#?}");
            assert!(
                said.out.contains(": daily at 02:00: backup, verification, retention\n"),
                "{said:#?}"
            );
            assert_eq!(said.err, "");
            let once = (tree(&sandbox.path("../home")), table());
            let said = ok(&sandbox, &["db-schedule", "install"]);
            assert!(said.out.starts_with("Installed again with "), "{said:#?}");
            let twice = (tree(&sandbox.path("../home")), table());
            assert_eq!(once.1, twice.1, "{trigger}");
            assert_eq!(
                once.0.keys().collect::<Vec<_>>(),
                twice.0.keys().collect::<Vec<_>>(),
                "{trigger}"
            );
            let said = ok(&sandbox, &["db-schedule", "status"]);
            assert!(
                said.out.contains(", active\n") && said.out.ends_with("All is well.\n"),
                "{said:#?}"
            );
            ok(&sandbox, &["db-schedule", "run"]);
            ok(&sandbox, &["db-status"]);
            let said = ok(&sandbox, &["db-schedule", "uninstall"]);
            assert!(said.out.starts_with("Removed "), "{said:#?}");
            assert_eq!(tree(&sandbox.path("../home")), before, "{trigger}");
            assert_eq!(table(), table_before, "{trigger}");
            let said = ok(&sandbox, &["db-schedule", "uninstall"]);
            assert!(said.out.starts_with("No schedule of $ROOT is installed"), "{said:#?}");
        }
    }
}

#[test]
fn the_script_that_is_called_takes_the_backup_from_any_folder() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    let odd = "../it's a \"100 %\" $HOME; `x` \\ é";
    fs_err::create_dir_all(sandbox.path(odd)).expect("a folder");
    for file in ["Cargo.toml", "backend/db/kalito.db"] {
        sandbox.write(&format!("{odd}/{file}"), fs_err::read(sandbox.path(file)).expect("a file"));
    }
    let mut install = sandbox.xtask(&["db-schedule", "install", "--with", "cron"]);
    let install = on_it(&sandbox, &mut install).current_dir(sandbox.path(odd)).output();
    let said = sandbox.said(&install.expect("it runs"));
    assert_eq!(said.code, Some(0), "{said:#?}");
    // As cron does it: a shell gets the command, in another folder, with nearly no environment.
    let table = fs_err::read_to_string(sandbox.path("../fakes/tab")).expect("a crontab");
    let line = table.lines().find(|line| line.starts_with("0 * * * * ")).expect("a line");
    let command = line.trim_start_matches("0 * * * * ").replace("\\%", "%");
    let mut called = sandbox.command("sh");
    called.env_clear().env("HOME", sandbox.path("../home")).env("PATH", "/usr/bin:/bin");
    called.env("XTASK_DB_NOW", "2025-09-20T03:00:00+02:00");
    let said = sandbox.said(&called.current_dir("/").args(["-c", &command]).output().expect("sh"));
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{said:#?}");
    let taken = fs_err::read_dir(sandbox.path(odd).join("backups")).expect("backups").count();
    assert!(taken > 0);
    assert!(super::log(&sandbox).contains("Backup created at ./backups/"));
}

#[test]
fn two_projects_and_two_worktrees_do_not_collide() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    sandbox.git_init();
    sandbox.git(&["worktree", "add", "--quiet", "../linked"]);
    fs_err::create_dir_all(sandbox.path("../other/root")).expect("a folder");
    for place in ["../linked", "../other/root"] {
        for file in ["Cargo.toml", "backend/db/kalito.db"] {
            sandbox.write(
                &format!("{place}/{file}"),
                fs_err::read(sandbox.path(file)).expect("a file"),
            );
        }
    }
    let places = [".", "../linked", "../other/root"];
    let at = |place: &str, arguments: &[&str]| {
        let mut command = sandbox.xtask(arguments);
        let command = on_it(&sandbox, &mut command).current_dir(sandbox.path(place));
        let said = sandbox.said(&command.output().expect("it runs"));
        assert_eq!(said.code, Some(0), "{place}: {said:#?}");
        said
    };
    let table = || fs_err::read_to_string(sandbox.path("../fakes/tab")).unwrap_or_default();
    for place in places {
        at(place, &["db-schedule", "install", "--with", "cron"]);
    }
    assert_eq!(table().matches("0 * * * * ").count(), 3);
    for place in places {
        assert!(at(place, &["db-schedule", "run"]).out.contains("Backup created"), "{place}");
    }
    for (n, place) in places.iter().enumerate() {
        assert!(at(place, &["db-schedule", "run"]).out.starts_with("Nothing is due"), "{place}");
        at(place, &["db-schedule", "uninstall"]);
        assert_eq!(table().matches("0 * * * * ").count(), 2 - n);
    }
}

#[test]
fn a_trigger_that_will_not_call_is_a_problem() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    let problem = |arguments: &[&str], part: &str| {
        let said = run(&sandbox, arguments);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.out.contains(part), "{said:#?}");
    };
    let status = ["db-schedule", "status"];
    problem(
        &status,
        "- the schedule is not installed on this machine\n    cargo xtask db-schedule install\n",
    );
    sandbox.write("../fakes/linger", "no\n");
    let said = ok(&sandbox, &["db-schedule", "install", "--with", "systemd"]);
    let lingering = "backups are taken only while you are logged in: lingering is off";
    assert_eq!(said.err, format!("warning: {lingering}: `loginctl enable-linger`\n"));
    problem(&status, &format!("- {lingering}\n    loginctl enable-linger\n"));
    sandbox.write("../fakes/linger", "yes\n");
    ok(&sandbox, &status);
    fs_err::remove_file(sandbox.path("../fakes/active")).expect("removed");
    problem(&status, "- the timer is not active");
    ok(&sandbox, &["db-schedule", "install"]);
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", manifest.replace("02:00", "04:00"));
    problem(
        &status,
        "was installed for `daily at 02:00`, and the schedule is `daily at 04:00` by now",
    );
    problem(&["db-status"], "cargo xtask db-schedule install");
    ok(&sandbox, &["db-schedule", "install"]);
    ok(&sandbox, &status);
    // Installed with another trigger: the first one is gone.
    ok(&sandbox, &["db-schedule", "install", "--with", "cron"]);
    assert!(!sandbox.path("../home/.config").exists());
    sandbox.write("../fakes/tab", "");
    problem(&status, "- its lines are gone from the crontab");
    sandbox.write("Cargo.toml", manifest.replace(AT_TWO, ""));
    problem(
        &["db-status"],
        "no schedule is configured any more\n    cargo xtask db-schedule uninstall\n",
    );
    ok(&sandbox, &["db-schedule", "uninstall"]);
    assert!(!sandbox.path("../home/.local").exists());
}

#[test]
fn a_variable_that_only_this_shell_has_is_pointed_out() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    fs_err::copy(sandbox.live(), sandbox.path("another.db")).expect("copied");
    let mut command = sandbox.xtask(&["db-schedule", "install", "--with", "cron"]);
    let command = on_it(&sandbox, &mut command).env("DATABASE_PATH", "another.db");
    let said = sandbox.said(&command.output().expect("it runs"));
    let warning =
        "warning: DATABASE_PATH is set in this environment, which the timer does not have";
    assert!(said.err.contains(warning), "{said:#?}");
}

#[test]
fn a_variable_with_an_address_that_the_timer_would_not_have_is_pointed_out() {
    let sandbox = scheduled();
    sandbox.configure("ping-env = \"PING_URL\"\n");
    with_fakes(&sandbox);
    let unset = "PING_URL, which `ping-env` names, is not set here, so nobody is called: write it into .env.local";
    let said = ok(&sandbox, &["db-schedule", "install", "--with", "cron"]);
    assert_eq!(said.err, format!("warning: {unset}\n"));
    let said = ok(&sandbox, &["db-schedule", "status"]);
    assert!(said.out.contains("PING_URL, which `ping-env` names, is not set here"), "{said:#?}");
    let mut command = sandbox.xtask(&["db-schedule", "install"]);
    let command = on_it(&sandbox, &mut command).env("PING_URL", "http://127.0.0.1:1/x");
    let said = sandbox.said(&command.output().expect("it runs"));
    let warning = "warning: PING_URL is set in this environment, which the timer does not have";
    assert!(said.err.contains(warning), "{said:#?}");
    sandbox.write(".env.local", "PING_URL=http://127.0.0.1:1/x\n");
    assert_eq!(ok(&sandbox, &["db-schedule", "install"]).err, "");
}

#[test]
fn lines_that_somebody_changed_in_the_crontab_are_not_called_removed() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    ok(&sandbox, &["db-schedule", "install", "--with", "cron"]);
    let table = fs_err::read_to_string(sandbox.path("../fakes/tab")).expect("a crontab");
    let without_end: String = table
        .lines()
        .filter(|line| !line.ends_with(": end"))
        .flat_map(|line| [line, "\n"])
        .collect();
    sandbox.write("../fakes/tab", &without_end);
    for action in ["uninstall", "install"] {
        let said = run(&sandbox, &["db-schedule", action]);
        assert_eq!(said.code, Some(2), "{said:#?}");
        let error = "error: somebody changed the lines of this schedule in the crontab";
        assert!(said.err.contains(error) && said.err.contains("by `crontab -e`"), "{said:#?}");
        let after = fs_err::read_to_string(sandbox.path("../fakes/tab")).expect("a crontab");
        assert_eq!(after, without_end);
    }
    // Lines that are comments call nothing.
    sandbox.write("../fakes/tab", without_end.replace("0 * * * *", "#0 * * * *"));
    ok(&sandbox, &["db-schedule", "uninstall"]);
}

//! What calls by the clock: installed once, removed without a trace, whatever the paths look like.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{AT_TWO, home, scheduled};
use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::complain;

/// Programs that do as the real ones do, as far as an installation sees it: they note how they were called, and keep a
/// crontab in a file.
const FAKES: [(&str, &str); 4] = [
    (
        "systemctl",
        "echo \"$*\" >> \"$FAKES/called\"; case \"$*\" in *is-active*) [ -e \"$FAKES/active\" ];; \
         *enable*) touch \"$FAKES/active\"; mkdir -p \"$HOME/.config/systemd/user/timers.target.wants\"; \
         ln -sf \"../$4\" \"$HOME/.config/systemd/user/timers.target.wants/$4\";; \
         *disable*) rm -f \"$FAKES/active\";; esac",
    ),
    ("loginctl", "cat \"$FAKES/linger\""),
    (
        "crontab",
        "case $1 in -l) [ -e \"$FAKES/tab\" ] || { echo 'no crontab for a' >&2; exit 1; }; cat \"$FAKES/tab\";; \
         -r) rm \"$FAKES/tab\";; -) cat > \"$FAKES/tab\";; *) exit 2;; esac",
    ),
    (
        "launchctl",
        "echo \"$*\" >> \"$FAKES/called\"; case $1 in print|bootout) [ -e \"$FAKES/loaded\" ] || exit 113;; esac; \
         case $1 in bootstrap) touch \"$FAKES/loaded\";; bootout) rm \"$FAKES/loaded\";; esac",
    ),
];

/// A machine with these programs.
fn with_fakes(sandbox: &Sandbox) {
    for (name, body) in FAKES {
        sandbox.write(&format!("../fakes/{name}"), format!("#!/bin/sh\n{body}\n"));
        let executable = std::fs::Permissions::from_mode(0o755);
        fs_err::set_permissions(sandbox.path(&format!("../fakes/{name}")), executable)
            .expect("a mode");
    }
    sandbox.write("../fakes/linger", "yes\n");
}

fn path(sandbox: &Sandbox) -> String {
    let rest = std::env::var("PATH").unwrap_or_default();
    format!("{}:{rest}", sandbox.path("../fakes").display())
}

fn on_it<'c>(sandbox: &Sandbox, command: &'c mut Command) -> &'c mut Command {
    command.env("FAKES", sandbox.path("../fakes")).env("PATH", path(sandbox))
}

fn run(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let mut command = sandbox.xtask(arguments);
    sandbox.said(&on_it(sandbox, &mut command).output().expect("it runs"))
}

fn ok(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    let said = run(sandbox, arguments);
    assert_eq!(said.code, Some(0), "{arguments:?}: {said:#?}");
    said
}

/// Every file below a folder: its permissions, and its bytes or its target.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let (mut found, mut left) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(path) = left.pop() {
        let metadata = fs_err::symlink_metadata(&path).expect("an entry");
        let bytes = if metadata.is_dir() {
            left.extend(
                fs_err::read_dir(&path).expect("a folder").map(|one| one.expect("one").path()),
            );
            Vec::new()
        } else if metadata.is_symlink() {
            fs_err::read_link(&path).expect("a target").into_os_string().into_encoded_bytes()
        } else {
            fs_err::read(&path).expect("a file")
        };
        found.insert(path, (metadata.permissions().mode(), bytes));
    }
    found
}

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
fn a_timer_goes_on_when_cargo_has_nothing_left_and_nothing_compiles() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    // The program of this project, which `cargo clean` is about to remove.
    let built = sandbox.path("target/debug/xtask");
    fs_err::create_dir_all(built.parent().expect("a folder")).expect("a folder");
    fs_err::copy(env!("CARGO_BIN_EXE_xtask"), &built).expect("copied");
    let own = |sandbox: &Sandbox, arguments: &[&str]| {
        let mut command = sandbox.command(&built);
        let command = command.env("XTASK_DB_NOW", "2025-09-13T03:00:00+02:00").args(arguments);
        sandbox.said(&on_it(sandbox, command).output().expect("it runs"))
    };
    assert_eq!(own(&sandbox, &["db-schedule", "install", "--with", "systemd"]).code, Some(0));
    assert_eq!(own(&sandbox, &["db-status"]).code, Some(1), "no backup yet");
    let script = home(&sandbox).join("call.sh");
    let call = |sandbox: &Sandbox, now: &str| {
        let mut command = sandbox.command("sh");
        command.env("XTASK_DB_NOW", now).arg(&script);
        sandbox.said(&command.output().expect("it runs"))
    };
    sandbox.write("src/lib.rs", "this does not compile");
    fs_err::remove_dir_all(sandbox.path("target")).expect("removed");
    let said = call(&sandbox, "2025-09-13T03:01:00+02:00");
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 1);
    // Built again with other code: the copy is an older one, and works as before.
    fs_err::create_dir_all(built.parent().expect("a folder")).expect("a folder");
    fs_err::copy(env!("CARGO_BIN_EXE_xtask"), &built).expect("copied");
    assert_eq!(own(&sandbox, &["db-status"]).code, Some(0), "built again, and the same");
    let mut bytes = fs_err::read(&built).expect("a program");
    bytes.extend(b"another build");
    fs_err::write(&built, bytes).expect("written");
    for command in [["db-status"].as_slice(), &["db-schedule", "status"]] {
        let said = own(&sandbox, command);
        assert_eq!(said.code, Some(1), "{said:#?}");
        let stale = "- scheduled backups run an older build of this program, copied on 2025-09-13\n    cargo xtask db-schedule install\n";
        assert!(said.out.contains(stale), "{said:#?}");
    }
    assert_eq!(own(&sandbox, &["db-schedule", "install"]).code, Some(0));
    assert_eq!(own(&sandbox, &["db-status"]).code, Some(0));
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
fn the_units_pass_systemd_s_own_examination() {
    for when in ["at = \"02:30\"", "weekly = \"sun 03:05\"", "every = \"16m\"", "every = \"3d\""] {
        let sandbox = Sandbox::new();
        sandbox.configure(&format!("[workspace.metadata.db.schedule]\n{when}"));
        with_fakes(&sandbox);
        // Units are examined with a home of odd characters, too.
        let odd = sandbox.path("../ho me'$x %h");
        fs_err::create_dir(&odd).expect("a folder");
        let mut install = sandbox.xtask(&["db-schedule", "install", "--with", "systemd"]);
        let install = on_it(&sandbox, &mut install).env("HOME", &odd).output().expect("it runs");
        let said = sandbox.said(&install);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let units = odd.join(".config/systemd/user");
        let files = fs_err::read_dir(&units).expect("units").map(|one| one.expect("one").path());
        let files: Vec<_> = files.filter(|path| path.is_file()).collect();
        assert_eq!(files.len(), 2);
        let mut verify = sandbox.command("systemd-analyze");
        verify.args(["verify", "--user", "--man=no"]).args(&files).env("HOME", &odd);
        verify.env("XDG_RUNTIME_DIR", sandbox.path("../home"));
        let Ok(output) = verify.output() else {
            complain("SKIPPED: `systemd-analyze` is missing");
            return;
        };
        let said = sandbox.said(&output);
        let about_ours: Vec<_> =
            said.err.lines().filter(|line| line.contains("xtask-db")).collect();
        assert_eq!((said.code, about_ours), (Some(0), Vec::new()), "{when}: {said:#?}");
    }
}

#[test]
fn the_agent_of_launchd_is_a_property_list() {
    let sandbox = Sandbox::new();
    sandbox.configure("[workspace.metadata.db.schedule]\nweekly = \"sun 03:05\"");
    with_fakes(&sandbox);
    let odd = sandbox.path("../ho <me> & 'x'");
    fs_err::create_dir(&odd).expect("a folder");
    let mut install = sandbox.xtask(&["db-schedule", "install", "--with", "launchd"]);
    let install = on_it(&sandbox, &mut install).env("HOME", &odd).output().expect("it runs");
    assert_eq!(sandbox.said(&install).code, Some(0));
    let agents = fs_err::read_dir(odd.join("Library/LaunchAgents")).expect("agents");
    let agent = agents.map(|one| one.expect("one").path()).next().expect("an agent");
    let program =
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let Ok(output) = sandbox.command("python3").args(["-c", program]).arg(&agent).output() else {
        complain("SKIPPED: `python3` is missing");
        return;
    };
    let said = sandbox.said(&output);
    let list: serde_json::Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:#?}"));
    let slot = serde_json::json!({ "Weekday": 0, "Hour": 3, "Minute": 5 });
    assert_eq!(list["StartCalendarInterval"], slot);
    assert_eq!((&list["RunAtLoad"], &list["StartInterval"]), (&true.into(), &3600.into()));
    let script = list["ProgramArguments"][1]
        .as_str()
        .expect("a script")
        .replace("$ROOT", &sandbox.root().to_string_lossy());
    assert!(script.contains("ho <me> & 'x'") && Path::new(&script).is_file(), "{script}");
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

/// An installation that is killed before the trigger knows of it leaves nothing behind either.
#[test]
fn an_installation_that_was_killed_is_uninstalled_without_a_trace() {
    for (trigger, program) in
        [("cron", "crontab"), ("systemd", "systemctl"), ("launchd", "launchctl")]
    {
        for n_calls in 1..=6 {
            let sandbox = scheduled();
            with_fakes(&sandbox);
            let before = tree(&sandbox.path("../home"));
            // The program works, and at one of its calls kills the process that called it, before or after its work.
            let real = fs_err::read_to_string(sandbox.path(&format!("../fakes/{program}")))
                .expect("a fake");
            let body = real.trim_start_matches("#!/bin/sh\n");
            let killing = format!(
                "#!/bin/sh\necho >> \"$FAKES/n\"\nif [ \"$(wc -l < \"$FAKES/n\")\" -eq {n_calls} ]; then ( {body} )\nkill -9 $PPID; exit; fi\n{body}"
            );
            let path = sandbox.path(&format!("../fakes/{program}"));
            fs_err::write(&path, killing).expect("written");
            let killed = run(&sandbox, &["db-schedule", "install", "--with", trigger]);
            fs_err::write(&path, real).expect("written");
            ok(&sandbox, &["db-schedule", "uninstall"]);
            let table = fs_err::read_to_string(sandbox.path("../fakes/tab")).ok();
            assert_eq!(table, None, "{trigger} {n_calls}: {killed:#?}");
            let left = tree(&sandbox.path("../home"));
            let left: Vec<_> = left.keys().filter(|path| !before.contains_key(*path)).collect();
            assert_eq!(left, Vec::<&PathBuf>::new(), "{trigger} {n_calls}: {killed:#?}");
        }
    }
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

/// The configuration may need a newer program than the copy, or be broken: then nobody is known who could be told.
#[test]
fn a_configuration_that_the_timer_cannot_read_is_logged_and_reported_by_every_command() {
    let sandbox = scheduled();
    with_fakes(&sandbox);
    ok(&sandbox, &["db-schedule", "install", "--with", "cron"]);
    let call = |now: &str| {
        let mut command = sandbox.command("sh");
        command.env("XTASK_DB_NOW", now).arg(home(&sandbox).join("call.sh"));
        sandbox.said(&command.output().expect("it runs"))
    };
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    sandbox.write("Cargo.toml", format!("{manifest}\nnew-key = 3\n"));
    for hour in [2, 3] {
        let said = call(&format!("2025-09-14T0{hour}:00:00+02:00"));
        assert_eq!(said.code, Some(2), "{said:#?}");
    }
    let log = super::log(&sandbox);
    assert_eq!(log.matches("error: unknown key `new-key`").count(), 2, "{log}");
    sandbox.write("Cargo.toml", &manifest);
    sandbox.set_clock("2025-09-14T03:10:00+02:00");
    let said = ok(&sandbox, &["db-list"]);
    let warning =
        "warning: the scheduled backup has failed since 2025-09-14 02:00: unknown key `new-key`";
    assert!(said.err.contains(warning), "{said:#?}");
    assert!(said.err.contains("run `cargo xtask db-schedule install`"), "{said:#?}");
    assert_eq!(call("2025-09-14T04:00:00+02:00").code, Some(0));
    assert_eq!(ok(&sandbox, &["db-list"]).err, "");
}

#[test]
fn a_workspace_that_was_moved_is_noticed_and_its_old_timer_goes() {
    for action in ["install", "uninstall"] {
        let sandbox = scheduled();
        with_fakes(&sandbox);
        let before = tree(&sandbox.path("../home"));
        let place = sandbox.path("../place");
        fs_err::create_dir(&place).expect("a folder");
        for file in ["Cargo.toml", "backend/db/kalito.db"] {
            sandbox.write(
                &format!("../place/{file}"),
                fs_err::read(sandbox.path(file)).expect("a file"),
            );
        }
        let at = |folder: &str, arguments: &[&str]| {
            let mut command = sandbox.xtask(arguments);
            let command = on_it(&sandbox, &mut command).current_dir(sandbox.path(folder));
            sandbox.said(&command.output().expect("it runs"))
        };
        assert_eq!(at("../place", &["db-schedule", "install", "--with", "cron"]).code, Some(0));
        assert_eq!(at("../place", &["db-schedule", "run"]).code, Some(0));
        super::rename(&sandbox, "../place", "../moved");
        let said = at("../moved", &["db-status"]);
        assert_eq!(said.code, Some(1), "{said:#?}");
        assert!(said.out.contains("- the timer of this workspace still calls `"), "{said:#?}");
        // A workspace that was not there is another one.
        assert!(!run(&sandbox, &["db-status"]).out.contains("still calls"));
        let said = at("../moved", &["db-schedule", action]);
        assert!(
            said.code == Some(0) && said.out.contains("Removed the schedule of `"),
            "{said:#?}"
        );
        let said = at("../moved", &["db-status"]);
        assert_eq!(said.code, Some(0), "{said:#?}");
        let table = fs_err::read_to_string(sandbox.path("../fakes/tab")).unwrap_or_default();
        assert_eq!(
            table.matches("0 * * * * ").count(),
            usize::from(action == "install"),
            "{table}"
        );
        at("../moved", &["db-schedule", "uninstall"]);
        assert_eq!(tree(&sandbox.path("../home")), before);
        assert!(!sandbox.path("../fakes/tab").exists());
    }
}

//! A timer whose project changes under it: cleaned, broken, moved, or left by a killed installation.

use std::path::PathBuf;

use super::fake_machine::{ok, on_it, run, tree, with_fakes};
use super::{home, scheduled};
use crate::support::sandbox::Sandbox;

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

/// The configuration may need a newer program than the copy, or be broken: then it is unknown who should get a message.
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

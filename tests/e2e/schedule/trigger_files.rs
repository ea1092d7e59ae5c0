//! The files of triggers, read by those for whom they are.

use std::path::Path;

use super::fake_machine::{on_it, with_fakes};
use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

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

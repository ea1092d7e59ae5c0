//! The real systemd and the real cron, each in a mount namespace of its own, where nothing of the machine's is changed.

use super::scheduled;
use crate::support::sandbox::{Said, Sandbox};
use crate::support::strace::complain;

/// Runs a script where `/run`, the control groups and the crontabs are its own; `None`, said loudly, if that is impossible.
fn in_private(sandbox: &Sandbox, prepare: &str, script: &str) -> Option<Said> {
    let all = format!(
        "mount -t tmpfs tmpfs /run && {prepare} || exit 99\n\
         export XTASK='{}'\n\
         {script}",
        env!("CARGO_BIN_EXE_xtask")
    );
    let mut command = sandbox.command("unshare");
    if let Some(wish) = std::env::var_os("XTASK_DB_WITH_CRON") {
        command.env("XTASK_DB_WITH_CRON", wish);
    }
    let output = command.args(["--mount", "bash", "-c", &all]).output();
    let said = output.ok().map(|output| sandbox.said(&output));
    match said {
        Some(said) if said.code != Some(99) && !said.err.contains("unshare failed") => Some(said),
        said => {
            complain(&format!("SKIPPED: no namespace of its own for a real trigger: {said:?}"));
            None
        }
    }
}

#[test]
fn a_real_systemd_starts_the_run_and_forgets_it() {
    let sandbox = scheduled();
    fs_err::create_dir(sandbox.path("../runtime")).expect("a folder");
    let prepare = "[ -x /usr/lib/systemd/systemd ] && mkdir -p /run/systemd/system && mount -t tmpfs tmpfs /sys/fs/cgroup \
         && mkdir /sys/fs/cgroup/systemd && mount -t cgroup -o none,name=systemd systemd /sys/fs/cgroup/systemd";
    let script = r"
        export XDG_RUNTIME_DIR=$(dirname $PWD)/runtime
        chmod 700 $XDG_RUNTIME_DIR
        timeout 60 /usr/lib/systemd/systemd --user --log-target=console > ../systemd.log 2>&1 &
        for _ in $(seq 100); do systemctl --user show-environment > /dev/null 2>&1 && break; sleep 0.1; done
        systemctl --user show-environment > /dev/null || { cat ../systemd.log; kill %1; exit 99; }
        find $HOME | sort > ../before
        $XTASK db-schedule install || exit 1
        timer=$(basename ~/.config/systemd/user/xtask-db-*.timer)
        systemctl --user is-enabled $timer && systemctl --user is-active $timer || exit 2
        systemctl --user start ${timer%.timer}.service || exit 3
        $XTASK db-schedule status | grep -F 'a systemd user timer, active' || exit 4
        $XTASK db-schedule uninstall || exit 5
        systemctl --user list-units --all 'xtask-db-*' --no-legend | grep . && exit 6
        find $HOME | sort > ../after
        kill %1
        cmp ../before ../after || exit 7
    ";
    let Some(said) = in_private(&sandbox, prepare, script) else { return };
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(said.out.contains("Installed with a systemd user timer: daily at 02:00"), "{said:#?}");
    assert_eq!(sandbox.backups().len(), 1);
    sandbox.ok(&["db-verify", "--all"]);
}

#[test]
fn a_real_crontab_takes_the_lines_and_gives_them_back() {
    let sandbox = scheduled();
    let odd = sandbox.path("../ho me'$x %h");
    fs_err::create_dir(&odd).expect("a folder");
    let prepare = "command -v crontab > /dev/null && mount -t tmpfs tmpfs /var/spool/cron \
         && mkdir -m 1730 /var/spool/cron/crontabs && { chgrp crontab /var/spool/cron/crontabs || true; }";
    let script = r#"
        export HOME="$PWD/../ho me'\$x %h"
        for own in '' '5 4 * * * true'; do
            [ -z "$own" ] || echo "$own" | crontab - || exit 1
            crontab -l > ../before 2>&1
            $XTASK db-schedule install --with cron || exit 2
            crontab -l | grep -c call.sh
            $XTASK db-schedule status | grep -F 'the crontab, active' || exit 3
            $XTASK db-schedule uninstall || exit 4
            crontab -l > ../after 2>&1
            cmp ../before ../after || exit 5
        done
        [ -n "$XTASK_DB_WITH_CRON" ] || exit 0
        # A real cron, each minute instead of each hour: the path of the script has every odd character.
        $XTASK db-schedule install --with cron || exit 6
        crontab -l | sed 's/^0 \* \* \* \* /* * * * * /' | crontab - || exit 7
        timeout 75 cron -f &
        for _ in $(seq 70); do [ -d backups ] && break; sleep 1; done
        sleep 2
        kill %1
        [ -d backups ] || exit 8
    "#;
    let Some(said) = in_private(&sandbox, prepare, script) else { return };
    assert_eq!(said.code, Some(0), "{said:#?}");
    let installed = said.out.matches("Installed with the crontab: daily at 02:00").count();
    assert!(installed >= 2, "{said:#?}");
}

//! `db-pre-deploy`: the gate of a deployment, alone and as a step of GitHub Actions.

use crate::support::sandbox::{Said, Sandbox, open};
use crate::support::shell_migrations::{
    ADD, CASCADE, content, host, host_with_children, leftovers, masked,
};

/// Runs it as a step of GitHub Actions: what it said, its outputs, its summary.
fn as_a_step(sandbox: &Sandbox, arguments: &[&str]) -> (Said, String, String) {
    let (output, summary) = (sandbox.path("output"), sandbox.path("summary"));
    let mut command = sandbox.xtask(&[&["db-pre-deploy"], arguments].concat());
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_OUTPUT", &output)
        .env("GITHUB_STEP_SUMMARY", &summary);
    let said = sandbox.said(&command.output().expect("it runs"));
    let read = |path| fs_err::read_to_string(path).unwrap_or_default();
    (said, read(output), read(summary))
}

#[test]
fn a_deployment_may_go_on_after_backup_drill_and_rehearsal() {
    let Some(sandbox) = host(ADD) else { return };
    let before = content(&sandbox);
    let said = sandbox.ok(&["db-pre-deploy"]);
    insta::assert_snapshot!(masked(&said.out), @"
    Backup created at ./backups/kalito.db.2025-09-13_142630.bak
    kalito.db.2025-09-13_142630.bak is whole: size and BLAKE3 as recorded, integrity_check ok, 1 table, 3 rows, restore drill ok
    Rehearsed `sh migrate.sh` on a private copy of ./backend/db/kalito.db in 9 ms
      + table added
      added: 0 rows
    Ready to deploy.
    The way back: cargo xtask db-restore kalito.db.2025-09-13_142630.bak --yes
    ");
    assert_eq!(content(&sandbox), before);
    assert_eq!(leftovers(&sandbox), Vec::<String>::new());
    let listed = sandbox.json(&["db-list"]);
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(1), "{listed:#}");
    assert_eq!(listed["backups"][0]["kind"], "pre-deploy");
    sandbox.sql("CREATE TABLE deployed (a)");
    sandbox.ok(&["db-restore", "kalito.db.2025-09-13_142630.bak", "--yes"]);
    assert_eq!(content(&sandbox), before, "the printed way back leads back");
}

#[test]
fn a_refused_rehearsal_closes_the_gate_and_leaves_the_way_back() {
    let Some(sandbox) = host_with_children(CASCADE) else { return };
    let document = sandbox.json(&["db-pre-deploy"]);
    assert_eq!(document["outcome"], "refused", "{document:#}");
    assert_eq!(document["error"]["exit_code"], 1, "{document:#}");
    assert!(document["restore_command"].as_str().is_some_and(|c| c.ends_with("--yes")));
    let said = sandbox.fails(1, &["db-pre-deploy"]);
    assert!(said.err.contains("table `notes` loses 3 of its 3 rows"), "{said:#?}");
    assert!(!said.out.contains("Ready"), "{said:#?}");
    assert!(said.out.contains("The way back: cargo xtask db-restore "), "{said:#?}");
    sandbox.ok(&["db-pre-deploy", "--allow-loss", "notes"]);
}

#[test]
fn without_a_migration_there_is_nothing_to_rehearse_and_a_missing_database_closes_the_gate() {
    let sandbox = Sandbox::new();
    let said = sandbox.ok(&["db-pre-deploy"]);
    assert!(said.out.contains("nothing to rehearse\nReady to deploy."), "{said:#?}");
    let sandbox = Sandbox::empty();
    sandbox
        .write("Cargo.toml", "[workspace]\n[workspace.metadata.db.databases.a]\npath = 'a.db'\n");
    sandbox.fails(2, &["db-pre-deploy"]);
}

#[test]
fn automatic_retention_never_takes_a_backup_of_before_a_deployment() {
    let Some(sandbox) = host(ADD) else { return };
    sandbox.configure("[workspace.metadata.db.keep]\nlast = 1");
    let document = sandbox.json(&["db-pre-deploy"]);
    let name = document["backup"].as_str().expect("a backup").to_owned();
    for content in ["a", "b", "c"] {
        sandbox.sql(&format!("INSERT INTO messages (content) VALUES ('{content}')"));
        sandbox.ok(&["db-pre-migrate"]);
    }
    assert!(sandbox.backups().contains(&name), "{:?}", sandbox.backups());
    assert!(sandbox.backups().len() < 4, "no retention ran: {:?}", sandbox.backups());
}

#[test]
fn a_step_gets_outputs_a_summary_and_annotations() {
    let Some(sandbox) = host_with_children(CASCADE) else { return };
    let (said, output, summary) = as_a_step(&sandbox, &["--allow-loss", "notes"]);
    assert_eq!(said.code, Some(0), "{said:#?}");
    insta::assert_snapshot!(output, @"
    backup=kalito.db.2025-09-13_142530.bak
    restore-command=cargo xtask db-restore kalito.db.2025-09-13_142530.bak --yes
    ");
    insta::assert_snapshot!(summary, @"
    ### Database: ready to deploy

    <pre>
    Backup: kalito.db.2025-09-13_142530.bak (verified, restore drill ok)
    Rehearsal: allowed
      changed: column title of sessions
    The way back: cargo xtask db-restore kalito.db.2025-09-13_142530.bak --yes
    </pre>
    ");
    let warning = "\n::warning title=db-pre-deploy::allowed: table `notes` loses 3 of its 3 rows\n";
    assert!(said.err.contains(warning), "{said:#?}");
    let (said, _, summary) = as_a_step(&sandbox, &[]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    let error = "\n::error title=db-pre-deploy::error: the migration of `backend/db/kalito.db` is \
                 refused after its rehearsal%0A  caused by: table `notes` loses 3 of its 3 rows%0A";
    assert!(said.err.contains(error), "{said:#?}");
    assert!(summary.contains("### Database: not ready to deploy"), "{summary}");
}

#[test]
fn no_name_and_no_migration_gives_orders_to_github() {
    let Some(sandbox) = host(&format!("echo ::error::mine\n{ADD}")) else { return };
    open(&sandbox.live())
        .execute_batch(
            "CREATE TABLE \"::warning::x\" (a); INSERT INTO \"::warning::x\" VALUES (1);
             CREATE TABLE \"y\n::error::z%0A\" (a); INSERT INTO \"y\n::error::z%0A\" VALUES (1)",
        )
        .expect("tables");
    let loss = "q \"$DB\" 'DELETE FROM \"::warning::x\"; DELETE FROM \"y\n::error::z%0A\"'";
    crate::support::shell_migrations::rewrite(&sandbox, &format!("echo ::error::mine\n{loss}"));
    let (said, output, summary) = as_a_step(&sandbox, &["--json"]);
    assert_eq!(said.code, Some(1), "{said:#?}");
    assert_eq!(output.lines().count(), 2, "{output}");
    assert!(!summary.contains("\n::"), "{summary}");
    // A reader of commands as GitHub's: stopped until the token comes.
    let mut stopped: Option<String> = None;
    let mut obeyed = Vec::new();
    for line in said.err.lines().map(str::trim) {
        match &stopped {
            Some(token) if *line == format!("::{token}::") => stopped = None,
            Some(_) => {}
            None => match line.strip_prefix("::stop-commands::") {
                Some(token) => stopped = Some(token.to_owned()),
                None if line.starts_with("::") || line.contains("##[") => obeyed.push(line),
                None => {}
            },
        }
    }
    assert_eq!(obeyed.len(), 1, "{obeyed:#?}");
    assert!(obeyed[0].starts_with("::error title=db-pre-deploy::error: the migration"));
    assert!(obeyed[0].contains("z%250A"), "{}", obeyed[0]);
    assert!(said.err.contains("::error::mine"), "the migration's own words are shown");
}

//! `--help` of every command: within 80 columns, by purpose, with defaults and an example that works;
//! and what a wrong command line is answered with.

use crate::support::sandbox::Sandbox;

const MAX_COLUMNS: usize = 80;

/// The commands in the list of a help, at the places where commands are listed.
fn listed(help: &str) -> Vec<String> {
    let is_list = |heading: &str| heading.ends_with(':') && !heading.contains("ptions");
    let mut names = Vec::new();
    let mut within = false;
    for line in help.lines() {
        if !line.starts_with(' ') {
            within = is_list(line) && line != "Arguments:" && !line.starts_with("Example");
        } else if let Some(rest) = line.strip_prefix("  ").filter(|_| within)
            && let Some(name) = rest.split(' ').next().filter(|name| !name.is_empty())
        {
            names.push(name.to_owned());
        }
    }
    names
}

/// The help of every command and of what is below it, with what was typed for it.
pub(crate) fn helps(sandbox: &Sandbox) -> Vec<(String, String)> {
    let mut helps = vec![("--help".to_owned(), sandbox.ok(&["--help"]).out)];
    // The help of `bench` is that of a package which no other task compiles.
    for command in listed(&helps[0].1).into_iter().filter(|command| command != "bench") {
        let help = sandbox.ok(&[&command, "--help"]).out;
        if ["db-hooks", "db-bundle", "db-schedule"].contains(&&*command) {
            for below in listed(&help).iter().filter(|below| *below != "help") {
                let help = sandbox.ok(&[&command, below, "--help"]).out;
                helps.push((format!("{command} {below}"), help));
            }
        }
        helps.push((command, help));
    }
    helps
}

#[test]
fn every_help_fits_80_columns_and_has_an_example() {
    let sandbox = Sandbox::new();
    let helps = helps(&sandbox);
    assert!(helps.len() > 26, "{helps:#?}");
    for (command, help) in &helps {
        for line in help.lines() {
            assert!(line.chars().count() <= MAX_COLUMNS, "{command}: {line}");
        }
        let example = format!("  cargo xtask {command}");
        assert!(help.contains(&example) || command == "--help", "{command}: {help}");
    }
}

#[test]
fn the_flags_of_every_command_have_a_heading_of_their_own() {
    let sandbox = Sandbox::new();
    for (command, help) in helps(&sandbox) {
        if !command.starts_with("db-")
            || ["db-hooks", "db-bundle", "db-schedule"].contains(&&*command)
        {
            continue;
        }
        let (own, common) = help.split_once("\nCommon options:\n").expect(&command);
        for flag in ["--db <NAME>", "--json", "--quiet", "--busy-timeout <SECS>"] {
            assert!(common.contains(flag), "{command} has no `{flag}`");
            assert!(!own.contains(flag), "{command} has `{flag}` among its own");
        }
        assert!(!common.contains("<PATH>"), "{command} has flags of its own among the common ones");
    }
}

#[test]
fn the_commands_are_listed_by_purpose() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.ok(&["--help"]).out, @r"
    Tasks of this workspace

    Usage: cargo xtask <COMMAND>

    Set up and check:
      db-setup        Prepare a fresh clone: database, git hooks, first backup
      db-status       Check the health of the database, its backups and the hooks
      db-recover      Undo or accept what an interrupted command left behind
      db-completions  Print a completion script for bash, zsh or fish

    Back up and restore:
      db-backup       Create a verified backup of each database
      db-schedule     Back up by the clock: install the timer, show its state
      db-list         List all backups, newest first
      db-verify       Check that backups are intact
      db-restore      Restore a backup, after a safety backup of the current state
      db-diff         Compare two states of the database: schema and rows
      db-serve        Show backups on a local web page, and answer an HTTP API

    Keep and remove backups:
      db-prune        Remove backups that no retention rule keeps
      db-pin          Protect a backup from pruning
      db-unpin        Allow pruning to remove a pinned backup again
      db-label        Change the label of a backup
      db-remove       Remove one backup, e.g. because it contains a leaked secret

    Branches and migrations:
      db-hooks        Install or inspect the git hooks that create checkpoints
      db-rollback     Restore the database to its state when a branch was entered
      db-pre-migrate  Rehearse a migration on a private copy and keep a checkpoint
      db-migrate      Rehearse and run a migration; restore the old state on failure
      db-pre-deploy   Gate a deployment: backup, restore drill, rehearsal
      db-reset        Rebuild the database from its migrations after a safety backup

    Move data:
      db-export       Export rows as JSONL, JSON, SQL or CSV
      db-import       Import rows into a new database, or into the live one
      db-bundle       Bundle the whole installation into one archive, or restore it

    Other commands:
      bench           Time the commands against `cp`, `.backup` and `VACUUM INTO`
      ci              Run every check that a change must pass, like `.ci/run`
      torture         Run random commands under random faults; report what was lost

    Options:
      -h, --help     Print help
      -V, --version  Print version
    ");
    for help in ["help", "db-help"] {
        assert_eq!(sandbox.run(&[help]).out, sandbox.ok(&["--help"]).out);
    }
}

#[test]
fn the_flags_of_the_three_imports_are_apart() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.ok(&["db-import", "--help"]).out, @r"
    Import rows into a new database, or into the live one

    Usage: cargo xtask db-import [OPTIONS] <FILE> [--into <PATH>]
           cargo xtask db-import [OPTIONS] --merge <FILE|DIR>...
           cargo xtask db-import --records <POINTER> --table <TABLE> <FILE>
           cargo xtask db-import --records <POINTER> --table <TABLE> -- <CMD>...

    Arguments:
      [FILE]...  Export (JSONL, JSON, SQL or a folder of CSV), SQL dump or file of
                 records; `-` is stdin; `--merge` accepts several, and folders of
                 exports

    Options:
          --unbounded        Lift the limits on time, memory and the length of
                             values
          --dry-run          Show what would be done, and change nothing
          --yes              Do not ask for confirmation
          --if-live <STATE>  Change the database only if it is still in this state,
                             the `if_live` in the document of a dry run
      -h, --help             Print help

    New database:
          --into <PATH>       Database file to create [default: the configured path]
          --force             Replace an existing database, after a safety backup
          --allow-violations  Import rows that refer to missing rows instead of
                              refusing them

    Merge exports into the live database:
          --merge          Merge the rows into the live database
          --trust-numbers  If a reference is to a row that is not in the file, use
                           the row with that id in the database; only for exports of
                           this same database

    Merge records of another tool into a table:
          --records <POINTER>   Merge the records at this JSON pointer in a JSON,
                                JSONL or CSV file; `''` is the whole document, or
                                each of its lines
          --table <TABLE>       Table to merge the records into
          --map <COLUMN=FIELD>  Fill a column from this field, a name or a JSON
                                pointer (repeatable) [default: the field with the
                                column's name]
          --set <COLUMN=VALUE>  Set a column to this value in all rows (repeatable)
      [CMD]...                  Command whose output is read instead of a file

    Existing rows (with --merge or --records):
          --on-conflict <WHAT>  How to handle a row that already exists with
                                different values: `fail` imports nothing, `skip`
                                keeps the existing row, `replace` replaces it
                                [default: fail]
          --newer <COLUMN>      With `--on-conflict replace`, replace a row only if
                                the new value in this column is higher
          --strict              Refuse a file if any of its values would be lost,
                                e.g. those of unknown columns or tables

    Common options:
          --db <NAME>            Database to use [default: all; some commands
                                 require one if several are configured]
          --json                 Print one JSON document on stdout
          --quiet                Print only warnings and errors
          --busy-timeout <SECS>  Lock timeout in seconds, or e.g. `500ms` [default:
                                 as configured, else 5]

    Examples:
      cargo xtask db-import kalito.2025-09-13_142530.jsonl --into new.db
      cargo xtask db-import dump.sql --into new.db     # from `sqlite3 old.db .dump`
      cargo xtask db-import big.sql --into new.db --unbounded    # a trusted file
      cargo xtask db-import --merge shared --dry-run   # the files of all machines
      cargo xtask db-import --merge a.jsonl --on-conflict replace --newer updated_at
      cargo xtask db-import bugs.jsonl --records '' --table tasks --map title=name
      cargo xtask db-import --records /items --table tasks -- tracker list --json

    New database: FILE becomes the configured database, which must not exist yet, or
    the database at `--into`.

    Merge: rows are added in one transaction, after a safety backup. Rows that were
    deleted elsewhere stay here.

    Records: if the input begins with `{` or `[`, it is JSON, one document or one
    per line; otherwise it is CSV, and the first line names the columns. POINTER
    points to an array in each document, or to one object. Without `--map`, a column
    takes the field of that name. Objects and arrays become their JSON text, true
    and false become 1 and 0, and null becomes NULL. A missing field, or an empty
    CSV field without quotes, becomes the column's default, else NULL. Nothing
    is rounded or guessed: a value that does not fit its column is refused, and so
    is a string like `07867` or `31415e9` if the column would store it as a number.
    If records have ids of their own, references are resolved against these ids
    first, then against rows of the database.

    An import may use time, memory and disk space in proportion to the size of its
    file. If a legitimate file exceeds a limit, `--unbounded` lifts all limits; use
    it only for files that you trust.
    ");
}

#[test]
fn flags_of_different_imports_are_refused_before_anything_is_read() {
    let sandbox = Sandbox::new();
    for (arguments, word) in [
        (&["--merge", "x.jsonl", "--into", "new.db"][..], "cannot be used with"),
        (&["--merge", "x.jsonl", "--force"], "cannot be used with"),
        (&["--merge", "x.jsonl", "--records", "", "--table", "t"], "cannot be used with"),
        (&["x.jsonl", "--strict"], "--merge"),
        (&["x.jsonl", "--on-conflict", "skip"], "--merge"),
        (&["x.jsonl", "--newer", "at"], "--merge"),
        (&["x.jsonl", "--trust-numbers"], "--merge"),
        (&["x.jsonl", "--map", "a=b"], "--records"),
        (&["x.jsonl", "--table", "t"], "--records"),
        (&["x.jsonl", "--into", "new.db", "--map", "a=b"], "--records"),
        (&["x.jsonl", "--into", "new.db", "--strict"], "--merge"),
        (&["--merge", "x.jsonl", "--newer", "at"], "`--newer` needs `--on-conflict replace`"),
    ] {
        let said = sandbox.run(&[&["db-import"], arguments].concat());
        assert_eq!(said.code, Some(2), "{arguments:?}: {said:#?}");
        assert!(said.err.contains(word), "{arguments:?}: {said:#?}");
    }
}

#[test]
fn a_misspelt_command_is_answered_with_the_right_one() {
    let sandbox = Sandbox::new();
    for (wrong, right) in [
        ("db-bakcup", "db-backup"),
        ("db-restor", "db-restore"),
        ("restore", "db-restore"),
        ("db-lst", "db-list"),
    ] {
        let said = sandbox.run(&[wrong]);
        assert_eq!(said.code, Some(2));
        assert!(
            said.err.contains(&format!("a similar subcommand exists: '{right}'\n")),
            "{said:#?}"
        );
    }
}

#[test]
fn a_wrong_flag_is_usage_and_exits_with_two() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["db-backup", "--lable", "x"]).code, Some(2));
    assert_eq!(sandbox.run(&["db-backup", "--kind", "safety"]).code, Some(2));
    assert_eq!(sandbox.run(&["db-backup", "--kind", "often"]).code, Some(2));
}

#[test]
fn a_wrong_flag_is_a_document_with_json() {
    let sandbox = Sandbox::new();
    let said = sandbox.run(&["db-backup", "--json", "--lable", "x"]);
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(said.out, @r#"
    {
      "error": {
        "causes": [],
        "exit_code": 2,
        "hint": "a similar argument exists: '--label'",
        "message": "unexpected argument '--lable' found"
      },
      "version": 1
    }
    "#);
    assert!(said.err.starts_with("error: unexpected argument '--lable' found"), "{said:#?}");
    // What belongs to a command of the host is not ours.
    let said = sandbox.run(&["db-migrate", "--lable", "x", "--", "tool", "--json"]);
    assert_eq!((said.code, &*said.out), (Some(2), ""));
    let said = sandbox.run(&["db-lst", "--json"]);
    assert!(said.out.contains("'db-list'"), "{said:#?}");
}

//! Bundles that nobody may open, that are damaged, or that must not be written.

use age::secrecy::ExposeSecret as _;

use crate::bundle::installation::{SECRET, bundle, files, installation};
use crate::support::sandbox::{Running, Said, Sandbox, open};

/// Writes the key of a new recipient to a file outside the workspace, and returns the recipient.
pub(crate) fn key(sandbox: &Sandbox, name: &str) -> String {
    let identity = age::x25519::Identity::generate();
    sandbox.write(&format!("../{name}"), identity.to_string().expose_secret());
    identity.to_public().to_string()
}

/// Has the bundles encrypted for recipients.
pub(crate) fn configure_recipients(sandbox: &Sandbox, recipients: &[&str]) {
    let manifest = fs_err::read_to_string(sandbox.path("Cargo.toml")).expect("a manifest");
    let section = "[workspace.metadata.db.bundle]\n";
    let with = format!("{section}recipients = {recipients:?}\n");
    sandbox.write("Cargo.toml", manifest.replace(section, &with));
}

/// The folder in which a restore keeps what it extracts.
fn staged(sandbox: &Sandbox) -> usize {
    fs_err::read_dir(sandbox.path("backups/bundle-restore")).map_or(0, Iterator::count)
}

/// A restore that is refused before anything changes.
fn refused(sandbox: &Sandbox, code: i32, path: &str, open: &[&str]) -> Said {
    let before = files(sandbox);
    let said = sandbox.fails(code, &[&["db-bundle", "restore", path, "--yes"], open].concat());
    assert_eq!(files(sandbox), before, "{said:#?}");
    assert_eq!(staged(sandbox), 0, "{said:#?}");
    said
}

#[test]
fn a_wrong_key_is_refused_before_anything_is_extracted() {
    let sandbox = installation();
    let recipient = key(&sandbox, "key");
    key(&sandbox, "other");
    sandbox.write("../wrong", "wrong horse\n");
    let of_passphrase = bundle(&sandbox);
    configure_recipients(&sandbox, &[&recipient]);
    let document = sandbox.json(&["db-bundle", "create", "--identity", "../key"]);
    assert_eq!(document["bundle"]["decryption"], "proved", "{document:#}");
    let name = document["bundle"]["file"].as_str().expect("a name");
    let of_recipient = &*format!("backups/{name}");
    for (path, wrong) in [
        (&*of_passphrase, ["--passphrase-file", "../wrong"]),
        (&*of_passphrase, ["--identity", "../key"]),
        (of_recipient, ["--identity", "../other"]),
        (of_recipient, ["--passphrase-file", "../passphrase"]),
    ] {
        let said = refused(&sandbox, 1, path, &wrong);
        assert!(said.err.contains("the key or passphrase does not open"), "{said:#?}");
        assert!(!sandbox.path("backups/bundle-restore").exists(), "{said:#?}");
        let verified = [&["db-bundle", "verify", path], &wrong[..]].concat();
        assert!(sandbox.fails(1, &verified).err.contains("does not open the bundle"));
    }
    for path in [&*of_passphrase, of_recipient] {
        let said = refused(&sandbox, 2, path, &[]);
        assert!(said.err.contains("the bundle is encrypted"), "{said:#?}");
    }
    sandbox.ok(&["db-bundle", "restore", of_recipient, "--yes", "--identity", "../key"]);
}

#[test]
fn a_damaged_bundle_changes_nothing() {
    let sandbox = installation();
    let path = bundle(&sandbox);
    let whole = fs_err::read(sandbox.path(&path)).expect("read");
    let open = ["--passphrase-file", "../passphrase"];
    for at in (1..6).map(|n| whole.len() / 6 * n) {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        sandbox.write(&path, &damaged);
        let said = refused(&sandbox, 1, &path, &open);
        assert!(said.err.contains("the bundle is damaged"), "{at}: {said:#?}");
        sandbox.write(&path, &whole[..at]);
        refused(&sandbox, 1, &path, &open);
    }
    sandbox.write(&path, &whole);
    sandbox.ok(&["db-bundle", "restore", &path, "--yes", open[0], open[1]]);
}

/// The command lines of all processes, while a command runs.
fn command_lines_during(sandbox: &Sandbox, arguments: &[&str]) -> (Vec<Vec<u8>>, Said) {
    let mut command = sandbox.xtask(arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut running = Running(command.spawn().expect("the binary runs"));
    let mut seen = Vec::new();
    while running.0.try_wait().expect("a state").is_none() {
        for one in fs_err::read_dir("/proc").expect("a folder").flatten() {
            // A process may have ended since.
            if let Ok(line) = fs_err::read(one.path().join("cmdline"))
                && !line.is_empty()
                && !seen.contains(&line)
            {
                seen.push(line);
            }
        }
    }
    (seen, sandbox.said(&running.output()))
}

fn contains(bytes: &[u8], marker: &str) -> bool {
    bytes.windows(marker.len()).any(|part| part == marker.as_bytes())
}

#[test]
fn a_secret_is_nowhere_but_encrypted() {
    if !std::path::Path::new("/proc/self/cmdline").exists() {
        crate::support::strace::complain("SKIPPED: a test of command lines needs /proc");
        return;
    }
    let sandbox = installation();
    let create = ["db-bundle", "create", "--passphrase-file", "../passphrase"];
    let (lines, said) = command_lines_during(&sandbox, &create);
    assert_eq!(said.code, Some(0), "{said:#?}");
    assert!(lines.iter().any(|line| contains(line, "../passphrase")), "it was not seen running");
    let json = sandbox.json(&create).to_string();
    let name = bundle(&sandbox);
    let open = ["--passphrase-file", "../passphrase"];
    let mut texts = vec![said, sandbox.ok(&["db-bundle", "list"])];
    for arguments in [
        &["db-bundle", "list", &name, open[0], open[1]][..],
        &["db-bundle", "verify", &name, "--spot", open[0], open[1], "--json"],
        &["db-bundle", "restore", &name, "--dry-run", open[0], open[1], "--json"],
    ] {
        let (more, said) = command_lines_during(&sandbox, arguments);
        assert!(!more.iter().any(|line| contains(line, SECRET)), "{arguments:?}");
        texts.push(said);
    }
    for one in fs_err::read_dir(sandbox.path("backups")).expect("a folder") {
        let path = one.expect("an entry").path();
        if path.is_file() {
            let bytes = fs_err::read(&path).expect("read");
            assert!(!contains(&bytes, SECRET), "{}", path.display());
        }
    }
    for marker in [SECRET, crate::bundle::installation::PASSPHRASE] {
        assert!(!lines.iter().any(|line| contains(line, marker)), "{marker} is in a command line");
        assert!(!json.contains(marker), "{json}");
        for said in &texts {
            assert!(!said.out.contains(marker) && !said.err.contains(marker), "{said:#?}");
        }
    }
}

#[test]
fn a_recipient_that_cannot_be_used_is_refused_by_name() {
    for (recipient, expected) in [
        ("age1pq1qqqqqqqq", "the recipient `age1pq1qqqqqqqq` is a post-quantum one"),
        ("age1yubikey1qqqq", "needs a plugin"),
        ("ssh-ed25519 AAAA", "is an SSH key"),
        ("age1nonsense", "is not a recipient of age"),
    ] {
        let sandbox = installation();
        configure_recipients(&sandbox, &[recipient]);
        let said = sandbox.fails(2, &["db-bundle", "create"]);
        assert!(said.err.contains(expected), "{said:#?}");
        assert!(sandbox.backups().is_empty() && !sandbox.path("backups").exists(), "{said:#?}");
    }
}

#[test]
fn only_what_can_be_rebuilt_is_left_out() {
    let sandbox = installation();
    let said = sandbox.fails(2, &["db-bundle", "create", "--plaintext", "--skip", "groups"]);
    assert!(said.err.contains("it has no `rebuild` command"), "{said:#?}");
    let said = sandbox.fails(2, &["db-bundle", "create", "--plaintext", "--skip", "nothing"]);
    assert!(said.err.contains("there is no item `nothing`"), "{said:#?}");
    sandbox.configure("kalito = { rebuild = \"cargo xtask fill\" }");
    let said = sandbox.ok(&["db-bundle", "create", "--plaintext", "--skip", "kalito"]);
    assert!(said.out.contains("Left out: kalito; rebuild it with `cargo xtask fill`"), "{said:#?}");
}

#[test]
fn a_database_in_use_in_a_folder_is_refused_because_its_copy_would_lose_changes() {
    let sandbox = installation();
    let database = open(&sandbox.path("groups/app.db"));
    let statements = "PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)";
    database.execute_batch(statements).expect("written");
    let said = sandbox.fails(2, &["db-bundle", "create", "--plaintext"]);
    assert!(said.err.contains("groups/app.db` is an SQLite database in use"), "{said:#?}");
    assert!(!sandbox.backups().iter().any(|name| name.contains("zst")), "{said:#?}");
    // The last connection puts it all into the file.
    drop(database);
    sandbox.ok(&["db-bundle", "create", "--plaintext"]);
}

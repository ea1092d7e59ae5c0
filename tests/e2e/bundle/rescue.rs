//! Without this program: `age -d FILE | zstd -d | tar x`.

use std::io::{BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;

use crate::bundle::attacks::{configure_recipients, key};
use crate::bundle::installation::installation;
use crate::support::sandbox::{Sandbox, messages};
use crate::support::strace::complain;

/// Whether a program is there; complains if it is not.
fn has(sandbox: &Sandbox, program: &str) -> bool {
    let tried = sandbox.command(program).arg("--version").output();
    let is_there = tried.is_ok_and(|output| output.status.success());
    if !is_there {
        complain(&format!("SKIPPED: a test of bundles needs `{program}`"));
    }
    is_there
}

/// Runs a program to the end and returns its stdout.
fn run(sandbox: &Sandbox, program: &str, arguments: &[&str]) -> String {
    let output = sandbox.command(program).args(arguments).output().expect("it runs");
    let said = sandbox.said(&output);
    assert_eq!(said.code, Some(0), "{program} {arguments:?}: {said:#?}");
    said.out
}

/// Decrypts a bundle by another program, or by the library of one.
fn decrypt(sandbox: &Sandbox, path: &str) {
    for program in ["age", "rage"] {
        if sandbox.command(program).arg("--version").output().is_ok() {
            run(sandbox, program, &["-d", "-i", "../key", "-o", "../plain.zst", path]);
            return;
        }
    }
    complain("neither `age` nor `rage` is installed: a bundle is decrypted by rage's library");
    let keys = age::IdentityFile::from_file(sandbox.path("../key").display().to_string());
    let keys = keys.expect("a key").into_identities().expect("identities");
    let file = BufReader::new(fs_err::File::open(sandbox.path(path)).expect("a bundle"));
    let decryptor = age::Decryptor::new_buffered(file).expect("age's format");
    let mut plain = Vec::new();
    let keys = keys.iter().map(|key| &**key as &dyn age::Identity);
    decryptor.decrypt(keys).expect("opened").read_to_end(&mut plain).expect("decrypted");
    sandbox.write("../plain.zst", plain);
}

#[test]
fn a_bundle_is_extracted_without_this_program() {
    let sandbox = installation();
    if !has(&sandbox, "zstd") || !has(&sandbox, "tar") {
        return;
    }
    sandbox.write(&format!("groups/{}/{}", "d".repeat(90), "f".repeat(90)), "a long name");
    fs_err::os::unix::fs::symlink("d".repeat(120), sandbox.path("groups/far")).expect("a link");
    let recipient = key(&sandbox, "key");
    configure_recipients(&sandbox, &[&recipient]);
    let document = sandbox.json(&["db-bundle", "create"]);
    assert_eq!(document["bundle"]["decryption"], "not-proved", "{document:#}");
    decrypt(&sandbox, &format!("backups/{}", document["bundle"]["file"].as_str().expect("a name")));
    run(&sandbox, "zstd", &["-d", "-q", "../plain.zst", "-o", "../plain.tar"]);
    fs_err::create_dir(sandbox.path("../out")).expect("a folder");
    run(&sandbox, "tar", &["-x", "-p", "-f", "../plain.tar", "-C", "../out"]);
    let manifest = fs_err::read(sandbox.path("../out/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("JSON");
    let mut n_files = 0;
    for item in manifest["items"].as_array().expect("items") {
        let at = sandbox.path("../out/items").join(item["name"].as_str().expect("a name"));
        for entry in item["entries"].as_array().expect("entries") {
            let at = match entry["path"].as_str().expect("a path") {
                "" => at.clone(),
                path => at.join(path),
            };
            let meta = fs_err::symlink_metadata(&at).expect("extracted");
            if entry["type"] == "link" {
                let target = fs_err::read_link(&at).expect("a link");
                assert_eq!(entry["target"], target.to_str().expect("UTF-8"));
                continue;
            }
            assert_eq!(entry["mode"], meta.permissions().mode() & 0o777, "{}", at.display());
            if entry["type"] == "file" {
                let bytes = fs_err::read(&at).expect("read");
                assert_eq!(entry["size_bytes"], bytes.len(), "{}", at.display());
                assert_eq!(entry["blake3"], blake3::hash(&bytes).to_hex().as_str());
                n_files += 1;
            }
        }
    }
    // `.env`, the allowlist, three files of the folder, and the database with its record.
    assert_eq!(n_files, 7, "{manifest:#}");
    for (place, item) in [("groups", "groups"), (".env", "env")] {
        let (here, there) = (sandbox.path(place), sandbox.path("../out/items").join(item));
        run(
            &sandbox,
            "diff",
            &[
                "-r",
                "--no-dereference",
                here.to_str().expect("UTF-8"),
                there.to_str().expect("UTF-8"),
            ],
        );
    }
    let folder = fs_err::read_dir(sandbox.path("../out/items/kalito")).expect("a folder");
    let mut databases = folder.map(|one| one.expect("an entry").path());
    let database = databases.find(|path| path.extension().is_some_and(|end| end == "bak"));
    assert_eq!(messages(&database.expect("a database")), ["one", "two", "three"]);
}

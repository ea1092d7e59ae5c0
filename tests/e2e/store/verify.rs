//! `db-verify` of stored checkpoints: damage names those that it touches, the others stay good.

use crate::store::prune::{Kept, checkpoint, checkpoints, give_back, newer_pack, packs};
use crate::support::sandbox::Sandbox;

/// The packs that a checkpoint brought.
fn taking(sandbox: &Sandbox, nth: usize) -> (Kept, Vec<std::path::PathBuf>) {
    let before = packs(sandbox);
    let kept = checkpoint(sandbox, nth);
    let mut new = packs(sandbox);
    new.retain(|path| !before.contains(path));
    (kept, new)
}

/// What `db-verify --all` contains about each, by name.
fn outcomes(sandbox: &Sandbox, code: i32) -> std::collections::BTreeMap<String, String> {
    let said = sandbox.fails(code, &["db-verify", "--all", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).expect("a document");
    let rows = document["backups"].as_array().expect("rows");
    let text = |value: &serde_json::Value| value.as_str().expect("a text").to_owned();
    rows.iter().map(|row| (text(&row["name"]), text(&row["outcome"]))).collect()
}

fn flip(path: &std::path::Path, at: usize) {
    let mut bytes = fs_err::read(path).expect("bytes");
    bytes[at] ^= 1;
    fs_err::write(path, bytes).expect("written");
}

#[test]
fn whole_checkpoints_are_said_to_be_whole_in_a_line_each() {
    let (sandbox, _) = checkpoints(2);
    let said = sandbox.ok(&["db-verify", "--all"]);
    insta::assert_snapshot!(said.out, @r"
    kalito.db.2025-09-13_142630.pages is whole: size and BLAKE3 as recorded, quick_check ok when it was taken, 1 table, 123 rows
    kalito.db.2025-09-13_142530.pages is whole: size and BLAKE3 as recorded, quick_check ok when it was taken, 1 table, 123 rows
    ");
    assert_eq!(said.err, "");
    let said = sandbox.ok(&["db-verify"]);
    assert!(said.out.contains("BLAKE3 as recorded, integrity_check ok, 1 table"), "{}", said.out);
    let newest = &sandbox.json(&["db-list"])["backups"][0];
    assert_eq!(newest["verified"]["depth"], "deep");
}

#[test]
fn damage_names_just_the_checkpoints_that_it_touches() {
    let (sandbox, mut kept) = checkpoints(1);
    let (second, packs_of_second) = taking(&sandbox, 1);
    kept.push(second);
    kept.push(checkpoint(&sandbox, 6));
    flip(&packs_of_second[0], 5000);
    let outcomes = outcomes(&sandbox, 1);
    assert_eq!(outcomes[&kept[0].name], "whole");
    assert_eq!(outcomes[&kept[1].name], "damaged");
    // The third changed the same rows, and needs none of the second's pages but few.
    give_back(&sandbox, &kept[..1], "the damage");
    let list = sandbox.json(&["db-list"]);
    let state = |name: &str| {
        let rows = list["backups"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).expect(name)["state"].clone()
    };
    assert_eq!((state(&kept[0].name), state(&kept[1].name)), ("verified".into(), "damaged".into()));
    let said = sandbox.fails(1, &["db-restore", &kept[1].name, "--yes"]);
    assert!(said.err.contains("page data is damaged: in the pack `packs/"), "{}", said.err);
}

#[test]
fn a_new_checkpoint_stands_on_its_own_where_those_before_are_damaged() {
    let (sandbox, kept) = checkpoints(1);
    for path in packs(&sandbox) {
        flip(&path, 3000);
    }
    assert_eq!(outcomes(&sandbox, 1)[&kept[0].name], "damaged");
    let new = checkpoint(&sandbox, 1);
    assert_eq!(outcomes(&sandbox, 1)[&new.name], "whole");
    give_back(&sandbox, &[new], "the damage");
}

#[test]
fn a_pack_that_is_gone_or_cut_short_is_said_with_its_name() {
    for cut in [false, true] {
        let (sandbox, mut kept) = checkpoints(1);
        let (second, packs_of_second) = taking(&sandbox, 1);
        kept.push(second);
        let path = &packs_of_second[0];
        if cut {
            let bytes = fs_err::read(path).expect("bytes");
            fs_err::write(path, &bytes[..bytes.len() / 2]).expect("written");
        } else {
            fs_err::remove_file(path).expect("removed");
        }
        let said = sandbox.fails(1, &["db-verify", "--all"]);
        let pack = path.file_name().expect("a name").to_string_lossy();
        let trouble = if cut { "cannot be read" } else { "is missing" };
        let wanted = format!("page data is missing: the pack `packs/{}…` {trouble}", &pack[..16]);
        assert!(said.out.contains(&format!("{} is damaged\n", kept[1].name)), "{}", said.out);
        assert!(said.out.contains(&wanted), "{wanted}: {}", said.out);
        assert!(said.out.contains(&format!("{} is whole", kept[0].name)), "{}", said.out);
        give_back(&sandbox, &kept[..1], "the loss of a pack");
        let document = sandbox.json(&["db-status"]);
        let problems = document["problems"].as_array().expect("problems").iter();
        let codes: Vec<_> = problems.filter_map(|problem| problem["code"].as_str()).collect();
        assert!(codes.contains(&if cut { "pack" } else { "pages-missing" }), "{codes:?}");
    }
}

#[test]
fn a_damaged_pack_that_nobody_needs_is_a_warning() {
    let (sandbox, kept) = checkpoints(1);
    let pack = sandbox.path(&format!("backups/packs/{}.pack", "a".repeat(64)));
    let bytes = fs_err::read(&packs(&sandbox)[0]).expect("a pack");
    fs_err::write(&pack, bytes).expect("written");
    let said = sandbox.ok(&["db-verify", "--all"]);
    insta::assert_snapshot!(said.err, @"warning: the pack `packs/aaaaaaaaaaaaaaaa…` is damaged: \
                                        its bytes do not match its name; no backup here needs the \
                                        damaged part");
    give_back(&sandbox, &kept, "the verification");
}

#[test]
fn a_pack_of_a_newer_version_is_not_called_damage() {
    let (sandbox, kept) = checkpoints(1);
    for path in packs(&sandbox) {
        let bytes = newer_pack(fs_err::read(&path).expect("bytes"));
        fs_err::write(&path, bytes).expect("written");
    }
    let said = sandbox.fails(2, &["db-verify", "--all"]);
    assert!(said.out.contains("has version 3: update xtask-db to read it"), "{said:#?}");
    // Nobody can read it here: that is not damage, and no proof either.
    let state = "unread since 2025-09-13";
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["state"], state);
    assert_eq!(sandbox.json(&["db-list"])["backups"][0]["name"], kept[0].name.as_str());
}

#[test]
fn the_status_shows_what_the_store_takes_and_saves() {
    let (sandbox, _) = checkpoints(3);
    let said = sandbox.run(&["db-status"]);
    let lines: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.contains("page store") || line.contains("shared"))
        .collect();
    assert!(lines[0].starts_with("  page store   3 backups of "), "{lines:?}");
    assert!(lines[0].contains(" in 3 packs of "), "{lines:?}");
    let document = sandbox.json(&["db-status"]);
    let store = &document["folder"]["store"];
    // Three copies share all but a fifth each.
    let dedupe = store["dedupe_ratio"].as_f64().expect("a ratio");
    assert!((1.7..2.6).contains(&dedupe), "{dedupe}");
    assert_eq!((&store["backups"], &store["packs"]), (&3.into(), &3.into()));
    let list = sandbox.ok(&["db-list"]);
    assert!(
        list.out
            .lines()
            .filter(|line| line.contains("  scheduled  ") && line.contains(" new"))
            .count()
            == 3,
        "{}",
        list.out
    );
}

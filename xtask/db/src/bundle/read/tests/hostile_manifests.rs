//! Manifests that announce what nobody may announce, or that are not where they belong.

use super::*;

/// The archive is what the manifest announces, and that is hostile: nothing is extracted at all.
#[test]
fn a_manifest_that_announces_hostile_things_is_refused() {
    let world = World::new();
    let precious = format!("{}/precious", world.outside());
    let with = |entries: &[Entry]| {
        let mut manifest = sound();
        manifest.items[1].entries.extend_from_slice(entries);
        manifest
    };
    let named = |name: &str| {
        let mut manifest = sound();
        manifest.items[0].name = name.to_owned();
        manifest
    };
    let special = |mode| with(&[Entry { mode, ..file("run", b"a") }]);
    let sized = |size_bytes| {
        let blake3 = "0".repeat(64);
        with(&[entry("z", 0o644, Content::File { size_bytes, blake3 })])
    };
    let leaves = "leaves its item";
    let rows = [
        ("an absolute path", with(&[file(&precious, b"a")]), leaves),
        ("a path with ..", with(&[file("deep/../../../outside/evil", b"a")]), leaves),
        ("a link outside", with(&[link("z", &precious)]), leaves),
        ("a link up", with(&[link("deep/z", "../../x")]), leaves),
        ("a link up by a link", with(&[link("deep/up", ".."), link("z", "deep/up/../x")]), leaves),
        ("a file beneath a link", with(&[link("z", "deep"), file("z/b", b"a")]), "is missing"),
        ("a link, then a folder", with(&[link("z", "deep"), folder("z")]), "there twice"),
        ("a file beneath a file", with(&[file("a.txt/z", b"a")]), "is missing"),
        ("a file twice", with(&[file("a.txt", b"a")]), "there twice"),
        ("case twins", with(&[file("A.TXT", b"a")]), "there twice"),
        ("case twins of folders", with(&[folder("DEEP")]), "there twice"),
        ("case twins beyond ASCII", with(&[file("é", b"a"), file("É", b"a")]), "there twice"),
        ("setuid", special(0o4755), "special permissions"),
        ("setgid", special(0o2755), "special permissions"),
        ("a kind in the mode", special(0o100_644), "special permissions"),
        ("an impossible size", sized(u64::MAX), "too large"),
        ("impossible sizes together", sized(i64::MAX as u64), "too large"),
        ("an item that is a path", named("../env"), "a name that is none"),
        ("an item without a name", named(""), "a name that is none"),
        ("two items of a name", named("Groups"), "the same name"),
        ("version 0", Manifest { version: 0, ..sound() }, "version 0"),
        (
            "version 3",
            Manifest { version: 3, ..sound() },
            "has version 3, and this program reads up to 2",
        ),
    ];
    for (what, manifest, expected) in rows {
        // What tar itself could not hold need not be there: the manifest is judged first.
        let is_long = |item: &Item| item.entries.iter().any(|e| item.member(e).len() > 99);
        let all = if manifest.items.iter().any(is_long) {
            vec![first(&serde_json::to_vec(&manifest).expect("a document"))]
        } else {
            members(&manifest)
        };
        world.refused(what, &packed(&archive(&all)), expected);
        let left = fs_err::read_dir(world.path("stage/new")).expect("a folder").count();
        assert_eq!(left, 0, "{what}");
    }
}

#[test]
fn a_newer_version_is_refused_by_number_whatever_its_manifest_contains() {
    let world = World::new();
    for version in ["3", "4294967296"] {
        let json = format!("{{\"version\":{version},\"things\":[]}}");
        let error = world.extract(&packed(&archive(&[first(json.as_bytes())]))).err();
        let error = error.expect("refused");
        assert!(error.is::<Refusal>() && error.to_string().contains(version), "{error:#}");
    }
}

#[test]
fn a_manifest_that_announces_a_million_things_is_refused_before_they_are_kept() {
    let world = World::new();
    let json = serde_json::to_string(&sound()).expect("a document");
    let million = vec!["1"; 1_000_000].join(",");
    for (list, expected) in [
        ("\"entries\":[", "more than 200000 files"),
        ("\"items\":[", "cannot be read"),
        ("\"not_covered\":[", "more than 1000 items"),
        ("\"left_out\":[", "more than 1000 items"),
    ] {
        let (before, after) = json.split_once(list).expect("a list");
        let more = if after.starts_with(']') { million.clone() } else { format!("{million},") };
        let json = format!("{before}{list}{more}{after}");
        let expected = if list.contains("\"items") { "invalid type" } else { expected };
        world.refused(list, &packed(&archive(&[first(json.as_bytes())])), expected);
    }
    // Items of one entry each, and more members than the manifest has.
    let items = (0..2000).map(|n| item(&format!("i{n}"), Kind::File, vec![file("", b"a")]));
    let many = manifest_of(items.collect());
    world.refused("items", &packed(&archive(&members(&many))), "more than 1000 items");
    let one = member(EntryType::Regular, "items/groups/z", "", 0o644, b"");
    let all = [members(&sound()), vec![one; 100_000]].concat();
    world.refused("members", &packed(&archive(&all)), "that its manifest does not name");
}

#[test]
fn a_manifest_that_is_missing_late_doubled_or_wrong_is_refused() {
    let world = World::new();
    let all = members(&sound());
    let json = serde_json::to_vec(&sound()).expect("a document");
    let manifest_as = |kind| member(kind, FILE, "", 0o600, &json);
    let with_first = |first: Vec<u8>| [&[first][..], &all[1..]].concat();
    let but = |name: &str| {
        let mut all = all.clone();
        all.remove(at(&sound(), name));
        all
    };
    let extra = member(EntryType::Regular, "items/extra", "", 0o644, b"a");
    let linked = member(EntryType::Symlink, FILE, "items/env", 0o600, &json);
    for (what, members, expected) in [
        ("missing", all[1..].to_vec(), "not the manifest"),
        ("late", [&all[1..], &all[..1]].concat(), "not the manifest"),
        ("twice", [&all[..1], &all[..]].concat(), "is missing: `manifest.json` is in its place"),
        ("a link", with_first(linked), "not the manifest"),
        ("sparse", with_first(manifest_as(EntryType::GNUSparse)), "not the manifest"),
        ("behind PAX", [vec![manifest_as(EntryType::XHeader)], all.clone()].concat(), "not the"),
        ("no JSON", with_first(first(b"{")), "its manifest cannot be read"),
        ("another JSON", with_first(first(b"{\"version\":1}")), "missing field"),
        ("no members", Vec::new(), "ends too early"),
        ("an extra member", [&all[..], std::slice::from_ref(&extra)].concat(), "does not name"),
        ("an extra member amid", [&all[..2], &[extra], &all[2..]].concat(), "is missing"),
        ("an item is missing", but("items/env"), "`items/env` is missing"),
        ("the last is missing", but("items/groups/link"), "ends too early"),
        ("the order is another", [&all[..1], &all[2..], &all[1..2]].concat(), "is missing"),
    ] {
        world.refused(what, &packed(&archive(&members)), expected);
    }
}

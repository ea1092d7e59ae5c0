//! What is around the archive: its end, the frames of zstd and the header of age; and what unpacks to far more than it is.

use super::*;

/// How many zeros compress to next to nothing in what is to unpack too far.
const MANY: usize = 64 << 20;

#[test]
fn what_unpacks_a_thousandfold_is_not_unpacked() {
    let world = World::new();
    let zeros = vec![0; MANY];
    let with = |at: usize, hostile: Vec<u8>| {
        let mut members = members(&sound());
        members[at] = hostile;
        packed(&archive(&members))
    };
    let a = at(&sound(), "items/groups/a.txt");
    let long = |kind| member(kind, "././@LongLink", "", 0o644, &zeros);
    let large = |name: &str| member(EntryType::Regular, name, "", 0o644, &zeros);
    for (what, bytes, expected) in [
        ("a file", with(a, large("items/groups/a.txt")), "another size"),
        ("a long name", with(a, long(EntryType::GNULongName)), "a name is too long"),
        ("a long target", with(a, long(EntryType::GNULongLink)), "a name is too long"),
        ("before the manifest", with(0, long(EntryType::GNULongName)), "a name is too long"),
        ("another first member", with(0, large("zeros")), "not the manifest"),
        (
            "behind the archive",
            packed(&[archive(&members(&sound())), zeros.clone()].concat()),
            "unpacks to more than it announces",
        ),
    ] {
        assert!(MANY / bytes.len() >= 1000, "{what}: {}", bytes.len());
        world.refused(what, &bytes, expected);
    }
    // The size of the manifest is looked at before its bytes.
    let mut header = Header::new_gnu();
    header.set_path(FILE).expect("a name");
    header.set_mode(0o600);
    header.set_size(MAX_BYTES + 1);
    let all = [padded(header, b""), zeros.clone()];
    world.refused("the manifest", &packed(&archive(&all)), "its manifest is too large");
}

#[test]
fn what_follows_a_bundle_or_is_missing_at_its_end_is_found() {
    let world = World::new();
    let tar = archive(&members(&sound()));
    let sound = packed(&tar);
    let trailer = &sound[sound.len() - 40..];
    let frame = &sound[..sound.len() - 40];
    let other = packed(&archive(&[]));
    for (what, bytes, expected) in [
        ("bytes behind the members", packed(&[&tar[..], b"more"].concat()), "follows the archive"),
        ("a second archive", packed(&[&tar[..], &tar].concat()), "follows the archive"),
        ("a byte", [&sound[..], b"\0"].concat(), "something follows its end"),
        ("a second frame", [frame, frame, trailer].concat(), "something follows its end"),
        ("a frame in front", [&other[..other.len() - 40], &sound].concat(), "ends too early"),
        ("a second bundle", [&sound[..], &sound].concat(), "something follows its end"),
        ("the trailer twice", [&sound[..], trailer].concat(), "something follows its end"),
        ("no trailer", frame.to_vec(), "its hash is not that of its bytes"),
        ("another's trailer", [frame, &other[other.len() - 40..]].concat(), "its hash is not"),
        ("nothing", Vec::new(), "damaged"),
        ("a text", b"a text that is not a bundle".to_vec(), "damaged"),
    ] {
        world.refused(what, &bytes, expected);
    }
    for n_bytes in 0..sound.len() {
        world.refused("a truncated file", &sound[..n_bytes], "damaged");
    }
}

#[test]
fn a_window_of_zstd_that_needs_much_memory_is_refused() {
    let world = World::new();
    for (log, is_accepted) in [(24, true), (25, false), (27, false), (30, false)] {
        let mut encoder = Encoder::new(Summed::new(Vec::new()), 1).expect("an encoder");
        encoder.window_log(log).expect("a window");
        encoder.write_all(&archive(&members(&sound()))).expect("compressed");
        let (bytes, trailer) = encoder.finish().expect("compressed").end();
        let bytes = [bytes, trailer].concat();
        if is_accepted {
            world.extract(&bytes).expect("a window of 16 MiB");
            fs_err::remove_dir_all(world.path("stage/new")).expect("removed");
            fs_err::create_dir(world.path("stage/new")).expect("a folder");
        } else {
            world.refused("a large window", &bytes, "damaged");
        }
    }
}

#[test]
fn the_header_of_age_cannot_ask_for_much() {
    let world = World::new();
    let line = format!("{}\n", "A".repeat(64));
    let endless = format!("age-encryption.org/v1\n-> X25519 a\n{}", line.repeat(100_000));
    let stanzas = "-> X25519 a\nAA\n".repeat(100_000);
    let many = format!("age-encryption.org/v1\n{stanzas}");
    let short = format!("age-encryption.org/v1\n{}", "-> a\n\n".repeat(100_000));
    let unbroken = format!("age-encryption.org/v1\n{}", "-".repeat(4 << 20));
    let work = |n: u32| {
        let salt = "A".repeat(22);
        let body = "A".repeat(43);
        let mac = "A".repeat(43);
        format!("age-encryption.org/v1\n-> scrypt {salt} {n}\n{body}\n--- {mac}\nnonce and payload")
    };
    let began = std::time::Instant::now();
    for (what, text, expected) in [
        ("a long stanza", endless, "its header is too large"),
        ("many stanzas", many, "its header is too large"),
        ("short stanzas", short, "its header is too large"),
        ("a long line", unbroken, "its header is too large"),
        ("much work", work(30), "more work for its passphrase than is reasonable"),
        ("version 2", work(1).replace("v1", "v2"), ""),
    ] {
        let path = world.path("sealed");
        fs_err::write(&path, text).expect("written");
        let keys = Keys::of_passphrase("wrong".to_owned().into());
        let error = manifest(&path, &keys, &world.interrupt).expect_err("refused");
        let is_judged = error.is::<Damage>() || error.is::<Refusal>();
        assert!(is_judged && error.to_string().contains(expected), "{what}: {error:#}");
    }
    // The parser of age would take hours.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

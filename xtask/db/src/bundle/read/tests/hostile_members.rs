//! The manifest is sound, and a member is not what it announces.

use super::*;

#[test]
fn a_member_that_is_something_else_is_refused() {
    use EntryType as Type;
    let world = World::new();
    let name = "items/groups/a.txt";
    let outside = world.outside();
    let precious = format!("{outside}/precious");
    let pax = |record: &str| member(Type::XHeader, name, "", 0o644, record.as_bytes());
    let global = |record: &str| member(Type::XGlobalHeader, name, "", 0o644, record.as_bytes());
    let plain = || member(Type::Regular, name, "", 0o644, b"a");
    let like = |kind| member(kind, name, "", 0o644, b"a");
    let other = |name: &str| member(Type::Regular, name, "", 0o644, b"a");
    let sparse = {
        let mut header = Header::new_gnu();
        header.set_entry_type(Type::GNUSparse);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        header.set_size(1);
        header.as_gnu_mut().expect("gnu").realsize = *b"77777777777\0";
        padded(header, b"a")
    };
    let mut announces_less = Header::new_gnu();
    announces_less.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    announces_less.set_mode(0o644);
    announces_less.set_size(u64::MAX);
    let rows = [
        ("an absolute path", other(&precious), "is missing"),
        ("a path with ..", other("items/groups/../../../outside/evil"), "is missing"),
        ("a path that begins with ..", other("../../outside/evil"), "is missing"),
        ("a path with a dot", other("items/groups/./a.txt"), "is missing"),
        ("another case", other("items/groups/A.txt"), "is missing"),
        ("a symbolic link", member(Type::Symlink, name, &precious, 0o644, b""), "another size"),
        ("a link with content", member(Type::Symlink, name, &precious, 0o644, b"a"), "is not what"),
        ("a hard link", member(Type::Link, name, &precious, 0o644, b"a"), "is not what"),
        ("a character device", like(Type::Char), "is not what"),
        ("a block device", like(Type::Block), "is not what"),
        ("a FIFO", like(Type::Fifo), "is not what"),
        ("a contiguous file", like(Type::Continuous), "is not what"),
        ("a folder", like(Type::Directory), "is not what"),
        ("an unknown kind", like(Type::new(b'Z')), "is not what"),
        ("a sparse file", sparse, "is not what"),
        ("a PAX size", [pax("10 size=9\n"), plain()].concat(), "another size"),
        ("a PAX path", [pax(&format!("99 path={precious}\n")), plain()].concat(), "another size"),
        ("any PAX header", [pax("a"), plain()].concat(), "is not what"),
        ("a global PAX header", [global("a"), plain()].concat(), "is not what"),
        ("a PAX link", [pax("16 linkpath=/etc\n"), plain()].concat(), "another size"),
        ("setuid", member(Type::Regular, name, "", 0o4644, b"a"), "other permissions"),
        ("setgid", member(Type::Regular, name, "", 0o2644, b"a"), "other permissions"),
        ("a sticky bit", member(Type::Regular, name, "", 0o1644, b"a"), "other permissions"),
        ("other bytes", member(Type::Regular, name, "", 0o644, b"b"), "other bytes"),
        ("more bytes", member(Type::Regular, name, "", 0o644, b"ab"), "another size"),
        ("a size beyond all", padded(announces_less, b"a"), "size overflow"),
        ("the member twice", [plain(), plain()].concat(), "is missing"),
        ("nothing", Vec::new(), "is missing"),
    ];
    let at = at(&sound(), name);
    for (what, hostile, expected) in rows {
        let mut members = members(&sound());
        members[at] = hostile;
        world.refused(what, &packed(&archive(&members)), expected);
    }
}

#[test]
fn a_pax_size_that_differs_from_the_header_s_does_not_move_what_follows() {
    let world = World::new();
    let name = "items/groups/a.txt";
    // By the header the file is empty, and by the extension it hides another member.
    let hidden = member(EntryType::Symlink, "items/groups/deep", &world.outside(), 0o777, b"");
    for kind in [EntryType::XHeader, EntryType::XGlobalHeader] {
        let mut members = members(&sound());
        members[at(&sound(), name)] = [
            member(kind, name, "", 0o644, b"12 size=512\n"),
            member(EntryType::Regular, name, "", 0o644, b""),
            hidden.clone(),
        ]
        .concat();
        world.refused(
            "a PAX size",
            &packed(&archive(&members)),
            "`items/groups/a.txt` has another",
        );
    }
}

#[test]
fn nothing_is_written_beneath_a_link() {
    let world = World::new();
    let outside = world.outside();
    let deep = at(&sound(), "items/groups/deep");
    let link = |name: &str| member(EntryType::Symlink, name, &outside, 0o755, b"");
    let is_no_folder = "`items/groups/deep` is not what the manifest announces";
    for (what, hostile, expected) in [
        ("a link in the folder's place", link("items/groups/deep"), is_no_folder),
        ("a link with a slash", link("items/groups/deep/"), is_no_folder),
        (
            "a link, then the folder",
            [link("items/groups/deep"), members(&sound())[deep].clone()].concat(),
            is_no_folder,
        ),
        (
            "the folder, then a link",
            [members(&sound())[deep].clone(), link("items/groups/deep")].concat(),
            "`items/groups/deep/b.txt` is missing",
        ),
    ] {
        let mut members = members(&sound());
        members[deep] = hostile;
        world.refused(what, &packed(&archive(&members)), expected);
    }
    let mut members = members(&sound());
    members[at(&sound(), "items/groups/link")] =
        member(EntryType::Symlink, "items/groups/link", &outside, 0o777, b"");
    world.refused("a link elsewhere", &packed(&archive(&members)), "points elsewhere");
}

#[test]
fn an_interrupt_is_not_taken_for_damage() {
    let world = World::new();
    world.interrupt.raise();
    let error = world.extract(&packed(&archive(&members(&sound())))).expect_err("interrupted");
    assert!(error.is::<Refusal>() && !error.is::<Damage>(), "{error:#}");
}

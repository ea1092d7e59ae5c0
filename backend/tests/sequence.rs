//! The rule for names of migration files, which the build script holds.

#[path = "../build/sequence.rs"]
mod rule;

fn findings(names: &[&str]) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    rule::findings(&names)
}

#[test]
fn a_whole_sequence_is_accepted() {
    assert_eq!(findings(&["0001_initial.sql"]), Vec::<String>::new());
    assert_eq!(findings(&["0001_a.sql", "0002_b_2.sql", "0003_c.sql"]), Vec::<String>::new());
}

#[test]
fn each_break_of_the_sequence_is_said_once() {
    let check = |names: &[&str], expected: &str| {
        let found = findings(names);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{found:?}");
    };
    check(&[], "contains no migration");
    check(&["0002_b.sql"], "has number 2, but 1 comes next");
    check(&["0000_a.sql", "0001_b.sql"], "has number 0, but 1 comes next");
    check(&["0001_a.sql", "0003_c.sql", "0004_d.sql"], "has number 3, but 2 comes next");
    check(&["0001_a.sql", "0001_b.sql", "0002_c.sql"], "has the same number as `0001_a.sql`");
    for name in ["2_b.sql", "00002_b.sql", "0002-b.sql", "0002_B.sql", "0002_.sql", "notes.sql"] {
        check(&["0001_a.sql", name], "is not named like");
    }
}

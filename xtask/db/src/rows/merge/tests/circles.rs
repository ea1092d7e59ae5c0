//! Rows that wait for each other in a circle, because a column belongs to their keys and to their
//! references at once.

use proptest::prelude::*;

use super::*;

const TENANTS: &str = "CREATE TABLE tenants (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL);";

/// Chats that know their last message, whose tenant both share.
fn schema(tenant: &str, identity: &str) -> String {
    format!(
        "CREATE TABLE chats (
           id INTEGER PRIMARY KEY, tenant {tenant}, slug TEXT NOT NULL, last INTEGER,
           UNIQUE (tenant, slug), UNIQUE (tenant, id),
           FOREIGN KEY (tenant, last) REFERENCES messages (tenant, id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE messages (
           id INTEGER PRIMARY KEY, tenant {tenant}, chat INTEGER NOT NULL, text TEXT NOT NULL,
           UNIQUE (tenant, id){identity},
           FOREIGN KEY (tenant, chat) REFERENCES chats (tenant, id) DEFERRABLE INITIALLY DEFERRED);"
    )
}

/// The contents of both tables, without numbers.
fn contents(place: &Place, name: &str, tenant: &str) -> Vec<String> {
    let chats = format!(
        "SELECT {tenant}, slug, (SELECT m.text FROM messages AS m WHERE m.tenant = x.tenant AND m.id = last)
         FROM chats AS x ORDER BY 1, 2"
    );
    let messages = format!(
        "SELECT {tenant}, text, (SELECT c.slug FROM chats AS c WHERE c.tenant = x.tenant AND c.id = x.chat)
         FROM messages AS x ORDER BY 1, 2, 3"
    );
    let orphans = place.rows(name, "PRAGMA foreign_key_check");
    assert!(orphans.is_empty(), "{orphans:?}");
    [place.rows(name, &chats), place.rows(name, &messages)].concat()
}

/// Merges three machines' databases in each order.
fn in_any_order(schema: &str, tenant: &str, machines: [&str; 3]) -> Vec<String> {
    let place = Place::new();
    for (name, rows) in ["a", "b", "c"].iter().zip(machines) {
        place.make(name, &format!("{schema} BEGIN; {rows} COMMIT;"));
        place.copy(name, &format!("{name}0"));
    }
    merged_in_any_order(&place, tenant)
}

/// The contents of the databases `a`, `b` and `c` after each was merged with copies of the other
/// two.
fn merged_in_any_order(place: &Place, tenant: &str) -> Vec<String> {
    for (into, from) in [("a", ["b0", "c0"]), ("b", ["c0", "a0"]), ("c", ["b0", "a0"])] {
        let report = place.merge(into, &from);
        assert!(report.problems.is_empty(), "{report:#?}");
    }
    let merged = contents(place, "a", tenant);
    assert_eq!(merged, contents(place, "b", tenant));
    assert_eq!(merged, contents(place, "c", tenant));
    for again in ["a0", "b0", "c0", "b"] {
        let report = place.merge("a", &[again]);
        assert_eq!(report.n_inserted() + report.n_replaced(), 0, "{again} {report:#?}");
    }
    merged
}

#[test]
fn a_tenants_name_in_keys_and_references_does_not_hold_up_a_merge() {
    for identity in [", UNIQUE (text)", ", UNIQUE (tenant, text)", ""] {
        let merged = in_any_order(
            &schema("TEXT NOT NULL", identity),
            "tenant",
            [
                "INSERT INTO chats VALUES (1, 'n', 'x', 1), (2, 's', 'x', 3);
                 INSERT INTO messages VALUES (1, 'n', 1, 'one'), (2, 'n', 1, 'two'), (3, 's', 2, 'three');",
                "INSERT INTO chats VALUES (5, 's', 'y', 1); INSERT INTO messages VALUES (1, 's', 5, 'four');",
                "INSERT INTO chats VALUES (1, 's', 'z', 2), (2, 'n', 'x', 7);
                 INSERT INTO messages VALUES (2, 's', 1, 'five'), (7, 'n', 2, 'one');",
            ],
        );
        assert_eq!(merged.len(), 4 + 5, "{merged:#?}");
    }
}

#[test]
fn a_tenants_number_in_keys_and_references_does_not_hold_up_a_merge() {
    for identity in [", UNIQUE (text)", ", UNIQUE (tenant, text)", ""] {
        let tables = schema("INTEGER NOT NULL REFERENCES tenants (id)", identity);
        let merged = in_any_order(
            &format!("{TENANTS} {tables}"),
            "(SELECT name FROM tenants AS t WHERE t.id = x.tenant)",
            [
                "INSERT INTO tenants VALUES (1, 'n'), (2, 's');
                 INSERT INTO chats VALUES (1, 1, 'x', 1), (2, 2, 'x', 3);
                 INSERT INTO messages VALUES (1, 1, 1, 'one'), (2, 1, 1, 'two'), (3, 2, 2, 'three');",
                "INSERT INTO tenants VALUES (1, 's');
                 INSERT INTO chats VALUES (5, 1, 'y', 1); INSERT INTO messages VALUES (1, 1, 5, 'four');",
                "INSERT INTO tenants VALUES (1, 's'), (9, 'n');
                 INSERT INTO chats VALUES (1, 1, 'z', 2), (2, 9, 'x', 7);
                 INSERT INTO messages VALUES (2, 1, 1, 'five'), (7, 9, 2, 'one');",
            ],
        );
        assert_eq!(merged.len(), 4 + 5, "{merged:#?}");
    }
}

#[test]
fn a_reference_in_a_circle_that_would_move_a_row_to_another_tenant_is_refused() {
    let schema = schema("TEXT NOT NULL", ", UNIQUE (text)");
    let place = Place::new();
    place.make(
        "here",
        &format!(
            "{schema} BEGIN; INSERT INTO chats VALUES (1, 'n', 'x', 1);
             INSERT INTO messages VALUES (1, 'n', 1, 'one'); COMMIT;"
        ),
    );
    place.make(
        "file",
        &format!(
            "{schema} BEGIN; INSERT INTO chats VALUES (4, 's', 'x', 6);
             INSERT INTO messages VALUES (6, 's', 4, 'one'); COMMIT;"
        ),
    );
    let before = contents(&place, "here", "tenant");
    let report = place.merge_with("here", &["file"], &policy(OnConflict::Skip)).expect("planned");
    assert!(!report.problems.is_empty(), "{report:#?}");
    assert_eq!(before, contents(&place, "here", "tenant"));
}

/// Which of eight chats there are, with which of three messages each besides the last one, and by how
/// much all numbers are shifted.
#[derive(Debug, Clone)]
struct Machine {
    chats: [u8; 8],
    chat_shift: i64,
    message_shift: i64,
}

fn machines() -> impl Strategy<Value = Vec<Machine>> {
    let machine = (prop::array::uniform8(0_u8..16), 0_i64..9, 0_i64..9);
    let machine = machine.prop_map(|(chats, chat_shift, message_shift)| Machine {
        chats,
        chat_shift,
        message_shift,
    });
    prop::collection::vec(machine, 3)
}

fn rows(machine: &Machine) -> String {
    let Machine { chats, chat_shift, message_shift } = machine;
    let mut rows = vec!["INSERT INTO tenants VALUES (111, 'n'), (112, 's');".to_owned()];
    let mut message = *message_shift;
    for (at, messages) in chats.iter().enumerate().filter(|(_, messages)| **messages > 0) {
        let (tenant, chat) = (111 + at % 2, chat_shift + i64::try_from(at).expect("small"));
        for text in (0..4).filter(|text| (messages | 8) & (1 << text) > 0) {
            message += 1;
            rows.push(format!(
                "INSERT INTO messages VALUES ({message}, {tenant}, {chat}, 'text {text} of {at}');"
            ));
        }
        rows.push(format!("INSERT INTO chats VALUES ({chat}, {tenant}, 'chat {at}', {message});"));
    }
    rows.concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_chats_there_are_the_order_of_merges_does_not_matter(
        machines in machines(), tenant in 0_usize..3, has_key in any::<bool>()
    ) {
        let place = Place::new();
        let identity = if has_key { ", UNIQUE (tenant, text)" } else { "" };
        let by_number = "(SELECT name FROM tenants AS t WHERE t.id = x.tenant)";
        let (tenant, shown) = [
            ("INTEGER NOT NULL REFERENCES tenants (id)", by_number),
            ("TEXT NOT NULL REFERENCES tenants (name)", "tenant"),
            ("TEXT NOT NULL", "tenant"),
        ][tenant];
        let schema = schema(tenant, identity);
        for (name, machine) in ["a", "b", "c"].iter().zip(&machines) {
            let mut rows = rows(machine);
            if shown == "tenant" {
                rows = rows.replace(", 111, ", ", 'n', ").replace(", 112, ", ", 's', ");
            }
            place.make(name, &format!("{TENANTS} {schema} BEGIN; {rows} COMMIT;"));
            place.copy(name, &format!("{name}0"));
        }
        merged_in_any_order(&place, shown);
    }
}

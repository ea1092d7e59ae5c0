//! Filters and orders of the table.

use serde_json::json;

use super::*;

fn backups() -> Vec<Backup> {
    let of = |name: &str, kind: &str, branch: &str, size: u64| {
        serde_json::from_value(json!({
            "name": name, "kind": kind, "created_at": "2026-11-30T21:10:00Z", "size_bytes": size,
            "state": if size == 2 { "damaged" } else { "verified" },
            "label": (kind == "manual").then_some("Before the merge"),
            "git": { "branch": branch, "commit": "bd07fa67cb2599735ddbcf0db5f188fbdd46c5c3" },
        }))
        .unwrap()
    };
    vec![
        of("c.bak", "manual", "main", 3),
        of("b.bak", "scheduled", "feature/x", 1),
        of("a.bak", "scheduled", "main", 2),
    ]
}

fn check(query: &Query, expected: &[&str]) {
    let backups = backups();
    let names: Vec<_> = query.select(&backups).into_iter().map(|backup| &*backup.name).collect();
    assert_eq!(names, expected, "{query:?}");
}

fn query(pairs: &[(&str, &str)]) -> Query {
    let pairs: serde_json::Map<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    serde_json::from_value(pairs.into()).unwrap()
}

#[test]
fn without_a_query_the_newest_comes_first() {
    check(&Query::default(), &["c.bak", "b.bak", "a.bak"]);
    check(&query(&[("order", "asc")]), &["a.bak", "b.bak", "c.bak"]);
}

#[test]
fn filters_must_all_match() {
    check(&query(&[("kind", "scheduled")]), &["b.bak", "a.bak"]);
    check(&query(&[("kind", "scheduled"), ("branch", "main")]), &["a.bak"]);
    check(&query(&[("state", "damaged")]), &["a.bak"]);
    check(&query(&[("kind", "nonsense")]), &[]);
}

#[test]
fn words_are_found_in_labels_branches_and_commits() {
    check(&query(&[("q", "MERGE before")]), &["c.bak"]);
    check(&query(&[("q", "feature")]), &["b.bak"]);
    check(&query(&[("q", "bd07fa6 main")]), &["c.bak", "a.bak"]);
}

#[test]
fn a_column_orders_in_both_directions() {
    check(&query(&[("sort", "size")]), &["c.bak", "a.bak", "b.bak"]);
    check(&query(&[("sort", "size"), ("order", "asc")]), &["b.bak", "a.bak", "c.bak"]);
    check(&query(&[("sort", "nonsense"), ("page", "x")]), &["c.bak", "b.bak", "a.bak"]);
}

#[test]
fn links_keep_the_filters_and_turn_the_order_around() {
    let query = query(&[("branch", "feature/x"), ("page", "3")]);
    assert_eq!(query.sorted_by(Sort::Size), "/?branch=feature%2Fx&sort=size&order=desc#backups");
    assert_eq!(query.sorted_by(Sort::Time), "/?branch=feature%2Fx&sort=time&order=asc#backups");
    assert_eq!(query.at_page(4), "/?branch=feature%2Fx&page=4#backups");
    assert_eq!(Query::default().link(), "/#backups");
}

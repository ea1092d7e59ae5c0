//! References by their names, and lines that can be pasted.

use rusqlite::Connection;

use super::*;

fn schema() -> Schema {
    let connection = Connection::open_in_memory().expect("a database");
    connection
        .execute_batch(
            "CREATE TABLE Post (id INTEGER PRIMARY KEY, slug); CREATE TABLE likes (post_id, who);
             CREATE TABLE notes (on_type, on_id); CREATE TABLE pair (a, b, PRIMARY KEY (a, b));
             CREATE VIRTUAL TABLE found USING fts5(slug);",
        )
        .expect("made");
    Schema::read(&connection).expect("read")
}

fn of(table: &str, column: &str, referent: Referent) -> References {
    BTreeMap::from([(table.to_owned(), BTreeMap::from([(column.to_owned(), referent)]))])
}

fn by(column: &str, tables: &[(&str, Option<&str>)]) -> Referent {
    let tables =
        tables.iter().map(|(value, table)| ((*value).to_owned(), table.map(str::to_owned)));
    Referent::By { column: column.to_owned(), tables: tables.collect() }
}

#[test]
fn names_are_found_in_any_case_and_an_unknown_one_names_the_nearest() {
    let resolved = resolve(&of("LIKES", "Post_Id", Referent::Table("post".to_owned())), &schema());
    let reference = &resolved.expect("found").references[0];
    assert_eq!((&*reference.child, &*reference.from), ("likes", "post_id"));
    assert_eq!((&*reference.parent, &*reference.to), ("post", "id"));
    let post = || Referent::Table("post".to_owned());
    for (references, said) in [
        (
            of("lkes", "post_id", post()),
            "table `lkes`, which does not exist here: did you mean `likes`?",
        ),
        (
            of("likes", "postid", post()),
            "column `postid`, which `likes` does not have: did you mean `post_id`?",
        ),
        (
            of("likes", "post_id", Referent::Table("posst".to_owned())),
            "`posst`, which does not exist here: did you mean `Post`?",
        ),
        (
            of("likes", "post_id", Referent::Table("pair".to_owned())),
            "refers to `pair`, which has no primary key of one column",
        ),
        (
            of("likes", "post_id", Referent::Table("found".to_owned())),
            "table `found`, which does not exist here",
        ),
        (
            of("notes", "on_id", by("on_typ", &[])),
            "column `on_typ`, which `notes` does not have: did you mean `on_type`?",
        ),
        (
            of("notes", "on_id", by("on_type", &[("x", Some("pst"))])),
            "table `pst`, which does not exist here: did you mean `Post`?",
        ),
    ] {
        let error = resolve(&references, &schema()).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_line_is_what_the_configuration_reads() {
    let mut all = of("likes", "post_id", Referent::Table("post".to_owned()));
    all.extend(of("odd \"name\"", "a.b", Referent::Nothing));
    all.extend(of("notes", "on_id", by("on_type", &[("App\\\\Post", Some("post")), ("x", None)])));
    let line = lines::references(&all);
    assert_eq!(
        line,
        r#"references = { likes = { post_id = "post" }, notes = { on_id = { by = "on_type", "App\\\\Post" = "post", x = false } }, "odd \"name\"" = { "a.b" = false } }"#
    );
    line.parse::<toml::Table>().expect("TOML");
    let keys = BTreeMap::from([("t".to_owned(), vec!["id".to_owned()])]);
    assert_eq!(lines::merge_key(&keys), r#"merge-key = { t = ["id"] }"#);
    assert_eq!(lines::renumber(&["t".to_owned(), "ü".to_owned()]), r#"renumber = ["t", "ü"]"#);
}

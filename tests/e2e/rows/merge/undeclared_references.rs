//! `db-import --merge` and what the schema does not say: references without a foreign key, and numbers that may be keys.

use crate::rows::merge::{machine, share, texts};
use crate::support::sandbox::{Said, Sandbox};

const POSTS: &str = "
    CREATE TABLE post (id INTEGER PRIMARY KEY, slug TEXT UNIQUE);
    CREATE TABLE photo (id INTEGER PRIMARY KEY, path TEXT UNIQUE);
    CREATE TABLE comment (id INTEGER PRIMARY KEY, on_type TEXT, on_id INTEGER, body TEXT);
    CREATE TABLE likes (id INTEGER PRIMARY KEY, post_id INTEGER, who TEXT);";
const MINE: &str = "
    INSERT INTO post VALUES (1, 'here-1'), (2, 'here-2'); INSERT INTO photo VALUES (1, '/h');
    INSERT INTO comment VALUES (1, 'post', 1, 'about here-1'); INSERT INTO likes VALUES (1, 2, 'h');";
const THEIRS: &str = "
    INSERT INTO post VALUES (1, 'there-1'); INSERT INTO photo VALUES (1, '/t');
    INSERT INTO comment VALUES (1, 'post', 1, 'about there-1'), (2, 'photo', 1, 'about /t'), (3, 'tag', 1, 'odd');
    INSERT INTO likes VALUES (1, 1, 't'), (2, 0, 'nobody');";

const ABOUT: &str = "SELECT body || ': ' || coalesce(slug, path, '-') FROM comment
    LEFT JOIN post ON on_type = 'post' AND post.id = on_id
    LEFT JOIN photo ON on_type = 'photo' AND photo.id = on_id ORDER BY comment.id";
const LIKED: &str = "SELECT who || ': ' || coalesce(slug, '-') FROM likes LEFT JOIN post ON post.id = post_id ORDER BY who";

fn two(schema: &str, here: &str, there: &str) -> Sandbox {
    let here = machine(schema, here);
    share(&machine(schema, there), &here, "theirs.jsonl");
    here
}

const MERGE: [&str; 4] = ["db-import", "--merge", "theirs.jsonl", "--yes"];

/// The lines to paste that a hint offers, each in backticks.
fn offered(said: &Said) -> Vec<String> {
    let hint = said.err.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
    let parts = hint.split('`').skip(1).step_by(2);
    parts.filter(|part| part.contains(" = ")).map(str::to_owned).collect()
}

#[test]
fn columns_that_look_like_references_are_refused_until_it_is_said_what_they_are() {
    let here = two(POSTS, MINE, THEIRS);
    let content = here.content();
    for more in [&[][..], &["--dry-run"]] {
        let said = here.fails(1, &[&MERGE[..], more].concat());
        for part in [
            "1 row of `likes` would refer to other rows of `post`: `post_id` has numbers of `post`",
            "post_id 1 is 3 here",
            "1 row of `comment` would refer to other rows of `post`: `on_id` has",
            "1 row of `comment` would refer to other rows of `photo`",
            "on_id 1 is 2 here",
        ] {
            assert!(said.err.contains(part), "{part}: {said:#?}");
        }
        assert_eq!((here.content(), here.backups().len()), (content.clone(), 0));
    }
    let lines = offered(&here.fails(1, &MERGE));
    assert_eq!(
        lines,
        [
            r#"references = { comment = { on_id = { by = "on_type", photo = "photo", post = "post" } }, likes = { post_id = "post" } }"#,
            "references = { comment = { on_id = false }, likes = { post_id = false } }",
        ]
    );
    here.configure(&lines[0]);
    here.ok(&MERGE);
    assert_eq!(
        texts(&here, ABOUT),
        ["about here-1: here-1", "about there-1: there-1", "about /t: /t", "odd: -"]
    );
    assert_eq!(texts(&here, LIKED), ["h: here-2", "nobody: -", "t: there-1"]);
    let said = here.ok(&MERGE);
    assert!(said.out.contains("every row is here already"), "{said:#?}");
    // The other way on takes the numbers as they are.
    let here = two(POSTS, MINE, THEIRS);
    here.configure(&lines[1]);
    here.ok(&MERGE);
    assert_eq!(texts(&here, LIKED), ["h: here-2", "nobody: -", "t: here-1"]);
}

#[test]
fn what_is_configured_already_stays_in_the_lines_to_paste() {
    let here = two(POSTS, MINE, THEIRS);
    here.configure(r#"references = { Comment = { ON_ID = { by = "on_type", post = "post" } } }"#);
    let lines = offered(&here.fails(1, &MERGE));
    assert_eq!(
        lines,
        [
            r#"references = { Comment = { ON_ID = { by = "on_type", photo = "photo", post = "post" } }, likes = { post_id = "post" } }"#,
            r#"references = { Comment = { ON_ID = { by = "on_type", photo = false, post = "post" } }, likes = { post_id = false } }"#,
        ]
    );
    for line in lines {
        let here = two(POSTS, MINE, THEIRS);
        here.configure(&line);
        here.ok(&MERGE);
    }
}

#[test]
fn nothing_is_suspected_where_no_number_changes_or_a_value_is_none_of_the_file_s() {
    let schema = "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
                  CREATE TABLE orders (id INTEGER PRIMARY KEY, user_id INTEGER, what TEXT);";
    let mine = "INSERT INTO user VALUES (1, 'ada')";
    // All numbers are above those here.
    let here = two(
        schema,
        mine,
        "INSERT INTO user VALUES (5, 'bob'); INSERT INTO orders VALUES (1, 5, 'x');",
    );
    here.ok(&MERGE);
    // The numbers of another system.
    let here = two(
        schema,
        mine,
        "INSERT INTO user VALUES (1, 'bob'); INSERT INTO orders VALUES (1, 777, 'x'), (2, 778, 'y'), (3, 1, 'z');",
    );
    here.ok(&MERGE);
    // Most of them are: that is reported, but not refused.
    let here = two(
        schema,
        mine,
        "INSERT INTO user VALUES (1, 'bob'); INSERT INTO orders VALUES (1, 1, 'x'), (2, 9, 'y');",
    );
    let said = here.ok(&MERGE);
    let remark = "`orders.user_id` looks like a reference to `user`, whose numbers change, but 1 of 2 values";
    assert!(said.err.contains(remark), "{said:#?}");
    // None of the columns that change is named after them.
    let other = "CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
                 CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER, user_name TEXT);";
    let here = two(
        other,
        mine,
        "INSERT INTO user VALUES (1, 'bob'); INSERT INTO orders VALUES (1, 1, 'x');",
    );
    here.ok(&MERGE);
}

#[test]
fn declared_references_behave_like_foreign_keys() {
    let schema = "
        CREATE TABLE post (id INTEGER PRIMARY KEY, slug TEXT UNIQUE);
        CREATE TABLE likes (post_id INTEGER, who TEXT, stars INTEGER, PRIMARY KEY (post_id, who)) WITHOUT ROWID;";
    let declared = r#"references = { likes = { post_id = "post" } }"#;
    // A key is found through the parent.
    let here = two(
        schema,
        "INSERT INTO post VALUES (1, 'a'), (2, 'b'); INSERT INTO likes VALUES (2, 'ada', 1);",
        "INSERT INTO post VALUES (1, 'b'); INSERT INTO likes VALUES (1, 'ada', 5), (1, 'bob', 3);",
    );
    here.configure(declared);
    here.ok(&[&MERGE[..], &["--on-conflict", "replace"]].concat());
    let rows = "SELECT slug || who || stars FROM likes JOIN post ON post.id = post_id ORDER BY 1";
    assert_eq!(texts(&here, rows), ["bada5", "bbob3"]);
    // What refers to nothing is refused, and a number that an orphan here has is not given away.
    let here = two(
        schema,
        "INSERT INTO post VALUES (1, 'a'); INSERT INTO likes VALUES (2, 'orphan', 1);",
        "INSERT INTO post VALUES (1, 'c'); INSERT INTO likes VALUES (9, 'lost', 1);",
    );
    here.configure(declared);
    let said = here.fails(1, &MERGE);
    assert!(
        said.err
            .contains("1 row of `likes` would refer to rows of `post` that are not in the file"),
        "{said:#?}"
    );
    share(&machine(schema, "INSERT INTO post VALUES (1, 'c')"), &here, "theirs.jsonl");
    here.ok(&MERGE);
    assert_eq!(texts(&here, "SELECT id || slug FROM post ORDER BY id"), ["1a", "3c"]);
}

#[test]
fn what_references_names_must_be_there_and_agree_with_the_foreign_keys() {
    let schema = "CREATE TABLE post (id INTEGER PRIMARY KEY, slug TEXT UNIQUE);
                  CREATE TABLE likes (id INTEGER PRIMARY KEY, post_id INTEGER, author INTEGER REFERENCES post (id));";
    for (line, said) in [
        (
            r#"references = { likse = { post_id = "post" } }"#,
            "`references` names the table `likse`, which does not exist here: did you mean `likes`?",
        ),
        (
            r#"references = { likes = { psot_id = "post" } }"#,
            "the column `psot_id`, which `likes` does not have: did you mean `post_id`?",
        ),
        (
            r#"references = { likes = { post_id = "pots" } }"#,
            "the table `pots`, which does not exist here: did you mean `post`?",
        ),
        (
            "references = { likes = { post_id = true } }",
            "`post_id` in `[workspace.metadata.db.databases.kalito.references.likes]` is not a table in quotes",
        ),
        (
            "references = { likes = { author = false } }",
            "contradicts the foreign key of `likes.author`",
        ),
        (
            r#"renumber = ["likse"]"#,
            "`renumber` names the table `likse`, which does not exist here: did you mean `likes`?",
        ),
        ("refrences = {}", "did you mean `references`?"),
    ] {
        let here = two(schema, "", "INSERT INTO post VALUES (1, 'a')");
        here.configure(line);
        let told = here.fails(2, &MERGE);
        assert!(told.err.contains(said), "{said}: {told:#?}");
    }
}

#[test]
fn numbers_that_sqlite_does_not_give_are_keys_or_not_as_it_is_said() {
    for kind in ["INT", "BIGINT", "INT UNSIGNED", "SERIAL"] {
        let schema = format!(
            "CREATE TABLE team (id {kind} PRIMARY KEY, name TEXT);
             CREATE TABLE member (id INTEGER PRIMARY KEY, team {kind} REFERENCES team (id), who TEXT);"
        );
        let mine = "INSERT INTO team VALUES (1, 'red'), (2, 'old'); INSERT INTO member VALUES (1, 1, 'ada');";
        let theirs = "INSERT INTO team VALUES (1, 'blue'), (2, 'old'); INSERT INTO member VALUES (1, 1, 'bob'), (2, 2, 'cy');";
        let here = two(&schema, mine, theirs);
        for policy in ["fail", "skip", "replace"] {
            let said = here.fails(1, &[&MERGE[..], &["--on-conflict", policy]].concat());
            let what = "1 row of `team` differ from the rows here that have the same number, `id`";
            assert!(said.err.contains(what), "{said:#?}");
            assert_eq!(
                offered(&said),
                [r#"merge-key = { team = ["id"] }"#, r#"renumber = ["team"]"#]
            );
        }
        here.configure(r#"renumber = ["team"]"#);
        here.ok(&MERGE);
        let rows =
            "SELECT who || ': ' || name FROM member JOIN team ON team.id = team ORDER BY who";
        assert_eq!(texts(&here, rows), ["ada: red", "bob: blue", "cy: old"]);
        let here = two(&schema, mine, theirs);
        here.configure(r#"merge-key = { team = ["id"] }"#);
        here.ok(&[&MERGE[..], &["--on-conflict", "replace"]].concat());
        assert_eq!(texts(&here, rows), ["ada: blue", "bob: blue", "cy: old"]);
    }
}

//! `db-import --records`: texts that look like numbers, in columns that would make numbers of them.

use crate::support::sandbox::{Sandbox, open};

/// The sandbox with one column of each kind that stores numbers.
fn host() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.sql(
        "CREATE TABLE codes (k INTEGER PRIMARY KEY, whole INTEGER, word STRING, id UUID,
             price DECIMAL(10, 2), share REAL, name TEXT, plain)",
    );
    sandbox
}

/// What a column of a row holds, as SQL would write it.
fn stored(sandbox: &Sandbox, k: i64, column: &str) -> String {
    let question = format!("SELECT quote({column}) FROM codes WHERE k = {k}");
    open(&sandbox.live()).query_row(&question, [], |row| row.get(0)).expect("a row")
}

fn import(file: &str) -> [&str; 7] {
    ["db-import", file, "--records", "", "--table", "codes", "--yes"]
}

#[test]
fn what_a_number_would_not_give_back_is_refused() {
    let sandbox = host();
    let lossy = [
        ("07867", &["whole", "word", "id", "price", "share"][..]),
        ("-007", &["whole", "word", "id", "price", "share"]),
        ("00.5", &["word", "id", "price", "share"]),
        ("+4477", &["whole", "word", "id", "price", "share"]),
        ("31415e9", &["whole", "word", "id", "price"]),
        ("5E92", &["word", "id", "price"]),
        ("12345678901234567.89", &["word", "id", "price"]),
    ];
    for (text, columns) in lossy {
        for column in columns {
            sandbox.write("a.csv", format!("k,{column}\n1,{text}\n"));
            sandbox.write("a.json", format!("{{\"k\": 1, \"{column}\": \"{text}\"}}\n"));
            for file in ["a.csv", "a.json"] {
                let said = sandbox.fails(2, &import(file));
                assert!(said.err.contains(&format!("is `{text}`")), "{column}: {said:#?}");
                assert!(said.err.contains(&format!("the column `{column}`")), "{said:#?}");
                assert!(said.err.contains("a TEXT column keeps"), "{column} {text}: {said:#?}");
            }
        }
    }
    let set = ["--set", "word=007"];
    sandbox.write("k.csv", "k\n1\n");
    let said = sandbox.fails(2, &[&import("k.csv")[..], &set[..]].concat());
    assert!(said.err.contains("leading zeros"), "{said:#?}");
    assert!(sandbox.records("safety").is_empty(), "nothing was changed, and nothing kept");
}

#[test]
fn what_a_number_gives_back_is_taken_and_texts_stay_texts() {
    let sandbox = host();
    sandbox.write(
        "a.csv",
        "k,whole,word,price,share,name,plain\n\
         1,3.0,1.50,1.50,1e5,07867,07867\n\
         2,0,0,-0.5,0.1,31415e9,5e92\n\
         3,-7,0x1F,3.0,3.14159265358979323846,+49,7\n",
    );
    sandbox.ok(&import("a.csv"));
    for (k, column, value) in [
        (1, "whole", "3"),
        (1, "word", "1.5"),
        (1, "price", "1.5"),
        (1, "share", "100000.0"),
        (1, "name", "'07867'"),
        (1, "plain", "'07867'"),
        (2, "whole", "0"),
        (2, "price", "-0.5"),
        (2, "name", "'31415e9'"),
        (2, "plain", "'5e92'"),
        (3, "word", "'0x1F'"),
        (3, "price", "3"),
        (3, "name", "'+49'"),
        (3, "plain", "7"),
    ] {
        assert_eq!(stored(&sandbox, k, column), value, "{k} {column}");
    }
}

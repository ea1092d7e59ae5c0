//! Where SQL is cut, whatever is in it and however it is read.

use proptest::prelude::*;

use super::{Piece, Statements, Unfinished};

/// Hands out a few bytes at a time.
struct Slowly<'a>(&'a [u8], usize);

impl std::io::Read for Slowly<'_> {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let n_bytes = self.1.min(to.len()).min(self.0.len());
        to[..n_bytes].copy_from_slice(&self.0[..n_bytes]);
        self.0 = &self.0[n_bytes..];
        Ok(n_bytes)
    }
}

/// Every piece with its line, and how it ended.
fn cut(sql: &[u8], chunk: usize) -> (Vec<(u64, String)>, Option<Unfinished>) {
    let mut statements = Statements::new(Slowly(sql, chunk));
    let mut pieces = Vec::new();
    loop {
        let (line, piece) = match statements.next_piece() {
            Ok(Some((line, Piece::Statement(bytes)))) => {
                (line, String::from_utf8_lossy(bytes).into_owned())
            }
            Ok(Some((line, Piece::Command(bytes)))) => {
                (line, format!("<{}>", String::from_utf8_lossy(bytes)))
            }
            Ok(None) => return (pieces, None),
            Err(error) => return (pieces, Some(*error.downcast_ref().expect("unfinished"))),
        };
        pieces.push((line, piece));
    }
}

fn check(sql: &str, expected: &[(u64, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
    for chunk in [1, 2, 3, 7, 1000] {
        assert_eq!(cut(sql.as_bytes(), chunk), (expected.clone(), None), "{sql:?} by {chunk}");
    }
}

#[test]
fn a_statement_ends_at_its_own_semicolon() {
    check("", &[]);
    check(" \n;; ;\n-- only a comment", &[]);
    check(
        "SELECT 1; SELECT 2;\nSELECT 3;",
        &[(1, "SELECT 1;"), (1, "SELECT 2;"), (2, "SELECT 3;")],
    );
    check("\u{feff}SELECT 1;", &[(1, "SELECT 1;")]);
    check("a 'it''s; ' ;b;", &[(1, "a 'it''s; ' ;"), (1, "b;")]);
    check("a ''';' ;b;", &[(1, "a ''';' ;"), (1, "b;")]);
    check("a \";\"\"';\" ;b;", &[(1, "a \";\"\"';\" ;"), (1, "b;")]);
    check("a `;'` [;'\"] ;b;", &[(1, "a `;'` [;'\"] ;"), (1, "b;")]);
    check("a -- ; '\n;b;", &[(1, "a -- ; '\n;"), (2, "b;")]);
    check("a /* ; ' */ ;b;", &[(1, "a /* ; ' */ ;"), (1, "b;")]);
    check("a /*/ ; */ ;b;", &[(1, "a /*/ ; */ ;"), (1, "b;")]);
    check("a - 1 / 2 ;b;", &[(1, "a - 1 / 2 ;"), (1, "b;")]);
    check("/* a */ -- b\n/**/ c;\n\n# d;\ne;", &[(2, "c;"), (5, "e;")]);
    check("'--';'/*';b;", &[(1, "'--';"), (1, "'/*';"), (1, "b;")]);
}

#[test]
fn line_breaks_are_counted_and_left_as_they_are() {
    check("a '1\r\n2\r3';\r\nb;\r\n", &[(1, "a '1\r\n2\r3';"), (3, "b;")]);
    check("a\n;\n\n\nb '\n\n';c;", &[(1, "a\n;"), (5, "b '\n\n';"), (7, "c;")]);
}

#[test]
fn a_trigger_ends_with_its_own_end() {
    let body = "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT CASE WHEN 1 THEN 2 END; \
                UPDATE x SET a = ';END;' -- END;\n; END;";
    check(&format!("{body}b;"), &[(1, body), (2, "b;")]);
    for start in ["create temp trigger", "CREATE /* ; */ TEMPORARY -- x\nTRIGGER"] {
        let body = format!("{start} t BEGIN DELETE FROM a;\nend\n/* so */ ;");
        let line = 1 + u64::try_from(body.matches('\n').count()).expect("few");
        check(&format!("{body} b;"), &[(1, &body), (line, "b;")]);
    }
    check("CREATE TABLE trigger_log (a);b;", &[(1, "CREATE TABLE trigger_log (a);"), (1, "b;")]);
    check("CREATE TABLE \"trigger\" (a);b;", &[(1, "CREATE TABLE \"trigger\" (a);"), (1, "b;")]);
    check("CREATE \"x\" TRIGGER;b;", &[(1, "CREATE \"x\" TRIGGER;"), (1, "b;")]);
}

#[test]
fn a_line_of_the_shell_s_own_begins_with_a_dot() {
    check(
        ".dbconfig defensive off\na;\n.quit",
        &[(1, "<.dbconfig defensive off\n>"), (2, "a;"), (3, "<.quit>")],
    );
    check("a\n.5;", &[(1, "a\n.5;")]);
    check("'\n.quit\n';", &[(1, "'\n.quit\n';")]);
    check("a; .b;", &[(1, "a;"), (1, ".b;")]);
}

#[test]
fn what_the_end_of_the_file_cuts_off_is_an_error() {
    for (sql, line) in [
        ("a", 1),
        ("a;\nINSERT INTO t VALUES(1)", 2),
        ("a;\n\n'it''s;\n", 3),
        ("a; /* ; */ b /* ;", 1),
        ("a;\n/* ;\n\n", 2),
        ("a;\n-", 2),
        ("CREATE TRIGGER t BEGIN SELECT 1;", 1),
        ("CREATE TRIGGER t BEGIN SELECT 1; END", 1),
    ] {
        for chunk in [1, 5, 1000] {
            assert_eq!(cut(sql.as_bytes(), chunk).1, Some(Unfinished::CutShort(line)), "{sql:?}");
        }
    }
}

/// Everything that might lead a reader astray.
fn astray() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "'", "''", "\"", "`", "[", "]", "--", "/*", "*/", ";", "\n", "\r\n", " ", "END", "CREATE",
        "TRIGGER", "TEMP", "a", "-", "/", "*", ".", "#", "\0", "ü",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let word = prop_oneof![9 => word, 1 => any::<u8>().prop_map(|byte| vec![byte])];
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn pieces_do_not_depend_on_how_the_file_is_read(sql in astray(), chunk in 1_usize..20) {
        prop_assert_eq!(cut(&sql, chunk), cut(&sql, 10_000));
    }

    #[test]
    fn any_text_in_quotes_survives(texts in prop::collection::vec("\\PC*|[';\\-\n\r/*]*", 1..5)) {
        let quoted: Vec<_> =
            texts.iter().map(|text| format!("VALUES('{}');", text.replace('\'', "''"))).collect();
        let (pieces, unfinished) = cut(quoted.join("\n").as_bytes(), 3);
        prop_assert_eq!(unfinished, None);
        prop_assert_eq!(pieces.into_iter().map(|(_, text)| text).collect::<Vec<_>>(), quoted);
    }
}

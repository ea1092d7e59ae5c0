//! A `CREATE TABLE` statement by its words: the definition of each column, and of the rest.
//!
//! This is not a parser: it distinguishes only words, brackets and commas, which is enough to
//! compare two statements whatever their spacing, comments and quotes.

use crate::sqlite::schema::keywords::is_keyword;

/// A statement taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Definition {
    /// The module of a virtual table, in lower case.
    pub module: Option<String>,
    /// The parts between the outer brackets, split at the commas: columns, then constraints.
    pub items: Vec<String>,
    /// The words after the brackets, e.g. `without rowid`; the module first if there is one.
    pub options: Vec<String>,
}

/// Takes a statement apart.
#[must_use]
pub(super) fn of(sql: &str) -> Definition {
    let words = words(sql);
    let mut definition = Definition::default();
    // `create virtual table NAME using MODULE`: so SQLite stores it, whatever was typed.
    if words.get(1).is_some_and(|word| word == "virtual") {
        definition.module = words.get(5).map(|word| word.to_ascii_lowercase());
        definition.options.extend(definition.module.clone());
    }
    let Some(open) = words.iter().position(|word| word == "(") else {
        return definition;
    };
    let (mut depth, mut item, mut close) = (0, Vec::new(), words.len());
    for (at, word) in words.iter().enumerate().skip(open) {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            close = at;
            break;
        }
        if word == "," && depth == 1 {
            definition.items.push(std::mem::take(&mut item).join(" "));
        } else if at > open {
            item.push(word.as_str());
        }
    }
    definition.items.push(item.join(" "));
    let after = words.get(close + 1..).unwrap_or_default();
    let options = after.split(|word| word == ",").map(|words| words.join(" "));
    definition.options.extend(options.filter(|option| !option.is_empty()));
    definition
}

/// The definitions of the columns, one each in their order; `None` for a virtual table.
#[must_use]
pub(super) fn of_columns(items: &[String], columns: &[&str]) -> Option<Vec<String>> {
    let items = items.get(..columns.len())?;
    let pairs = items.iter().zip(columns);
    pairs.map(|(item, column)| rest_of_column(item, column).map(str::to_owned)).collect()
}

/// The definition of a column in an item, if it is that column's. The name is quoted as by
/// [`name`], or bare: many of SQLite's own words need no quotes if a name is expected.
fn rest_of_column<'i>(item: &'i str, column: &str) -> Option<&'i str> {
    let bare = column.chars().all(is_of_name).then(|| column.to_owned());
    [Some(name(column)), bare].iter().flatten().find_map(|column| {
        let start = item.get(..column.len())?;
        let rest = &item[column.len()..];
        let ends = rest.is_empty() || rest.starts_with(' ');
        (start.eq_ignore_ascii_case(column) && ends).then(|| rest.trim_start())
    })
}

/// A statement as its words, with one space between them: equal for statements of the same meaning.
#[must_use]
pub(super) fn normal(sql: &str) -> String {
    words(sql).join(" ")
}

/// A quoted name without its quotes if a bare one means the same: `"1"` is not a number, `"null"` is
/// not NULL, and `"t.a"` is one name.
fn name(name: &str) -> String {
    let is_plain = name.chars().all(|c| is_of_name(c) && c != '$')
        && name.starts_with(|c: char| is_of_name(c) && !c.is_ascii_digit());
    if is_plain && !is_keyword(&name.to_ascii_lowercase()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// The words of a statement: bare ones in lower case, quoted names without quotes that they do not
/// need, texts as they are, any other character by itself. A bare name after `default` is a text.
fn words(sql: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let n_bytes = match first {
            // Beyond ASCII, a space is a letter to SQLite.
            c if c.is_ascii() && c.is_whitespace() => 1,
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => {
                rest[2..].find("*/").map_or(rest.len(), |end| 2 + end + 2)
            }
            '\'' => {
                let n_bytes = quoted_length(rest, '\'');
                words.push(rest[..n_bytes].to_owned());
                n_bytes
            }
            '"' | '`' | '[' => {
                let close = if first == '[' { ']' } else { first };
                let n_bytes = quoted_length(rest, close);
                let inside = rest.get(1..n_bytes - 1).unwrap_or_default();
                words.push(name(&inside.replace(&close.to_string().repeat(2), &close.to_string())));
                n_bytes
            }
            c if is_of_name(c) => {
                // A point belongs to a number; between two names it stands by itself.
                let goes_on = |n: char| is_of_name(n) || n == '.' && c.is_ascii_digit();
                let n_bytes = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
                words.push(bare(&rest[..n_bytes], words.last()));
                n_bytes
            }
            c => {
                words.push(c.to_string());
                c.len_utf8()
            }
        };
        rest = &rest[n_bytes..];
    }
    words
}

/// A bare word after another one.
fn bare(word: &str, before: Option<&String>) -> String {
    let lower = word.to_ascii_lowercase();
    let is_text = before.is_some_and(|before| before == "default")
        && !word.starts_with(|c: char| c.is_ascii_digit())
        && !is_keyword(&lower);
    if is_text { word.to_owned() } else { lower }
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// Bytes from an opening quote to its closing one, both included; a doubled one is inside.
fn quoted_length(text: &str, close: char) -> usize {
    let mut at = 1;
    while let Some(found) = text[at..].find(close) {
        at += found + 1;
        if close == ']' || !text[at..].starts_with(close) {
            return at;
        }
        at += 1;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spacing_comments_quotes_and_case_are_no_words() {
        let plain = "create table messages (id integer primary key, content text not null)";
        for same in [
            "CREATE TABLE messages(id INTEGER PRIMARY KEY,content TEXT NOT NULL)",
            "CREATE TABLE \"messages\" (\n  [id] INTEGER -- the key\n  PRIMARY KEY,\n  /* , */ \
             `content` TEXT NOT NULL\n)",
        ] {
            assert_eq!(normal(same), normal(plain), "{same}");
        }
        for other in [
            "create table messages (id integer primary key, content text)",
            "create table messages (id integer primary key, content text not null) strict",
        ] {
            assert_ne!(normal(other), normal(plain), "{other}");
        }
        assert_eq!(normal("SELECT \"t\".a FROM `t`"), normal("select t.[a] from t"));
        assert_eq!(normal("DEFAULT CURRENT_DATE"), normal("default current_date"));
        assert_ne!(normal("DEFAULT 'A'"), normal("DEFAULT 'a'"));
        assert_ne!(normal("DEFAULT 'a b'"), normal("DEFAULT 'a  b'"));
    }

    #[test]
    fn quotes_that_mean_something_are_kept() {
        for (quoted, bare) in [
            ("SELECT * FROM t WHERE a = \"1\"", "SELECT * FROM t WHERE a = 1"),
            ("SELECT \"null\"", "SELECT null"),
            ("SELECT \"True\"", "SELECT True"),
            ("DEFAULT \"current_date\"", "DEFAULT current_date"),
            ("DEFAULT \"1\"", "DEFAULT 1"),
            ("DEFAULT \"0x10\"", "DEFAULT 0x10"),
            ("DEFAULT \"1.5\"", "DEFAULT 1.5"),
            ("DEFAULT \"\"", "DEFAULT"),
            ("SELECT \"t.a\" FROM t", "SELECT t.a FROM t"),
            ("a int \"unique\"", "a int unique"),
        ] {
            assert_ne!(normal(quoted), normal(bare), "{quoted}");
        }
        // A bare name is a text there.
        assert_ne!(normal("b DEFAULT ABC"), normal("b DEFAULT abc"));
        assert_eq!(normal("b DEFAULT ABC"), normal("b default \"ABC\""));
        assert_eq!(normal("INSERT INTO t DEFAULT VALUES"), normal("insert into t default values"));
    }

    #[test]
    fn a_column_may_bear_the_name_of_a_keyword() {
        for item in ["\"key\" text", "key text"] {
            assert_eq!(rest_of_column(item, "key"), Some("text"), "{item}");
        }
        assert_eq!(rest_of_column("a$b text", "A$B"), Some("text"));
    }

    #[test]
    fn a_statement_is_taken_apart_at_its_outer_commas() {
        let definition = of("CREATE TABLE t (a TEXT DEFAULT ('x,y'), b NUMERIC(5, 2), \
             CHECK (a IN ('(', ')')), PRIMARY KEY (a)) WITHOUT ROWID, STRICT");
        assert_eq!(
            definition.items,
            [
                "a text default ( 'x,y' )",
                "b numeric ( 5 , 2 )",
                "check ( a in ( '(' , ')' ) )",
                "primary key ( a )"
            ]
        );
        assert_eq!(definition.options, ["without rowid", "strict"]);
        assert_eq!(rest_of_column(&definition.items[0], "A"), Some("text default ( 'x,y' )"));
        for other in ["ab", "a text", ""] {
            assert_eq!(rest_of_column(&definition.items[0], other), None);
        }
        let odd = of("CREATE TABLE t (\"a (b\" INT, [c,d])");
        assert_eq!(odd.items, ["\"a (b\" int", "\"c,d\""]);
        assert_eq!(rest_of_column(&odd.items[0], "a (b"), Some("int"));
        let definition = of("CREATE VIRTUAL TABLE \"using\" USING FTS5(a, content='')");
        assert_eq!(definition.module.as_deref(), Some("fts5"));
    }

    #[test]
    fn unfinished_statements_harm_nobody() {
        for sql in
            ["", "CREATE", "CREATE TABLE t (", "CREATE TABLE t (a 'b", "\"", "/*", "[é", "--"]
        {
            let _ = of(sql);
        }
    }
}

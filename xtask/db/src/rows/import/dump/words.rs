//! The first words of a statement: what it does, and to which table. No more SQL is parsed here;
//! SQLite and the guard decide what a statement really does.

/// The effect of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Begin,
    Commit,
    Rollback,
    /// A savepoint, or its end.
    Savepoint,
    /// A setting of this name, in lower case.
    Pragma(String),
    Vacuum,
    /// Rows for a table.
    Insert(Name),
    CreateTable(Name),
    /// A table with a name of SQLite's own, and a list of columns.
    CreateReserved(Name),
    CreateVirtualTable {
        table: Name,
        module: String,
    },
    /// A change to the rows of a table.
    Change(Name),
    /// The end of a table.
    Drop(Name),
    /// Anything else that SQLite knows.
    Other,
    /// A word that no statement of SQLite begins with.
    Foreign(String),
}

/// The name of a table as SQL has it, without its quotes.
pub(super) type Name = String;

/// The first words of SQLite's other statements.
const OTHERS: [&str; 11] = [
    "alter", "analyze", "attach", "create", "detach", "drop", "explain", "reindex", "select",
    "values", "with",
];

/// Determines the effect of a statement.
pub(super) fn act(sql: &str) -> Act {
    let mut words = Words(sql);
    let first = words.next().unwrap_or_default().to_ascii_lowercase();
    match first.as_str() {
        "begin" => Act::Begin,
        "commit" | "end" => Act::Commit,
        "rollback" => Act::Rollback,
        "savepoint" | "release" => Act::Savepoint,
        "vacuum" => Act::Vacuum,
        "pragma" => Act::Pragma(words.table().to_ascii_lowercase()),
        "insert" | "replace" => {
            while words.peek().is_some_and(|word| !is(word, "into")) {
                words.next();
            }
            words.next();
            Act::Insert(words.table())
        }
        "create" => create(words),
        "delete" => {
            words.next();
            Act::Change(words.table())
        }
        "update" => {
            if words.peek().is_some_and(|word| is(word, "or")) {
                words.nth(1);
            }
            Act::Change(words.table())
        }
        "drop" if words.peek().is_some_and(|word| is(word, "table")) => {
            words.next();
            if words.peek().is_some_and(|word| is(word, "if")) {
                words.nth(1);
            }
            Act::Drop(words.table())
        }
        first if OTHERS.contains(&first) => Act::Other,
        _ => Act::Foreign(first),
    }
}

fn create(mut words: Words<'_>) -> Act {
    let second = words.next().unwrap_or_default();
    let is_virtual = is(second, "virtual");
    if is_virtual {
        words.next();
    } else if !is(second, "table") {
        return Act::Other;
    }
    if words.peek().is_some_and(|word| is(word, "if")) {
        for _ in 0..3 {
            words.next();
        }
    }
    let table = words.table();
    if !is_virtual {
        let is_reserved = table.get(..7).is_some_and(|start| is(start, "sqlite_"));
        // Another way to define a table brings rows.
        let has_columns = words.peek() == Some("(");
        return if is_reserved && has_columns {
            Act::CreateReserved(table)
        } else {
            Act::CreateTable(table)
        };
    }
    words.next();
    let module = unquoted(words.next().unwrap_or_default()).to_ascii_lowercase();
    Act::CreateVirtualTable { table, module }
}

/// The rest of `INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)` from VALUES on. The
/// sqlite3 shell writes virtual tables this way, and so does Python. `sqlite_master` is the older
/// name.
pub(super) fn schema_row(sql: &str) -> Option<&str> {
    let mut words = Words(sql);
    let start = ["insert", "into"].iter().all(|word| words.next().is_some_and(|one| is(one, word)));
    let table = words.table();
    let columns = ["(", "type", ",", "name", ",", "tbl_name", ",", "rootpage", ",", "sql", ")"];
    let all =
        columns.iter().all(|word| words.next().is_some_and(|one| is(unquoted_ref(one), word)));
    let is_schema = is(&table, "sqlite_schema") || is(&table, "sqlite_master");
    let rest = words.0.trim_start();
    (start && all && is_schema && words.next().is_some_and(|word| is(word, "values")))
        .then_some(rest)
}

fn is(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

/// Words, names in quotes and single signs, without the blanks and comments between them.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn peek(&self) -> Option<&'a str> {
        Words(self.0).next()
    }

    /// A name, the database before it left out.
    fn table(&mut self) -> Name {
        let mut name = self.next().unwrap_or_default();
        if self.peek() == Some(".") {
            self.next();
            name = self.next().unwrap_or_default();
        }
        unquoted(name)
    }

    fn skip_blanks(&mut self) {
        loop {
            self.0 = self.0.trim_ascii_start();
            let end = if self.0.starts_with("--") {
                self.0.find('\n')
            } else if self.0.starts_with("/*") {
                self.0.find("*/").map(|at| at + 1)
            } else {
                return;
            };
            self.0 = end.map_or("", |end| &self.0[end + 1..]);
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        self.skip_blanks();
        let first = self.0.chars().next()?;
        let end = match first {
            '"' | '\'' | '`' => quoted_end(self.0, first),
            '[' => self.0.find(']').map_or(self.0.len(), |at| at + 1),
            c if is_word(c) => self.0.find(|c| !is_word(c)).unwrap_or(self.0.len()),
            c => c.len_utf8(),
        };
        let (word, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(word)
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The offset at which a name or text in quotes ends; a doubled quote stands for itself.
fn quoted_end(text: &str, quote: char) -> usize {
    let mut at = 1;
    while let Some(n_bytes) = text[at..].find(quote) {
        at += n_bytes + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
    text.len()
}

fn unquoted_ref(word: &str) -> &str {
    word.trim_matches(['"', '\'', '`'])
}

fn unquoted(word: &str) -> String {
    let Some(first @ ('"' | '\'' | '`' | '[')) = word.chars().next() else {
        return word.to_owned();
    };
    let inner = &word[1..word.len().saturating_sub(1).max(1)];
    inner.replace(&format!("{first}{first}"), &first.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_say_what_a_statement_does() {
        let insert = |table: &str| Act::Insert(table.to_owned());
        let create = |table: &str| Act::CreateTable(table.to_owned());
        let reserved = |table: &str| Act::CreateReserved(table.to_owned());
        let foreign = |word: &str| Act::Foreign(word.to_owned());
        let virtual_table = |table: &str, module: &str| Act::CreateVirtualTable {
            table: table.to_owned(),
            module: module.to_owned(),
        };
        for (sql, expected) in [
            ("BEGIN TRANSACTION;", Act::Begin),
            ("COMMIT;", Act::Commit),
            ("END;", Act::Commit),
            ("rollback; -- due to errors", Act::Rollback),
            ("PRAGMA foreign_keys=OFF;", Act::Pragma("foreign_keys".to_owned())),
            ("PRAGMA main.user_version(3)", Act::Pragma("user_version".to_owned())),
            ("PRAGMA \"Encoding\"='x'", Act::Pragma("encoding".to_owned())),
            ("INSERT INTO t VALUES(1);", insert("t")),
            ("insert or replace into\"a \"\"b\"(x)values(1);", insert("a \"b")),
            ("REPLACE /* x */ INTO -- y\n main.[c d] VALUES(1)", insert("c d")),
            ("INSERT INTO 'it''s' VALUES(1)", insert("it's")),
            ("CREATE TABLE t(a);", create("t")),
            ("CREATE TABLE IF NOT EXISTS 't_data'(id)", create("t_data")),
            ("CREATE TABLE main.`x` (a)", create("x")),
            ("CREATE VIRTUAL TABLE \"t\" USING FTS5(a)", virtual_table("t", "fts5")),
            (
                "CREATE VIRTUAL TABLE if not exists t USING \"rtree\"(a)",
                virtual_table("t", "rtree"),
            ),
            ("CREATE TABLE sqlite_sequence(name,seq)", reserved("sqlite_sequence")),
            ("CREATE TABLE IF NOT EXISTS \"sqlite_stat1\" (\"tbl\")", reserved("sqlite_stat1")),
            ("create table main.[SQLite_Master](a)", reserved("SQLite_Master")),
            ("CREATE TABLE sqlite_sequence AS SELECT 1", create("sqlite_sequence")),
            ("DELETE FROM sqlite_sequence", Act::Change("sqlite_sequence".to_owned())),
            ("UPDATE OR IGNORE main.\"t\" SET a = 1", Act::Change("t".to_owned())),
            ("update t set a = 1", Act::Change("t".to_owned())),
            ("DROP TABLE IF EXISTS `t`", Act::Drop("t".to_owned())),
            ("DROP TABLE t", Act::Drop("t".to_owned())),
            ("DROP INDEX t", Act::Other),
            ("CREATE TEMP TABLE t(a)", Act::Other),
            ("CREATE UNIQUE INDEX i ON t(a)", Act::Other),
            ("ATTACH 'x' AS y", Act::Other),
            ("VACUUM INTO 'x'", Act::Vacuum),
            ("SET NAMES utf8;", foreign("set")),
            (";", foreign(";")),
            ("'", foreign("'")),
            ("", foreign("")),
        ] {
            assert_eq!(act(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_row_of_the_schema_is_recognised() {
        let start = "(type,name,tbl_name,rootpage,sql)";
        for table in ["sqlite_schema", "sqlite_master", "\"sqlite_master\""] {
            let sql = format!("INSERT INTO {table}{start}VALUES('table','t','t',0,'x');");
            assert_eq!(schema_row(&sql), Some("VALUES('table','t','t',0,'x');"), "{sql}");
        }
        for sql in [
            "INSERT INTO sqlite_schema VALUES('table','t','t',0,'x');",
            "INSERT OR REPLACE INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES(1)",
            "INSERT INTO other(type,name,tbl_name,rootpage,sql)VALUES(1)",
            "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql) SELECT 1",
            "",
        ] {
            assert_eq!(schema_row(sql), None, "{sql}");
        }
    }
}

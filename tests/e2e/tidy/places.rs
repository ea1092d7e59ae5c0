//! One place for each thing: what only one file, or one wing, may do.

use super::code;

/// Words that only some files may contain.
struct Place {
    words: &'static [&'static str],
    /// The files below `xtask/db/src`; one that ends in `/` is a folder.
    rooms: &'static [&'static str],
    why: &'static str,
}

const PLACES: [Place; 16] = [
    Place {
        words: &["rusqlite"],
        rooms: &[
            "sqlite/",
            "rows/",
            "xtask/db/format/src/",
            "restore/write.rs",
            "restore/by_difference.rs",
            "restore/by_difference/tests.rs",
            "restore/tables.rs",
            "migrate/state.rs",
            "migrate/on_server/rows_file.rs",
            "migrate/verdict/",
            "health/glance.rs",
            "health/sqlite_library.rs",
            "capture.rs",
            "command.rs",
            "capture/record.rs",
            "console/interrupt.rs",
            "commands/diff.rs",
            "commands/export/source.rs",
            "xtask/bench/src/",
            "xtask/init/src/",
            "xtask/torture/src/",
        ],
        why: "what an engine consists of is visible in one place: ARCHITECTURE.md, \"The seam of an engine\"",
    },
    Place {
        words: &["Connection::open", "open_with_flags"],
        rooms: &["sqlite/connection.rs"],
        why: "a missing database must not be created, and unknown files are opened defensively",
    },
    Place {
        // Naming one table in it makes the answer shorter, not the work.
        words: &["pragma_table_list"],
        rooms: &[
            "sqlite/schema.rs",
            "sqlite/examination.rs",
            "restore/plan.rs",
            "restore/tables.rs",
            "xtask/db/format/src/taking.rs",
        ],
        why: "it goes through every table: asked for each table, its time is quadratic",
    },
    Place {
        words: &["remove_file", "remove_dir", "::rename(", "hard_link", "renameat"],
        rooms: &["files/publish.rs", "files/stage.rs"],
        why: "what survives a power cut is decided in one place",
    },
    Place {
        words: &["\"-wal\"", "\"-shm\"", "\"-journal\""],
        rooms: &["files/sidecars.rs"],
        why: "what SQLite keeps beside a database is one list",
    },
    Place {
        words: &["foreign_key_check"],
        // A pragma that a dump may contain, and the words of a message.
        rooms: &[
            "sqlite/foreign_keys.rs",
            "rows/import/dump/pragmas.rs",
            "commands/import/report.rs",
        ],
        why: "it fails as a whole at one odd declaration: `foreign_keys::each` goes on",
    },
    Place {
        words: &["clap"],
        rooms: &["commands/", "cli.rs", "command.rs", "arguments.rs", "lib.rs"],
        why: "nouns know no command line",
    },
    Place {
        words: &["copy::read_file"],
        rooms: &["backups/reader.rs", "capture/stored.rs"],
        why: "what reads a backup does not know its kind",
    },
    Place {
        words: &["Local::now", "Utc::now", "SystemTime::now"],
        rooms: &["host/session.rs"],
        why: "the clock enters once",
    },
    Place {
        words: &["env::var"],
        rooms: &["host/session.rs", "console/planted_faults.rs"],
        why: "the environment enters once",
    },
    Place {
        words: &["current_dir("],
        rooms: &["host/session.rs"],
        why: "the current folder enters once",
    },
    Place {
        words: &["io::stdout", "io::stdin", "println!", "print!("],
        rooms: &["host/session.rs", "lib.rs"],
        why: "only results go to stdout, through `say`",
    },
    Place {
        // A signal handler has no session, a child's output is not ours, and progress is no message.
        words: &["io::stderr"],
        rooms: &[
            "host/session.rs",
            "console/interrupt.rs",
            "console/progress_lines.rs",
            "host/command/supervised.rs",
            "postgres/test_server.rs",
        ],
        why: "messages go through the session",
    },
    Place {
        // Wrong arguments end a process in which nothing was begun.
        words: &["process::exit"],
        rooms: &["console/interrupt.rs", "lib.rs", "arguments.rs"],
        why: "stages are removed and locks released by returning",
    },
    Place {
        // What the system refuses is a panic there; this one does without a thread.
        words: &["scope.spawn(", "thread::spawn("],
        rooms: &["rows/import/dump.rs"],
        why: "a refused thread must not be a panic: `console/threads.rs`",
    },
    Place {
        words: &["thread::Builder"],
        rooms: &["console/threads.rs", "console/interrupt.rs", "files/early_sync.rs"],
        why: "one thread suffices everywhere: `console/threads.rs`",
    },
];

/// The wings that know no session: what they do is the same whoever asks.
const BELOW_THE_SESSION: [&str; 6] =
    ["branches/", "backups/", "git/", "sqlite/", "files/", "console/"];

/// A file's path below `xtask/db/src`; that of another package's file as it is.
fn room(name: &str) -> &str {
    name.strip_prefix("xtask/db/src/").unwrap_or(name)
}

fn is_within(room: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|r| room == *r || r.ends_with('/') && room.starts_with(r))
}

/// The words that stand in files which may not contain them.
fn misplaced(files: &[(String, String)], place: &Place) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files.iter().filter(|(name, _)| !is_within(room(name), place.rooms)) {
        let code = code(text);
        let words = place.words.iter().filter(|word| code.contains(**word));
        found.extend(words.map(|word| format!("{name} uses `{word}`: {}", place.why)));
    }
    found
}

/// The files of a wing below the session that name it.
fn sessions(files: &[(String, String)]) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let names = |text: &str| code(text).split(|c| !is_word(c)).any(|word| word == "Session");
    let below = |name: &str| is_within(room(name), &BELOW_THE_SESSION);
    files.iter().filter(|(name, text)| below(name) && names(text)).map(|f| f.0.clone()).collect()
}

/// How many functions of a file take a tuple apart in their parameters.
fn n_tuple_parameters(text: &str) -> usize {
    let code = code(text);
    let functions = code.match_indices("fn ").map(|(at, _)| &code[at + 3..]);
    functions
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|f| has_tuple(f))
        .count()
}

/// The functions of a file with more than four parameters, `self` not counted.
fn with_many_parameters(text: &str) -> Vec<String> {
    let code = code(text);
    let functions = code.match_indices("fn ").map(|(at, _)| &code[at + 3..]);
    let functions = functions.filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    let names = functions.filter(|rest| n_parameters(rest).is_some_and(|n| n > 4));
    names
        .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next())
        .map(|name| name.unwrap_or_default().to_owned())
        .collect()
}

/// How many parameters the function has whose name comes first; `None` if it is a type.
fn n_parameters(function: &str) -> Option<usize> {
    let generic = function.find('<').filter(|at| *at < function.find('(').unwrap_or(0));
    let mut rest = &function[function.find('(')? + 1..];
    if let Some(at) = generic {
        let mut depth = 0_i32;
        let end = function[at..].char_indices().find(|(i, c)| {
            let is_arrow = *c == '>' && function[..at + i].ends_with('-');
            depth += i32::from(*c == '<') - i32::from(*c == '>' && !is_arrow);
            depth == 0
        });
        rest = function[at + end?.0 + 1..].strip_prefix('(')?;
    }
    let (mut depth, mut parameters, mut last) = (0_i32, Vec::new(), String::new());
    for (at, c) in rest.char_indices() {
        let is_arrow = c == '>' && rest[..at].ends_with(['-', '=']);
        match c {
            ')' if depth == 0 => break,
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if !is_arrow => depth -= 1,
            ',' if depth == 0 => {
                parameters.push(std::mem::take(&mut last));
                continue;
            }
            _ => {}
        }
        last.push(c);
    }
    parameters.push(last);
    let is_self = |parameter: &str| {
        let word = parameter.split(':').next().unwrap_or_default();
        word.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "self")
    };
    Some(parameters.iter().map(|p| p.trim()).filter(|p| !p.is_empty() && !is_self(p)).count())
}

/// Whether a parameter of the function whose name comes first is a tuple's pattern.
fn has_tuple(function: &str) -> bool {
    let Some((_, parameters)) = function.split_once('(') else { return false };
    let (mut depth, mut is_at_start) = (0_usize, true);
    for c in parameters.chars() {
        match c {
            '(' if depth == 0 && is_at_start => return true,
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => return false,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        is_at_start = depth == 0 && (c == ',' || is_at_start && c.is_whitespace());
    }
    false
}

#[test]
fn what_has_a_place_is_nowhere_else() {
    let files = super::product();
    let found: Vec<String> = PLACES.iter().flat_map(|place| misplaced(&files, place)).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_wing_below_the_host_knows_the_session() {
    assert_eq!(sessions(&super::product()), Vec::<String>::new());
}

#[test]
fn no_function_takes_a_tuple_apart_in_its_parameters() {
    let files = super::product();
    let found = files.iter().map(|(name, text)| (name, n_tuple_parameters(text)));
    let found: Vec<_> = found.filter(|(_, n)| *n > 0).collect();
    assert!(found.is_empty(), "plain parameters, or a struct with a name: {found:?}");
}

#[test]
fn no_function_has_more_than_four_parameters() {
    let found: Vec<String> = super::product()
        .iter()
        .flat_map(|(name, text)| {
            with_many_parameters(text).into_iter().map(move |f| format!("{name}: {f}"))
        })
        .collect();
    assert!(found.is_empty(), "what belongs together is a struct:\n{}", found.join("\n"));
}

#[test]
fn parameters_are_counted_without_self_and_generics() {
    let check =
        |text: &str, found: &[&str]| assert_eq!(with_many_parameters(text), found, "{text}");
    check("fn f(&mut self, a: A, b: B, c: C, d: D) {}", &[]);
    check("fn f(&self, a: A, b: B, c: C, d: D, e: E) {}", &["f"]);
    check("fn f<'a, T: Fn(u8, u8) -> u8>(a: T, b: B, c: C, d: D,) {}", &[]);
    check("fn f(a: HashMap<A, B>, b: (B, C), c: impl Fn(A, B) -> C, d: [D; 2]) {}", &[]);
    check("fn f(\n    a: A,\n    b: B,\n    c: C,\n    d: D,\n    e: E,\n) {}", &["f"]);
}

#[test]
fn what_is_misplaced_is_found_where_it_is_planted() {
    for place in &PLACES {
        for word in place.words {
            let planted = |name: &str| vec![(name.to_owned(), format!("fn f() {{ {word} }}"))];
            let elsewhere = planted("xtask/db/src/backups/planted.rs");
            assert_eq!(misplaced(&elsewhere, place).len(), 1, "{word}");
            let comment = [(elsewhere[0].0.clone(), format!("// {word}"))];
            assert_eq!(misplaced(&comment, place).len(), 0, "{word}");
            let room = place.rooms[0];
            let file = if room.ends_with('/') { format!("{room}planted.rs") } else { room.into() };
            assert_eq!(
                misplaced(&planted(&format!("xtask/db/src/{file}")), place).len(),
                0,
                "{word}"
            );
        }
    }
    let session = "fn f(session: &mut Session) {}".to_owned();
    for (name, n) in [("backups/planted.rs", 1), ("capture/planted.rs", 0)] {
        assert_eq!(
            sessions(&[(format!("xtask/db/src/{name}"), session.clone())]).len(),
            n,
            "{name}"
        );
    }
}

#[test]
fn tuple_patterns_are_counted_by_function() {
    let check = |text: &str, n: usize| assert_eq!(n_tuple_parameters(text), n, "{text}");
    check("fn f((a, b): (u8, u8), (c, d): (u8, u8)) {}", 1);
    check("fn f(\n    x: u8,\n    (a, b): (u8, u8),\n) {}", 1);
    check("fn f(x: (u8, u8), g: impl Fn((u8, u8)) -> u8) {}", 0);
    check("fn f<'a>(x: &'a [(u8, u8)]) -> (u8, u8) { g((1, 2)) }", 0);
    check("type F = fn (u8);", 0);
}

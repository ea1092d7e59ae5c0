//! The documents are true: every command that they show is run, every transcript is what is printed, every
//! configuration is read, every link leads somewhere.
//!
//! A block of `sh` is typed at a terminal, command by command. A block of `console` has commands after `$` and what
//! they print. `# exits with 1` behind a command expects that. `XTASK_DB_BLESS=1 cargo test -p xtask --test e2e guides::`
//! writes what is printed now into the documents.

use std::collections::BTreeSet;

use crate::support::guide_host::Host;
use crate::support::markdown::{self, Block, Document, Part};
use crate::support::sandbox::Sandbox;

/// What a block may be, so that none escapes its test by another name.
const LANGUAGES: [&str; 9] =
    ["sh", "console", "toml", "rust", "yaml", "sql", "json", "jsonl", "text"];

/// Documents to look things up in, which need not show a command that is run.
const REFERENCES: [&str; 3] = ["docs/configuration.md", "docs/formats.md", "docs/speed.md"];

/// Its commands need a server: `postgres/guide.rs` runs them.
pub(crate) const OF_A_SERVER: &str = "docs/postgresql.md";

fn guides() -> Vec<Document> {
    markdown::documents().into_iter().filter(|d| d.name.starts_with("docs/")).collect()
}

#[test]
fn every_command_shown_is_run_and_every_transcript_is_what_it_prints() {
    let documents = markdown::documents();
    std::thread::scope(|scope| {
        for document in &documents {
            std::thread::Builder::new()
                .name(document.name.clone())
                .spawn_scoped(scope, || run(document))
                .expect("a thread");
        }
    });
}

#[test]
fn every_guide_shows_commands_and_is_in_the_readme_s_table() {
    let readme = fs_err::read_to_string(markdown::workspace().join("README.md")).expect("README");
    let linked: BTreeSet<String> =
        markdown::links(&readme).into_iter().map(|(_, target)| target).collect();
    for guide in guides() {
        assert!(linked.contains(&guide.name), "{} is not in the table of README.md", guide.name);
        let is_run = markdown::parts(&guide.text).iter().any(
            |part| matches!(part, Part::Block(b) if b.language == "sh" || b.language == "console"),
        );
        let is_reference = [&REFERENCES[..], &[OF_A_SERVER]].concat().contains(&&*guide.name);
        assert_eq!(is_run, !is_reference, "{} shows commands, or is a reference", guide.name);
    }
}

#[test]
fn every_block_has_a_language_and_no_command_is_outside_of_one() {
    for document in markdown::documents() {
        for part in markdown::parts(&document.text) {
            let Part::Block(block) = part else { continue };
            let is_known = LANGUAGES.contains(&block.language.as_str());
            assert!(is_known, "{}:{}: a block of `{}`", document.name, block.line, block.language);
        }
        let outside = document.text.lines().find(|line| line.starts_with("    cargo xtask "));
        assert_eq!(outside, None, "{}: put it into a block of `sh`", document.name);
    }
}

#[test]
fn every_command_named_in_passing_is_one() {
    let Some(host) = Host::new() else { return };
    for document in markdown::documents() {
        // What was changed in the past may be about commands of that time.
        let is_history = document.name == "CHANGELOG.md";
        for (line, arguments) in named(&document).into_iter().filter(|_| !is_history) {
            let said = host.parses(&arguments);
            // A flag that is named without its value is one anyway.
            let is_one = said.code == Some(0) || said.err.contains("a value is required for '--");
            assert!(is_one, "{}:{line}: `{arguments}`\n{said:#?}", document.name);
        }
    }
}

#[test]
fn every_configuration_shown_is_read() {
    for document in markdown::documents() {
        for part in markdown::parts(&document.text) {
            let Part::Block(block) = part else { continue };
            let shown = block.lines.join("\n");
            if block.language != "toml" || !shown.contains("[workspace.metadata.db") {
                continue;
            }
            let sandbox = Sandbox::empty();
            let database = "[workspace.metadata.db.databases.other]\npath = 'other.db'\n";
            let more = if shown.contains(".databases.") { "" } else { database };
            sandbox.write("Cargo.toml", format!("[workspace]\nmembers = []\n{shown}\n{more}"));
            sandbox.write(".env", "MEMORY_DB_URL=postgres://app@127.0.0.1/memory_db\n");
            let said = sandbox.run(&["db-list"]);
            assert_eq!(said.code, Some(0), "{}:{}\n{said:#?}", document.name, block.line);
        }
    }
}

#[test]
fn every_link_leads_somewhere() {
    for document in markdown::documents() {
        for (line, target) in markdown::links(&document.text) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let path = document.path.parent().expect("a folder").join(file);
            let path = if file.is_empty() { document.path.clone() } else { path };
            assert!(path.exists(), "{}:{line}: no `{target}`", document.name);
            if !anchor.is_empty() {
                let anchors = markdown::anchors(&fs_err::read_to_string(path).expect("text"));
                let is_there = anchors.iter().any(|there| there == anchor);
                assert!(is_there, "{}:{line}: no `#{anchor}` in {anchors:?}", document.name);
            }
        }
    }
}

#[test]
fn every_source_file_named_is_there() {
    let all = markdown::files();
    for document in markdown::documents() {
        let is_file = |span: &str| {
            let ends = [".rs", ".md", ".ci/run", ".ci/full", ".ci/fuzz"];
            ends.iter().any(|end| span.ends_with(end)) && !span.contains([' ', '…', '<', '*'])
        };
        for (line, span) in markdown::spans(&document.text).into_iter().filter(|s| is_file(&s.1)) {
            let is_there = all.iter().any(|file| format!("/{file}").ends_with(&format!("/{span}")));
            assert!(is_there, "{}:{line}: there is no file `{span}`", document.name);
        }
    }
}

/// Runs a document from its first command to its last.
fn run(document: &Document) {
    let parts = markdown::parts(&document.text);
    let is_run = |part: &Part| matches!(part, Part::Block(b) if b.language == "sh" || b.language == "console");
    if !parts.iter().any(is_run) {
        return;
    }
    let Some(host) = Host::new() else { return };
    let mut printed = Vec::new();
    for part in parts {
        match part {
            Part::Hidden(lines) => prepare(&host, &lines),
            Part::Block(block) if block.language == "sh" => {
                if !typed(&host, document, &block) {
                    return;
                }
            }
            Part::Block(block) if block.language == "console" => {
                let now = transcript(&host, document, &block);
                printed.push((block, now));
            }
            Part::Block(_) => {}
        }
    }
    if std::env::var_os("XTASK_DB_BLESS").is_some() {
        bless(document, &printed);
        return;
    }
    for (block, now) in printed {
        let (shown, now) = (masked(&block.lines.join("\n")), masked(&now.join("\n")));
        assert_eq!(shown, now, "{}:{}: prints another text now", document.name, block.line);
    }
}

/// Runs hidden lines; a line `clock TIME` sets the clock.
fn prepare(host: &Host, lines: &[String]) {
    for piece in lines.split_inclusive(|line| line.trim().starts_with("clock ")) {
        let (clock, script) = match piece.split_last() {
            Some((last, rest)) if last.trim().starts_with("clock ") => (Some(last.trim()), rest),
            _ => (None, piece),
        };
        if script.iter().any(|line| !line.trim().is_empty()) {
            host.quietly(&script.join("\n"));
        }
        if let Some(time) = clock.and_then(|line| line.strip_prefix("clock ")) {
            host.set_clock(time);
        }
    }
}

/// Types the commands of a block; false if there is no terminal.
fn typed(host: &Host, document: &Document, block: &Block) -> bool {
    for command in commands(&block.lines) {
        let Some((code, screen)) = host.typed(&command) else { return false };
        let name = &document.name;
        assert_eq!(code, Some(wanted(&command)), "{name}:{}: {command}\n{screen}", block.line);
    }
    true
}

/// The block as it would be printed now.
fn transcript(host: &Host, document: &Document, block: &Block) -> Vec<String> {
    let mut lines = Vec::new();
    for command in block.lines.iter().filter_map(|line| line.strip_prefix("$ ")) {
        let said = host.transcript(command);
        let code = Some(wanted(command));
        assert_eq!(said.code, code, "{}:{}: {command}\n{said:#?}", document.name, block.line);
        lines.push(format!("$ {command}"));
        lines.extend(said.out.trim_end().lines().map(|line| line.trim_end().to_owned()));
    }
    lines
}

/// The exit code that a command's comment announces.
fn wanted(command: &str) -> i32 {
    let announced = command.rsplit_once("# exits with ").map(|(_, code)| code);
    announced.map_or(0, |code| code.parse().expect("an exit code"))
}

/// The commands of lines: continued lines joined, comments left out.
fn commands(lines: &[String]) -> Vec<String> {
    let joined = lines.join("\n").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The arguments of commands that are named in the text, in workflows or in examples that are not run.
fn named(document: &Document) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, span) in markdown::spans(&document.text) {
        let arguments = span.strip_prefix("cargo xtask ").unwrap_or(&span);
        if (arguments.len() < span.len() || (arguments.starts_with("db-") && arguments != "db-"))
            && !arguments.contains(['…', '*'])
        {
            found.push((line, arguments.to_owned()));
        }
    }
    for part in markdown::parts(&document.text) {
        let Part::Block(block) = part else { continue };
        if ["sh", "console"].contains(&block.language.as_str()) {
            continue;
        }
        for (at, line) in block.lines.iter().enumerate() {
            for rest in line.split("cargo xtask ").skip(1) {
                let arguments =
                    rest.split(['"', '|', '&', ';', '#', '`']).next().unwrap_or_default();
                if !arguments.contains(['…', '*']) {
                    found.push((block.line + at, arguments.trim().to_owned()));
                }
            }
        }
    }
    found
}

/// A text with all durations equal.
fn masked(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for at in 1..words.len() {
        let is_unit = words[at].split('\n').next().is_some_and(|unit| unit == "ms" || unit == "s");
        if is_unit && words[at - 1].parse::<f64>().is_ok() {
            words[at - 1] = "N";
        }
    }
    words.join(" ").replace(" s\n", " ms\n")
}

/// Writes what is printed now into a document.
fn bless(document: &Document, printed: &[(Block, Vec<String>)]) {
    let mut text = document.text.clone();
    for (block, now) in printed {
        let fence = |lines: &[String]| format!("```console\n{}\n```", lines.join("\n"));
        if masked(&block.lines.join("\n")) != masked(&now.join("\n")) {
            text = text.replacen(&fence(&block.lines), &fence(now), 1);
        }
    }
    fs_err::write(&document.path, text).expect("written");
}

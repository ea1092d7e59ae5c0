//! Random folders: what is printed for a backup means that backup.

use std::path::Path;
use std::sync::OnceLock;

use chrono::{DateTime, FixedOffset, NaiveDateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::field::Field;
use super::resolve;
use crate::backups::backup::{self, Backup};
use crate::backups::format::Format;
use crate::backups::home::Whose;
use crate::backups::name::Name;
use crate::backups::record::proof::Proof;
use crate::backups::reference::printed;
use crate::backups::vault::Vault;
use crate::host::project::{Database, Project};

const FILES: [&str; 7] =
    ["app.db", "logs.db", "-rf.db", "x\u{1b}y.db", "x\\u{1b}y.db", "it's ünï.db", "latest"];
const BRANCHES: [&str; 4] = ["main", "feature/x", "a'b\"c$d", "ünï"];
const LABELS: [&str; 16] = [
    "latest",
    "latest~1",
    "safety",
    "oldest",
    "@main",
    "2h",
    "main",
    "v1.2",
    "HEAD",
    "2025",
    "2025-09-13_142530",
    "2025-09-13_142530-2",
    "app.db",
    "app.db.2025-09-13_142530.bak",
    "before the merge",
    "",
];

/// One backup of a random folder.
#[derive(Debug, Clone)]
struct Random {
    file: usize,
    /// Seconds after 2025-09-13 14:25:30; one of them is years ahead.
    second: i64,
    ordinal: u32,
    safety: bool,
    stored: bool,
    whose: Whose,
    linked: bool,
    record: Option<RandomRecord>,
}

#[derive(Debug, Clone)]
struct RandomRecord {
    database: usize,
    sequence: u64,
    label: Option<usize>,
    branch: usize,
}

fn record() -> impl Strategy<Value = RandomRecord> {
    let label = prop::option::of(0..LABELS.len());
    let parts = (0..3_usize, 0..9_u64, label, 0..BRANCHES.len());
    parts.prop_map(|(database, sequence, label, branch)| RandomRecord {
        database,
        sequence,
        label,
        branch,
    })
}

fn whose() -> impl Strategy<Value = Whose> {
    prop_oneof![
        Just(Whose::Ours),
        Just(Whose::Moved("".into())),
        Just(Whose::Others("".into())),
        Just(Whose::Unproven),
    ]
}

fn random() -> impl Strategy<Value = Random> {
    let name = (0..FILES.len(), 0..4_i64, 1..4_u32, any::<bool>(), any::<bool>());
    let rest = (whose(), any::<bool>(), prop::option::weighted(0.7, record()));
    (name, rest).prop_map(|((file, second, ordinal, safety, stored), (whose, linked, record))| {
        let second = if second == 3 { 100_000_000 } else { second };
        Random { file, second, ordinal, safety, stored, whose, linked, record }
    })
}

fn start() -> NaiveDateTime {
    NaiveDateTime::parse_from_str("2025-09-13_142530", "%Y-%m-%d_%H%M%S").expect("a time")
}

fn now() -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339("2025-09-13T18:00:00+00:00").expect("a time")
}

/// A repository whose branch and tag are called like some labels.
fn repository() -> &'static Path {
    static REPOSITORY: OnceLock<TempDir> = OnceLock::new();
    let folder = REPOSITORY.get_or_init(|| {
        let folder = tempfile::tempdir().expect("folder");
        let shell = xshell::Shell::new().expect("a shell");
        shell.change_dir(folder.path());
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b.invalid",
                "commit",
                "--quiet",
                "--allow-empty",
                "--message=first",
            ],
            &["tag", "v1.2"],
        ] {
            let git = crate::git::repository::without_git_variables(xshell::cmd!(
                shell,
                "git {arguments...}"
            ));
            git.quiet().run().expect("git");
        }
        folder
    });
    folder.path()
}

impl Random {
    fn name(&self) -> Name {
        let time = start() + TimeDelta::seconds(self.second);
        let mut name = Name::new(FILES[self.file], self.safety, time);
        name.ordinal = self.ordinal;
        name.in_format(if self.stored { Format::Pages } else { Format::Plain })
    }

    fn proof(&self, commit: &str) -> Proof {
        let Some(record) = &self.record else { return Proof::Unrecorded };
        let database = ["app", "logs", "gone"][record.database];
        let record = json!({
            "version": 1, "sequence": record.sequence, "source": "app.db",
            "database": database,
            "file": self.name().to_string(), "kind": if self.safety { "safety" } else { "manual" },
            "label": record.label.map(|label| LABELS[label]), "pinned": false,
            "created_at": (start() + TimeDelta::seconds(self.second)).and_utc(),
            "size_bytes": 0, "blake3": "", "content_blake3": "",
            "sqlite": { "version": "", "page_size_bytes": 0, "page_count": 0, "journal_mode": "",
                "user_version": 0, "application_id": 0, "encoding": "" },
            "schema_blake3": "", "tables": {}, "verified": null, "enters": null, "tool": "",
            "examined": { "at": "2025-09-13T14:25:30Z", "depth": "quick", "findings": [] },
            "git": { "branch": BRANCHES[record.branch], "commit": commit, "dirty": false,
                "worktree": if self.linked { "linked" } else { "." } },
        });
        let proof = Proof::parse(record.to_string().as_bytes());
        assert!(matches!(proof, Proof::Recorded(_)), "{proof:?}");
        proof
    }
}

/// The backups of a random folder, whose files are there: a path is a reference too.
fn backups(vault: &Vault, random: &[Random], commit: &str) -> Vec<Backup> {
    let mut backups: Vec<Backup> = Vec::new();
    for one in random {
        if backups.iter().any(|backup| backup.name == one.name()) {
            continue;
        }
        fs_err::write(vault.folder().join(one.name().to_string()), "").expect("written");
        let mut backup = vault.read(one.name()).expect("read").expect("there");
        backup.proof = one.proof(commit);
        backup.whose = one.whose.clone();
        backups.push(backup);
    }
    backup::sort_newest_first(&mut backups);
    backups
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_can_be_typed_and_means_what_it_stands_beside(
        random in prop::collection::vec(random(), 1..14),
        several in any::<bool>(),
        linked in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().expect("folder");
        let mut databases = vec![Database::new("app", repository().join("app.db"))];
        if several {
            databases.push(Database::new("logs", repository().join("logs.db")));
        }
        let mut project = Project::new(repository(), databases.clone());
        let place = project.git.as_mut().expect("a repository");
        let commit = place.commit("HEAD").expect("a commit");
        if linked {
            "linked".clone_into(&mut place.worktree);
        }
        let vault = Vault::at(folder.path(), now());
        let backups = backups(&vault, &random, &commit);
        let field = Field {
            all: &backups,
            databases: databases.iter().map(Database::owner).collect(),
            git: project.git.as_ref(),
            vault: &vault,
            folder: repository(),
            now: now(),
        };
        for (backup, printed) in backups.iter().zip(printed::all(&field)) {
            let name = printed.reference(backup);
            let number = printed.number.map(|number| number.to_string());
            for reference in number.iter().chain([&name]) {
                let found = resolve(reference, &field)
                    .map(|found| found.backup.name)
                    .map_err(|error| TestCaseError::fail(format!("{reference:?}: {error:#}")))?;
                prop_assert_eq!(&found, &backup.name, "{:?}", reference);
            }
            prop_assert!(!name.starts_with('-'));
            let exact = resolve(&backup.name.to_string(), &field).expect("a name");
            prop_assert_eq!(&exact.backup.name, &backup.name);
        }
        // And nothing but a name or a path ever means somebody else's.
        for reference in LABELS.iter().chain(&["latest~2", "oldest", "safety~1", "@feature/x", "1h"]) {
            if let Ok(found) = resolve(reference, &field)
                && found.backup.name.to_string() != *reference
            {
                prop_assert!(found.backup.whose.is_ours(), "{}", reference);
            }
        }
    }
}

//! A folder with tens of thousands of backups.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::sandbox::Sandbox;
use crate::support::strace::complain;

/// The most memory that a list of [`N_BACKUPS`] may need.
const MAX_BYTES: u64 = 64 << 20;

const N_BACKUPS: u64 = 50_000;

/// A sandbox with as many backups, whose records differ in what differs in practice.
pub(crate) fn with_backups(n: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git_init();
    sandbox.sql(
        "CREATE TABLE accounts (id INTEGER PRIMARY KEY); CREATE TABLE attachments (id INTEGER PRIMARY KEY);
         CREATE TABLE sessions (id INTEGER PRIMARY KEY); CREATE TABLE settings (id INTEGER PRIMARY KEY);
         CREATE TABLE tags (id INTEGER PRIMARY KEY); CREATE TABLE messages_tags (id INTEGER PRIMARY KEY);",
    );
    sandbox.ok(&["db-backup"]);
    let first = "backups/kalito.db.2025-09-13_142530.bak";
    let json = fs_err::read_to_string(sandbox.path(&format!("{first}.json"))).expect("a record");
    let mut record: Value = serde_json::from_str(&json).expect("json");
    record.as_object_mut().expect("an object").remove("record_blake3");
    for i in 1..n {
        let (hash, other) = (hash(i), hash(i + n));
        let day = chrono::NaiveDate::from_num_days_from_ce_opt(
            735_000 + i32::try_from(i / 24).expect("small"),
        );
        let (day, hour) = (day.expect("a day"), i % 24);
        let name = format!("kalito.db.{day}_{hour:02}0000.bak");
        record["sequence"] = (i + 1).into();
        record["file"] = name.as_str().into();
        record["created_at"] =
            format!("{day}T{hour:02}:00:00.{:06}+02:00", i * 7919 % 1_000_000).into();
        record["examined"]["at"] = record["created_at"].clone();
        record["label"] = (i % 10 == 0).then(|| format!("label {i}")).into();
        record["git"]["branch"] = format!("feature/{}", i / 40).into();
        record["git"]["commit"] = hash[..40].into();
        record["blake3"] = hash.into();
        record["content_blake3"] = other.into();
        for (at, count) in
            record["tables"].as_object_mut().expect("an object").values_mut().enumerate()
        {
            *count = (i * (at as u64 + 3)).into();
        }
        fs_err::hard_link(sandbox.path(first), sandbox.path(&format!("backups/{name}")))
            .expect("linked");
        sandbox.write(&format!("backups/{name}.json"), record.to_string());
    }
    sandbox
}

fn hash(n: u64) -> String {
    blake3::hash(&n.to_le_bytes()).to_string()
}

/// The most memory that a command had until it wrote the last 64 KiB of what it says, which is much
/// more: while nobody reads, it waits. `None` if the system does not show it.
fn peak_bytes(sandbox: &Sandbox, arguments: &[&str]) -> Option<u64> {
    let mut command = sandbox.xtask(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let status = format!("/proc/{}/status", child.id());
    let mut said = child.stdout.take().expect("a pipe");
    let (mut buffer, mut peak) = (vec![0; 16 << 10], None);
    while said.read(&mut buffer).expect("read") > 0 {
        let text = fs_err::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        peak = peak.max(kilobytes.map(|n| n << 10));
    }
    assert!(child.wait().expect("waited").success(), "{arguments:?}");
    peak
}

#[test]
fn the_memory_of_a_list_of_50_000_backups_is_bounded() {
    const FEW: u64 = 500;
    const MANY: u64 = 3_000;
    let (few, many) = (with_backups(FEW), with_backups(MANY));
    for arguments in [&["db-list"][..], &["db-list", "--json"]] {
        let (Some(before), Some(after)) =
            (peak_bytes(&few, arguments), peak_bytes(&many, arguments))
        else {
            complain("SKIPPED: no /proc to read the peak memory from");
            return;
        };
        let each = after.saturating_sub(before) / (MANY - FEW);
        let all = after + each * (N_BACKUPS - MANY);
        assert!(
            all < MAX_BYTES,
            "{arguments:?}: {after} bytes for {MANY}, {each} for each more: {all}"
        );
    }
}

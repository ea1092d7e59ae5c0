//! A record carries a checksum of itself: one that is wrong is damage, and older ones have none.

use serde_json::Value;

use crate::support::sandbox::{Sandbox, messages};

/// Rewrites the record of a backup as text.
fn edit(sandbox: &Sandbox, name: &str, edit: impl Fn(&str) -> String) {
    let path = sandbox.backup_path(&format!("{name}.json"));
    let text = fs_err::read_to_string(&path).expect("a record");
    fs_err::write(&path, edit(&text)).expect("written");
}

fn record(sandbox: &Sandbox, name: &str) -> Value {
    let text = fs_err::read(sandbox.backup_path(&format!("{name}.json"))).expect("a record");
    serde_json::from_slice(&text).expect("json")
}

fn states(sandbox: &Sandbox) -> Vec<String> {
    let list = sandbox.json(&["db-list"]);
    let rows = list["backups"].as_array().expect("rows").iter();
    rows.map(|row| row["state"].as_str().expect("a state").to_owned()).collect()
}

#[test]
fn a_record_whose_checksum_is_wrong_is_damage_and_its_backup_is_never_removed_for_it() {
    let sandbox = Sandbox::new();
    let first = sandbox.backup();
    let second = sandbox.backup_with("four");
    assert_eq!(record(&sandbox, &second)["record_blake3"].as_str().map(str::len), Some(64));
    // One digit of a hash: nothing else in the file is out of place.
    edit(&sandbox, &second, |text| text.replacen("\"size_bytes\": ", "\"size_bytes\": 1", 1));
    assert_eq!(states(&sandbox), ["damaged", "verified"]);
    let list = sandbox.ok(&["db-list"]);
    assert!(list.err.contains(&format!("the record of {second} is damaged")), "{}", list.err);
    let status = sandbox.fails(1, &["db-status"]);
    assert!(status.out.contains("1 record is damaged, e.g. that of"), "{}", status.out);
    assert!(!status.out.contains("delete"), "{}", status.out);
    let verified = sandbox.fails(1, &["db-verify", &second]);
    assert!(verified.out.contains("its record is damaged"), "{}", verified.out);
    // `latest` does not take it as good.
    let refused = sandbox.fails(1, &["db-restore", "latest", "--yes"]);
    assert!(refused.err.contains("its record is damaged"), "{}", refused.err);
    sandbox.ok(&["db-prune", "--keep-last", "1", "--yes"]);
    assert!(sandbox.backups().contains(&second), "{:?}", sandbox.backups());
    assert!(sandbox.backups().contains(&first), "the newest verified one is gone");
    // Its bytes can still be restored on purpose.
    sandbox.sql("DELETE FROM messages");
    sandbox.ok(&["db-restore", &second, "--yes", "--force"]);
    assert_eq!(messages(&sandbox.live()).len(), 4);
}

#[test]
fn older_records_have_no_checksum_and_get_one_when_they_are_written_again() {
    let sandbox = Sandbox::new();
    let name = sandbox.backup();
    edit(&sandbox, &name, |text| {
        let mut value: Value = serde_json::from_str(text).expect("json");
        let members = value.as_object_mut().expect("an object");
        members.remove("record_blake3");
        members.insert("from_tomorrow".to_owned(), serde_json::json!({ "a": [1, 1.5e300] }));
        value.to_string()
    });
    assert_eq!(states(&sandbox), ["verified"]);
    sandbox.ok(&["db-pin", &name]);
    let after = record(&sandbox, &name);
    assert_eq!(after["from_tomorrow"], serde_json::json!({ "a": [1, 1.5e300] }));
    assert_eq!(after["record_blake3"].as_str().map(str::len), Some(64));
    assert_eq!(states(&sandbox), ["verified"]);
    edit(&sandbox, &name, |text| text.replacen("1.5", "1.6", 1).replace("1.5e+300", "1.6e+300"));
    assert_eq!(states(&sandbox), ["damaged"]);
}

//! SQL under its guard: whatever a file contains, only the scratch database is written.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let folder = tempfile::TempDir::new().expect("a folder");
    let scratch = folder.path().join("scratch.db");
    std::fs::write(&scratch, b"").expect("a file");
    let _ = xtask_db::load_sql(bytes, &scratch);
    let n_files = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(n_files, 1, "something was written beside the scratch database");
});

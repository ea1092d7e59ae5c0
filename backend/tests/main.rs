//! The real program in a folder of its own, one file per feature.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod http;
mod migrate;
mod reindex;
mod sandbox;
mod search;
mod seed;
mod sequence;
mod serve;
mod server;
mod shutdown;

use std::fs;
use std::path::Path;

/// A file that is not a module here would never run.
#[test]
fn no_test_file_is_forgotten() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let this = fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_listed = this.contains(&format!("mod {module};"));
        assert!(module == "main" || is_listed, "`{module}` is missing in `tests/main.rs`");
    }
}

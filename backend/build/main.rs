//! Embeds the migrations: every `.sql` file in `db/migrations/`, in order.
//!
//! A new file is picked up by the next build, for Cargo watches the folder. The
//! texts themselves are embedded, so that the program needs no sources at run
//! time. A gap, a duplicate or an ill-named file fails the build.

mod sequence;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

const FOLDER: &str = "db/migrations";

#[expect(clippy::print_stdout, reason = "how a build script talks to cargo")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");
    println!("cargo::rerun-if-changed=build");

    let names = sql_files(Path::new(FOLDER))?;
    let findings = sequence::findings(&names);
    for finding in &findings {
        println!("cargo::error={finding}");
    }
    if findings.is_empty() {
        let Some(out) = env::var_os("OUT_DIR") else {
            return Err(io::Error::other("`OUT_DIR` is not set: run this through cargo"));
        };
        fs::write(Path::new(&out).join("migrations.rs"), table(&names)?)?;
    }
    Ok(())
}

/// The names of the `.sql` files in `folder`, sorted; hidden files are editors' own.
fn sql_files(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_sql = Path::new(&name).extension().is_some_and(|e| e.eq_ignore_ascii_case("sql"));
        if is_sql && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The source text of a slice with each migration's name and SQL.
fn table(names: &[String]) -> io::Result<String> {
    let mut source = String::from("&[\n");
    for name in names {
        let sql = fs::read_to_string(Path::new(FOLDER).join(name))?;
        writeln!(source, "    MigrationFile {{ name: {name:?}, sql: {sql:?} }},")
            .map_err(io::Error::other)?;
    }
    source.push_str("]\n");
    Ok(source)
}

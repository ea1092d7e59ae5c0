//! The host's schema files: which migration is the code's newest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The highest number that begins the name of a schema file, or of its folder.
pub(crate) fn newest_migration(root: &Path, patterns: &[String]) -> Option<(i64, PathBuf)> {
    numbered(root, patterns).max()
}

/// How many migrations have a higher number than a version; an `up` and its `down` are one.
pub(crate) fn n_after(root: &Path, patterns: &[String], version: i64) -> usize {
    let numbers = numbered(root, patterns).map(|(number, _)| number);
    numbers.filter(|number| *number > version).collect::<BTreeSet<_>>().len()
}

/// The schema files, each once.
pub(crate) fn files(root: &Path, patterns: &[String]) -> Vec<PathBuf> {
    let root = glob::Pattern::escape(&root.to_string_lossy());
    let files = patterns
        .iter()
        .filter_map(move |pattern| glob::glob(&format!("{root}/{pattern}")).ok())
        .flatten()
        .flatten();
    files.collect::<BTreeSet<_>>().into_iter().collect()
}

fn numbered(root: &Path, patterns: &[String]) -> impl Iterator<Item = (i64, PathBuf)> {
    files(root, patterns).into_iter().filter_map(|file| Some((number_of(&file)?, file)))
}

/// The number that begins the name of a schema file, or of its folder.
pub(crate) fn number_of(file: &Path) -> Option<i64> {
    let leading = |name: &str| {
        // diesel writes 2024-05-01-120000_name/up.sql
        let name = name.strip_prefix(['V', 'm']).unwrap_or(name);
        let end = name.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(name.len());
        name[..end].replace('-', "").parse().ok()
    };
    let own = leading(file.file_name()?.to_str()?);
    own.or_else(|| leading(file.parent()?.file_name()?.to_str()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_after_a_version_are_counted_once() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        for file in ["0001_a.sql", "0002_b.up.sql", "0002_b.down.sql", "0003_c.sql", "notes.sql"] {
            fs_err::write(folder.path().join(file), "")?;
        }
        let patterns = ["*.sql".to_owned()];
        for (version, n) in [(0, 3), (1, 2), (3, 0), (9, 0)] {
            assert_eq!(n_after(folder.path(), &patterns, version), n, "{version}");
        }
        Ok(())
    }

    #[test]
    fn migrations_are_numbered_by_their_names() {
        for (file, number) in [
            ("m/0003_search.sql", Some(3)),
            ("m/20240501120000_a.sql", Some(20_240_501_120_000)),
            ("m/2024-05-01-120000_a/up.sql", Some(20_240_501_120_000)),
            ("m/V2__a.sql", Some(2)),
            ("m/schema.sql", None),
        ] {
            assert_eq!(number_of(Path::new(file)), number, "{file}");
        }
    }
}

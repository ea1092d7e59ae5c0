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

/// The patterns that match no file.
pub(crate) fn idle<'a>(root: &Path, patterns: &'a [String]) -> Vec<&'a str> {
    let is_idle = |pattern: &&String| files(root, std::slice::from_ref(*pattern)).is_empty();
    patterns.iter().filter(is_idle).map(String::as_str).collect()
}

/// The folder of a pattern, up to its first wildcard; empty for the root.
pub(crate) fn folder_of(pattern: &str) -> &str {
    let folder = pattern.split(['*', '?', '[']).next().unwrap_or_default();
    folder.rsplit_once('/').map_or("", |(folder, _)| folder)
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
        if let Some(number) = sea_orm_number(name) {
            return Some(number);
        }
        // diesel writes 2024-05-01-120000_name/up.sql
        let name = name.strip_prefix(['V', 'm']).unwrap_or(name);
        let end = name.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(name.len());
        name[..end].replace('-', "").parse().ok()
    };
    let own = leading(file.file_name()?.to_str()?);
    own.or_else(|| leading(file.parent()?.file_name()?.to_str()?))
}

/// The day and the time in a name of `sea-orm-migration`, `m20220101_000001_create_table`, as one number.
fn sea_orm_number(name: &str) -> Option<i64> {
    let (day, rest) = name.strip_prefix('m')?.split_at_checked(8)?;
    let (time, _) = rest.strip_prefix('_')?.split_at_checked(6)?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (is_number(day) && is_number(time)).then(|| format!("{day}{time}").parse().ok())?
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
            ("migration/src/m20220101_000001_create_table.rs", Some(20_220_101_000_001)),
            ("migration/src/m20220101_000002_add_column.rs", Some(20_220_101_000_002)),
            ("migration/src/m20220101_create.rs", Some(20_220_101)),
            ("migration/src/main.rs", None),
            ("migration/src/m2022é101_000001.rs", Some(2022)),
            ("m/schema.sql", None),
        ] {
            assert_eq!(number_of(Path::new(file)), number, "{file}");
        }
    }
}

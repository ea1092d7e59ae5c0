//! The rule for the names of migration files: `0001_initial.sql`, `0002_…`,
//! the number being the file's position and, once applied, the schema version.

/// What is wrong with `names` (sorted); nothing when they form a whole sequence.
pub(crate) fn findings(names: &[String]) -> Vec<String> {
    if names.is_empty() {
        return vec!["`db/migrations` contains no migration: add `0001_initial.sql`".to_owned()];
    }
    let mut findings = Vec::new();
    let mut previous: Option<(usize, &str)> = None;
    for name in names {
        let Some(number) = number(name) else {
            findings.push(format!(
                "`db/migrations/{name}` is not named like `0001_initial.sql`: four digits, `_`, \
                 lowercase words, `.sql`"
            ));
            continue;
        };
        let expected = previous.map_or(1, |(last, _)| last + 1);
        match previous {
            Some((last, other)) if last == number => findings.push(format!(
                "`db/migrations/{name}` has the same number as `{other}`: renumber the later one"
            )),
            _ if number != expected => findings.push(format!(
                "`db/migrations/{name}` has number {number}, but {expected} comes next: \
                 migrations are numbered from 1 without gaps"
            )),
            _ => {}
        }
        previous = Some((number, name));
    }
    findings
}

/// The leading number of a well-formed name.
fn number(name: &str) -> Option<usize> {
    let (digits, title) = name.strip_suffix(".sql")?.split_once('_')?;
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let well_formed = digits.len() == 4
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !title.is_empty()
        && title.chars().all(is_word);
    if well_formed { digits.parse().ok() } else { None }
}

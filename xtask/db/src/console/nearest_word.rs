//! The known word nearest to a mistyped one.

/// `did you mean …` if a known name is near to an unknown one.
pub(crate) fn nearest<'n>(known: impl Iterator<Item = &'n str>, unknown: &str) -> String {
    let distance =
        |known: &str| strsim::damerau_levenshtein(&known.to_lowercase(), &unknown.to_lowercase());
    let nearest = known.min_by_key(|known| distance(known));
    let nearest = nearest.filter(|known| distance(known) <= unknown.chars().count().max(3) / 2);
    nearest.map_or_else(String::new, |known| format!(": did you mean `{known}`?"))
}

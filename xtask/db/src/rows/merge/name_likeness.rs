//! Names that suggest that a column refers to a table: `post_id`, `postId`, `parent_post_id`,
//! `fk_post` and `post` for `posts`; `on_type` beside `on_id`.

use std::collections::{BTreeSet, HashMap};

/// How much a column's name looks like a table's, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// It is the table's, in the singular or the plural.
    Name,
    /// It ends with the table's, e.g. `parent_post_id`.
    End,
    /// It is the end of the table's, e.g. `post_id` for `blog_posts`.
    Short,
}

/// Words before and after a name that mark a number as a reference.
const MARKS: [&str; 4] = ["id", "fk", "ref", "rowid"];

/// Words in a column's name which show that it names the kind of a reference.
const KINDS: [&str; 6] = ["type", "kind", "table", "model", "class", "entity"];

/// Names of columns that refer to rows of any table.
const ANYTHING: [&str; 8] =
    ["row", "record", "object", "item", "entity", "target", "foreign", "source"];

/// How English forms plurals: the end of the plural and of the singular.
const PLURALS: [(&str, &str); 6] =
    [("s", ""), ("es", ""), ("ies", "y"), ("ves", "f"), ("ves", "fe"), ("zes", "")];

/// Plurals that it forms otherwise, and their singulars.
const IRREGULAR: [(&str, &str); 10] = [
    ("people", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("mice", "mouse"),
    ("feet", "foot"),
    ("indices", "index"),
    ("vertices", "vertex"),
    ("criteria", "criterion"),
    ("media", "medium"),
];

/// Names of tables, by their words, so that the tables that a column may be named after are found
/// without comparing each.
#[derive(Debug, Default)]
pub(super) struct TableNames(HashMap<String, BTreeSet<usize>>);

impl TableNames {
    /// Collects the names of some tables, each with its number.
    #[must_use]
    pub(super) fn of<'n>(names: impl IntoIterator<Item = (usize, &'n str)>) -> Self {
        let mut by_form = HashMap::<String, BTreeSet<usize>>::new();
        for (number, name) in names {
            for form in forms(&words(name)) {
                by_form.entry(form).or_default().insert(number);
            }
        }
        Self(by_form)
    }

    /// The numbers of all tables that [`of`] may find similar, and a few more. The column's own
    /// table, which `parent_id` means, is not included.
    #[must_use]
    pub(super) fn near(&self, column: &str) -> BTreeSet<usize> {
        let forms = forms(&stem(column).0);
        forms.iter().filter_map(|form| self.0.get(form)).flatten().copied().collect()
    }
}

/// The last of some words and all of them in one, each as it is and in the singular. Names that are alike
/// have one of these in common.
fn forms(words: &[String]) -> BTreeSet<String> {
    let mut forms = BTreeSet::new();
    for word in words.last().cloned().into_iter().chain([words.concat()]) {
        forms.extend(
            PLURALS
                .iter()
                .filter_map(|(new, old)| Some(format!("{}{old}", word.strip_suffix(new)?))),
        );
        forms.extend(
            IRREGULAR
                .iter()
                .filter(|(plural, _)| *plural == word)
                .map(|(_, one)| (*one).to_owned()),
        );
        forms.insert(word);
    }
    forms
}

/// How much a column of a table looks as if it referred to another one, or to its own.
#[must_use]
pub(super) fn of(column: &str, table: &str, other: &str) -> Option<Likeness> {
    let (column, is_marked) = stem(column);
    let own = table.eq_ignore_ascii_case(other);
    if own && column == ["parent"] {
        return Some(Likeness::Name);
    }
    let other = words(other);
    if are_alike(&column, &other) {
        Some(Likeness::Name)
    } else if is_marked && ends_with(&column, &other) {
        Some(Likeness::End)
    } else if is_marked && ends_with(&other, &column) {
        Some(Likeness::Short)
    } else {
        None
    }
}

/// Whether a column looks as if it named the kind of row to which another column refers.
#[must_use]
pub(super) fn names_kind(kind: &str, column: &str) -> bool {
    let (kind, (column, is_marked)) = (words(kind), stem(column));
    if !is_marked {
        return false;
    }
    if kind == column || kind == ["tablename"] || kind == ["table", "name"] {
        return true;
    }
    let Some((last, first)) = kind.split_last() else { return false };
    let is_anything = matches!(column.as_slice(), [word] if ANYTHING.contains(&word.as_str()));
    KINDS.contains(&last.as_str()) && (first == column || first.is_empty() && is_anything)
}

/// Whether a value names a table, e.g. `post`, `Posts`, `App\Models\Post` or `blog.post`.
#[must_use]
pub(super) fn is_of(value: &str, table: &str) -> bool {
    let last = value.rsplit(['\\', '/', '.', ':']).next().unwrap_or_default();
    let (value, table) = (words(last), words(table));
    are_alike(&value, &table) || ends_with(&table, &value)
}

/// A column's name without the part which shows that it refers, and whether there was one.
fn stem(column: &str) -> (Vec<String>, bool) {
    let mut words = words(column);
    let is_mark = |word: Option<&String>| word.is_some_and(|word| MARKS.contains(&word.as_str()));
    if words.len() > 1 && is_mark(words.last()) {
        words.pop();
        return (words, true);
    }
    if words.len() > 1 && is_mark(words.first()) {
        words.remove(0);
        return (words, true);
    }
    if let Some(last) = words.last_mut()
        && let Some(stem) = last.strip_suffix("id").filter(|stem| stem.len() > 2)
    {
        *last = stem.to_owned();
        return (words, true);
    }
    (words, false)
}

/// The words of a name, in lower case: split at underscores and other marks, and before a capital
/// after a small letter.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut word, mut was_small) = (Vec::new(), String::new(), false);
    for c in name.chars() {
        if !c.is_alphanumeric() || was_small && c.is_uppercase() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn are_alike(a: &[String], b: &[String]) -> bool {
    !a.is_empty() && a.len() == b.len() && ends_with(a, b)
        // `user_group` and `usergroup`.
        || is_same_word(&a.concat(), &b.concat())
}

/// Whether these words end with those, with the last one in the singular or the plural.
fn ends_with(words: &[String], end: &[String]) -> bool {
    let Some(skipped) = words.len().checked_sub(end.len()) else { return false };
    let (Some((last, first)), Some((end, begin))) =
        (words[skipped..].split_last(), end.split_last())
    else {
        return false;
    };
    first == begin && is_same_word(last, end)
}

fn is_same_word(a: &str, b: &str) -> bool {
    !a.is_empty() && (a == b || is_plural(a, b) || is_plural(b, a))
}

/// Whether one word is the English plural of another.
fn is_plural(plural: &str, singular: &str) -> bool {
    let is_changed = |(new, old): &(&str, &str)| {
        plural.strip_suffix(new).zip(singular.strip_suffix(old)).is_some_and(|(a, b)| a == b)
    };
    IRREGULAR.contains(&(plural, singular)) || PLURALS.iter().any(is_changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_look_like_the_tables_they_are_named_after() {
        use Likeness::{End, Name, Short};
        for (column, other, likeness) in [
            ("post_id", "post", Some(Name)),
            ("post_id", "Posts", Some(Name)),
            ("postId", "posts", Some(Name)),
            ("PostID", "post", Some(Name)),
            ("postid", "posts", Some(Name)),
            ("id_post", "post", Some(Name)),
            ("fk_category", "categories", Some(Name)),
            ("post", "posts", Some(Name)),
            ("user_group_id", "user_groups", Some(Name)),
            ("usergroup_id", "user_groups", Some(Name)),
            ("person_id", "people", Some(Name)),
            ("box_id", "boxes", Some(Name)),
            ("parent_post_id", "posts", Some(End)),
            ("post_id", "blog_posts", Some(Short)),
            ("parent_id", "likes", Some(Name)),
            ("parent_id", "posts", None),
            ("parent_post", "posts", None),
            ("position", "post", None),
            ("postal_id", "post", None),
            ("paid", "pas", None),
            ("price", "posts", None),
            ("valid", "posts", None),
        ] {
            assert_eq!(of(column, "likes", other), likeness, "{column} {other}");
            let near = TableNames::of([(7, other)]).near(column);
            let is_own = (column, other) == ("parent_id", "likes");
            assert!(likeness.is_none() || is_own || near.contains(&7), "{column} {other}");
        }
    }

    #[test]
    fn kinds_stand_beside_what_they_are_of() {
        for (kind, column, expected) in [
            ("on_type", "on_id", true),
            ("commentable_type", "commentable_id", true),
            ("commentableType", "commentableId", true),
            ("table_name", "row_id", true),
            ("type", "object_id", true),
            ("entity", "entity_id", true),
            ("type", "user_id", false),
            ("on_type", "off_id", false),
            ("title", "on_id", false),
            ("on_type", "on", false),
        ] {
            assert_eq!(names_kind(kind, column), expected, "{kind} {column}");
        }
        for value in ["post", "Post", "posts", "App\\Models\\Post", "blog.post"] {
            assert!(is_of(value, "posts"), "{value}");
        }
        assert!(!is_of("", "posts") && !is_of("postal", "posts") && !is_of("photo", "posts"));
    }
}

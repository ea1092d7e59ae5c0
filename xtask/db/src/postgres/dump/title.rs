//! The title that `pg_dump` writes above an object: `-- Name: users; Type: TABLE; Schema: public; Owner: app`.

/// A title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Title<'a> {
    /// The name of the object.
    pub(crate) name: &'a str,
    /// What it is, e.g. `TABLE`.
    pub(crate) kind: &'a str,
    /// Its schema; `-` if it is in none.
    pub(crate) schema: &'a str,
}

/// Kinds that are values and no definitions.
const VALUES: [&str; 5] = ["SEQUENCE SET", "BLOB", "BLOBS", "BLOB METADATA", "STATISTICS DATA"];

impl<'a> Title<'a> {
    /// The title at the beginning of a piece; `None` if it has none.
    #[must_use]
    pub(crate) fn of(piece: &'a [u8]) -> Option<Self> {
        let line = piece.strip_prefix(b"--\n-- ")?;
        let end = line.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&line[..end]).ok()?;
        let (_, rest) = line.split_once("Name: ")?;
        // A name may contain anything; what follows it may not.
        let (name, rest) = rest.rsplit_once("; Type: ")?;
        let (kind, rest) = rest.split_once("; Schema: ")?;
        let schema = rest.rsplit_once("; Owner: ").map_or(rest, |(schema, _)| schema);
        Some(Self { name, kind, schema })
    }

    /// Whether values follow: of a sequence, or large objects and what belongs to them.
    #[must_use]
    pub(crate) fn is_of_values(&self) -> bool {
        VALUES.contains(&self.kind) || self.schema == "-" && self.name.starts_with("LARGE OBJECT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, &str, &str, bool)>) {
        let piece = format!("--\n-- {line}\n--\n\nCREATE ...\n");
        let title = Title::of(piece.as_bytes());
        let found = title.map(|title| (title.name, title.kind, title.schema, title.is_of_values()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn a_title_names_an_object_and_whether_values_follow() {
        check(
            "Name: users; Type: TABLE; Schema: public; Owner: app",
            Some(("users", "TABLE", "public", false)),
        );
        check(
            "Data for Name: users; Type: TABLE DATA; Schema: public; Owner: app",
            Some(("users", "TABLE DATA", "public", false)),
        );
        check(
            "Name: users_id_seq; Type: SEQUENCE SET; Schema: public; Owner: app",
            Some(("users_id_seq", "SEQUENCE SET", "public", true)),
        );
        check(
            "Data for Name: BLOBS; Type: BLOBS; Schema: -; Owner: -",
            Some(("BLOBS", "BLOBS", "-", true)),
        );
        check(
            "Name: LARGE OBJECT 16500; Type: ACL; Schema: -; Owner: app",
            Some(("LARGE OBJECT 16500", "ACL", "-", true)),
        );
        check(
            "Name: a; Type: SEQUENCE SET; Schema: x; Type: VIEW; Schema: public; Owner: app",
            Some(("a; Type: SEQUENCE SET; Schema: x", "VIEW", "public", false)),
        );
        check("PostgreSQL database dump", None);
    }
}

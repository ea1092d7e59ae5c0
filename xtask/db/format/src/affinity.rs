//! What a column's declared type does to values: SQLite's affinity rules, in one place for every
//! caller.

/// The affinity of a column (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Whole numbers, if values look like that.
    Integer,
    /// Texts.
    Text,
    /// None: values stay what they are.
    Blob,
    /// Reals, if values look like numbers.
    Real,
    /// Numbers, if values look like that.
    Numeric,
}

impl Affinity {
    /// Of a declared type, in a STRICT table or in another one.
    #[must_use]
    pub fn of(declared_type: &str, is_strict: bool) -> Self {
        let declared = declared_type.to_ascii_uppercase();
        let has = |parts: &[&str]| parts.iter().any(|part| declared.contains(part));
        match () {
            () if is_strict && declared == "ANY" => Self::Blob,
            () if has(&["INT"]) => Self::Integer,
            () if has(&["CHAR", "CLOB", "TEXT"]) => Self::Text,
            () if declared.is_empty() || has(&["BLOB"]) => Self::Blob,
            () if has(&["REAL", "FLOA", "DOUB"]) => Self::Real,
            () => Self::Numeric,
        }
    }

    /// A type that has it, in a table that is not STRICT.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
            Self::Real => "REAL",
            Self::Numeric => "NUMERIC",
        }
    }

    /// Whether it is one of the three that numbers have, which compare alike.
    #[must_use]
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Integer | Self::Real | Self::Numeric)
    }
}

//! The settings in an SQL file: which belong to its content, which only to its writer or reader, and
//! which would weaken what protects us.

/// How to handle a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is a part of the content.
    Run,
    /// It is skipped without a remark.
    Pass,
    /// It would set how the database is stored: it is skipped, with a remark.
    PassAndSay,
    /// It has no place in a dump.
    Refuse,
}

/// Decides about a setting, named in lower case.
pub(super) fn verdict(name: &str) -> Verdict {
    match name {
        "encoding"
        | "page_size"
        | "user_version"
        | "application_id"
        | "ignore_check_constraints" => Verdict::Run,
        // Settings that a reader makes itself. The schema is never written directly here, whatever
        // the shell's dumps contain. References are checked at the end.
        "analysis_limit"
        | "automatic_index"
        | "busy_timeout"
        | "cache_size"
        | "cache_spill"
        | "cell_size_check"
        | "count_changes"
        | "defer_foreign_keys"
        | "empty_result_callbacks"
        | "foreign_keys"
        | "foreign_key_check"
        | "full_column_names"
        | "integrity_check"
        | "legacy_alter_table"
        | "legacy_file_format"
        | "locking_mode"
        | "mmap_size"
        | "optimize"
        | "quick_check"
        | "shrink_memory"
        | "short_column_names"
        | "synchronous"
        | "temp_store"
        | "threads"
        | "wal_autocheckpoint"
        | "wal_checkpoint"
        | "writable_schema" => Verdict::Pass,
        "auto_vacuum"
        | "case_sensitive_like"
        | "incremental_vacuum"
        | "journal_mode"
        | "journal_size_limit"
        | "max_page_count"
        | "recursive_triggers"
        | "reverse_unordered_selects"
        | "secure_delete" => Verdict::PassAndSay,
        _ => Verdict::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_weakens_is_refused_and_so_is_what_is_unknown() {
        for (name, expected) in [
            ("user_version", Verdict::Run),
            ("foreign_keys", Verdict::Pass),
            ("writable_schema", Verdict::Pass),
            ("journal_mode", Verdict::PassAndSay),
            ("trusted_schema", Verdict::Refuse),
            ("temp_store_directory", Verdict::Refuse),
            ("schema_version", Verdict::Refuse),
            ("key", Verdict::Refuse),
            ("something_new", Verdict::Refuse),
        ] {
            assert_eq!(verdict(name), expected, "{name}");
        }
    }
}

//! How a command that a person wrote as one string is written as a list of words.
//!
//! Nothing is run from this: it is for hints.

use serde_json::json;

/// The list to write for a command: its words, or a shell that gets the whole if only a shell can read it.
pub(crate) fn list_of(command: &str) -> String {
    let command = command.trim();
    let for_shell = |c: char| "'\"\\$`|;&<>()*?~#".contains(c) || c.is_control();
    let sets_variable = command.split_whitespace().next().is_some_and(|word| word.contains('='));
    if sets_variable || command.contains(for_shell) {
        return list(["sh", "-c", command]);
    }
    list(command.split_whitespace())
}

/// Words as TOML writes them.
pub(super) fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    // A string of JSON is one of TOML too.
    let quoted: Vec<String> = words.into_iter().map(|word| json!(word).to_string()).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_a_list_of_its_words_and_a_shell_gets_what_only_it_can_read() {
        for (command, expected) in [
            ("sh migrate.sh", r#"["sh", "migrate.sh"]"#),
            (" ./migrate  up ", r#"["./migrate", "up"]"#),
            ("a && b", r#"["sh", "-c", "a && b"]"#),
            ("A=1 ./migrate.sh", r#"["sh", "-c", "A=1 ./migrate.sh"]"#),
            ("echo 'a b'", r#"["sh", "-c", "echo 'a b'"]"#),
        ] {
            assert_eq!(list_of(command), expected, "{command}");
        }
    }
}

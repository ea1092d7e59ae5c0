//! Output for GitHub Actions: the outputs of a step, its summary, annotations in its log
//! (<https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>).
//!
//! GitHub reads the log line by line for commands, so a table called `::set-output…` or a migration
//! that prints one could run them. Commands are therefore stopped with an unguessable token while
//! text from elsewhere is printed, and every value is escaped.

use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::console::text;

/// The files and the log of a step of GitHub Actions; all of them are absent elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Whether the log is read for commands.
    pub log: bool,
    /// The file of outputs, one `name=value` a line.
    pub output: Option<PathBuf>,
    /// The file of the summary, in Markdown.
    pub summary: Option<PathBuf>,
}

/// How grave an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// The step failed.
    Error,
    /// Something to know.
    Warning,
}

impl Step {
    /// Appends outputs.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn put_out(&self, values: &[(&str, &str)]) -> Result<()> {
        let lines: Vec<_> =
            values.iter().map(|(name, value)| format!("{name}={}\n", text::plain(value))).collect();
        append(self.output.as_deref(), &lines.concat())
    }

    /// Appends to the summary: a heading, then lines as they are.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn summarize(&self, heading: &str, lines: &[String]) -> Result<()> {
        let lines: Vec<_> =
            lines.iter().map(|line| format!("{}\n", literally(&text::plain(line)))).collect();
        let markdown = format!("### {heading}\n\n<pre>\n{}</pre>\n", lines.concat());
        append(self.summary.as_deref(), &markdown)
    }
}

fn append(path: Option<&Path>, text: &str) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let mut file = fs_err::OpenOptions::new().append(true).create(true).open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}

/// Text that HTML shows as it is.
fn literally(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A line that annotates the run.
#[must_use]
pub(crate) fn annotation(level: Level, message: &str) -> String {
    let level = match level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    format!("::{level} title=db-pre-deploy::{}", escaped(message))
}

fn escaped(message: &str) -> String {
    message.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A word that nobody can guess, for [`stop`] and [`resume`].
#[must_use]
pub(crate) fn token() -> String {
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// From this line on the log is not read for commands.
#[must_use]
pub(crate) fn stop(token: &str) -> String {
    format!("::stop-commands::{token}")
}

/// From this line on it is again.
#[must_use]
pub(crate) fn resume(token: &str) -> String {
    format!("::{token}::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_begins_a_second_command() {
        assert_eq!(
            annotation(Level::Error, "100% of `a\n::set-env name=x::y\r`"),
            "::error title=db-pre-deploy::100%25 of `a%0A::set-env name=x::y%0D`"
        );
        assert_ne!(token(), token());
    }

    #[test]
    fn outputs_and_summaries_are_appended_and_hold_no_markup_of_others() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (output, summary) = (folder.path().join("output"), folder.path().join("summary"));
        fs_err::write(&output, "before=1\n")?;
        let step = Step { log: true, output: Some(output.clone()), summary: Some(summary.clone()) };
        step.put_out(&[("backup", "a\nevil=1.bak")])?;
        step.summarize("Heading", &["</pre><script>".to_owned()])?;
        assert_eq!(fs_err::read_to_string(output)?, "before=1\nbackup=a\\nevil=1.bak\n");
        assert_eq!(
            fs_err::read_to_string(summary)?,
            "### Heading\n\n<pre>\n&lt;/pre&gt;&lt;script&gt;\n</pre>\n"
        );
        Ok(())
    }
}

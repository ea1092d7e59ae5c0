//! Lines in the user's crontab, between two comments that name the schedule.

use std::ffi::OsStr;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use chrono::Timelike as _;

use super::contract::{Call, Found, Traces, first_line, output, step};
use crate::console::refusal::{Exit, Refusal};
use crate::host::project::schedule::When;

/// Whether there is a `crontab` here.
#[must_use]
pub(crate) fn is_there() -> bool {
    read().is_ok()
}

pub(super) fn traces() -> Result<Traces> {
    Ok(Traces { is_first_crontab: read()?.is_none(), ..Traces::default() })
}

pub(super) fn install(call: &Call<'_>) -> Result<()> {
    let before = read()?;
    let text = before.clone().unwrap_or_default();
    let mut table = without_ours(&text, call)?;
    if !table.is_empty() && !table.ends_with('\n') {
        table.push('\n');
    }
    table.push_str(&block(call));
    if before.as_deref() != Some(&table) {
        write(&table)?;
    }
    Ok(())
}

pub(super) fn remove(call: &Call<'_>, traces: &Traces) -> Result<()> {
    let Some(before) = read()? else { return Ok(()) };
    let table = without_ours(&before, call)?;
    if table.is_empty() && traces.is_first_crontab {
        let output = output(&["crontab".as_ref(), "-r".as_ref()], None)?;
        if !output.status.success() {
            bail!("`crontab -r` failed: {}", first_line(&output.stderr));
        }
    } else if table != before {
        write(&table)?;
    }
    Ok(())
}

pub(super) fn find(call: &Call<'_>) -> Found {
    match read() {
        Ok(Some(table)) if table.contains(&block(call)) => Found::Active,
        Ok(Some(table)) if without(&table, call.id) != table => {
            Found::Inactive("its lines in the crontab are not as they were installed".to_owned())
        }
        Ok(_) => Found::Inactive("its lines are gone from the crontab".to_owned()),
        Err(error) => Found::Inactive(format!("{error:#}")),
    }
}

/// The crontab; `None` if the user has none.
fn read() -> Result<Option<String>> {
    let output = output(&["crontab".as_ref(), "-l".as_ref()], None)?;
    if output.status.success() {
        let text = String::from_utf8(output.stdout);
        return Ok(Some(text.context("the crontab is not UTF-8")?));
    }
    let said = first_line(&output.stderr);
    // cron, cronie and BusyBox: "no crontab for", "can't open".
    if said.contains("no crontab") || said.contains("can't open") {
        return Ok(None);
    }
    bail!("`crontab -l` failed: {said}")
}

fn write(table: &str) -> Result<()> {
    let words: [&OsStr; 2] = ["crontab".as_ref(), "-".as_ref()];
    let output = output(&words, Some(table.as_bytes()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Refusal {
        what: format!("`crontab` refused the new table: {}", first_line(&output.stderr)),
        hint: "the crontab is as it was; `crontab -e` shows it".to_owned(),
        exit: Exit::CouldNot,
    }
    .into())
}

fn begin(id: &str) -> String {
    format!(
        "# xtask-db {id}: written by `cargo xtask db-schedule install`; `cargo xtask db-schedule uninstall` removes it\n"
    )
}

fn end(id: &str) -> String {
    format!("# xtask-db {id}: end\n")
}

/// The lines of a schedule.
pub(super) fn block(call: &Call<'_>) -> String {
    let command = format!("/bin/sh {}", escaped(&call.script.to_string_lossy()));
    let mut block = begin(call.id);
    let step = step(call.when);
    let slot = match call.when {
        When::Daily(time) => Some((time, "*".to_owned())),
        When::Weekly(day, time) => Some((time, day.num_days_from_sunday().to_string())),
        When::Minutes(_) | When::Days(_) => None,
    };
    if let Some((time, day)) = slot.filter(|(time, _)| !time.minute().is_multiple_of(step)) {
        let _ = writeln!(block, "{} {} * * {day} {command}", time.minute(), time.hour());
    }
    let minutes = if step == 60 { "0".to_owned() } else { format!("*/{step}") };
    let _ = writeln!(block, "{minutes} * * * * {command}");
    block + &end(call.id)
}

/// The table without the lines of a schedule, and otherwise the same.
fn without(table: &str, id: &str) -> String {
    let mut rest = String::with_capacity(table.len());
    let (begin, end) = (begin(id), end(id));
    let mut is_ours = false;
    for line in table.split_inclusive('\n') {
        if line == begin {
            is_ours = true;
        } else if is_ours && line == end {
            is_ours = false;
        } else if !is_ours {
            rest.push_str(line);
        }
    }
    // Without its end nobody knows which lines are ours.
    if is_ours { table.to_owned() } else { rest }
}

/// The table without the lines of a schedule, if none of them is left then.
fn without_ours(table: &str, call: &Call<'_>) -> Result<String> {
    let rest = without(table, call.id);
    let command = escaped(&call.script.to_string_lossy());
    let is_left = |line: &str| !line.trim_start().starts_with('#') && line.contains(&command);
    if rest.lines().any(is_left) {
        return Err(Refusal {
            what: "somebody changed the lines of this schedule in the crontab: its own comments are not around all of them"
                .to_owned(),
            hint: format!(
                "remove the lines with {command} by `crontab -e`, and those with `# xtask-db {}`, then try again; the \
                 crontab is as it was",
                call.id
            ),
            exit: Exit::CouldNot,
        }
        .into());
    }
    Ok(rest)
}

/// A word of a command in a crontab: a shell reads it, and before that `%` is a line break (`man 5 crontab`).
fn escaped(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''")).replace('%', "\\%")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use chrono::{NaiveTime, Weekday};

    use super::super::contract::User;
    use super::*;

    fn call(when: When, user: &User) -> Call<'_> {
        Call { id: "app-1", script: Path::new("/a b/100 %'s"), when, user }
    }

    #[test]
    fn the_lines_come_at_the_slot_and_every_hour() {
        let user = User { home: "/h".into(), settings: "/h/.config".into() };
        let time = |h, m| NaiveTime::from_hms_opt(h, m, 0).expect("a time");
        for (when, expected) in [
            (When::Daily(time(2, 0)), vec!["0 * * * *"]),
            (When::Daily(time(2, 30)), vec!["30 2 * * *", "0 * * * *"]),
            (When::Weekly(Weekday::Sun, time(3, 5)), vec!["5 3 * * 0", "0 * * * *"]),
            (When::Minutes(15), vec!["*/15 * * * *"]),
            (When::Minutes(360), vec!["0 * * * *"]),
            (When::Days(2), vec!["0 * * * *"]),
        ] {
            let block = block(&call(when, &user));
            let lines: Vec<_> = block.lines().filter(|line| !line.starts_with('#')).collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|times| format!("{times} /bin/sh '/a b/100 \\%'\\''s'"))
                .collect();
            assert_eq!(lines, expected, "{when}");
        }
    }

    #[test]
    fn only_lines_of_the_schedule_are_taken_out() {
        let user = User { home: "/h".into(), settings: "/h/.config".into() };
        let block = block(&call(When::Days(1), &user));
        let other = block.replace("app-1", "app-2");
        for rest in ["", "1 2 3 4 5 x\n", "# a\n\nMAILTO=\"\"\n", &other] {
            assert_eq!(without(&format!("{rest}{block}"), "app-1"), *rest);
            assert_eq!(without(&format!("{block}{rest}"), "app-1"), *rest);
            assert_eq!(without(rest, "app-1"), *rest);
        }
        let cut = block.replace(&end("app-1"), "");
        assert_eq!(without(&format!("{cut}1 2 3 4 5 x\n"), "app-1"), format!("{cut}1 2 3 4 5 x\n"));
    }
}

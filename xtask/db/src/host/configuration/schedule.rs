//! Reads `[workspace.metadata.db.schedule]`, `AUTO_BACKUP_ENABLED` and `AUTO_BACKUP_TIME`, which win over it.

use anyhow::{Context as _, Result, bail};
use chrono::{NaiveTime, Weekday};

use super::strict_table::Section;
use super::variables::Variables;
use crate::console::text;
use crate::host::project::schedule::{Address, Export, Named, Schedule, Scheduled, When};

/// The time of a schedule that names none.
const USUAL: When = When::Daily(match NaiveTime::from_hms_opt(2, 0, 0) {
    Some(time) => time,
    None => NaiveTime::MIN,
});
/// The shortest time between two backups.
const MIN_MINUTES: u32 = 15;
const MINUTES_OF_A_DAY: u32 = 24 * 60;
/// The formats of exports that git can keep: CSV is a folder for each database.
const FORMATS: [&str; 4] = ["jsonl", "json", "sql", "csv"];

/// Reads the schedule.
///
/// # Errors
///
/// If a key or a variable has a value that means nothing.
pub(super) fn read(section: &mut Section, variables: &Variables) -> Result<Scheduled> {
    let table = match section.section("schedule")? {
        Some(table) => Some(of_table(table, variables)?),
        None => None,
    };
    let enabled = match variables.get("AUTO_BACKUP_ENABLED") {
        None => None,
        Some(variable) => match variable.text()?.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some((true, variable.origin.clone())),
            "false" | "0" | "no" | "off" => Some((false, variable.origin.clone())),
            other => bail!("`AUTO_BACKUP_ENABLED` is `{other}`, not `true` or `false`"),
        },
    };
    let time = match variables.get("AUTO_BACKUP_TIME") {
        None => None,
        Some(variable) => {
            let text = variable.text()?;
            let time = time_of(text).with_context(|| {
                format!("`AUTO_BACKUP_TIME` is `{text}`, not a time, e.g. `02:30`")
            })?;
            Some((When::Daily(time), variable.origin.clone()))
        }
    };
    if let Some((false, origin)) = enabled {
        return Ok(Scheduled::Off(origin));
    }
    // A time alone does not ask for backups: it was in many an `.env` before there was a schedule.
    let Some(mut schedule) = table.or_else(|| enabled.map(|(_, origin)| usual(origin))) else {
        return Ok(Scheduled::No);
    };
    if let Some((when, origin)) = time {
        schedule.when = when;
        schedule.origin = Some(origin);
    }
    Ok(Scheduled::Yes(Box::new(schedule)))
}

/// The schedule of `AUTO_BACKUP_ENABLED=true` without a table.
fn usual(origin: String) -> Schedule {
    Schedule {
        when: USUAL,
        origin: Some(origin),
        bundle: false,
        export: None,
        ping: None,
        webhook: None,
        named: Vec::new(),
        notify: Vec::new(),
    }
}

fn of_table(mut section: Section, variables: &Variables) -> Result<Schedule> {
    let (at, every, weekly) =
        (section.text("at")?, section.text("every")?, section.text("weekly")?);
    let when = match (at, every, weekly) {
        (None, None, None) => USUAL,
        (Some(at), None, None) => When::Daily(time_of(&at).with_context(|| {
            format!("`at` in `[{}]` is `{at}`, not a time, e.g. `02:00`", section.place)
        })?),
        (None, Some(every), None) => every_of(&every)
            .with_context(|| format!("`every` in `[{}]` is `{every}`", section.place))?,
        (None, None, Some(weekly)) => weekly_of(&weekly).with_context(|| {
            format!(
                "`weekly` in `[{}]` is `{weekly}`, not a day and a time, e.g. `sun 02:00`",
                section.place
            )
        })?,
        _ => bail!("`[{}]` has more than one of `at`, `every` and `weekly`", section.place),
    };
    let bundle = section.flag("bundle")?.unwrap_or(false);
    let export = match section.section("export")? {
        Some(table) => Some(export(table)?),
        None => None,
    };
    let mut named = Vec::new();
    let ping = address(&mut section, "ping", variables, &mut named)?;
    let webhook = address(&mut section, "webhook", variables, &mut named)?;
    let notify = section.command("notify")?;
    section.finish()?;
    Ok(Schedule { when, origin: None, bundle, export, ping, webhook, named, notify })
}

/// An address, from the key or from the variable that `KEY-env` names. A value is never repeated: it is a secret.
fn address(
    section: &mut Section,
    key: &str,
    variables: &Variables,
    named: &mut Vec<Named>,
) -> Result<Option<Address>> {
    let by_variable = format!("{key}-env");
    let (value, origin) = match (section.text(key)?, section.text(&by_variable)?) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            bail!("`[{}]` has both `{key}` and `{by_variable}`", section.place)
        }
        (Some(value), None) => (value, format!("`{key}` in `[{}]`", section.place)),
        // Not every machine has the variable: where it is missing, nobody is called.
        (None, Some(name)) => {
            let found = variables.get(&name);
            named.push(Named { key: by_variable, variable: name, is_set: found.is_some() });
            match found {
                None => return Ok(None),
                Some(variable) => (variable.text()?.to_owned(), variable.origin.clone()),
            }
        }
    };
    match Address::parse(&value) {
        Some(address) => Ok(Some(address)),
        None => bail!("{origin} is not an address, e.g. `https://hc-ping.com/UUID`"),
    }
}

fn export(mut section: Section) -> Result<Export> {
    let place = section.place.clone();
    let into = section.text("into")?;
    let format = section.text("format")?.unwrap_or_else(|| FORMATS[0].to_owned());
    let commit = section.flag("commit")?.unwrap_or(false);
    let push = section.text("push")?;
    section.finish()?;
    let Some(into) = into.filter(|into| !into.trim().is_empty()) else {
        bail!("`[{place}]` needs `into`, a folder of the repository, e.g. `snapshots`");
    };
    let is_inside = std::path::Path::new(&into)
        .components()
        .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
    if !is_inside {
        bail!("`into` in `[{place}]` is `{into}`, which is not a folder inside the workspace");
    }
    if !FORMATS.contains(&format.as_str()) {
        bail!("`format` in `[{place}]` is `{format}`; the formats are {}", FORMATS.join(", "));
    }
    if push.is_some() && !commit {
        bail!("`[{place}]` has `push` without `commit = true`: there would be nothing to push");
    }
    if push.as_ref().is_some_and(|remote| remote.is_empty() || remote.starts_with('-')) {
        bail!("`push` in `[{place}]` is not the name of a remote, e.g. `origin`");
    }
    Ok(Export { into, format, commit, push })
}

fn time_of(text: &str) -> Result<NaiveTime> {
    Ok(NaiveTime::parse_from_str(text.trim(), "%H:%M")?)
}

fn weekly_of(text: &str) -> Result<When> {
    let (day, time) = text.trim().split_once(char::is_whitespace).context("one word only")?;
    let day: Weekday = day.parse().ok().context("no day of the week")?;
    Ok(When::Weekly(day, time_of(time)?))
}

/// A period after which the slots of one day are those of the next, so that everybody can say when the next one is.
fn every_of(text: &str) -> Result<When> {
    let period = text::parse_duration(text)?;
    let n_minutes = u32::try_from(period.as_secs() / 60).context("it is too long")?;
    let is_whole = u64::from(n_minutes) * 60_000 == u64::try_from(period.as_millis())?;
    if is_whole && n_minutes > 0 && n_minutes.is_multiple_of(MINUTES_OF_A_DAY) {
        return Ok(When::Days(n_minutes / MINUTES_OF_A_DAY));
    }
    if is_whole && n_minutes >= MIN_MINUTES && MINUTES_OF_A_DAY.is_multiple_of(n_minutes) {
        return Ok(When::Minutes(n_minutes));
    }
    bail!(
        "it must divide a day, from {MIN_MINUTES}m to 12h (e.g. `15m`, `1h` or `6h`), or be a number of days, e.g. `2d`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hours: u32, minutes: u32) -> NaiveTime {
        NaiveTime::from_hms_opt(hours, minutes, 0).expect("a time")
    }

    fn read_text(text: &str, variables: &[(&str, &str)]) -> Result<Scheduled> {
        let environment =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let files = super::super::variables::EnvFiles::Ignored;
        let variables = Variables::read(std::path::Path::new("/nowhere"), &environment, files)?;
        let mut section = Section::new("db", text.parse()?);
        let schedule = read(&mut section, &variables)?;
        section.finish()?;
        Ok(schedule)
    }

    fn when(text: &str, variables: &[(&str, &str)]) -> When {
        match read_text(text, variables).expect(text) {
            Scheduled::Yes(schedule) => schedule.when,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_schedule_is_daily_weekly_or_periodic() {
        for (text, expected) in [
            ("schedule = {}", When::Daily(time(2, 0))),
            ("schedule = { at = '14:30' }", When::Daily(time(14, 30))),
            ("schedule = { weekly = 'sun 02:00' }", When::Weekly(Weekday::Sun, time(2, 0))),
            ("schedule = { weekly = 'Wednesday  3:05' }", When::Weekly(Weekday::Wed, time(3, 5))),
            ("schedule = { every = '6h' }", When::Minutes(360)),
            ("schedule = { every = '15m' }", When::Minutes(15)),
            ("schedule = { every = '24h' }", When::Days(1)),
            ("schedule = { every = '3d' }", When::Days(3)),
        ] {
            assert_eq!(when(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn variables_win_over_the_table() {
        let at = "schedule = { at = '04:00', bundle = true }";
        assert_eq!(when(at, &[("AUTO_BACKUP_TIME", "03:30")]), When::Daily(time(3, 30)));
        assert_eq!(when("", &[("AUTO_BACKUP_ENABLED", "on")]), When::Daily(time(2, 0)));
        let both = [("AUTO_BACKUP_ENABLED", "true"), ("AUTO_BACKUP_TIME", "23:59")];
        assert_eq!(when("", &both), When::Daily(time(23, 59)));
        let off = read_text(at, &[("AUTO_BACKUP_ENABLED", "False")]).expect("off");
        assert_eq!(off, Scheduled::Off("AUTO_BACKUP_ENABLED in the environment".to_owned()));
        assert_eq!(read_text("", &[("AUTO_BACKUP_TIME", "03:30")]).expect("no"), Scheduled::No);
        assert_eq!(read_text("", &[]).expect("no"), Scheduled::No);
    }

    #[test]
    fn addresses_come_from_the_table_or_from_a_variable_and_are_never_repeated() {
        let text = "schedule = { ping = 'https://h/hunter2', webhook-env = 'HOOK' }";
        let Ok(Scheduled::Yes(schedule)) = read_text(text, &[("HOOK", "http://w/hunter2")]) else {
            panic!("no schedule")
        };
        assert_eq!(schedule.ping.expect("ping").secret(), "https://h/hunter2");
        assert_eq!(schedule.webhook.expect("webhook").secret(), "http://w/hunter2");
        let Ok(Scheduled::Yes(schedule)) = read_text(text, &[]) else { panic!("no schedule") };
        assert_eq!(schedule.webhook, None);
        for (text, variable) in [
            ("schedule = { ping = 'hunter2' }", ""),
            ("schedule = { ping-env = 'HOOK' }", "hunter2"),
            ("schedule = { ping = 'https://hunter2', ping-env = 'HOOK' }", "https://h"),
        ] {
            let error = format!("{:#}", read_text(text, &[("HOOK", variable)]).expect_err(text));
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_meant_is_refused() {
        for (table, expected) in [
            ("{ at = '25:00' }", "not a time"),
            ("{ at = '02:00', every = '6h' }", "more than one of"),
            ("{ every = '7h' }", "must divide a day"),
            ("{ every = '5m' }", "must divide a day"),
            ("{ every = '90s' }", "must divide a day"),
            ("{ every = 'often' }", "not a duration"),
            ("{ weekly = 'sun' }", "not a day and a time"),
            ("{ weekly = 'someday 02:00' }", "not a day and a time"),
            ("{ evry = '6h' }", "did you mean `every`"),
            ("{ notify = 'mail me' }", "a command as a list of words"),
            ("{ export = { format = 'jsonl' } }", "needs `into`"),
            ("{ export = { into = '../x' } }", "not a folder inside the workspace"),
            ("{ export = { into = '/x' } }", "not a folder inside the workspace"),
            ("{ export = { into = 'x', format = 'xml' } }", "the formats are jsonl"),
            ("{ export = { into = 'x', push = 'origin' } }", "without `commit = true`"),
            ("{ export = { into = 'x', commit = true, push = '--all' } }", "name of a remote"),
        ] {
            let error = read_text(&format!("schedule = {table}"), &[]).expect_err(table);
            let said = match error.downcast_ref::<crate::console::refusal::Refusal>() {
                Some(refusal) => format!("{error:#} {}", refusal.hint),
                None => format!("{error:#}"),
            };
            assert!(said.contains(expected), "{table}: {said}");
        }
        for (name, value) in [("AUTO_BACKUP_ENABLED", "maybe"), ("AUTO_BACKUP_TIME", "2 a.m.")] {
            let said = format!("{:#}", read_text("", &[(name, value)]).expect_err(value));
            assert!(said.contains(name), "{said}");
        }
    }
}

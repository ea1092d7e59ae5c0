//! The steps: what an application, its developers and time do.

use anyhow::Result;
use chrono::TimeDelta;

use super::oracle::text;
use super::realm::{Held, Realm, Removes, copy_database};
use crate::dice::Dice;
use crate::outcome::Verdict;
use crate::state;

impl Realm {
    /// Plays one step.
    pub(super) fn step(&mut self, dice: &mut Dice) -> Result<()> {
        let at = dice.below(self.places.len());
        match dice.below(16) {
            0..=2 => self.work(at, dice),
            3..=5 => self.back_up(at, dice),
            6 => self.amend(at, dice),
            7 => self.remove(at, dice),
            8 => self.prune(at, dice),
            9 => self.restore(at, dice),
            10 => self.copy_in(at, dice),
            11 => {
                self.move_clock(dice);
                Ok(())
            }
            _ => self.branch_step(at, dice),
        }
    }

    /// The application writes in one database.
    pub(super) fn work(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let database = dice.pick(self.places[at].databases);
        let connection = state::open(&self.places[at].live(database))?;
        connection.execute("INSERT INTO note (body) VALUES (hex(randomblob(30)))", [])?;
        drop(connection);
        let states: Vec<String> =
            self.places[at].states().iter().map(ToString::to_string).collect();
        self.note(format!("place {at}: the application wrote {database}: {}", states.join(" ")));
        Ok(())
    }

    fn back_up(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let kind =
            dice.pick(&["manual", "manual", "pre-commit", "branch", "scheduled", "pre-deploy"]);
        let mut arguments = vec!["db-backup", "--kind", kind];
        if dice.one_in(2) {
            arguments.extend(["--format", dice.pick(&["plain", "pages"])]);
        }
        if dice.one_in(3) {
            arguments.extend(["--label", dice.pick(&["before", "v1", "2h", "feature", "latest"])]);
        }
        let removes = self.policy(kind != "manual");
        let said = self.acted(at, &arguments, &removes)?;
        if !said {
            self.find(Verdict::Broken, format!("{arguments:?} failed"));
        }
        Ok(())
    }

    fn policy(&self, is_automatic: bool) -> Removes {
        if is_automatic && self.has_retention { Removes::ByPolicy } else { Removes::Nothing }
    }

    /// Runs a command that leaves the databases alone, and takes in what it did to the backups.
    fn acted(&mut self, at: usize, arguments: &[&str], removes: &Removes) -> Result<bool> {
        let before = self.places[at].states();
        let said = self.xtask(at, arguments)?;
        if self.places[at].states() != before {
            self.find(Verdict::Lie, format!("{arguments:?} changed a database"));
        }
        self.learn(at, &before, removes)?;
        Ok(said.is_ok())
    }

    /// The name of one of the backups of a place's own project.
    fn own(&self, at: usize, dice: &mut Dice) -> Option<String> {
        let (folder, project) = (self.backups(at), Some(self.places[at].project));
        let own =
            self.held.iter().filter(|((of, _), held)| *of == folder && held.project == project);
        let names: Vec<&String> = own.map(|((_, name), _)| name).collect();
        (!names.is_empty()).then(|| dice.pick(&names).clone())
    }

    fn amend(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let Some(name) = self.own(at, dice) else { return Ok(()) };
        let verb = dice.pick(&["db-label", "db-pin", "db-unpin"]);
        let mut arguments = vec![verb, &name];
        if verb == "db-label" {
            arguments.push(dice.pick(&["", "before", "now", "oldest", "main"]));
        }
        if self.acted(at, &arguments, &Removes::Nothing)? && verb != "db-label" {
            let key = (self.backups(at), name.clone());
            if let Some(held) = self.held.get_mut(&key) {
                held.is_pinned = verb == "db-pin";
            }
        }
        Ok(())
    }

    fn remove(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let Some(name) = self.own(at, dice) else { return Ok(()) };
        self.acted(at, &["db-remove", &name, "--yes"], &Removes::One(name.clone()))?;
        Ok(())
    }

    fn prune(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let number = dice.pick(&["1", "2", "5"]);
        let (flag, value) = dice.pick(&[
            ("--keep-last", number),
            ("--keep-daily", number),
            ("--keep-hourly", number),
            ("--keep-within", "2d"),
            ("--keep-label", "before"),
        ]);
        self.acted(at, &["db-prune", flag, value, "--yes"], &Removes::ByPolicy)?;
        Ok(())
    }

    fn restore(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let database = dice.pick(self.places[at].databases);
        let rows = self.rows(at, &["--db", database])?;
        let own: Vec<_> = rows.iter().filter(|row| text(row, "whose") == "ours").collect();
        if own.is_empty() {
            return Ok(());
        }
        let row = dice.pick(&own);
        let number = text(row, "number");
        let reference =
            if dice.one_in(2) && !number.is_empty() { number } else { text(row, "reference") };
        let before = self.places[at].states();
        let said = self.xtask(at, &["db-restore", &reference, "--yes", "--db", database])?;
        self.learn(at, &before, &self.policy(true))?;
        let wanted = self.held.get(&(self.backups(at), text(row, "name"))).map(|held| held.state);
        for (n, each) in self.places[at].databases.iter().enumerate() {
            let is_meant = *each == database && said.is_ok();
            let wanted = wanted.filter(|_| is_meant).unwrap_or(before[n]);
            let after = self.places[at].states()[n];
            if after != wanted {
                self.find(
                    Verdict::Lie,
                    format!("restoring `{reference}` left {after} in `{each}`, not {wanted}"),
                );
            }
            self.demand_way_back(at, before[n], after, &reference);
        }
        Ok(())
    }

    /// Demands that a state that was replaced is kept.
    pub(super) fn demand_way_back(
        &mut self,
        at: usize,
        before: state::State,
        after: state::State,
        what: &str,
    ) {
        if before != after && !self.has(at, before) {
            self.find(Verdict::Lost, format!("`{what}`: the state {before} before it is nowhere"));
        }
    }

    /// An older script's backup, without a record.
    fn copy_in(&mut self, at: usize, dice: &mut Dice) -> Result<()> {
        let folder = self.backups(at);
        if !folder.is_dir() || !dice.one_in(2) {
            return Ok(());
        }
        let hours = i64::try_from(dice.below(400))? - 300;
        let time = self.worlds[0].now() + TimeDelta::hours(hours);
        let name = format!("app.db.{}.bak", time.format("%Y-%m-%d_%H%M%S"));
        if folder.join(&name).exists() {
            return Ok(());
        }
        let live = self.places[at].live("app");
        copy_database(&live, &folder.join(&name))?;
        let project = if self.shared.is_some() { None } else { Some(self.places[at].project) };
        self.note(format!("{name} was copied in, of {}", state::of(&live)));
        let held = Held { state: state::of(&live), project, is_pinned: false };
        self.held.insert((folder, name), held);
        Ok(())
    }

    fn move_clock(&mut self, dice: &mut Dice) {
        let time = match dice.below(8) {
            0..=2 => TimeDelta::seconds(1),
            3 | 4 => TimeDelta::hours(3),
            5 | 6 => TimeDelta::days(4),
            _ => TimeDelta::hours(-5),
        };
        self.worlds[0].pass(time);
        self.note(format!("the clock moved by {time}"));
    }
}

//! What must hold after a step: which backups there are, and what each reference means.

use anyhow::Result;
use chrono::{DateTime, TimeDelta};
use serde_json::Value;

use super::realm::{Held, Realm, Removes};
use crate::dice::Dice;
use crate::outcome::Verdict;
use crate::state::State;

impl Realm {
    /// Takes in the backups that a step in a place made and removed, given the states before it.
    pub(super) fn learn(&mut self, at: usize, before: &[State], removes: &Removes) -> Result<()> {
        let folder = self.backups(at);
        let mut states = before.to_vec();
        states.extend(self.places[at].states());
        let rows = self.rows(at, &[])?;
        let names: Vec<String> = rows.iter().map(|row| text(row, "name")).collect();
        for name in &names {
            if !self.held.contains_key(&(folder.clone(), name.clone())) {
                self.learn_one(at, name, &states)?;
            }
        }
        let is_gone = |(of, name): &&(_, String)| *of == folder && !names.contains(name);
        let gone: Vec<_> = self.held.keys().filter(is_gone).cloned().collect();
        for key in gone {
            let Some(held) = self.held.remove(&key) else { continue };
            if !self.may_vanish(at, &key.1, &held, removes) {
                self.find(Verdict::Lost, format!("the backup `{}` vanished: {held:?}", key.1));
            }
        }
        Ok(())
    }

    fn learn_one(&mut self, at: usize, name: &str, states: &[State]) -> Result<()> {
        let (state, said) = self.restored(at, &[name])?;
        let state = state.unwrap_or(State::Unreadable);
        let project = Some(self.places[at].project);
        if !states.contains(&state) {
            let why = said.err.trim().to_owned();
            self.find(Verdict::Lie, format!("the new backup `{name}` contains {state}: {why}"));
        }
        self.note(format!("  {name} contains {state}"));
        let held = Held { state, project, is_pinned: false };
        self.held.insert((self.backups(at), name.to_owned()), held);
        Ok(())
    }

    fn may_vanish(&self, at: usize, name: &str, held: &Held, removes: &Removes) -> bool {
        let actor = self.places[at].project;
        let is_ours = held.project.map_or(self.is_alone(at), |project| project == actor);
        match removes {
            Removes::Nothing => false,
            Removes::One(one) => one == name && !held.is_pinned,
            Removes::ByPolicy => is_ours && !held.is_pinned,
        }
    }

    /// Whether no other project has a backup in this place's folder.
    fn is_alone(&self, at: usize) -> bool {
        let (folder, actor) = (self.backups(at), Some(self.places[at].project));
        let mut there = self.held.iter().filter(|((of, _), _)| *of == folder);
        there.all(|(_, held)| held.project.is_none() || held.project == actor)
    }

    /// Whether a state can be restored from a backup that is known here.
    pub(super) fn has(&self, at: usize, state: State) -> bool {
        let folder = self.backups(at);
        self.held.iter().any(|((of, _), held)| *of == folder && held.state == state)
    }

    /// Tries what is printed beside some backups, and references of other kinds.
    pub(super) fn check_references(&mut self, dice: &mut Dice) -> Result<()> {
        let at = dice.below(self.places.len());
        let database = dice.pick(self.places[at].databases);
        let flags = ["--db", database];
        let rows = self.rows(at, &flags)?;
        if rows.is_empty() {
            return Ok(());
        }
        for _ in 0..2 {
            let row = &rows[dice.below(rows.len())];
            for field in ["reference", "number", "label"] {
                let reference = text(row, field);
                if reference.is_empty() || field == "label" && !is_named_by_label(&rows, row) {
                    continue;
                }
                self.expect(at, &flags, &reference, Some(row))?;
            }
        }
        self.check_computed(at, &flags, &rows)
    }

    fn check_computed(&mut self, at: usize, flags: &[&str], rows: &[Value]) -> Result<()> {
        let numbered = |row: &&Value| text(row, "number").starts_with("latest");
        let ordinary: Vec<&Value> = rows.iter().filter(numbered).collect();
        let Some((newest, oldest)) = ordinary.first().zip(ordinary.last()) else { return Ok(()) };
        self.expect(at, flags, "latest", Some(newest))?;
        self.expect(at, flags, "oldest", Some(oldest))?;
        let limit = self.worlds[0].now() - TimeDelta::hours(2);
        let is_old = |row: &&&Value| {
            let created = DateTime::parse_from_rfc3339(&text(row, "created_at"));
            created.is_ok_and(|created| created <= limit)
        };
        // One without a record has no `created_at` to compare with.
        let are_recorded = ordinary.iter().all(|row| row["created_at"].is_string());
        if let Some(old) = ordinary.iter().find(is_old).filter(|_| are_recorded) {
            self.expect(at, flags, "2h", Some(old))?;
        }
        if let Some(branch) = newest["git"]["branch"].as_str() {
            self.expect(at, flags, &format!("@{branch}"), Some(newest))?;
        }
        self.expect(at, flags, "HEAD~1", None)
    }

    /// Demands that a reference means a row; `None`: that it means one of this project's, or nothing.
    fn expect(
        &mut self,
        at: usize,
        flags: &[&str],
        reference: &str,
        row: Option<&Value>,
    ) -> Result<()> {
        let (got, said) = self.restored(at, &[&[reference], flags].concat())?;
        let folder = self.backups(at);
        let why = said.err.trim().replace('\n', " | ");
        let Some(row) = row else {
            let project = Some(self.places[at].project);
            let is_ours = |state: State| {
                let mut held = self.held.values();
                held.any(|held| held.state == state && held.project == project)
            };
            if got.is_some_and(|state| !is_ours(state)) {
                self.find(Verdict::Lie, format!("`{reference}` took another project's: {why}"));
            }
            return Ok(());
        };
        let name = text(row, "name");
        let Some(held) = self.held.get(&(folder, name.clone())).cloned() else { return Ok(()) };
        if got != Some(held.state) {
            let got = got.map_or("nothing".to_owned(), |state| state.to_string());
            let held = held.state;
            self.find(
                Verdict::Lie,
                format!(
                    "place {at} {flags:?}: `{reference}` is printed beside `{name}` ({held}), and \
                     gave {got}: {why}"
                ),
            );
        }
        Ok(())
    }
}

/// A field of a row as text; empty if it has none.
pub(super) fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

/// Whether the label alone means a backup: no other has it, and it is not a reference of another
/// kind.
fn is_named_by_label(rows: &[Value], row: &Value) -> bool {
    let is_taken = ["latest", "oldest", "2h"].contains(&text(row, "label").as_str());
    let n_labelled = rows.iter().filter(|other| other["label"] == row["label"]).count();
    text(row, "whose") == "ours" && !is_taken && n_labelled == 1
}

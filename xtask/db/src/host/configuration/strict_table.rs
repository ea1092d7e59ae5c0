//! A table of the configuration whose keys are read one by one. A remaining key is unknown, and
//! refused with the nearest known one.

use std::collections::BTreeMap;

use anyhow::Result;
use toml::{Table, Value};

use crate::console::refusal::Refusal;
use crate::console::text;
use crate::host::command::words;

/// A table of the configuration whose keys are read one by one; a remaining key is unknown.
pub(super) struct Section {
    pub(super) place: String,
    table: Table,
    known: Vec<String>,
}

impl Section {
    pub(super) fn new(place: impl Into<String>, table: Table) -> Self {
        Self { place: place.into(), table, known: Vec::new() }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.table.keys().cloned().collect()
    }

    pub(super) fn wrong(&self, key: &str, wanted: &str) -> anyhow::Error {
        anyhow::anyhow!("`{key}` in `[{}]` is not {wanted}", self.place)
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a string in quotes")),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Boolean(flag)) => Ok(Some(flag)),
            Some(_) => Err(self.wrong(key, "`true` or `false`")),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<u32>> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Integer(number)) => match u32::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.wrong(key, "a number of 0 or more")),
            },
            Some(_) => Err(self.wrong(key, "a number of 0 or more")),
        }
    }

    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match as_texts(&value) {
                Some(texts) => Ok(Some(texts)),
                None => Err(self.wrong(key, "a list of strings")),
            },
        }
    }

    /// One command as a list of words.
    pub(super) fn command(&mut self, key: &str) -> Result<Vec<String>> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        as_texts(&value).ok_or_else(|| self.not_a_command(key, &value))
    }

    /// One command as a list of words, or several as a list of lists.
    pub(super) fn commands(&mut self, key: &str) -> Result<Vec<Vec<String>>> {
        let Some(value) = self.take(key) else {
            return Ok(Vec::new());
        };
        if let Some(command) = as_texts(&value) {
            return Ok(if command.is_empty() { Vec::new() } else { vec![command] });
        }
        let commands: Option<Vec<_>> =
            value.as_array().and_then(|list| list.iter().map(as_texts).collect());
        commands.ok_or_else(|| self.not_a_command(key, &value))
    }

    /// A command that was written as one string is shown as the list to write.
    fn not_a_command(&self, key: &str, value: &Value) -> anyhow::Error {
        let wrong = self.wrong(key, "a command as a list of words").to_string();
        let Some(command) = value.as_str().filter(|command| !command.trim().is_empty()) else {
            return anyhow::anyhow!(wrong);
        };
        let list = words::list_of(command);
        Refusal::could_not(
            wrong,
            format!("write `{key} = {list}`: the command runs without a shell"),
        )
    }

    pub(super) fn lists(&mut self, key: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let mut lists = BTreeMap::new();
        if let Some(mut inner) = self.section(key)? {
            for key in inner.keys() {
                lists.insert(key.clone(), inner.texts(&key)?.unwrap_or_default());
            }
        }
        Ok(lists)
    }

    pub(super) fn section(&mut self, key: &str) -> Result<Option<Self>> {
        let place = format!("{}.{key}", self.place);
        match self.take(key) {
            None => Ok(None),
            Some(Value::Table(table)) => Ok(Some(Self::new(place, table))),
            Some(_) => Err(self.wrong(key, "a table")),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        let Some(unknown) = self.table.keys().next() else {
            return Ok(());
        };
        let distance = |known: &str| strsim::damerau_levenshtein(known, unknown);
        // Of what is far from all of them, none was meant.
        let nearest = self
            .known
            .iter()
            .filter(|known| distance(known) <= unknown.chars().count().max(3) / 2)
            .min_by_key(|known| distance(known))
            .map_or_else(String::new, |known| format!("did you mean `{known}`? "));
        Err(Refusal::could_not(
            format!("unknown key `{}` in `[{}]`", text::plain(unknown), self.place),
            format!("{nearest}the known ones are {}", self.known.join(", ")),
        ))
    }
}

pub(super) fn as_texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

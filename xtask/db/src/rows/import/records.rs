//! Imports records of another tool into one table: they are read from JSON, JSONL or CSV one at a
//! time, and each becomes a row of a scratch database, whose only table has the columns that the
//! records have.
//!
//! The columns have the types of the live ones and no constraints: the merge checks keys and
//! references. Anything that would lose or guess a value is an error that names the record, the
//! field and the value.

pub(crate) mod conversion;
pub(crate) mod mapping;
mod number;
mod writer;

use std::collections::BTreeMap;
use std::io::Read;

use anyhow::Result;
use xtask_db_format::records::{self, Astray, Pointer, Summary, Wanted};

use crate::console::nearest_word::nearest;
use crate::console::refusal::{Exit, Refusal};
use crate::console::text;
use crate::rows::import::records::mapping::Mapping;
use crate::rows::import::records::writer::Writer;
use crate::rows::import::scratch::Loading;
use crate::sqlite::connection;

/// How many ignored fields are named at most.
const MAX_NAMED: usize = 10;

/// The source of records.
pub(crate) struct Origin<'a> {
    /// Name in messages, e.g. "`issues.jsonl`".
    pub shown: &'a str,
    /// Its bytes.
    pub input: &'a mut dyn Read,
    /// Place of the records in it.
    pub pointer: &'a Pointer,
}

/// Result of loading records.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// How many there were; each is a row of the scratch database.
    pub n_records: u64,
    /// Values that are lost, or look like typing errors.
    pub losses: Vec<String>,
    /// Remarks for the user.
    pub notes: Vec<String>,
}

/// Loads records into a scratch database. `reach` hears how many bytes were read, now and then.
///
/// # Errors
///
/// A refusal if nothing is at the pointer, no field is a column, or the input is cut short or
/// malformed; if a value does not fit its column, or at the user's interrupt. The scratch database is
/// useless then.
pub(crate) fn load(
    origin: Origin<'_>,
    mapping: &Mapping,
    loading: &Loading<'_>,
    reach: &mut dyn FnMut(u64),
) -> Result<Loaded> {
    let Origin { shown, input, pointer } = origin;
    let mut connection = connection::open_scratch(loading.scratch)?;
    let _watched = loading.interrupt.watch(&connection);
    loading.bounds.set_on(&mut connection)?;
    let encoding = loading.encoding.unwrap_or("UTF-8");
    connection.execute_batch(&format!("PRAGMA encoding = \"{encoding}\"; BEGIN"))?;
    let mut writer = Writer::begin(&connection, mapping)?;
    let wanted = Wanted { pointer, takes: &|name| mapping.takes(name) };
    let read = records::read(input, &wanted, &mut |record, n_bytes| {
        if record.number % 1024 == 0 {
            loading.interrupt.check()?;
            reach(n_bytes);
        }
        writer.row(record)
    });
    let summary = read.map_err(|error| explain(error, shown))?;
    let unseen = writer.unseen();
    if summary.n_records > 0 {
        writer.finish().map_err(|error| explain(error, shown))?;
        if writer.took_nothing() {
            return Err(nothing_taken(shown, mapping, &summary));
        }
    }
    connection.execute_batch("COMMIT")?;
    refuse_misspelt(mapping, shown, &unseen, &summary.not_taken)?;
    Ok(Loaded::of(mapping, pointer, &summary, &unseen))
}

impl Loaded {
    fn of(mapping: &Mapping, pointer: &Pointer, summary: &Summary, unseen: &[String]) -> Self {
        let mut loaded = Self { n_records: summary.n_records, ..Self::default() };
        if summary.n_records > 0 {
            loaded.tell_unseen(mapping, unseen);
            loaded.tell_not_taken(mapping, &summary.not_taken);
        }
        if summary.n_without > 0 {
            loaded.losses.push(format!(
                "there is nothing at `{pointer}` in {} of {}",
                text::digits(summary.n_without),
                text::count(summary.n_documents, "document")
            ));
        }
        loaded
    }

    /// A field that the user named and that no record has.
    fn tell_unseen(&mut self, mapping: &Mapping, unseen: &[String]) {
        let named = unseen.iter().filter(|_| mapping.is_explicit);
        self.losses.extend(named.map(|field| format!("no record has the field `{field}`")));
    }

    fn tell_not_taken(&mut self, mapping: &Mapping, not_taken: &BTreeMap<String, u64>) {
        if not_taken.is_empty() {
            return;
        }
        let fields = text::count(not_taken.len() as u64, "field");
        let listed = listed(not_taken);
        if mapping.is_explicit {
            self.notes.push(format!("not imported: {listed}"));
        } else {
            let table = &mapping.table;
            self.losses
                .push(format!("{fields} left out that `{table}` has no column for: {listed}"));
        }
    }
}

/// A field that the user named, that no record has and that is similar to one that the user did not name
/// is a typing error: its column would be empty in every row.
fn refuse_misspelt(
    mapping: &Mapping,
    shown: &str,
    unseen: &[String],
    not_taken: &BTreeMap<String, u64>,
) -> Result<()> {
    for field in unseen.iter().filter(|_| mapping.is_explicit) {
        let near = nearest(not_taken.keys().map(String::as_str), field);
        if !near.is_empty() {
            return Err(Refusal::could_not(
                format!("{shown}: no record has the field `{field}`{near}"),
                "use the records' spelling in `--map`; nothing was imported, and the database is \
                 untouched",
            ));
        }
    }
    Ok(())
}

fn nothing_taken(shown: &str, mapping: &Mapping, summary: &Summary) -> anyhow::Error {
    let has = match listed(&summary.not_taken).as_str() {
        "" => "no fields".to_owned(),
        fields => format!("the fields {fields}"),
    };
    let columns = mapping.listed();
    let hint = match &summary.elsewhere {
        Some(elsewhere) => elsewhere.clone(),
        None => format!("assign them with `--map COLUMN=FIELD`; the columns are {columns}"),
    };
    let table = &mapping.table;
    let what = format!("{shown}: the records have none of the fields of `{table}`, but {has}");
    Refusal::could_not(what, hint)
}

/// Names of fields, and in how many records they are.
fn listed(fields: &BTreeMap<String, u64>) -> String {
    let shown = fields.iter().take(MAX_NAMED);
    let mut names: Vec<_> = shown
        .map(|(name, n)| format!("`{}` ({})", text::cut(name, 60), text::digits(*n)))
        .collect();
    if fields.len() > MAX_NAMED {
        names.push(format!("and {} more", fields.len() - MAX_NAMED));
    }
    names.join(", ")
}

/// Adds to a failure the name of the source, and that nothing was changed.
fn explain(error: anyhow::Error, shown: &str) -> anyhow::Error {
    if let Some(refusal) = error.downcast_ref::<Refusal>() {
        let is_ours = refusal.exit != Exit::Interrupted;
        let what = format!("{shown}: {}", refusal.what);
        return if is_ours { Refusal { what, ..refusal.clone() }.into() } else { error };
    }
    match error.downcast::<Astray>() {
        Ok(astray) => Refusal::could_not(format!("{shown}: {}", astray.what), astray.hint),
        Err(error) => error.context(Refusal {
            what: format!("could not read the records of {shown}"),
            hint: "nothing was imported, and the database is untouched".to_owned(),
            exit: Exit::CouldNot,
        }),
    }
}

#[cfg(test)]
mod tests;

//! The backups of the list as pages read them: read once for each list, and shared by all pages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize as _;
use serde_json::Value;

use crate::serve::documents::backup::{Backup, List};
use crate::serve::problem::Problem;

/// The backups of the last list.
#[derive(Debug, Default)]
pub(crate) struct Parsed(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    of: Arc<Value>,
    all: Arc<[Backup]>,
    /// By database.
    chosen: BTreeMap<String, Arc<[Backup]>>,
}

impl Parsed {
    /// All backups of a list.
    ///
    /// # Errors
    ///
    /// If the list is not as pages expect it.
    pub(crate) fn all(&self, list: &Arc<Value>) -> Result<Arc<[Backup]>, Problem> {
        self.with(list, |kept| Arc::clone(&kept.all))
    }

    /// Those of one database.
    ///
    /// # Errors
    ///
    /// As [`Self::all`].
    pub(crate) fn of_database(
        &self,
        list: &Arc<Value>,
        database: &str,
        belongs: impl Fn(&Backup) -> bool,
    ) -> Result<Arc<[Backup]>, Problem> {
        self.with(list, |kept| {
            let all = &kept.all;
            let choose = || {
                // Mostly there is one database, and one list for all.
                if all.iter().all(&belongs) {
                    return Arc::clone(all);
                }
                all.iter().filter(|backup| belongs(backup)).cloned().collect()
            };
            Arc::clone(kept.chosen.entry(database.to_owned()).or_insert_with(choose))
        })
    }

    fn with<T>(&self, list: &Arc<Value>, look: impl FnOnce(&mut Kept) -> T) -> Result<T, Problem> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = present.as_mut().filter(|kept| Arc::ptr_eq(&kept.of, list)) {
            return Ok(look(kept));
        }
        // The one before is no longer needed while the new one is read.
        *present = None;
        let read = List::deserialize(&**list);
        let read = read.map_err(|error| Problem::of_failure(&anyhow::Error::new(error)))?;
        let mut kept =
            Kept { of: Arc::clone(list), all: read.backups.into(), chosen: BTreeMap::new() };
        let found = look(&mut kept);
        *present = Some(kept);
        Ok(found)
    }
}

//! Acts in two steps: a receipt has the plan, and is bound to the state that the plan was made of; only its confirmation
//! does anything.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::serve::child::Program;
use crate::serve::job::Order;
use crate::serve::keys::Key;
use crate::serve::problem::Problem;

/// How long a plan may be looked at.
pub(crate) const VALID_FOR: Duration = Duration::from_mins(15);
/// How many receipts are kept: the oldest is forgotten.
const MAX_RECEIPTS: usize = 64;

/// What is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Act {
    /// A restore.
    Restore,
    /// A pruning by the configured policy.
    Prune,
    /// An import.
    Import,
}

/// A plan that waits for its confirmation.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    pub(crate) id: String,
    pub(crate) act: Act,
    /// What the job is called.
    pub(crate) title: String,
    /// The command, without consent.
    pub(crate) words: Vec<String>,
    /// The document of its dry run, or why there is none.
    pub(crate) plan: Result<Value, Problem>,
    /// The upload that it imports.
    pub(crate) upload: Option<String>,
    /// Why it replaces an earlier one.
    pub(crate) warning: Option<String>,
    made: Instant,
}

/// What a receipt is made from.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) act: Act,
    pub(crate) title: String,
    pub(crate) words: Vec<String>,
    pub(crate) upload: Option<String>,
}

/// The receipts of this server.
#[derive(Default)]
pub(crate) struct Receipts(Mutex<VecDeque<Receipt>>);

/// What became of a confirmation.
pub(crate) enum Confirmed {
    /// The plan is the same: its command.
    Order(Order),
    /// Something changed: the new plan.
    Changed(Box<Receipt>),
}

impl Receipt {
    /// The flag that binds the command to the state of the plan; `None` if its state has no name.
    fn bond(&self) -> Option<String> {
        let plan = self.plan.as_ref().ok()?;
        let (key, flag) = match self.act {
            Act::Prune => ("plan_blake3", "--if-plan"),
            Act::Restore | Act::Import => ("if_live", "--if-live"),
        };
        plan[key].as_str().map(|state| format!("{flag}={state}"))
    }

    /// The name that has to be typed, if the database is protected.
    #[must_use]
    pub(crate) fn typed_name(&self) -> Option<&str> {
        self.plan.as_ref().ok()?["typed_name"].as_str()
    }

    /// The command that the confirmation runs.
    #[must_use]
    pub(crate) fn order(&self) -> Order {
        let mut words = self.words.clone();
        // By now, `latest` may mean another one.
        let found = self.plan.as_ref().ok().and_then(|plan| plan["would_restore"].as_str());
        if let (Act::Restore, Some(name), Some(word)) = (self.act, found, words.get_mut(1)) {
            name.clone_into(word);
        }
        let has_db = words.iter().any(|word| word.starts_with("--db="));
        words.extend(self.typed_name().filter(|_| !has_db).map(|name| format!("--db={name}")));
        words.push("--yes".to_owned());
        words.extend(self.bond());
        Order { title: self.title.clone(), words }
    }

    /// How long it is still valid.
    #[must_use]
    pub(crate) fn valid_for(&self) -> Duration {
        VALID_FOR.saturating_sub(self.made.elapsed())
    }
}

impl Receipts {
    /// Makes a plan. It changes nothing.
    ///
    /// # Errors
    ///
    /// If there is no random number for its id.
    pub(crate) fn make(&self, program: &Program, wish: Wish) -> Result<Receipt, Problem> {
        let id = Key::random()?.digits().to_owned();
        let mut words: Vec<&str> = wish.words.iter().map(String::as_str).collect();
        words.push("--dry-run");
        let plan = program.ask(&words);
        let Wish { act, title, words, upload } = wish;
        let made = Instant::now();
        let receipt = Receipt { id, act, title, words, plan, upload, warning: None, made };
        self.add(receipt.clone());
        Ok(receipt)
    }

    /// One receipt.
    ///
    /// # Errors
    ///
    /// 404 if there is none of this id.
    pub(crate) fn get(&self, id: &str) -> Result<Receipt, Problem> {
        let found = self.kept().iter().find(|receipt| receipt.id == id).cloned();
        found.ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "there is no such plan",
                "make a new one: plans are forgotten when the server ends",
            )
        })
    }

    /// Confirms a plan: makes it again, and compares. A receipt is used once.
    ///
    /// # Errors
    ///
    /// 404 for an unknown id, 422 if the name was not typed, the error of the plan if it has one.
    pub(crate) fn confirm(
        &self,
        program: &Program,
        id: &str,
        typed: Option<&str>,
    ) -> Result<Confirmed, Problem> {
        let receipt = self.get(id)?;
        let before = receipt.plan.clone()?;
        if receipt.typed_name().is_some_and(|name| typed != Some(name)) {
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the database is protected, and its name was not typed",
                "type the name of the database",
            ));
        }
        let is_late = receipt.valid_for().is_zero();
        let Receipt { act, title, words, upload, .. } = receipt.clone();
        let mut again = self.make(program, Wish { act, title, words, upload })?;
        self.kept().retain(|one| one.id != id);
        let is_same = again.plan.as_ref().is_ok_and(|plan| *plan == before);
        if is_same && !is_late {
            let order = again.order();
            self.kept().retain(|one| one.id != again.id);
            return Ok(Confirmed::Order(order));
        }
        again.warning = Some(if is_late && is_same {
            "The plan was more than 15 minutes old: here it is again.".to_owned()
        } else {
            "Something changed since the plan was made: here is the new one.".to_owned()
        });
        self.add(again.clone());
        Ok(Confirmed::Changed(Box::new(again)))
    }

    /// Adds a receipt, or replaces the one of its id.
    fn add(&self, receipt: Receipt) {
        let mut kept = self.kept();
        kept.retain(|one| one.id != receipt.id);
        if kept.len() == MAX_RECEIPTS {
            kept.pop_front();
        }
        kept.push_back(receipt);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<Receipt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

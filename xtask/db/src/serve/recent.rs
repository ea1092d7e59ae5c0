//! The first page as it was a moment ago: a hundred browsers that ask at once are answered by one rendering.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::serve::problem::Problem;

/// How long a page is given again: its ages go by the second.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The page that was rendered last.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Option<Kept>>);

#[derive(Debug)]
struct Kept {
    of: Sources,
    at: Instant,
    page: Bytes,
}

/// What a page was made of.
#[derive(Debug)]
pub(crate) struct Sources {
    /// The query of its address.
    pub(crate) query: String,
    /// The list and the health.
    pub(crate) documents: [Arc<Value>; 2],
    /// How often any job changed.
    pub(crate) n_changes: u64,
}

impl Sources {
    fn are(&self, other: &Self) -> bool {
        let mut documents = self.documents.iter().zip(&other.documents);
        self.query == other.query
            && self.n_changes == other.n_changes
            && documents.all(|(one, other)| Arc::ptr_eq(one, other))
    }
}

impl Recent {
    /// The page of these sources. Only one is rendered at a time.
    ///
    /// # Errors
    ///
    /// As `render`.
    pub(crate) async fn get(
        &self,
        of: Sources,
        render: impl AsyncFnOnce() -> Result<Bytes, Problem>,
    ) -> Result<Bytes, Problem> {
        let mut kept = self.0.lock().await;
        let is_good = |kept: &&Kept| kept.at.elapsed() < MAX_AGE && kept.of.are(&of);
        if let Some(kept) = kept.as_ref().filter(is_good) {
            return Ok(kept.page.clone());
        }
        let page = render().await?;
        *kept = Some(Kept { of, at: Instant::now(), page: page.clone() });
        Ok(page)
    }
}

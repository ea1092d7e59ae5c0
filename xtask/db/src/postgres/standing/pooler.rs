//! A pool such as `PgBouncer` in transaction mode: two sessions of ours share one of the server's.

use anyhow::Result;
use serde::Deserialize;

use crate::postgres::psql::Psql;

/// A pool may hand out its sessions in turn.
const N_ROUNDS: usize = 3;

#[derive(Debug, Deserialize)]
struct Process {
    pid: i64,
}

/// Whether two sessions are answered by one process of the server, or one by several.
pub(super) fn is_between(one: &mut Psql<'_>, other: &mut Psql<'_>) -> Result<bool> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..N_ROUNDS {
        ones.push(process(one)?);
        others.push(process(other)?);
    }
    Ok(are_shared(&ones, &others))
}

fn process(psql: &mut Psql<'_>) -> Result<i64> {
    Ok(psql.row::<Process>("SELECT pg_backend_pid() AS pid")?.pid)
}

fn are_shared(ones: &[i64], others: &[i64]) -> bool {
    let differ = |all: &[i64]| all.iter().any(|pid| Some(pid) != all.first());
    differ(ones) || differ(others) || ones.first() == others.first()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_recognized_by_processes_that_are_shared_or_change() {
        assert!(!are_shared(&[1, 1, 1], &[2, 2, 2]));
        assert!(are_shared(&[1, 1, 1], &[1, 1, 1]));
        assert!(are_shared(&[1, 2, 1], &[3, 3, 3]));
        assert!(are_shared(&[1, 1, 1], &[2, 2, 1]));
    }
}

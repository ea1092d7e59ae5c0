//! A random model of two projects: two databases, worktrees, branches that the databases follow,
//! retention, clocks that jump, and every kind of reference, held against what each backup must hold.

mod branches;
mod oracle;
mod realm;
mod steps;

use anyhow::Result;

use crate::dice::Dice;
use crate::scenarios::{Ran, Stage};
use realm::Realm;

/// Steps of a run.
const N_STEPS: usize = 50;
/// References are tried after so many steps.
const N_STEPS_BETWEEN_CHECKS: usize = 4;

/// Plays it.
pub(crate) fn play(stage: &Stage, dice: &mut Dice) -> Result<Ran> {
    let mut realm = Realm::create(stage, dice)?;
    for n in 0..N_STEPS {
        realm.step(dice)?;
        if n % N_STEPS_BETWEEN_CHECKS == 0 {
            realm.check_references(dice)?;
        }
        if !realm.findings.is_empty() {
            break;
        }
    }
    let history = realm.worlds[0].history();
    Ok(Ran { n_commands: realm.n_commands, findings: realm.findings, history, control: None })
}

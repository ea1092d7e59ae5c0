//! Many runs, on all cores, until the time or the number is used up; and their report.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::dice::Dice;
use crate::fault::Tools;
use crate::outcome::{Finding, Verdict, complain, say};
use crate::power;
use crate::scenarios::{ALL, Control, Ran, Scenario, Stage};
use crate::world::Programs;

/// What is run, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The `xtask` under test
    #[arg(long, value_name = "PATH")]
    xtask: Option<PathBuf>,
    /// Stop after so many minutes
    #[arg(long, value_name = "N")]
    minutes: Option<u64>,
    /// Stop after so many runs [default: 100 without --minutes]
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// The first run's seed; each further run has the next one
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Play only this scenario
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How many runs at once
    #[arg(long, value_name = "N", default_value_t = 2)]
    jobs: usize,
    /// Print what happened in each run, not only if something was found
    #[arg(long)]
    history: bool,
    /// Switch on a fault that is built into the `xtask` under test, and demand that it is found
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
}

/// What all runs came to.
#[derive(Debug, Default)]
struct Tally {
    n_runs: u64,
    n_commands: usize,
    n_lost: usize,
    n_lies: usize,
    n_broken: usize,
    /// Power cuts after commits of SQLite alone, and how many of those commits were gone.
    n_controls: u64,
    n_controls_lost: u64,
    by_scenario: std::collections::BTreeMap<&'static str, u64>,
}

impl Args {
    /// Plays the runs and reports them.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let programs = self.programs()?;
        let tools = look_for_tools()?;
        let scenarios = self.scenarios(tools)?;
        let end = self.minutes.map(|minutes| Instant::now() + Duration::from_secs(minutes * 60));
        let n_runs = self.runs.unwrap_or(if self.minutes.is_some() { u64::MAX } else { 100 });
        let next = AtomicU64::new(0);
        let stopped = AtomicBool::new(false);
        let tally = Mutex::new(Tally::default());
        let draw_number = || {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let is_late = end.is_some_and(|end| Instant::now() >= end);
            (n < n_runs && !is_late && !stopped.load(Ordering::Relaxed)).then_some(n)
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while let Some(n) = draw_number() {
                        let seed = self.seed.wrapping_add(n);
                        let mut dice = Dice::new(seed);
                        let scenario = draw(&scenarios, &mut dice);
                        let ran = play(scenario, &programs, tools, &mut dice);
                        let is_found = self.record(&tally, scenario, seed, &ran);
                        if is_found && self.plant.is_some() {
                            stopped.store(true, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        let tally = tally.into_inner().map_err(|_| anyhow::anyhow!("a run panicked"))?;
        Ok(self.report(&tally))
    }

    fn programs(&self) -> Result<Programs> {
        let host = std::env::current_exe().context("could not find this program")?;
        let xtask = match &self.xtask {
            Some(path) => path.clone(),
            None => host.with_file_name("xtask"),
        };
        ensure!(
            xtask.is_file(),
            "there is no `{}`: build it, or name another with --xtask",
            xtask.display()
        );
        Ok(Programs { xtask: fs_err::canonicalize(xtask)?, host, plant: self.plant.clone() })
    }

    fn scenarios(&self, tools: Tools) -> Result<Vec<Scenario>> {
        let mut chosen = Vec::new();
        for scenario in ALL {
            if self.only.as_ref().is_some_and(|only| only != scenario.name) {
                continue;
            }
            if (scenario.is_possible)(tools) {
                chosen.push(scenario);
            } else {
                complain(&format!(
                    "SKIPPED: scenario `{}` is not possible on this machine",
                    scenario.name
                ));
            }
        }
        if chosen.is_empty() {
            let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
            bail!("there is no such scenario to play here; there are {}", names.join(", "));
        }
        Ok(chosen)
    }

    fn record(&self, tally: &Mutex<Tally>, scenario: &Scenario, seed: u64, ran: &Ran) -> bool {
        let Ok(mut tally) = tally.lock() else { return false };
        tally.n_runs += 1;
        tally.n_commands += ran.n_commands;
        tally.n_controls += u64::from(ran.control.is_some());
        tally.n_controls_lost += u64::from(ran.control == Some(Control::Lost));
        *tally.by_scenario.entry(scenario.name).or_default() += 1;
        for finding in &ran.findings {
            match finding.verdict {
                Verdict::Lost => tally.n_lost += 1,
                Verdict::Lie => tally.n_lies += 1,
                Verdict::Broken => tally.n_broken += 1,
            }
            say(&format!(
                "{} in `{}`, seed {seed}: {}",
                finding.verdict.name(),
                scenario.name,
                finding.what
            ));
        }
        if self.history && ran.findings.is_empty() {
            say(&ran.history);
            say("");
        }
        if !ran.findings.is_empty() {
            say(&ran.history);
            say(&format!(
                "again with: cargo xtask torture --seed {seed} --runs 1{}",
                self.only_flag()
            ));
            say("");
        }
        !ran.findings.is_empty()
    }

    fn only_flag(&self) -> String {
        self.only.as_ref().map(|only| format!(" --only {only}")).unwrap_or_default()
    }

    fn report(&self, tally: &Tally) -> ExitCode {
        for (name, n_runs) in &tally.by_scenario {
            say(&format!("{n_runs:>8} runs of {name}"));
        }
        if tally.n_controls > 0 {
            say(&format!(
                "control: {} of {} commits of SQLite alone were lost to power cuts",
                tally.n_controls_lost, tally.n_controls
            ));
        }
        let Tally { n_runs, n_commands, n_lost, n_lies, n_broken, .. } = tally;
        say(&format!(
            "{n_runs} runs, {n_commands} commands: {n_lost} lost, {n_lies} lies, {n_broken} broken"
        ));
        let is_clean = n_lost + n_lies + n_broken == 0;
        match &self.plant {
            Some(plant) if is_clean => {
                say(&format!("the planted fault `{plant}` was not found"));
                ExitCode::from(1)
            }
            Some(plant) => {
                say(&format!("the planted fault `{plant}` was found"));
                ExitCode::SUCCESS
            }
            None => ExitCode::from(u8::from(!is_clean)),
        }
    }
}

fn draw<'s>(scenarios: &'s [Scenario], dice: &mut Dice) -> &'s Scenario {
    let total: usize = scenarios.iter().map(|scenario| scenario.weight).sum();
    let mut at = dice.below(total);
    for scenario in scenarios {
        if at < scenario.weight {
            return scenario;
        }
        at -= scenario.weight;
    }
    &scenarios[0]
}

/// Plays one run; what keeps it from going on is something broken, too.
fn play(scenario: &Scenario, programs: &Programs, tools: Tools, dice: &mut Dice) -> Ran {
    let played = folder().and_then(|folder| {
        let stage = Stage { programs, folder: folder.path(), tools };
        (scenario.play)(&stage, dice)
    });
    played.unwrap_or_else(|error| {
        let finding = Finding::new(Verdict::Broken, format!("the run ended early: {error:#}"));
        Ran { findings: vec![finding], ..Ran::default() }
    })
}

fn folder() -> Result<tempfile::TempDir> {
    tempfile::Builder::new().prefix("xtask-torture-").tempdir().context("could not create a folder")
}

fn look_for_tools() -> Result<Tools> {
    let folder = folder()?;
    let has_strace = power::has("strace") && traces(folder.path());
    if !has_strace {
        complain("SKIPPED: faults at system calls need strace and leave to trace");
    }
    let can_cut_power = power::is_possible(folder.path());
    if !can_cut_power {
        complain("SKIPPED: power cuts need root, loop devices, mkfs.ext4 and python3");
    }
    Ok(Tools { has_strace, can_cut_power })
}

#[expect(clippy::disallowed_methods, reason = "a look at the machine, outside of any world")]
fn traces(folder: &Path) -> bool {
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-o"]).arg(folder.join("trace")).arg("true");
    command.output().is_ok_and(|output| output.status.success())
}

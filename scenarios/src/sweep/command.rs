//! `cargo xtask sweep`: crashes a workload everywhere, and judges every recovery.

use super::past::{Life, commits};
use super::print::{FINDINGS_SHOWN, print_crash, print_tally};
use super::question::{Bench, Found, Looked, Place, Question, Told, found, until};
use super::recover::{Until, play, recover};
use super::tally::{Depth, Tally};
use super::workload::{self, NAMES, Swept};
use crate::runner::Verdict;
use crate::workload::Plan;
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use outlive_sim::sweep::Crash;
use outlive_sim::{Answer, Batch};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Of so many crashes one is run to the end whatever its rows say.
const SETTLED_OF: usize = 50;
/// Crashes in a recovery that a child is asked at a time.
const ASKED_AT_A_TIME: usize = 40;
/// Real time that one question may take.
const QUESTION_LIMIT: Duration = Duration::from_secs(120);

/// What to sweep.
#[derive(Args)]
pub struct Sweep {
    /// A built-in workload (five, fifty, checkpoints) or a scenario file; the three if none is named.
    scenario: Option<String>,
    /// Crash once, or crash again during recovery; every workload has a default.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    depth: Option<u8>,
    /// Seconds for crashes during recovery; `five` visits them all, unless this is given.
    #[arg(long, value_name = "SECONDS")]
    budget: Option<u64>,
    /// How many processes work at a time; as many as there are cores if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    children: Option<u16>,
    /// Only the crash before this change, with `--image`.
    #[arg(long, value_name = "N", requires_all = ["image", "scenario"])]
    point: Option<usize>,
    /// The hash of the one image at `--point`, or its first digits.
    #[arg(long, value_name = "HASH", requires = "point")]
    image: Option<String>,
    /// And then only the crash before this change of its recovery, with `--then-image`.
    #[arg(long, value_name = "N", requires_all = ["then_image", "point"])]
    then_point: Option<usize>,
    /// The hash of the one image at `--then-point`, or its first digits.
    #[arg(long, value_name = "HASH", requires = "then_point")]
    then_image: Option<String>,
    /// With this planted bug.
    #[cfg(feature = "planted")]
    #[arg(long, value_name = "NAME")]
    mutant: Option<String>,
}

const BUDGET: Duration = Duration::from_secs(60);

impl Sweep {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such workload, it has no calm end, or no child can be started.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        #[cfg(feature = "planted")]
        if let Some(name) = &self.mutant {
            crate::planted::choose(name).map_err(anyhow::Error::msg)?;
        }
        let names: Vec<&str> = self.scenario.as_deref().map_or_else(|| NAMES.to_vec(), |name| vec![name]);
        for name in names {
            let swept = workload::of(name)?;
            let plan = Arc::new(swept.plan.clone());
            let life = play(&plan).map_err(|why| anyhow::anyhow!("{name} has no calm run: {why}"))?;
            let verdict = match (self.point, &self.image) {
                (Some(point), Some(image)) => self.one(plan, &life, point, image)?,
                _ => self.all(&swept, plan, &life)?,
            };
            if verdict != Verdict::Good {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Good)
    }

    fn all(&self, swept: &Swept, plan: Arc<Plan>, life: &Life) -> anyhow::Result<Verdict> {
        let started = Instant::now();
        let mut batch = Batch::of_this_program(self.serve_arguments(&swept.name))?;
        batch.children = self.children.map_or(batch.children, usize::from);
        batch.seed_limit = QUESTION_LIMIT;
        let mut images = life.sweep.images();
        let crashes: Vec<Found> = images.by_ref().map(|crash| found(life, &crash)).collect();
        let mut tally = Tally {
            name: swept.name.clone(),
            jobs: plan.intents.len(),
            commits: commits(life).last().copied().unwrap_or(0),
            changes: life.sweep.entries().len(),
            ..Tally::default()
        };
        tally.first.points = life.sweep.points() as u64;
        tally.first.made = images.enumerated();
        tally.first.distinct = crashes.len() as u64;
        first_depth(&batch, &crashes, &mut tally)?;
        let depth = self.depth.unwrap_or(swept.depth);
        if depth == 2 && tally.findings.is_empty() && tally.broken.is_empty() {
            let complete = swept.complete && self.budget.is_none();
            let budget = (!complete).then(|| self.budget.map_or(BUDGET, Duration::from_secs));
            second_depth(&batch, &crashes, &mut tally, budget)?;
        }
        tally.wall = started.elapsed();
        println!("{}", print_tally(&tally));
        self.tell(&tally, &plan, life);
        println!();
        Ok(tally.verdict())
    }

    /// Tells what was found, with the crashes that show it.
    fn tell(&self, tally: &Tally, plan: &Arc<Plan>, life: &Life) {
        let found =
            tally.findings.iter().map(|(way, it)| (way, format!("VIOLATION of {}: {}", it.clause, it.sentence)));
        let broken = tally.broken.iter().map(|(way, why)| (way, format!("BROKEN: {why}")));
        for (way, text) in found.chain(broken).take(FINDINGS_SHOWN) {
            println!("\n{text}");
            let (at, within) = way;
            let first = crash_at(life, *at);
            print!("{}", print_crash(life, &first));
            let mut again = format!("--point {} --image {:016x}", at.point, first.hash >> 64);
            if let Some(within) = within {
                match recover(plan, life.cut(at.point), &first.image, 1, Until::Asked) {
                    Ok(second) => {
                        let crash = crash_at(&second, *within);
                        print!("  then, in the recovery from it:\n{}", print_crash(&second, &crash));
                        again += &format!(" --then-point {} --then-image {:016x}", within.point, crash.hash >> 64);
                    }
                    Err(why) => println!("  its recovery does not come to its end: {why}"),
                }
            }
            let command = [vec![format!("cargo xtask sweep {} {again}", tally.name)], self.mutant_arguments()].concat();
            println!("  run it again: {}", command.join(" "));
        }
    }

    /// One crash, or one in the recovery from it.
    fn one(&self, plan: Arc<Plan>, life: &Life, point: usize, image: &str) -> anyhow::Result<Verdict> {
        let crash = search(life, point, image)?;
        print!("{}", print_crash(life, &crash));
        let bench = Bench::new(plan.clone())?;
        let looks = match (self.then_point, &self.then_image) {
            (Some(point), Some(image)) => {
                let second = recover(&plan, life.cut(crash.point), &crash.image, 1, Until::Asked)
                    .map_err(|why| anyhow::anyhow!("the recovery does not come to its end: {why}"))?;
                let again = search(&second, point, image)?;
                print!("  then, in the recovery from it:\n{}", print_crash(&second, &again));
                [false, true].map(|settle| bench.look(second.cut(point), &again, 2, until(settle)))
            }
            _ => [false, true].map(|settle| bench.look(life.cut(point), &crash, 1, until(settle))),
        };
        let mut tally = Tally::default();
        let here = (Place { point: crash.point, ordinal: crash.ordinal }, None);
        let [asked, mut settled] = looks;
        settled.violations.retain(|violation| !asked.violations.contains(violation));
        tally.add(here, asked, false, false);
        tally.add(here, settled, true, true);
        tally.findings.iter().for_each(|(_, it)| println!("VIOLATION of {}: {}", it.clause, it.sentence));
        tally.broken.iter().for_each(|(_, why)| println!("BROKEN: {why}"));
        if tally.verdict() == Verdict::Good {
            println!("no violation");
        }
        Ok(tally.verdict())
    }

    fn serve_arguments(&self, name: &str) -> Vec<String> {
        ["sweep-serve", name].into_iter().map(str::to_owned).chain(self.mutant_arguments()).collect()
    }

    fn mutant_arguments(&self) -> Vec<String> {
        #[cfg(feature = "planted")]
        if let Some(mutant) = &self.mutant {
            return vec!["--mutant".to_owned(), mutant.clone()];
        }
        Vec::new()
    }
}

/// Every crash once, then to the end those whose rows nobody had before, and a sample.
fn first_depth(batch: &Batch, crashes: &[Found], tally: &mut Tally) -> anyhow::Result<()> {
    let look = |settle| move |crash: &Found| Question::Look { at: crash.place, settle };
    let mut met = BTreeSet::new();
    let mut chosen = Vec::new();
    let found = AtomicBool::new(false);
    for (ordinal, (crash, looked)) in
        crashes.iter().zip(ask(batch, "crashes", crashes.iter().map(look(false)), &found)?).enumerate()
    {
        let looked = looked.map_or_else(broken, |told| match told {
            Told::Looked(looked) => looked,
            other => broken(format!("it answered {other:?}")),
        });
        let is_new = looked.digest.is_some_and(|digest| met.insert(digest));
        if is_new || ordinal % SETTLED_OF == 0 {
            chosen.push(crash.clone());
        }
        tally.add((crash.place, None), looked, false, false);
    }
    for (crash, looked) in chosen.iter().zip(ask(batch, "to the end", chosen.iter().map(look(true)), &found)?) {
        let looked = looked.map_or_else(broken, |told| match told {
            Told::Looked(looked) => looked,
            other => broken(format!("it answered {other:?}")),
        });
        tally.add((crash.place, None), looked, true, true);
    }
    Ok(())
}

/// Every crash in the recovery from every crash, as far as the budget goes, until one is a finding.
fn second_depth(batch: &Batch, crashes: &[Found], tally: &mut Tally, budget: Option<Duration>) -> anyhow::Result<()> {
    let started = Instant::now();
    // Half of the time to find them, so that the other half can visit some.
    let in_time = |part: u32| budget.is_none_or(|budget| started.elapsed() < budget * part / 2);
    let order = if budget.is_some() { spread(crashes.len()) } else { (0..crashes.len()).collect() };
    let questions = order.iter().take_while(|_| in_time(1)).map(|place| Question::Within { at: crashes[*place].place });
    let found = AtomicBool::new(false);
    let told = ask(batch, "recoveries", questions, &found)?;
    let mut depth = Depth { recoveries: Some((told.len() as u64, crashes.len() as u64)), ..Depth::default() };
    let mut met = BTreeSet::new();
    let mut wanted: Vec<Question> = Vec::new();
    for (place, told) in order.iter().zip(told) {
        let first = &crashes[*place];
        let (enumerated, points, within) = match told {
            Ok(Told::Within { enumerated, points, crashes }) => (enumerated, points, crashes),
            Ok(Told::Broken(why)) | Err(why) => {
                tally.broken.push(((first.place, None), why));
                continue;
            }
            Ok(other) => anyhow::bail!("a child answered {other:?}"),
        };
        depth.made += enumerated;
        depth.points += points as u64;
        let new = within.into_iter().filter(|found| met.insert((first.answers, found.answers, found.hash.clone())));
        let new: Vec<(Place, bool)> = new
            .map(|found| {
                depth.distinct += 1;
                (found.place, depth.distinct.is_multiple_of(SETTLED_OF as u64))
            })
            .collect();
        let parts = new.chunks(ASKED_AT_A_TIME);
        wanted.extend(parts.map(|part| Question::Again { at: first.place, within: part.to_vec() }));
    }
    tally.second = Some(depth);
    if budget.is_some() {
        wanted = spread(wanted.len()).into_iter().map(|place| wanted[place].clone()).collect();
    }
    let go_on = || in_time(2) && !found.load(Ordering::Relaxed);
    let told = ask(batch, "crashes in recoveries", wanted.iter().cloned().take_while(|_| go_on()), &found)?;
    for (question, told) in wanted.iter().zip(told) {
        let Question::Again { at, within } = question else { unreachable!("nothing else was asked") };
        match told {
            Ok(Told::Again(looks)) => {
                for ((place, settle), looked) in within.iter().zip(looks) {
                    tally.add((*at, Some(*place)), looked, *settle, false);
                }
            }
            Ok(other) => anyhow::bail!("a child answered {other:?}"),
            Err(why) => tally.broken.push(((*at, within.first().map(|it| it.0)), why)),
        }
    }
    Ok(())
}

/// All numbers below `count`, each once, near ones far apart: a part of them is a sample of all.
fn spread(count: usize) -> Vec<usize> {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    let mirrored = |number: usize| if bits == 0 { 0 } else { number.reverse_bits() >> (usize::BITS - bits) };
    (0..1 << bits).map(mirrored).filter(|number| *number < count).collect()
}

type Said = Result<Told, String>;

/// Asks the children, and says how far they are. `found` is set as soon as anything is wrong.
fn ask(
    batch: &Batch,
    what: &str,
    questions: impl Iterator<Item = Question> + Send,
    found: &AtomicBool,
) -> anyhow::Result<Vec<Said>> {
    let bar = ProgressBar::new(questions.size_hint().1.unwrap_or(0) as u64);
    let style = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{per_sec}}, {{eta}} left");
    let bar = bar.with_style(ProgressStyle::with_template(&style).expect("the template is right"));
    let hear = |_: &Question, answer: &Answer<Told>| {
        bar.inc(1);
        let is_bad = |looked: &Looked| !looked.violations.is_empty() || looked.broken.is_some();
        if matches!(answer, Answer::Result(Told::Again(looks)) if looks.iter().any(is_bad)) {
            found.store(true, Ordering::Relaxed);
        }
    };
    let answers = batch.ask(questions, hear).context("the children of a sweep")?;
    bar.finish_and_clear();
    Ok(answers
        .into_iter()
        .map(|(_, answer)| match answer {
            Answer::Result(told) => Ok(told),
            Answer::Died(how) => Err(format!("the process that recovered died: {how}")),
        })
        .collect())
}

fn broken(why: String) -> Looked {
    Looked { broken: Some(why), ..Looked::default() }
}

fn crash_at(life: &Life, place: Place) -> Crash {
    let mut cursor = life.sweep.cursor();
    cursor.go_to(place.point);
    cursor.crash(place.ordinal).expect("it was enumerated")
}

/// The crash at a point whose image's hash begins so.
fn search(life: &Life, point: usize, image: &str) -> anyhow::Result<Crash> {
    let points = life.sweep.points();
    anyhow::ensure!(point < points, "there is no point {point}: there are {points}, from 0");
    let crashes = life.sweep.at(point);
    let count = crashes.len();
    let mut fitting = crashes.into_iter().filter(|crash| format!("{:032x}", crash.hash).starts_with(image));
    fitting
        .next()
        .with_context(|| format!("none of {count} images at point {point} has a hash that begins with {image}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_every_number_once_and_begins_far_apart() {
        for count in [0, 1, 2, 5, 64, 100] {
            let mut all = spread(count);
            assert!(count < 5 || all[0].abs_diff(all[1]) >= count / 3, "{count}: {all:?}");
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }
}

//! Whose turn it is: watches what happens, and lets each block happen at its moment, in the order of the
//! file.

use super::Taken;
use super::cast::Cast;
use super::expect::Scene;
use super::moment::{self, Moment, Numbers};
use super::stage::Stage;
use crate::event::{Event, Onlooker};
use crate::scn::{Anchor, Block, Name, Scenario, Step};
use outlive::protocol::Call;
use outlive_sim::{Process, true_time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Watches, and lets blocks happen.
pub struct Director {
    script: Arc<Scenario>,
    cast: Arc<Cast>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stage: Option<Stage>,
    /// Blocks that are done: the next one is waited for.
    done: usize,
    /// How often its moment has come.
    seen: i64,
    /// Since when it is waited for.
    since: Duration,
    ended: bool,
    numbers: Numbers,
    unmet: Vec<String>,
    /// When each line that does something was played, and its place in the nemesis's schedule if it waits there.
    lines: Vec<(Duration, Option<usize>)>,
    /// What happened, in the words of a file: kept for whoever wants to put blocks there.
    moments: Vec<(Duration, Anchor)>,
    story: Vec<String>,
}

impl Director {
    /// Of this file.
    pub fn new(script: Arc<Scenario>, cast: Arc<Cast>) -> Self {
        Self { script, cast, state: Mutex::default() }
    }

    /// From here on blocks happen.
    pub fn begin(&self, stage: Stage) {
        self.state.lock().unwrap().stage = Some(stage);
    }

    /// How many blocks are done.
    pub fn done(&self) -> usize {
        self.state.lock().unwrap().done
    }

    /// Whether all of them are.
    pub fn is_done(&self) -> bool {
        self.done() == self.script.blocks.len()
    }

    /// The anchor that is waited for, the number of its block, and since when.
    pub fn awaited(&self) -> Option<(usize, Anchor, Duration)> {
        let state = self.state.lock().unwrap();
        let block = self.script.blocks.get(state.done).filter(|_| !state.ended)?;
        Some((state.done, block.anchor.clone(), state.since))
    }

    /// No block happens any more.
    pub fn end_blocks(&self) {
        self.state.lock().unwrap().ended = true;
    }

    /// What never came, what was not met, and the story.
    pub fn end(&self) -> (Vec<String>, Vec<String>, Vec<String>) {
        let mut state = self.state.lock().unwrap();
        let watched = state.stage.take().is_some();
        let missing = self.script.blocks.get(state.done).filter(|_| watched);
        let stale = missing
            .map(|block| format!("`{}` never came; it was waited for from {:.3?} on", block.anchor, state.since));
        let (unmet, story) = (std::mem::take(&mut state.unmet), std::mem::take(&mut state.story));
        (stale.into_iter().collect(), unmet, story)
    }

    /// What the file calls each job of the store.
    pub fn jobs(&self) -> BTreeMap<i64, Name> {
        let numbers = &self.state.lock().unwrap().numbers;
        numbers.iter().filter_map(|(id, number)| Some((id.0, self.cast.job(*number)?))).collect()
    }

    /// When each line took its turn, if `moments` are what fired.
    pub fn taken(&self, moments: &[(usize, Duration)]) -> Vec<Taken> {
        let fired = |place: usize| moments.iter().find(|(it, _)| *it == place).map(|(_, at)| *at);
        let taken = |(played, place): &(Duration, Option<usize>)| Taken {
            played: Some(*played),
            fired: place.map_or(Some(*played), fired),
        };
        self.state.lock().unwrap().lines.iter().map(taken).collect()
    }

    /// What happened so far, in the words of a file, and when.
    pub fn moments(&self) -> Vec<(Duration, Anchor)> {
        self.state.lock().unwrap().moments.clone()
    }

    /// The moment of a block has come, which is not what somebody does.
    pub fn comes(&self, block: usize) {
        if self.done() == block {
            self.count();
        }
    }

    /// What a person should know of it.
    fn tell(&self, line: &str) {
        self.state.lock().unwrap().story.push(format!("{:9.3} s  {line}", true_time().as_secs_f64()));
    }

    /// One more moment of the block that is waited for.
    fn count(&self) {
        let (block, stage) = {
            let mut state = self.state.lock().unwrap();
            let (Some(block), Some(stage), false) =
                (self.script.blocks.get(state.done), state.stage.clone(), state.ended)
            else {
                return;
            };
            if stage.is_calm() {
                // Nobody need wait for any other block either.
                state.ended = true;
                return;
            }
            state.seen += 1;
            if state.seen < nth(&block.anchor) {
                return;
            }
            (block, stage)
        };
        self.tell(&block.anchor.to_string());
        self.play(block, &stage);
        let mut state = self.state.lock().unwrap();
        (state.done, state.seen, state.since) = (state.done + 1, 0, true_time());
    }

    fn play(&self, block: &Block, stage: &Stage) {
        for step in &block.steps {
            match step {
                Step::Do(action) => {
                    self.tell(&format!("  {action}"));
                    let before = stage.armed();
                    stage.act(action);
                    let place = (stage.armed() > before).then_some(before);
                    self.state.lock().unwrap().lines.push((true_time(), place));
                }
                Step::Expect(expectation) => {
                    let (entries, rows) = (stage.entries(), stage.rows());
                    let scene = Scene::new(&self.cast, &entries, rows.as_ref().ok(), true_time());
                    let unread = rows.as_ref().err().map(|why| format!("the file does not read: {why}"));
                    if let Some(why) = unread.or_else(|| scene.judge(expectation, None)) {
                        let unmet = format!("{}: expect {expectation}, but {why}", block.anchor);
                        self.state.lock().unwrap().unmet.push(unmet);
                    }
                }
            }
        }
    }
}

fn nth(anchor: &Anchor) -> i64 {
    match anchor {
        Anchor::After { nth, .. } | Anchor::Before { nth, .. } => nth.0.get(),
        Anchor::At { .. } => 1,
    }
}

impl Onlooker for Director {
    fn sees(&self, process: &Process, event: &Event, call: Option<&Call>) {
        let moment = Moment { machine: process.machine(), event, call };
        let is_awaited = {
            let mut state = self.state.lock().unwrap();
            moment::learn(&mut state.numbers, &moment);
            let names = moment::names(&self.cast, &state.numbers, &moment);
            state.moments.extend(names.into_iter().map(|anchor| (true_time(), anchor)));
            let awaited = self.script.blocks.get(state.done);
            awaited.is_some_and(|block| moment::is(&self.cast, &state.numbers, &block.anchor, &moment))
        };
        if let Event::OpenFailed(why) = event {
            self.tell(&format!("the store could not open its file: {why}"));
        }
        if is_awaited {
            self.count();
        }
    }
}

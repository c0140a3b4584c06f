//! What is remembered outside of the process: what clients still want, and what they were told.
//! It outlives every crash, as a person at a keyboard does.

use super::intent::Intent;
use super::waits::to_send;
use outlive::JobId;
use outlive::job::{Gate, RequestId};
use outlive::protocol::{After, CallError, Enqueue, Reply, Request, Signal};
use outlive_sim::{Fork, ProcessId, true_time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What is remembered outside of the process. Clones are the same memory.
#[derive(Clone)]
pub struct Outside(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    wanted: VecDeque<Wish>,
    in_flight: BTreeMap<RequestId, (ProcessId, Wish)>,
    /// The job of each number that somebody was told of first.
    jobs: BTreeMap<u64, JobId>,
    /// Numbers of which nobody will ask again.
    given_up: BTreeSet<u64>,
    signals: VecDeque<SignalWish>,
    signals_in_flight: BTreeMap<RequestId, (ProcessId, SignalWish)>,
    /// What may be paused.
    paused: BTreeSet<Gate>,
    /// Schedules that may be there.
    scheduled: BTreeSet<String>,
    known: BTreeSet<JobId>,
    terminal: BTreeSet<JobId>,
    calm: bool,
    damage_heard: Option<Duration>,
    rng_draws: u64,
}

/// An enqueue that somebody wants made.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Under this name, each time it is tried, until it is sure that nothing has happened.
    pub id: RequestId,
    /// What: the names of each, if it is asked for alone, are drawn from its fork.
    wanted: Vec<(Intent, Fork)>,
    /// How often it was sure that nothing has happened.
    refused: u64,
    /// Whether it was tried under this name, and nobody knows what became of that.
    unknown: bool,
}

/// A signal that somebody wants sent.
#[derive(Clone, Debug)]
pub struct SignalWish {
    /// Under this name, each time it is tried, until it is refused.
    pub id: RequestId,
    /// What.
    pub signal: Signal,
    fork: Fork,
    refused: u64,
}

/// The name of a request that was refused so often.
fn name(fork: &Fork, refused: u64) -> RequestId {
    let mut id = [0; 16];
    fork.key(refused).rng().fill(&mut id);
    RequestId(id)
}

impl Wish {
    fn new(intent: Intent, fork: Fork, refused: u64) -> Self {
        Self { id: name(&fork, refused), wanted: vec![(intent, fork)], refused, unknown: false }
    }

    /// All of these at once.
    fn together(wishes: Vec<Self>) -> Self {
        let wanted: Vec<_> = wishes.into_iter().flat_map(|wish| wish.wanted).collect();
        let fork = wanted[0].1.fork("together");
        Self { id: name(&fork, 0), wanted, refused: 0, unknown: false }
    }

    /// Each by itself, under a name that it has not had.
    fn anew(self) -> impl Iterator<Item = Self> {
        let refused = self.refused + 1;
        self.wanted.into_iter().map(move |(intent, fork)| Self::new(intent, fork, refused))
    }

    fn is_fresh(&self) -> bool {
        self.refused == 0 && !self.unknown && self.wanted.len() == 1
    }

    fn intents(&self) -> impl Iterator<Item = &Intent> {
        self.wanted.iter().map(|(intent, _)| intent)
    }

    /// What is asked for.
    pub fn request(&self) -> Request {
        let mut jobs: Vec<Enqueue> = self.intents().map(|intent| intent.enqueue.clone()).collect();
        if jobs.len() == 1 { Request::Enqueue(jobs.remove(0)) } else { Request::EnqueueAll { jobs } }
    }
}

impl Memory {
    /// Whether all is known, or never will be, of those for which what is wished for waits.
    fn may_ask(&self, wish: &Wish) -> bool {
        let mut numbers = wish.intents().flat_map(|intent| &intent.after).flat_map(|(numbers, _)| numbers);
        numbers.all(|number| self.jobs.contains_key(number) || self.given_up.contains(number))
    }

    /// It is in flight from now on.
    fn send(&mut self, mut wish: Wish, process: ProcessId) -> Wish {
        // Under the same name the same is asked for, whatever was heard since.
        if !wish.unknown {
            for (intent, _) in &mut wish.wanted {
                intent.enqueue.after = self.after(intent);
            }
        }
        self.in_flight.insert(wish.id, (process, wish.clone()));
        wish
    }

    /// The jobs for which this one waits.
    fn after(&self, intent: &Intent) -> Option<After> {
        let (numbers, unmet) = intent.after.as_ref()?;
        let jobs: Vec<JobId> = numbers.iter().filter_map(|number| self.jobs.get(number).copied()).collect();
        (!jobs.is_empty()).then_some(After { jobs, unmet: *unmet })
    }
}

impl Outside {
    /// Wishes for all of `intents`, in order; for what recurs again at the end of them, in rounds.
    pub fn new(intents: &[Intent], fork: Fork) -> Self {
        let signals = to_send(intents).into_iter().zip(0..).map(|(signal, number)| {
            let fork = fork.fork("signal").key(number);
            SignalWish { id: name(&fork, 0), signal, fork, refused: 0 }
        });
        let wish = |intent: &Intent, repeat: u64| {
            let fork = fork.fork("request id").key(intent.number).key(repeat);
            Wish::new(intent.clone(), fork, 0)
        };
        let mut wanted = VecDeque::new();
        for intent in intents {
            let at_once = if intent.recurs() { 0 } else { intent.repeats };
            wanted.extend((0..=at_once).map(|repeat| wish(intent, repeat)));
        }
        let later = intents.iter().filter(|intent| intent.recurs());
        let rounds = later.clone().map(|intent| intent.repeats).max().unwrap_or(0);
        for round in 1..=rounds {
            wanted.extend(later.clone().filter(|it| it.repeats >= round).map(|intent| wish(intent, round)));
        }
        let signals = signals.collect();
        Self(Arc::new(Mutex::new(Memory { wanted, signals, ..Memory::default() })))
    }

    /// The next wish; it is in flight from a process until it is answered.
    pub fn next_wish(&self, process: ProcessId) -> Option<Wish> {
        let mut memory = self.0.lock().unwrap();
        let place = memory.wanted.iter().position(|wish| memory.may_ask(wish))?;
        let wish = memory.wanted.remove(place)?;
        Some(memory.send(wish, process))
    }

    /// The next wishes as one, if there are several that nobody has asked for yet; they are in flight from a process until
    /// they are answered.
    pub fn next_together(&self, process: ProcessId, most: usize) -> Option<Wish> {
        let mut memory = self.0.lock().unwrap();
        let may = |wish: &&Wish| wish.is_fresh() && memory.may_ask(wish);
        let ids: BTreeSet<RequestId> = memory.wanted.iter().filter(may).take(most).map(|wish| wish.id).collect();
        if ids.len() < 2 {
            return None;
        }
        let (together, others): (Vec<Wish>, Vec<Wish>) =
            memory.wanted.drain(..).partition(|wish| ids.contains(&wish.id));
        memory.wanted.extend(others);
        Some(memory.send(Wish::together(together), process))
    }

    /// A wish came true, as these jobs.
    pub fn granted(&self, id: RequestId, jobs: &[JobId]) {
        let mut memory = self.0.lock().unwrap();
        if let Some((_, wish)) = memory.in_flight.remove(&id) {
            for (intent, job) in wish.intents().zip(jobs) {
                memory.jobs.entry(intent.number).or_insert(*job);
            }
        }
        memory.known.extend(jobs);
    }

    /// The queue said no: no try under that name has come true, or ever will. It is tried under a new one, and each by
    /// itself.
    pub fn wish_anew(&self, id: RequestId) {
        let mut memory = self.0.lock().unwrap();
        if let Some((_, wish)) = memory.in_flight.remove(&id) {
            memory.wanted.extend(wish.anew());
        }
    }

    /// A try did not reach the queue: that name is done with, unless an earlier try under it may have come
    /// true.
    pub fn wish_unheard(&self, id: RequestId) {
        let unknown = self.0.lock().unwrap().in_flight.get(&id).is_some_and(|(_, wish)| wish.unknown);
        if unknown { self.wish_again(id) } else { self.wish_anew(id) }
    }

    /// Nobody knows whether a wish came true: it is tried again, under the same name.
    pub fn wish_again(&self, id: RequestId) {
        let mut memory = self.0.lock().unwrap();
        if let Some((_, wish)) = memory.in_flight.remove(&id) {
            memory.wanted.push_back(Wish { unknown: true, ..wish });
        }
    }

    /// A wish is given up: it may have come true or not.
    pub fn give_up(&self, id: RequestId) {
        let mut memory = self.0.lock().unwrap();
        if let Some((_, wish)) = memory.in_flight.remove(&id) {
            memory.given_up.extend(wish.intents().map(|intent| intent.number));
        }
    }

    /// The next signal to send; it is in flight from a process until it is answered.
    pub fn next_signal(&self, process: ProcessId) -> Option<SignalWish> {
        let mut memory = self.0.lock().unwrap();
        let wish = memory.signals.pop_front()?;
        memory.signals_in_flight.insert(wish.id, (process, wish.clone()));
        Some(wish)
    }

    /// What was answered to a signal: it was sent, or refused, or nobody knows. It is tried again until it was sent.
    pub fn signal_answered(&self, id: RequestId, answer: &Result<Reply, CallError>) {
        let mut memory = self.0.lock().unwrap();
        let Some((_, wish)) = memory.signals_in_flight.remove(&id) else { return };
        match answer {
            Ok(_) => {}
            Err(CallError::Refused(_)) => {
                let refused = wish.refused + 1;
                memory.signals.push_back(SignalWish { id: name(&wish.fork, refused), refused, ..wish });
            }
            Err(_) => memory.signals.push_back(wish),
        }
    }

    /// Somebody is about to pause this.
    pub fn pauses(&self, gate: &Gate) {
        self.0.lock().unwrap().paused.insert(gate.clone());
    }

    /// Somebody has resumed this.
    pub fn has_resumed(&self, gate: &Gate) {
        self.0.lock().unwrap().paused.remove(gate);
    }

    /// What may be paused.
    pub fn paused(&self) -> Vec<Gate> {
        self.0.lock().unwrap().paused.iter().cloned().collect()
    }

    /// Somebody is about to set a schedule, or it is there.
    pub fn schedules(&self, name: &str) {
        self.0.lock().unwrap().scheduled.insert(name.to_owned());
    }

    /// Somebody has ended a schedule.
    pub fn has_unscheduled(&self, name: &str) {
        self.0.lock().unwrap().scheduled.remove(name);
    }

    /// Schedules that may be there.
    pub fn scheduled(&self) -> Vec<String> {
        self.0.lock().unwrap().scheduled.iter().cloned().collect()
    }

    /// A process died: whatever was in flight from it is unknown, and is tried again.
    pub fn process_died(&self, process: ProcessId) {
        let mut memory = self.0.lock().unwrap();
        let unknown: Vec<_> = memory.in_flight.extract_if(.., |_, (of, _)| *of == process).collect();
        for (_, (_, wish)) in unknown.into_iter().rev() {
            memory.wanted.push_front(Wish { unknown: true, ..wish });
        }
        let unsent: Vec<_> = memory.signals_in_flight.extract_if(.., |_, (of, _)| *of == process).collect();
        memory.signals.extend(unsent.into_iter().map(|(_, (_, wish))| wish));
    }

    /// Whether nothing is wanted any more.
    pub fn is_content(&self) -> bool {
        let memory = self.0.lock().unwrap();
        let wishes = memory.wanted.is_empty() && memory.in_flight.is_empty();
        wishes && memory.signals.is_empty() && memory.signals_in_flight.is_empty()
    }

    /// Whether somebody was told of the job of this number.
    pub fn knows(&self, number: u64) -> bool {
        self.0.lock().unwrap().jobs.contains_key(&number)
    }

    /// Jobs that somebody was told of.
    pub fn known(&self) -> Vec<JobId> {
        self.0.lock().unwrap().known.iter().copied().collect()
    }

    /// Jobs that somebody was told of, and that were not seen to be terminal.
    pub fn pending(&self) -> Vec<JobId> {
        let memory = self.0.lock().unwrap();
        memory.known.difference(&memory.terminal).copied().collect()
    }

    /// A job was seen to be terminal.
    pub fn saw_terminal(&self, job: JobId) {
        self.0.lock().unwrap().terminal.insert(job);
    }

    /// A job may wait again: somebody retries it.
    pub fn may_wait_again(&self, job: JobId) {
        let mut memory = self.0.lock().unwrap();
        memory.terminal.remove(&job);
        memory.known.insert(job);
    }

    /// Clients behave from now on: nobody claims and keeps silent, nobody forges.
    pub fn calm_down(&self) {
        self.0.lock().unwrap().calm = true;
    }

    /// Whether clients behave.
    pub fn is_calm(&self) -> bool {
        self.0.lock().unwrap().calm
    }

    /// Somebody was told that the file is damaged: a person has been called.
    pub fn hear_of_damage(&self) {
        self.0.lock().unwrap().damage_heard.get_or_insert_with(true_time);
    }

    /// Since when a person knows that the file is damaged.
    pub fn damage_heard(&self) -> Option<Duration> {
        self.0.lock().unwrap().damage_heard
    }

    /// A number that no actor had before, for the key of its choices.
    pub fn ordinal(&self) -> u64 {
        let mut memory = self.0.lock().unwrap();
        memory.rng_draws += 1;
        memory.rng_draws
    }
}

//! What clients do to the store, which faults strike meanwhile, and what everybody saw.

use std::io;
use std::sync::{Arc, Mutex as Shared};
use std::time::Duration;

use outlive_sim::{
    Action, Entry, Exit, Fault, History, MachineId, Nemesis, OperationKind, Options, Outcome, Process, Recording, Seed,
    Speed, Survivors, Trigger, World, run, sleep_true,
};
use tokio::sync::Mutex;

use crate::store::{Bug, Recovery, Store};

/// Each client has keys of its own, so that what a key should hold follows from one client's operations alone.
pub const CLIENTS: usize = 3;
const KEYS: [[&str; 2]; CLIENTS] = [["a", "b"], ["c", "d"], ["e", "f"]];
const OPERATIONS_MAX: u64 = 24;
const FAULTS_MAX: u64 = 5;
/// Three sectors: a write that a power loss may tear.
const VALUE_BYTES_MAX: u64 = 1500;
/// A store that is started more often than this is not going to come up.
const BOOTS_MAX: usize = 100;

/// The event that an operation was answered.
const ANSWER: &str = "answer";
/// The moments at which faults strike, the easiest to understand first.
pub const MOMENTS: [Moment; 7] = [
    Moment::Answer,
    Moment::Operation("/log", OperationKind::Write),
    Moment::Operation("/log", OperationKind::Sync),
    Moment::Operation("/log", OperationKind::Truncate),
    Moment::Operation("/snapshot.new", OperationKind::Sync),
    Moment::Operation("/snapshot.new", OperationKind::Rename),
    Moment::Operation("/", OperationKind::SyncDirectory),
];
/// Which of the moments of a kind it is at most.
pub const NTH_MAX: u64 = 8;

/// A kind of moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// A client has just got its answer.
    Answer,
    /// The store is about to do this to a file of this name.
    Operation(&'static str, OperationKind),
}

impl Moment {
    /// The trigger for the `nth` of these moments, from 1.
    pub fn trigger(self, nth: u64) -> Trigger {
        match self {
            Moment::Answer => Trigger::AtEvent { name: ANSWER.into(), nth },
            Moment::Operation(suffix, kind) => Trigger::AtMatching { suffix: suffix.into(), kind, nth },
        }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Give a key a value of so many bytes. The value begins with the operation's number.
    Put { key: &'static str, bytes: u64 },
    /// Read a key.
    Get { key: &'static str },
    /// Compact the store.
    Compact,
}

/// One operation of the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Told apart by this number, from 1: it stays the same when others are left out.
    pub number: u64,
    /// Whose it is.
    pub client: usize,
    /// How long the client waits before it asks.
    pub after: Duration,
    /// For what it asks.
    pub request: Request,
}

/// All that a run is made from, but for the bug.
#[derive(Clone, Debug)]
pub struct Case {
    /// Draws what the case leaves open: how long the disk takes, which sectors survive.
    pub seed: Seed,
    /// What is asked for, in the order of each client.
    pub operations: Vec<Operation>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The store was opened, and found this; its newest snapshot is of this generation now.
    Opened { found: Recovery, generation: u64 },
    /// A client asks. Until it is answered, the outcome is unknown.
    Invoked(Operation),
    /// A put is acknowledged; its record begins at this byte of the log.
    Put { operation: Operation, at_byte: u64 },
    /// A get is answered; by the number of the put that wrote the value.
    Got { operation: Operation, found: Option<u64> },
    /// A compaction is acknowledged.
    Compacted { generation: u64 },
    /// The program of the store ended. These faults have struck since it was started.
    Down { exit: Exit, faults: Vec<usize> },
    /// After all faults, and after one more start, a key holds this.
    Left { key: &'static str, found: Option<u64> },
}

impl Case {
    /// The case of a seed: every choice is drawn from a fork of its own.
    pub fn draw(seed: Seed) -> Self {
        let count = seed.fork("operations").rng().between(1..=OPERATIONS_MAX);
        let operations = (1..=count).map(|number| {
            let mut rng = seed.fork("operation").key(number).rng();
            let client = rng.between(0..=CLIENTS as u64 - 1) as usize;
            let after = rng.duration(Duration::ZERO..=Duration::from_millis(20));
            let key = *rng.pick(&KEYS[client]);
            let request = match rng.between(0..=9) {
                0..=5 => Request::Put { key, bytes: rng.between(8..=VALUE_BYTES_MAX) },
                6..=8 => Request::Get { key },
                _ => Request::Compact,
            };
            Operation { number, client, after, request }
        });
        let count = seed.fork("faults").rng().between(1..=FAULTS_MAX);
        let faults = (1..=count).map(|number| draw_fault(seed, number));
        Self { seed, operations: operations.collect(), faults: faults.collect() }
    }

    /// What tells two cases apart.
    pub fn key(&self) -> String {
        format!("{:?} {:?}", self.operations, self.faults)
    }
}

fn draw_fault(seed: Seed, number: u64) -> Fault {
    let mut rng = seed.fork("fault").key(number).rng();
    let moment = *rng.pick(&MOMENTS);
    let nth = rng.between(1..=NTH_MAX);
    let error = if moment == Moment::Operation("/log", OperationKind::Write) {
        Action::WriteError
    } else {
        Action::SyncError(Survivors::Subset)
    };
    let power_loss = Action::PowerLoss(*rng.pick(&Survivors::ALL));
    let action = *rng.pick(&[Action::Crash, power_loss, power_loss, error]);
    let trigger = if rng.chance(0.3) {
        Trigger::At(rng.duration(Duration::ZERO..=Duration::from_millis(100)))
    } else {
        moment.trigger(nth)
    };
    Fault { machine: MachineId(0), trigger, action }
}

/// What a client has not asked for yet, by client. It is outside of the process, so a crash leaves it alone.
type Waiting = Arc<Shared<Vec<Vec<Operation>>>>;

/// Plays a case.
pub fn play(case: &Case, bug: Bug, recording: Recording) -> Outcome<Vec<Entry<Event>>> {
    run(case.seed, Options { recording, ..Options::default() }, async |world| drive(&world, case, bug).await)
}

async fn drive(world: &World, case: &Case, bug: Bug) -> Vec<Entry<Event>> {
    let machine = world.add_machine("store");
    world.disk(machine).set_speed(Speed::Slow { least: Duration::from_micros(50), most: Duration::from_millis(2) });
    let nemesis = Nemesis::start(world, case.faults.clone());
    let history = History::new();
    let waiting = (0..CLIENTS)
        .map(|client| case.operations.iter().rev().filter(|operation| operation.client == client).copied().collect());
    let waiting: Waiting = Arc::new(Shared::new(waiting.collect()));
    let mut struck: Vec<usize> = Vec::new();
    for boots in 0.. {
        assert!(boots < BOOTS_MAX, "the store does not come up");
        let clients = Clients { waiting: Arc::clone(&waiting), history: history.clone(), nemesis: nemesis.clone() };
        let process = world.boot(machine, "store", async move |process| serve(process, clients, bug).await);
        let exit = world.exited(process).await;
        let faults: Vec<usize> = fired(case, &nemesis).into_iter().filter(|place| !struck.contains(place)).collect();
        struck.extend(&faults);
        history.record_world(Event::Down { exit, faults });
        if waiting.lock().unwrap().iter().all(Vec::is_empty) {
            break;
        }
        sleep_true(Duration::from_millis(1)).await;
    }
    nemesis.stop();
    let seen = history.clone();
    let reader = world.boot(machine, "store", async move |process| read_all(process, seen, bug).await);
    world.exited(reader).await;
    history.entries()
}

/// The places of the faults whose moment has come.
fn fired(case: &Case, nemesis: &Nemesis) -> Vec<usize> {
    let waiting = nemesis.waiting();
    let now = outlive_sim::true_time();
    let has_come = |(place, fault): &(usize, &Fault)| match fault.trigger {
        Trigger::At(time) => time <= now,
        _ => !waiting.contains(place),
    };
    case.faults.iter().enumerate().filter(has_come).map(|(place, _)| place).collect()
}

/// What clients need but for the store. It outlives each process.
#[derive(Clone)]
struct Clients {
    waiting: Waiting,
    history: History<Event>,
    nemesis: Nemesis,
}

/// The program: opens the store and lets the clients at it, until they are done or the store is broken.
async fn serve(process: Process, clients: Clients, bug: Bug) {
    let Ok((store, recovery)) = Store::open(process.disk().clone(), bug).await else { return };
    clients.history.record(&process, Event::Opened { found: recovery, generation: store.generation() });
    let store = Arc::new(Mutex::new(store));
    let start = |client| process.spawn("client", clients.clone().ask_all(client, process.clone(), Arc::clone(&store)));
    let running: Vec<_> = (0..CLIENTS).map(start).collect();
    for client in running {
        client.await;
    }
}

impl Clients {
    /// One client: asks for what it has not asked for yet, one by one.
    async fn ask_all(self, client: usize, process: Process, store: Arc<Mutex<Store>>) {
        loop {
            let Some(operation) = self.waiting.lock().unwrap()[client].last().copied() else { return };
            process.clock().sleep(operation.after).await;
            let mut store = store.lock().await;
            // From here on it was asked for; who comes after a crash goes on with the next one.
            self.waiting.lock().unwrap()[client].pop();
            self.history.record(&process, Event::Invoked(operation));
            match ask(&mut store, operation).await {
                Ok(answer) => self.history.record(&process, answer),
                // The outcome is unknown. The store is broken, so there is nothing to wait for.
                Err(_) => return,
            }
            self.nemesis.event(&process, ANSWER);
        }
    }
}

async fn ask(store: &mut Store, operation: Operation) -> io::Result<Event> {
    Ok(match operation.request {
        Request::Put { key, bytes } => {
            let at_byte = store.put(key, &value(operation.number, bytes)).await?;
            Event::Put { operation, at_byte }
        }
        Request::Get { key } => Event::Got { operation, found: store.get(key)?.map(number) },
        Request::Compact => Event::Compacted { generation: store.compact().await? },
    })
}

/// The last start, after all faults: what each key holds.
async fn read_all(process: Process, history: History<Event>, bug: Bug) {
    let (store, recovery) = Store::open(process.disk().clone(), bug).await.expect("a calm disk makes no errors");
    history.record(&process, Event::Opened { found: recovery, generation: store.generation() });
    for key in KEYS.into_iter().flatten() {
        let found = store.get(key).expect("a store that is open is not broken").map(number);
        history.record(&process, Event::Left { key, found });
    }
}

/// A value of so many bytes that says who wrote it.
fn value(number: u64, bytes: u64) -> Vec<u8> {
    let mut value = number.to_le_bytes().to_vec();
    value.resize(bytes.max(8) as usize, number as u8);
    value
}

fn number(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[..8].try_into().expect("a value begins with a number"))
}

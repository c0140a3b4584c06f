//! Handlers on trial: good ones pass, each bad one is found, and its story says what happened.

use outlive::host::{Clock, Host};
use outlive::job::State;
use outlive::{Context, Done, Error, Failure, Filter, Job, Outlive};
use outlive_trial::{Broken, SimHost, Trial, find};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Serialize, Deserialize)]
struct Charge {
    order: u32,
}

impl Job for Charge {
    const KIND: &'static str = "charge";
    type Output = u32;
}

/// What is outside, and outlives every process.
#[derive(Clone, Default)]
struct Bank(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    charges: BTreeMap<u32, u32>,
    keys: BTreeMap<String, u32>,
}

impl Bank {
    fn charge(&self, order: u32) {
        *self.0.lock().unwrap().charges.entry(order).or_default() += 1;
    }

    fn charge_once(&self, key: String, order: u32) {
        if self.0.lock().unwrap().keys.insert(key, order).is_none() {
            self.charge(order);
        }
    }

    /// Each order was charged, and once.
    fn check(&self) -> Result<(), String> {
        let charges = &self.0.lock().unwrap().charges;
        match (1..=ORDERS)
            .map(|order| (order, charges.get(&order).copied().unwrap_or(0)))
            .find(|(_, times)| *times != 1)
        {
            Some((order, times)) => Err(format!("order {order} was charged {times} times")),
            None => Ok(()),
        }
    }
}

const ORDERS: u32 = 3;

async fn ask(outlive: Outlive<SimHost>) -> Result<(), Error> {
    for order in 1..=ORDERS {
        outlive.enqueue(Charge { order }).key(order.to_string()).await?;
    }
    Ok(())
}

fn trial<F>(handler: fn(Context, Charge) -> F) -> impl Fn(outlive_trial::Seed) -> Trial + Sync
where
    F: Future<Output = Result<Done<u32>, Failure>> + Send + 'static,
{
    move |_| {
        let bank = Bank::default();
        let own = bank.clone();
        Trial::new(move |worker| worker.handle(handler).state(own.clone()).lease(Duration::from_secs(5)))
            .client(ask)
            .check(move |_| std::future::ready(bank.check()))
    }
}

fn broken<F>(handler: fn(Context, Charge) -> F) -> Broken
where
    F: Future<Output = Result<Done<u32>, Failure>> + Send + 'static,
{
    find(1..=200, trial(handler)).expect("a seed finds it")
}

async fn careful(ctx: Context, job: Charge) -> Result<Done<u32>, Failure> {
    ctx.sleep(Duration::from_millis(20)).await;
    ctx.state::<Bank>().charge_once(ctx.idempotency_key("charge"), job.order);
    Ok(Done::complete(job.order))
}

#[test]
fn a_careful_handler_keeps_its_promise() {
    if let Some(broken) = find(1..=100, trial(careful)) {
        panic!("{broken}");
    }
}

async fn careless(ctx: Context, job: Charge) -> Result<Done<u32>, Failure> {
    ctx.state::<Bank>().charge(job.order);
    Ok(Done::complete(job.order))
}

#[test]
fn a_careless_handler_is_found_and_its_story_has_the_one_fault_that_it_takes() {
    let broken = broken(careless);
    assert!(broken.what.contains("was charged 2 times"), "{broken}");
    assert_eq!(broken.faults.0, 1, "{broken}");
    let story = broken.story.join("\n");
    for part in ["fault: ", "attempt 1: its handler begins", "attempt 2: its handler begins", "program 2 boots"] {
        assert!(story.contains(part), "{part}: {broken}");
    }
    let text = broken.to_string();
    assert!(text.ends_with(&format!("it alone: OUTLIVE_SEED={}", broken.seed.0)), "{text}");
    let again = find([broken.seed.0], trial(careless)).expect("a seed breaks it each time");
    assert_eq!(again.to_string(), text);
}

/// A step is stored after what it does: in between there is room for a crash.
async fn step_by_step(ctx: Context, job: Charge) -> Result<Done<u32>, Failure> {
    let order = ctx
        .step("charge", async || {
            ctx.state::<Bank>().charge(job.order);
            Ok::<_, Failure>(job.order)
        })
        .await?;
    Ok(Done::complete(order))
}

#[test]
fn a_step_alone_makes_nothing_outside_happen_once() {
    let broken = broken(step_by_step);
    assert!(broken.what.contains("was charged 2 times"), "{broken}");
}

async fn never(ctx: Context, _: Charge) -> Result<Done<u32>, Failure> {
    ctx.sleep(Duration::from_secs(1)).await;
    Ok(Done::snooze(Duration::from_secs(60)))
}

#[test]
fn a_job_that_does_not_end_says_why() {
    let broken = broken(never);
    assert!(broken.what.starts_with("a job does not end: "), "{broken}");
    assert_eq!(broken.faults.0, 0, "{broken}");
}

async fn foreign(_: Context, job: Charge) -> Result<Done<u32>, Failure> {
    tokio::time::sleep(Duration::from_millis(1)).await;
    Ok(Done::complete(job.order))
}

#[test]
fn who_asks_for_tokios_reactor_is_told_what_to_use_instead() {
    let broken = broken(foreign);
    assert!(broken.what.starts_with("the handler of \"charge\" asked for tokio's own reactor"), "{broken}");
    assert!(broken.what.contains("Instead of tokio::time::sleep use ctx.sleep"), "{broken}");
}

/// Each order in a row of its own table, and the completion: one transaction.
async fn in_a_transaction(ctx: Context, job: Charge) -> Result<Done<u32>, Failure> {
    ctx.transaction(async |tx| {
        tx.execute("CREATE TABLE IF NOT EXISTS charges (shown INTEGER NOT NULL)", ()).await?;
        tx.execute("INSERT INTO charges VALUES (?1)", (i64::from(job.order),)).await?;
        Ok(tx.complete(job.order).await?)
    })
    .await
}

#[test]
fn a_transaction_makes_it_once_in_the_files_own_tables() {
    let make = |_| {
        Trial::new(|worker| worker.handle(in_a_transaction)).client(ask).check(async |outlive| {
            let rows = outlive.read(async |tx| tx.query("SELECT COUNT(*) AS n FROM charges", ()).await).await;
            let count: i64 = rows.map_err(|error| error.to_string())?[0].get("n").map_err(|error| error.to_string())?;
            assert_eq!(count, i64::from(ORDERS), "rows of charges");
            let done = outlive.list(Filter::state(State::Completed)).all().await.map_err(|error| error.to_string())?;
            if done.len() == ORDERS as usize { Ok(()) } else { Err(format!("{} are completed", done.len())) }
        })
    };
    if let Some(broken) = find(1..=60, make) {
        panic!("{broken}");
    }
    // A check that panics is one that says no.
    let wrong = |_| {
        Trial::new(|worker| worker.handle(careful).state(Bank::default())).client(ask).check(async |_| {
            assert_eq!(1 + 1, 3, "arithmetic");
            Ok(())
        })
    };
    let broken = find([1], wrong).expect("two is not three");
    assert!(broken.what.contains("arithmetic"), "{broken}");
}

#[test]
fn a_check_that_never_returns_is_said() {
    let make = |_| {
        Trial::new(|worker| worker.handle(careful).state(Bank::default()))
            .client(ask)
            .check(async |_| std::future::pending().await)
            .settles_within(Duration::from_secs(60))
    };
    assert_eq!(find([1], make).expect("it waits").what, "the check does not return");
}

#[test]
fn what_differs_from_run_to_run_is_refused() {
    let runs = std::sync::atomic::AtomicU64::new(1);
    let make = |_| {
        let rest = Duration::from_millis(10 * runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        Trial::new(|worker| worker.handle(careful).state(Bank::default())).client(move |outlive| async move {
            outlive.host().clock().sleep(rest).await;
            ask(outlive).await
        })
    };
    let broken = find([1], make).expect("it differs");
    assert!(broken.what.starts_with("the same seed was another run"), "{broken}");
}

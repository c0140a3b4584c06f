//! Work that has an effect in tables of its own, in the queue's file: a coin goes from the purse to the job's queue, a
//! row says for which attempt, jobs follow, and the job is completed; all of it or nothing.

use super::intent::{Act, FOLLOWS, Script};
use super::jobs::{Alpha, Output};
use outlive::host::{Clock, Host};
use outlive::job::{Lease, RequestId};
use outlive::protocol::{Access, Begin, Request, Said, Service};
use outlive::sql::{IntoParameters, Statement};
use outlive::{Context, Done, Error, Failure, JobId, Outlive};
use outlive_sim::Rng;
use std::sync::Arc;
use std::time::Duration;

/// What is in the purse at first: more than a run can spend.
pub const COINS: i64 = 10_000;
/// The step that has an effect in tables of its own.
pub const DEED: &str = "deed";
/// The number in the result of what was completed by hand, with a transfer.
pub const BY_HAND: u64 = 9_999;

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, coins INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS transfers (job INTEGER NOT NULL, attempt INTEGER NOT NULL, number INTEGER NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS deeds (job INTEGER NOT NULL, attempt INTEGER NOT NULL, name TEXT NOT NULL) STRICT",
];
const OPEN: &str = "INSERT INTO accounts (name, coins) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
const TAKE: &str = "UPDATE accounts SET coins = coins - 1 WHERE name = 'purse'";
const GIVE: &str = "UPDATE accounts SET coins = coins + 1 WHERE name = ?1";
const NOTE: &str = "INSERT INTO transfers (job, attempt, number) VALUES (?1, ?2, ?3)";
const DO: &str = "INSERT INTO deeds (job, attempt, name) VALUES (?1, ?2, ?3)";
const MOVE_OUT: &str = "UPDATE accounts SET coins = coins - 1 WHERE name = 'default'";
const MOVE_IN: &str = "UPDATE accounts SET coins = coins + 1 WHERE name = 'mail'";
/// How often the accounts are opened before somebody else is let to.
const TRIES: u32 = 20;

/// Makes the tables, unless they are there. On a disk that takes nothing there are none, and transfers fail.
pub async fn open_accounts<H: Host>(host: &H, service: &Arc<dyn Service>) {
    let outlive = Outlive::on(host.clone(), service.clone());
    for _ in 0..TRIES {
        let opened = outlive.transaction(async |tx| {
            for table in TABLES {
                tx.execute(table, ()).await?;
            }
            tx.execute(OPEN, ("purse", COINS)).await?;
            for queue in super::intent::QUEUES {
                tx.execute(OPEN, (queue, 0_i64)).await?;
            }
            Ok::<_, Error>(())
        });
        if opened.await.is_ok() {
            return;
        }
        host.clock().sleep(Duration::from_millis(100)).await;
    }
}

/// Completes the job of a handler with a transfer.
pub async fn transfer(context: &Context, script: &Script) -> Result<Done<Output>, Failure> {
    let output = Output { number: script.number, attempt: context.attempt() };
    context
        .transaction(async |tx| {
            tx.execute(TAKE, ()).await?;
            tx.execute(GIVE, [context.queue()]).await?;
            let (job, attempt) = (context.job(), context.attempt());
            tx.execute(NOTE, (job, attempt, script.number.cast_signed())).await?;
            match followers(script.number) {
                1 => drop(tx.enqueue(follower(script.number, 1)).queue(context.queue()).await?),
                jobs => {
                    let jobs =
                        (1..=jobs).map(|place| tx.enqueue(follower(script.number, place)).queue(context.queue()));
                    tx.enqueue_all(jobs).await?;
                }
            }
            Ok(tx.complete(output).await?)
        })
        .await
}

/// How many jobs follow the transfer of a job of this number: where they are several, they are enqueued together.
pub const fn followers(number: u64) -> u64 {
    if number.is_multiple_of(3) { 3 } else { 1 }
}

fn follower(number: u64, place: u64) -> Alpha {
    Alpha(Script {
        number: FOLLOWS * place + number,
        acts: vec![Act::Complete],
        work_ms: 1,
        steps: 0,
        reports: 0,
        lines: 0,
        signals: 0,
        others: 0,
    })
}

/// Does what a step is about in tables of its own, in one transaction with its result: the attempt that did it.
pub async fn step(context: &Context, name: &str) -> Result<u32, Failure> {
    let (job, attempt) = (context.job(), context.attempt());
    context
        .transaction(async |tx| {
            tx.execute(DO, (job, attempt, name)).await?;
            tx.step(name, &attempt).await?;
            Ok(attempt)
        })
        .await
}

/// Reads how many coins there are, how many were spent, and for how many transfers.
pub async fn count<H: Host>(outlive: &Outlive<H>) -> Result<(i64, i64, i64), Error> {
    outlive
        .read(async |tx| {
            let coins = tx.query("SELECT sum(coins) FROM accounts", ()).await?;
            let purse = tx.query("SELECT sum(coins) FROM accounts WHERE name = 'purse'", ()).await?;
            let transfers = tx.query("SELECT count(*) FROM transfers", ()).await?;
            Ok((coins[0].get(0)?, COINS - purse[0].get::<i64>(0)?, transfers[0].get(0)?))
        })
        .await
}

/// Moves a coin from one queue's account to another's, and cancels a job between.
pub async fn hurry<H: Host, F: Future<Output = ()>>(
    outlive: &Outlive<H>,
    job: Option<JobId>,
    limit: Duration,
    pause: impl Fn() -> F,
) -> Result<(), Error> {
    outlive
        .transaction_within(limit, async |tx| {
            tx.execute(MOVE_OUT, ()).await?;
            if let Some(job) = job {
                tx.cancel(job).await?;
            }
            pause().await;
            tx.execute(MOVE_IN, ()).await.map(drop)
        })
        .await
}

/// Does all that a transfer does, and thinks better of it.
pub async fn take_back(context: &Context, script: &Script) -> Result<Done<Output>, Failure> {
    let (job, attempt) = (context.job(), context.attempt());
    let output = Output { number: script.number, attempt };
    context
        .transaction(async |tx| {
            tx.execute(TAKE, ()).await?;
            tx.execute(NOTE, (job, attempt, script.number.cast_signed())).await?;
            tx.complete(output).await?;
            Err(Failure::retry("it thought better of it"))
        })
        .await
}

/// Completes a job by hand, with a transfer, whatever the lease is worth.
pub async fn complete_by_hand(
    rng: &mut Rng,
    service: &dyn Service,
    (lease, attempt): (Lease, u32),
    clock: &impl Clock,
) {
    let mut id = [0; 16];
    rng.fill(&mut id);
    let Ok(open) = service.begin(Begin { id: RequestId(id), access: Access::Write, limit_ms: 1_000 }).await else {
        return;
    };
    let statement = |sql: &str, parameters: Vec<_>| Said::Statement(Statement { sql: sql.into(), parameters });
    let result = format!("{{\"number\":{BY_HAND},\"attempt\":{attempt}}}");
    let said = [
        statement(TAKE, Vec::new()),
        statement(GIVE, ["default"].into_parameters()),
        statement(NOTE, (lease.job, attempt, BY_HAND.cast_signed()).into_parameters()),
        Said::Command(Request::Complete { lease, result: Some(result) }),
        Said::Commit,
    ];
    for said in said {
        let is_command = matches!(said, Said::Command(_));
        if matches!(said, Said::Commit) && rng.chance(0.4) {
            // The lease may end meanwhile.
            clock.sleep(Duration::from_millis(rng.between(5..=60))).await;
        }
        // A refused statement leaves the rest as it is, and a refused completion leaves nothing: then to commit all the
        // same is harmless, and somebody must try.
        if open.say(said).await.is_err() && !(is_command && rng.chance(0.5)) {
            return;
        }
    }
}

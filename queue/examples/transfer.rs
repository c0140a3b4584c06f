//! A transfer of funds that fails in the middle, and happens once all the same.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::{Context, Done, Error, Failure, Job, Outlive};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) cents: i64,
}

impl Job for Transfer {
    const KIND: &'static str = "transfer";
    type Output = ();
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) text: String,
}

impl Job for Receipt {
    const KIND: &'static str = "receipt";
    type Output = ();
}

const TAKE: &str = "UPDATE accounts SET cents = cents - ?1 WHERE name = ?2 AND cents >= ?1";
const GIVE: &str = "UPDATE accounts SET cents = cents + ?1 WHERE name = ?2";

pub(crate) async fn transfer(context: Context, job: Transfer) -> Result<Done<()>, Failure> {
    let Transfer { from, to, cents } = job;
    context
        .transaction(async |tx| {
            if tx.execute(TAKE, (cents, &*from)).await? == 0 {
                return Err(Failure::discard(format!("{from} has less than {cents} cents")));
            }
            if context.attempt() == 1 {
                panic!("the program dies between the two accounts");
            }
            tx.execute(GIVE, (cents, &*to)).await?;
            tx.enqueue(Receipt { text: format!("{from} gave {to} {cents} cents") }).await?;
            Ok(tx.complete(()).await?)
        })
        .await
}

pub(crate) async fn receipt(context: Context, job: Receipt) -> Result<Done<()>, Failure> {
    println!("{} (job {}, attempt {})", job.text, context.job(), context.attempt());
    Ok(Done::complete(()))
}

pub(crate) async fn open_accounts(outlive: &Outlive) -> Result<(), Error> {
    outlive
        .transaction(async |tx| {
            tx.execute("CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, cents INTEGER) STRICT", ()).await?;
            for name in ["Ada", "Grace"] {
                tx.execute("INSERT OR IGNORE INTO accounts VALUES (?1, 100)", [name]).await?;
            }
            tx.enqueue(Transfer { from: "Ada".into(), to: "Grace".into(), cents: 30 }).await?;
            Ok(())
        })
        .await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let outlive = Outlive::open("bank.db").await?;
    open_accounts(&outlive).await?;
    outlive.worker().handle(transfer).handle(receipt).run().await
}

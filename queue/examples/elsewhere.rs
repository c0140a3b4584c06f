//! A client and a worker of a queue behind a server: `outlive serve jobs.db`.
#![allow(clippy::disallowed_types, reason = "a program brings its own runtime")]

use outlive::{Context, Done, Failure, Job, Outlive};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Greet {
    name: String,
}

impl Job for Greet {
    const KIND: &'static str = "greet";
    type Output = String;
}

async fn greet(_: Context, job: Greet) -> Result<Done<String>, Failure> {
    Ok(Done::complete(format!("Hello, {}!", job.name)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let outlive = Outlive::connect("http://127.0.0.1:7400")?;
    let job = outlive.enqueue(Greet { name: "Ada".into() }).await?.job;
    let _worker = outlive.worker().handle(greet).start()?;
    println!("{}", outlive.result::<String>(job).await?);
    Ok(())
}

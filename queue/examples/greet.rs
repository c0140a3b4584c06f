//! Ten lines of embedding. Run it, kill it, run it again.
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

async fn greet(context: Context, job: Greet) -> Result<Done<String>, Failure> {
    context.sleep(std::time::Duration::from_secs(1)).await;
    println!("Hello, {}! (job {}, attempt {})", job.name, context.job(), context.attempt());
    Ok(Done::complete(format!("greeted {}", job.name)))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), outlive::Error> {
    let outlive = Outlive::open("jobs.db").await?;
    for name in ["Ada", "Grace", "Edsger"] {
        outlive.enqueue(Greet { name: name.into() }).await?;
    }
    outlive.worker().handle(greet).concurrency(1).run().await
}

//! A worker of act 2: it knows the server's address, and of no kill.

use crate::Problem;
use crate::settings::Settings;
use crate::work::{HandlerLog, Resize, Step, What, resize};
use outlive::{Context, Done, Failure, Outlive};
use std::path::Path;

/// What it says when it begins, before the server's URL.
pub const ASKING: &str = "asking for work at ";

/// Works jobs of the queue at `url` until the process is ended.
pub fn run(folder: &Path, url: &str, name: &str, settings: Settings) -> Result<(), Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let worker = Outlive::connect(url)?.worker().name(name).lease(settings.lease());
        println!("{ASKING}{url}");
        Ok(worker.handle(resize_and_say).state(HandlerLog::of(folder)).run().await?)
    })
}

/// Says when there is a result: the server hears of it next, if it is there.
async fn resize_and_say(context: Context, job: Resize) -> Result<Done<String>, Failure> {
    let step = Step { job: context.job(), attempt: context.attempt(), what: What::Finished };
    let done = resize(context, job).await?;
    println!("{step}");
    Ok(done)
}

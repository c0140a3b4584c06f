//! What handlers say by the crate `tracing`, on the real machine. One test: a program has one subscriber.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this test is about the real machine")]

use outlive::job::{Backoff, Level, Limits, State};
use outlive::protocol::LogView;
use outlive::{Context, Done, Failure, Job, Options, Outlive};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tracing::Instrument;

#[path = "../examples/parcels.rs"]
#[allow(dead_code, reason = "the example's own main is not run")]
mod example;

#[derive(Serialize, Deserialize)]
struct Ship {
    order: u32,
}

impl Job for Ship {
    const KIND: &'static str = "ship";
    type Output = ();
}

#[derive(Serialize, Deserialize)]
struct Print {}

impl Job for Print {
    const KIND: &'static str = "print";
    type Output = ();
}

#[derive(Debug, thiserror::Error)]
#[error("the carrier does not answer")]
struct Silent(#[source] std::io::Error);

const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

async fn ship(context: Context, job: Ship) -> Result<Done<()>, Failure> {
    assert_eq!(context.trace_parent().map(|parent| parent.to_string()).as_deref(), Some(HEADER));
    assert!(tracing::Span::current().has_field("trace_parent"));
    tracing::info!(order = job.order, carrier = "snail", "packing");
    tracing::debug!("nobody asked for this");
    context.sleep(Duration::from_millis(1)).await;
    context.log(Level::Debug, "said without tracing");
    async {
        tracing::warn!("slow");
        // Elsewhere, and yet in the span of the attempt.
        let said = async { tracing::info!("weighed") };
        tokio::spawn(said.in_current_span()).await.unwrap();
        tokio::spawn(async { tracing::error!("in nobody's span") }).await.unwrap();
    }
    .instrument(tracing::info_span!("weighing", scale = 7))
    .await;
    if context.attempt() == 1 {
        let error = Silent(std::io::Error::other("no route"));
        tracing::error!(error = &error as &dyn std::error::Error);
        return Err(error.into());
    }
    Ok(Done::complete(()))
}

fn print(_: Context, _: Print) -> Result<Done<()>, Failure> {
    tracing::info!("on a thread of its own");
    Ok(Done::complete(()))
}

fn shown(log: &LogView) -> Vec<String> {
    log.lines.iter().map(|line| format!("{} {}", line.level, line.text)).collect()
}

#[tokio::test]
async fn events_in_the_span_of_an_attempt_are_kept_with_it() {
    example::keep_what_is_said();
    let directory = tempfile::tempdir().unwrap();
    let millisecond = Duration::from_millis(1);
    let backoff = Backoff::Exponential { first: millisecond, longest: millisecond };
    let options = Options { limits: Limits { backoff, ..Limits::default() }, ..Options::default() };
    let outlive = Outlive::open_with(directory.path().join("queue.db"), options).await.unwrap();
    let shipped = outlive.enqueue(Ship { order: 7 }).trace_parent(HEADER.parse().unwrap()).await.unwrap().job;
    let printed = outlive.enqueue(Print {}).await.unwrap().job;
    let parcel = example::send(&outlive, example::Parcel { order: 9, kilos: 3 }, Some(HEADER)).await.unwrap();
    let odd = example::send(&outlive, example::Parcel { order: 9, kilos: 3 }, Some("none of ours")).await.unwrap();
    let trace = async |job| outlive.look(job).await.unwrap().trace_parent.map(|parent| parent.to_string());
    assert_eq!((trace(parcel).await.as_deref(), trace(odd).await), (Some(HEADER), None));
    let worker = outlive.worker().handle(ship).handle_blocking(print).handle(example::ship).start().unwrap();
    for job in [shipped, printed, parcel] {
        outlive.result::<()>(job).within(Duration::from_secs(60)).await.unwrap();
    }
    // What was said is told beside the end, and maybe after it: a worker that has stopped has said all.
    worker.stop(Duration::from_secs(60)).await;

    let view = outlive.look(shipped).await.unwrap();
    assert_eq!(view.state, State::Completed);
    let of_each = [
        r#"info packing order=7 carrier="snail""#,
        "debug said without tracing",
        "warn weighing: slow",
        "info weighing: weighed",
    ];
    let [first, second] = &view.history[..] else { panic!("{view:?}") };
    assert_eq!(shown(&first.log)[..4], of_each);
    assert_eq!(shown(&first.log)[4..], ["error error=the carrier does not answer: no route"]);
    assert_eq!(shown(&second.log), of_each);
    assert!(first.log.lines.windows(2).all(|pair| pair[0].after_ms <= pair[1].after_ms));
    let view = outlive.look(printed).await.unwrap();
    assert_eq!(shown(&view.history[0].log), ["info on a thread of its own"]);

    let view = outlive.look(parcel).await.unwrap();
    let said = ["info packing order=9", "warn weighing: the scale is not level", "info the label says 4 kg"];
    assert_eq!(shown(&view.history[0].log), said);
    example::what_it_said(&outlive, parcel).await.unwrap();
}

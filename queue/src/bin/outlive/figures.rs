//! The figures of `outlive serve`, as `GET /metrics` answers them.

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use outlive::server::Renderer;
use std::thread;
use std::time::Duration;

/// How often what was recorded is added up, whether anybody asks for it or not: until then it takes memory.
const UPKEEP: Duration = Duration::from_secs(5);

/// Upper bounds of the buckets of durations: from a commit on a fast disk to an hour.
const SECONDS: [f64; 16] =
    [0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// Upper bounds of the buckets of the calls in a group.
const REQUESTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Lets what the queue does be counted in this process from now on.
///
/// # Errors
/// Why it can't be.
pub fn install() -> Result<Renderer, String> {
    let says = |error| format!("can't count what the queue does: {error}");
    let seconds = Matcher::Suffix("_seconds".into());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, &SECONDS).map_err(says)?;
    let requests = Matcher::Full("outlive_group_requests".into());
    let builder = builder.set_buckets_for_metric(requests, &REQUESTS).map_err(says)?;
    let handle = builder.install_recorder().map_err(says)?;
    let kept = handle.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(UPKEEP);
            kept.run_upkeep();
        }
    });
    Ok(Renderer::new(move || handle.render()))
}

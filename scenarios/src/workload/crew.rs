//! The workers of a process: they are stopped and started in some runs, and replaced when another version of the program
//! comes.

use super::plan::WorkerPlan;
use super::program::Program;
use outlive::Worker;
use outlive::host::{Clock, Host};
use outlive::protocol::Service;
use outlive_sim::{Process, Rng, true_time};
use std::sync::Arc;
use std::time::Duration;

/// A version comes to one process after another, within so long.
const ROLLS_OUT_IN_MS: u64 = 3_000;
/// The least time between two looks at what there is to do.
const LOOK: Duration = Duration::from_millis(1);

/// The workers of a process.
pub struct Crew<H: Host> {
    program: Program,
    process: Process,
    host: H,
    service: Arc<dyn Service>,
    /// How long after the first one this process gets another version.
    lag: Duration,
    /// The kind that they do not know.
    unknown: Option<String>,
    workers: Vec<(WorkerPlan, Worker<H>)>,
}

impl<H: Host> Crew<H> {
    /// Starts these workers, of the version that is there.
    pub fn start(
        program: &Program,
        process: &Process,
        host: &H,
        service: &Arc<dyn Service>,
        plans: &[WorkerPlan],
    ) -> Self {
        let lag = Duration::from_millis(process.fork().fork("roll-out").rng().between(0..=ROLLS_OUT_IN_MS));
        let mut crew = Self {
            program: program.clone(),
            process: process.clone(),
            host: host.clone(),
            service: service.clone(),
            lag,
            unknown: None,
            workers: Vec::new(),
        };
        crew.unknown = crew.unknown_now();
        plans.iter().for_each(|plan| crew.hire(*plan));
        crew
    }

    /// Lets them run until the process ends, and replaces them when another version comes. In some runs they stop and start
    /// in turn as well, now kindly, now not.
    pub async fn run(mut self, restarts: bool, mut rng: Rng) {
        let mut restart = restarts.then(|| next_restart(&mut rng));
        loop {
            // To let them go takes its time, and another version may have come meanwhile.
            while self.unknown_now() != self.unknown {
                self.unknown = self.unknown_now();
                for _ in 0..self.workers.len() {
                    let plan = self.dismiss(&mut rng).await;
                    self.hire(plan);
                }
            }
            let next = [restart, self.next_change()].into_iter().flatten().min();
            let Some(next) = next else { return std::future::pending().await };
            self.host.clock().sleep(next.saturating_sub(true_time()).max(LOOK)).await;
            if restart.is_some_and(|at| at <= true_time()) {
                self.dismiss(&mut rng).await;
                let plan = *rng.pick(&self.program.plan.workers);
                self.hire(plan);
                restart = Some(next_restart(&mut rng));
            }
        }
    }

    fn hire(&mut self, plan: WorkerPlan) {
        let Self { program, process, host, service, unknown, .. } = self;
        self.workers.push((plan, program.start_worker(process, host, service, &plan, unknown.as_deref())));
    }

    /// Lets the first one go.
    async fn dismiss(&mut self, rng: &mut Rng) -> WorkerPlan {
        let (plan, worker) = self.workers.remove(0);
        if rng.chance(0.7) {
            worker.stop(Duration::from_millis(rng.between(0..=500))).await;
        } else {
            drop(worker);
        }
        plan
    }

    /// The kind that the version of this process does not know.
    fn unknown_now(&self) -> Option<String> {
        let deploy = self.program.plan.deploy.as_ref()?;
        deploy.unknown_at(true_time().saturating_sub(self.lag)).map(str::to_owned)
    }

    /// When this process gets another version.
    fn next_change(&self) -> Option<Duration> {
        let deploy = self.program.plan.deploy.as_ref()?;
        deploy.next_after(true_time().saturating_sub(self.lag)).map(|change| change + self.lag)
    }
}

fn next_restart(rng: &mut Rng) -> Duration {
    true_time() + Duration::from_millis(rng.between(500..=8_000))
}

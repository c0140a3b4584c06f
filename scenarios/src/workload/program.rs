//! The program that embeds the queue: opened, worked, killed, booted again. What it is made of is also
//! what the programs of a cluster are made of.

use super::actors::Actor;
use super::crew::Crew;
use super::jobs::{Handlers, handle_known};
use super::outside::Outside;
use super::plan::{Plan, WorkerPlan};
use super::transfers;
use crate::event::{Census, Event, Recorder};
use crate::host::SimHost;
use crate::seams;
use outlive::host::{Clock, Host};
use outlive::job::RequestId;
use outlive::protocol::{Call, Reply, Request, Service};
use outlive::{Local, Outlive, Worker};
use outlive_sim::{Process, View, World};
use std::sync::Arc;
use std::time::Duration;

/// The queue's file.
pub const PATH: &str = "/queue.db";

/// The program, and what it is to do.
#[derive(Clone)]
pub struct Program {
    /// Where it runs.
    pub world: World,
    /// What it is to do.
    pub plan: Arc<Plan>,
    /// What is remembered outside of it.
    pub outside: Outside,
    /// Who hears of it.
    pub recorder: Recorder,
}

impl Program {
    /// The main future of a process: opens the file and works until it is killed.
    pub async fn run(self, process: Process) {
        let host = seams::host(SimHost::new(&process, self.plan.sync_latency));
        let storage = self.recorder.storage(seams::storage(&host, PATH), &self.world, &process);
        self.recorder.record(&process, Event::Opening);
        let local = match Local::open(host.clone(), storage, seams::options(&self.plan.options)).await {
            Ok(local) => local,
            Err(error) => return self.recorder.record(&process, Event::OpenFailed(error.to_string())),
        };
        let service = self.recorder.service(&process, seams::service(&host, Arc::new(local)));
        self.recorder.record(&process, Event::Opened);
        let mut rng = process.fork().fork("program").rng();
        if process.incarnation() > 0 && rng.chance(0.1) {
            self.take_census(&process, &host, &*service).await;
        }
        if self.plan.features.transfers {
            transfers::open_accounts(&host, &service).await;
        }
        self.set_up(&process, &host, &service).await;
        self.start_producers(&process, &host, &service, self.plan.producers);
        self.start_claimers(&process, &host, &service);
        self.start_onlookers(&process, &host, &service);
        self.start_caretakers(&process, &host, &service);
        Crew::start(&self, &process, &host, &service, &self.plan.workers).run(self.plan.features.restarts, rng).await;
    }

    /// A second process: it must be turned away for as long as the first one has the file.
    pub async fn run_as_rival(self, process: Process) {
        let host = seams::host(SimHost::new(&process, self.plan.sync_latency));
        let storage = self.recorder.storage(seams::storage(&host, PATH), &self.world, &process);
        let opened = Local::open(host.clone(), storage, seams::options(&self.plan.options)).await;
        let local = match opened {
            Ok(local) => local,
            Err(error) => return self.recorder.record(&process, Event::RivalTurnedAway(error.to_string())),
        };
        let service = self.recorder.service(&process, seams::service(&host, Arc::new(local)));
        self.recorder.record(&process, Event::Opened);
        let _worker = self.start_worker(&process, &host, &service, &self.plan.workers[0], None);
        host.clock().sleep(Duration::from_secs(3)).await;
    }

    fn actor<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>) -> Actor<H> {
        let (outside, plan) = (self.outside.clone(), self.plan.clone());
        Actor { process: process.clone(), host: host.clone(), service: service.clone(), outside, plan }
    }

    /// Sets the limits of queues and the policies of kinds, if there are any.
    pub async fn set_up<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>) {
        if !self.plan.limits.is_empty() || !self.plan.policies.is_empty() {
            self.actor(process, host, service).set_up().await;
        }
    }

    /// Starts clients that enqueue.
    pub fn start_producers<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>, producers: u32) {
        for _ in 0..producers {
            process.spawn("producer", self.actor(process, host, service).produce()).detach();
        }
    }

    /// Starts clients that claim by hand.
    pub fn start_claimers<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>) {
        for _ in 0..self.plan.raw_claimers {
            process.spawn("raw claimer", self.actor(process, host, service).claim_by_hand()).detach();
        }
    }

    /// Starts clients that cancel, and that ask why.
    pub fn start_onlookers<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>) {
        let actor = self.actor(process, host, service);
        if self.plan.features.cancels {
            process.spawn("canceller", actor.clone().cancel()).detach();
        }
        if self.plan.features.waits {
            process.spawn("signaller", actor.clone().send_signals()).detach();
        }
        if self.plan.features.pauses {
            process.spawn("steward", actor.clone().pause_and_resume()).detach();
        }
        if !self.plan.schedules.is_empty() {
            process.spawn("planner", actor.clone().keep_schedules()).detach();
        }
        if self.plan.features.retries {
            process.spawn("second chance", actor.clone().retry()).detach();
        }
        if self.plan.features.mischief {
            process.spawn("mischief", actor.clone().make_mischief(self.recorder.clone())).detach();
        }
        if self.plan.features.awaits {
            process.spawn("awaiter", actor.clone().wait_for_ends()).detach();
        }
        if self.plan.features.transfers {
            process.spawn("accountant", actor.clone().count(self.recorder.clone())).detach();
            process.spawn("hasty", actor.clone().hurry()).detach();
        }
        process.spawn("auditor", actor.audit()).detach();
    }

    /// Starts those who take care of the file: who copies it, and who makes it smaller.
    pub fn start_caretakers<H: Host>(&self, process: &Process, host: &H, service: &Arc<dyn Service>) {
        let actor = || self.actor(process, host, service);
        if self.plan.features.copies {
            process.spawn("copier", actor().copy(self.recorder.clone())).detach();
        }
        if self.plan.features.compactions {
            process.spawn("compactor", actor().compact(self.recorder.clone())).detach();
        }
    }

    /// Starts a worker of a version of the program that does not know a kind, or of one that knows all.
    pub fn start_worker<H: Host>(
        &self,
        process: &Process,
        host: &H,
        service: &Arc<dyn Service>,
        plan: &WorkerPlan,
        unknown: Option<&str>,
    ) -> Worker<H> {
        let handlers = Handlers {
            process: process.clone(),
            recorder: self.recorder.clone(),
            world: self.world.clone(),
            outside: self.outside.clone(),
        };
        let worker = Outlive::on(host.clone(), service.clone()).worker();
        let worker = worker.queues(self.plan.queues.clone()).concurrency(plan.concurrency).lease(plan.lease);
        handle_known(worker, handlers, self.plan.features.judges, unknown)
            .start()
            .expect("the plan is within the limits")
    }

    /// Asks of every known job why it waits, before anybody else does anything.
    pub async fn take_census<H: Host>(&self, process: &Process, host: &H, service: &dyn Service) {
        let wall_ms = || i64::try_from(host.clock().wall().as_millis()).expect("a date of our time");
        let began = wall_ms();
        let mut explanations = Vec::new();
        for job in self.outside.known() {
            let id = RequestId([0; 16]);
            if let Ok(Reply::Explained(explanation)) =
                service.call(Call { id, request: Request::Explain { job } }).await
            {
                explanations.push((job, explanation));
            }
        }
        let image = self.world.disk(process.machine()).image(View::Cache);
        let wall_ms = (began, wall_ms());
        self.recorder.record(process, Event::Census(Arc::new(Census { image, wall_ms, explanations })));
    }
}

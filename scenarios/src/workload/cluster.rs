//! The programs of a cluster: the queue's own server, workers and clients, each on a machine of its own.

use super::crew::Crew;
use super::middlebox::Middlebox;
use super::program::{PATH, Program};
use super::transfers;
use crate::event::Event;
use crate::host::SimHost;
use crate::seams;
use outlive::client::{ConnectOptions, Remote};
use outlive::host::Networked;
use outlive::protocol::Service;
use outlive::server::{ServeOptions, Server};
use outlive::{Local, Outlive};
use outlive_sim::{Nemesis, Process};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SERVER: &str = "store:7400";
const MIDDLEBOX: &str = "middlebox:7400";
const TOKEN: &str = "a-token-of-some-length";

/// The programs of a cluster.
#[derive(Clone)]
pub struct Cluster {
    /// What all programs share.
    pub program: Program,
    /// Who says what a middlebox does.
    pub nemesis: Nemesis,
}

impl Cluster {
    /// The server: opens the file, serves it, and works itself in some runs.
    pub async fn run_store(self, process: Process) {
        let Self { program, .. } = self;
        let host = seams::host(SimHost::new(&process, program.plan.sync_latency));
        let storage = program.recorder.storage(seams::storage(&host, PATH), &program.world, &process);
        program.recorder.record(&process, Event::Opening);
        let local = match Local::open(host.clone(), storage, seams::options(&program.plan.options)).await {
            Ok(local) => local,
            Err(error) => return program.recorder.record(&process, Event::OpenFailed(error.to_string())),
        };
        let engine = seams::service(&host, Arc::new(local));
        program.recorder.record(&process, Event::Opened);
        let service = program.recorder.service(&process, engine.clone());
        if process.incarnation() > 0 && process.fork().fork("census").chance(0.2) {
            program.take_census(&process, &host, &*service).await;
        }
        if program.plan.features.transfers {
            transfers::open_accounts(&host, &service).await;
        }
        program.set_up(&process, &host, &service).await;
        program.start_caretakers(&process, &host, &service);
        let options = ServeOptions { token: Some(TOKEN.into()), ..ServeOptions::default() };
        let outlive = Outlive::on(host.clone(), engine);
        let _server = Server::start(&outlive, SERVER, options).await.expect("the port is free");
        let rng = process.fork().fork("workers here").rng();
        Crew::start(&program, &process, &host, &service, &program.plan.workers_here).run(false, rng).await;
    }

    /// A worker, and claimers by hand beside the first one.
    pub async fn run_worker(self, process: Process, number: usize) {
        let host = seams::host(SimHost::new(&process, Duration::ZERO));
        let service = self.connect(&process, &host);
        let Self { program, .. } = self;
        if number == 0 {
            program.start_claimers(&process, &host, &service);
        }
        let crew = Crew::start(&program, &process, &host, &service, &program.plan.workers[number..=number]);
        crew.run(program.plan.features.restarts, process.fork().fork("program").rng()).await;
    }

    /// A client: the first one looks after everything, the others enqueue.
    pub async fn run_client(self, process: Process, number: usize) {
        let host = seams::host(SimHost::new(&process, Duration::ZERO));
        let service = self.connect(&process, &host);
        self.program.start_producers(&process, &host, &service, 1);
        if number == 0 {
            self.program.start_onlookers(&process, &host, &service);
        }
        std::future::pending::<()>().await;
    }

    /// What stands before the server in some runs.
    pub async fn run_middlebox(self, process: Process) {
        let host = SimHost::new(&process, Duration::ZERO);
        let Self { program: Program { recorder, .. }, nemesis } = self;
        Middlebox { process, host, nemesis, recorder, server: SERVER, idle: Mutex::default() }.run(MIDDLEBOX).await;
    }

    /// The way to the server.
    pub fn connect<H: Networked>(&self, process: &Process, host: &H) -> Arc<dyn Service> {
        let Program { plan, recorder, .. } = &self.program;
        let patience = plan.patience;
        let options =
            ConnectOptions { token: Some(TOKEN.into()), connect_patience: patience / 2, answer_patience: patience };
        let machines = plan.setting.cluster().expect("it is a cluster");
        let door = if machines.middlebox.is_some() { MIDDLEBOX } else { SERVER };
        let remote = Remote::new(host.clone(), door, options).expect("the address is one");
        recorder.service(process, seams::remote(Arc::new(remote)))
    }
}

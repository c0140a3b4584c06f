//! What is tried: handlers, what clients ask for, and what must be true at the end.

use crate::host::SimHost;
use outlive::{Error, Options, Outlive, WorkerBuilder};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Ask<T> = Arc<dyn Fn(Outlive<SimHost>) -> Answering<T> + Send + Sync>;

/// A program on trial: a worker with handlers, clients, and what must be true at the end.
#[derive(Clone)]
#[must_use = "nothing is tried before `simulate`"]
pub struct Trial {
    pub(crate) worker: Arc<dyn Fn(WorkerBuilder<SimHost>) -> WorkerBuilder<SimHost> + Send + Sync>,
    pub(crate) client: Ask<Result<(), Error>>,
    pub(crate) check: Ask<Result<(), String>>,
    pub(crate) options: Options,
    pub(crate) faults_for: Duration,
    pub(crate) settles_within: Duration,
}

impl Trial {
    /// A program whose worker is made so, each time it is started.
    pub fn new(worker: impl Fn(WorkerBuilder<SimHost>) -> WorkerBuilder<SimHost> + Send + Sync + 'static) -> Self {
        Self {
            worker: Arc::new(worker),
            client: Arc::new(|_| Box::pin(async { Ok(()) })),
            check: Arc::new(|_| Box::pin(async { Ok(()) })),
            options: Options::default(),
            faults_for: Duration::from_secs(60),
            settles_within: Duration::from_secs(6 * 3600),
        }
    }

    /// What clients ask of the queue. It lives in the program: if the program dies before this returns, or if it returns an
    /// error, it begins anew when the program is up again. So it must be one that may be repeated: enqueue under keys.
    pub fn client<F>(self, client: impl Fn(Outlive<SimHost>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self { client: Arc::new(move |outlive| Box::pin(client(outlive))), ..self }
    }

    /// What must be true when faults have ended, clients have what they wanted, and every job has ended. It may panic, too.
    pub fn check<F>(self, check: impl Fn(Outlive<SimHost>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { check: Arc::new(move |outlive| Box::pin(check(outlive))), ..self }
    }

    /// What the queue's file is opened with; the default if nothing is said.
    pub fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    /// Faults come for so long at the most, in simulated time: a minute if nothing is said. They end before that when every
    /// job has ended.
    pub fn faults_for(self, faults_for: Duration) -> Self {
        Self { faults_for, ..self }
    }

    /// Every job must end within this time after the last fault, in simulated time: six hours if nothing is said. Long
    /// rests between attempts cost nothing: time is simulated.
    pub fn settles_within(self, settles_within: Duration) -> Self {
        Self { settles_within, ..self }
    }
}

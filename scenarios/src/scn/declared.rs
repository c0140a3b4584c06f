//! The names that a scenario has declared so far. Declarations come first, so that a name that nobody
//! declared is noticed where it stands.

/// What may be named.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub workers: Vec<String>,
    pub clients: Vec<String>,
    pub jobs: Vec<String>,
    /// Keys of jobs, by which their effects are named.
    pub keys: Vec<String>,
    /// Whether something stands before the store.
    pub middlebox: bool,
}

impl Declared {
    /// Whether a worker, client or job has this name. They share one space: `expect X …` must say who X is.
    pub fn has(&self, name: &str) -> bool {
        [&self.workers, &self.clients, &self.jobs].into_iter().flatten().any(|other| other == name)
    }
}

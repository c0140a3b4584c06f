//! Jobs are looked at in the order of a hash map that was made before the run.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::OnceLock;

static STATE: OnceLock<RandomState> = OnceLock::new();

/// See the module.
pub struct HashMapOrder;

impl Bug for HashMapOrder {
    fn name(&self) -> &'static str {
        "hash-map-order"
    }

    fn breaks(&self) -> &'static str {
        "determinism"
    }

    fn about(&self) -> &'static str {
        "jobs are looked at in the order of a hash map that was made before the run"
    }

    fn prepare(&self) {
        STATE.get_or_init(RandomState::new);
    }

    fn answer(&self, memory: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Claimed { grants }) = &answer {
            let state = STATE.get().expect("it was prepared").clone();
            let mut map = HashMap::with_hasher(state);
            map.extend(grants.iter().map(|grant| (grant.lease.job, ())).chain([(outlive::JobId(0), ())]));
            let order: Vec<u64> = map.keys().map(|job| job.0.cast_unsigned()).take(8).collect();
            memory.process.event("planted", &order, &[]);
        }
        answer
    }
}

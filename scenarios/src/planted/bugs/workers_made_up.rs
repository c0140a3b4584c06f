//! A job in line says that a worker has just asked for its kind, whoever has not.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct WorkersMadeUp;

impl Bug for WorkersMadeUp {
    fn name(&self) -> &'static str {
        "workers-made-up"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job in line says that a worker has just asked for its kind, whoever has not"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            for blocker in blockers {
                if let Reason::Line { asked_ms_ago, .. } = &mut blocker.reason {
                    *asked_ms_ago = Some(0);
                }
            }
        }
        answer
    }
}

//! A job in line says that no worker has asked for its kind, whoever has.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct WorkersUnseen;

impl Bug for WorkersUnseen {
    fn name(&self) -> &'static str {
        "workers-unseen"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job in line says that no worker has asked for its kind, whoever has"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            for blocker in blockers {
                if let Reason::Line { asked_ms_ago, .. } = &mut blocker.reason {
                    *asked_ms_ago = None;
                }
            }
        }
        answer
    }
}

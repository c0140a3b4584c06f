//! A job in line says that one more claim waits for its like than does.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct ClaimsMiscounted;

impl Bug for ClaimsMiscounted {
    fn name(&self) -> &'static str {
        "claims-miscounted"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job in line says that one more claim waits for its like than does"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            for blocker in blockers {
                if let Reason::Line { claims_waiting, .. } = &mut blocker.reason {
                    *claims_waiting += 1;
                }
            }
        }
        answer
    }
}

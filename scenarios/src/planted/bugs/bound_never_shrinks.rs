//! A job always says that it has its whole rest before it.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Bound, Doing};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct BoundNeverShrinks;

impl Bug for BoundNeverShrinks {
    fn name(&self) -> &'static str {
        "bound-never-shrinks"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job always says that it has its whole rest before it"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            for blocker in blockers {
                if let Bound::Milliseconds { at_most } = &mut blocker.bound {
                    *at_most = (*at_most).max(1_000).next_multiple_of(1_000);
                }
            }
        }
        answer
    }
}

//! A job in line always says that it is next.

use crate::planted::{Bug, Memory};
use outlive::job::explain::{Doing, Place, Reason};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct PlaceInLineForgotten;

impl Bug for PlaceInLineForgotten {
    fn name(&self) -> &'static str {
        "place-in-line-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job in line always says that it is next"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Explained(explanation)) = &mut answer
            && let Doing::Waiting { blockers } = &mut explanation.doing
        {
            for blocker in blockers {
                if let Reason::Line { ahead, .. } = &mut blocker.reason {
                    *ahead = Place::Exactly(0);
                }
            }
        }
        answer
    }
}

//! A commit whose answer was lost is called rolled back, and nobody asks the file.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply, Request};

/// See the module.
pub struct SettleGuesses;

impl Bug for SettleGuesses {
    fn name(&self) -> &'static str {
        "settle-guesses"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a commit whose answer was lost is called rolled back, and nobody asks the file"
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        match call.request {
            Request::Settle => answer.map(|_| Reply::Settled { committed: false }),
            _ => answer,
        }
    }
}

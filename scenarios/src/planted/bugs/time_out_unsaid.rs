//! No worker is told how long an attempt may take.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct TimeOutUnsaid;

impl Bug for TimeOutUnsaid {
    fn name(&self) -> &'static str {
        "time-out-unsaid"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "no worker is told how long an attempt may take"
    }

    fn answer(&self, _: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Claimed { grants }) = &mut answer {
            grants.iter_mut().for_each(|granted| granted.timeout_ms = None);
        }
        answer
    }
}

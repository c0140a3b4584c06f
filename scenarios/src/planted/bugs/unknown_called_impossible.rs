//! A caller whose connection was lost is told that nothing was changed.

use crate::planted::Bug;
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct UnknownCalledImpossible;

impl Bug for UnknownCalledImpossible {
    fn name(&self) -> &'static str {
        "unknown-called-impossible"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a caller whose connection was lost is told that nothing was changed"
    }

    fn told(&self, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        answer.map_err(|error| match error {
            CallError::Unknown { why } => CallError::Unavailable { why },
            other => other,
        })
    }
}

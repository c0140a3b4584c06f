//! What a job is called outside of the queue depends on the opening in which it is granted.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct IdentityOfAnOpening;

impl Bug for IdentityOfAnOpening {
    fn name(&self) -> &'static str {
        "identity-of-an-opening"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "what a job is called outside of the queue depends on the opening in which it is granted"
    }

    fn answer(&self, memory: &Memory, _: &Call, mut answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        if let Ok(Reply::Claimed { grants }) = &mut answer {
            let opening = format!("{:02x}", memory.process.incarnation() % 256);
            grants.iter_mut().for_each(|grant| grant.identity.replace_range(..2, &opening));
        }
        answer
    }
}

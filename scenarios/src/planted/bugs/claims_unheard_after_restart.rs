//! Claims from other machines that reach a later process are not woken by any job.

use crate::planted::{Bug, Memory};
use outlive::job::Holder;
use outlive::protocol::{Call, Claim, Request};

/// See the module.
pub struct ClaimsUnheardAfterRestart;

impl Bug for ClaimsUnheardAfterRestart {
    fn name(&self) -> &'static str {
        "claims-unheard-after-restart"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "claims from other machines that reach a later process are not woken by any job"
    }

    fn call(&self, memory: &Memory, call: Call) -> Call {
        match call.request {
            Request::Claim(claim) if claim.holder == Holder::Elsewhere && memory.process.incarnation() > 0 => {
                // They wait, and nobody enqueues there.
                Call { request: Request::Claim(Claim { queues: vec!["of nobody".into()], ..claim }), ..call }
            }
            _ => call,
        }
    }
}

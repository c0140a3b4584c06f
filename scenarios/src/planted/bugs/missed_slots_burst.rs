//! Each slot that was missed has its job, whatever the catch-up of its schedule says.

use crate::planted::{Bug, Memory};
use outlive::job::CatchUp;
use outlive::protocol::{Call, Request};

/// See the module.
pub struct MissedSlotsBurst;

impl Bug for MissedSlotsBurst {
    fn name(&self) -> &'static str {
        "missed-slots-burst"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "each slot that was missed has its job, whatever the catch-up says"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Schedule(asked) = &mut call.request {
            asked.catch_up = CatchUp::All;
        }
        call
    }
}

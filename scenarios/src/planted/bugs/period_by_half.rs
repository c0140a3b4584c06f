//! A key for a period stands for half of it.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, Enqueue, Key, Request, Scope};

/// See the module.
pub struct PeriodByHalf;

impl Bug for PeriodByHalf {
    fn name(&self) -> &'static str {
        "period-by-half"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "a key for a period stands for half of it"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Enqueue(Enqueue { key: Some(Key { scope: Scope::PeriodMs(ms), .. }), .. }) = &mut call.request {
            *ms /= 2;
        }
        call
    }
}

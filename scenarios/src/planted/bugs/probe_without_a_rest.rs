//! While a service is down its jobs find out without a rest whether it is back.

use crate::planted::{Bug, Memory};
use outlive::limits::PROBE_MIN;
use outlive::protocol::{Call, On, Request};

/// See the module.
pub struct ProbeWithoutARest;

impl Bug for ProbeWithoutARest {
    fn name(&self) -> &'static str {
        "probe-without-a-rest"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "while a service is down its jobs find out without a rest whether it is back"
    }

    fn call(&self, _: &Memory, mut call: Call) -> Call {
        if let Request::Wait { on: On::Service { probe_ms, .. }, .. } = &mut call.request {
            *probe_ms = u64::try_from(PROBE_MIN.as_millis()).expect("it is short");
        }
        call
    }
}

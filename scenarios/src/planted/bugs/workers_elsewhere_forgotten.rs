//! An opening of the file takes back the leases of workers on other machines.

use crate::planted::{Bug, Memory};
use outlive::job::Holder;
use outlive::protocol::{Call, Claim, Request};

/// See the module.
pub struct WorkersElsewhereForgotten;

impl Bug for WorkersElsewhereForgotten {
    fn name(&self) -> &'static str {
        "workers-elsewhere-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "an opening of the file takes back the leases of workers on other machines"
    }

    fn call(&self, _: &Memory, call: Call) -> Call {
        match call.request {
            Request::Claim(claim) => Call { request: Request::Claim(Claim { holder: Holder::Here, ..claim }), ..call },
            _ => call,
        }
    }
}

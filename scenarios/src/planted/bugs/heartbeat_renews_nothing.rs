//! A heartbeat is acknowledged and renews nothing: a lease ends so long after its start.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Renewal, Reply, Request};

/// See the module.
pub struct HeartbeatRenewsNothing;

impl Bug for HeartbeatRenewsNothing {
    fn name(&self) -> &'static str {
        "heartbeat-renews-nothing"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a heartbeat is acknowledged and renews nothing: a lease ends so long after its start"
    }

    fn call(&self, _: &Memory, call: Call) -> Call {
        match call.request {
            Request::Heartbeat { .. } => Call { request: Request::Heartbeat { leases: Vec::new() }, ..call },
            _ => call,
        }
    }

    fn answer(&self, _: &Memory, call: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        match (&call.request, answer) {
            (Request::Heartbeat { leases }, Ok(Reply::Renewed { .. })) => {
                Ok(Reply::Renewed { leases: vec![Renewal::Renewed { cancel: false }; leases.len()] })
            }
            (_, answer) => answer,
        }
    }
}

//! An address stands in the trace.

use crate::planted::{Bug, Memory};
use outlive::protocol::{Call, CallError, Reply};

/// See the module.
pub struct AddressInTheTrace;

impl Bug for AddressInTheTrace {
    fn name(&self) -> &'static str {
        "address-in-the-trace"
    }

    fn breaks(&self) -> &'static str {
        "determinism"
    }

    fn about(&self) -> &'static str {
        "an address stands in the trace"
    }

    fn answer(&self, memory: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        let address = std::ptr::from_ref(memory).addr();
        memory.process.event("planted", &[address as u64], &[]);
        answer
    }
}

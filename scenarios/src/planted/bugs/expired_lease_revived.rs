//! A heartbeat is told that its lease holds, although it has expired.

use crate::planted::{Bug, Memory};
use outlive::job::Refusal;
use outlive::protocol::{Call, CallError, Renewal, Reply};

/// See the module.
pub struct ExpiredLeaseRevived;

impl Bug for ExpiredLeaseRevived {
    fn name(&self) -> &'static str {
        "expired-lease-revived"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "a heartbeat is told that its lease holds, although it has expired"
    }

    fn answer(&self, _: &Memory, _: &Call, answer: Result<Reply, CallError>) -> Result<Reply, CallError> {
        let Ok(Reply::Renewed { mut leases }) = answer else { return answer };
        for renewal in &mut leases {
            if matches!(renewal, Renewal::Lost { why: Refusal::LeaseExpired { .. } | Refusal::AttemptEnded { .. } }) {
                *renewal = Renewal::Renewed { cancel: false };
            }
        }
        Ok(Reply::Renewed { leases })
    }
}

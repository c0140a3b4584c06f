//! Each try of a request has a name of its own.

use crate::planted::Bug;
use outlive::job::RequestId;
use outlive::protocol::Call;

/// See the module.
pub struct RepeatUnderANewName;

impl Bug for RepeatUnderANewName {
    fn name(&self) -> &'static str {
        "repeat-under-a-new-name"
    }

    fn breaks(&self) -> &'static str {
        "I5"
    }

    fn about(&self) -> &'static str {
        "each try of a request has a name of its own"
    }

    fn sent(&self, number: u64, call: Call) -> Call {
        let mut id = call.id.0;
        for (byte, more) in id.iter_mut().zip(number.to_le_bytes()) {
            *byte ^= more;
        }
        Call { id: RequestId(id), ..call }
    }
}

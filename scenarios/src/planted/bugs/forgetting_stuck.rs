//! What has ended is never found by what forgets it.

use crate::planted::Bug;
use outlive::job::EndRow;

/// See the module.
pub struct ForgettingStuck;

impl Bug for ForgettingStuck {
    fn name(&self) -> &'static str {
        "forgetting-stuck"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "what has ended is never found by what forgets it"
    }

    fn ends(&self, _: Vec<EndRow>) -> Vec<EndRow> {
        Vec::new()
    }
}

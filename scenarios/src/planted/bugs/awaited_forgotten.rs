//! A job is forgotten while another one waits for it and for more.

use crate::planted::Bug;

/// See the module.
pub struct AwaitedForgotten;

impl Bug for AwaitedForgotten {
    fn name(&self) -> &'static str {
        "awaited-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "a job is forgotten while another one waits for it and for more"
    }

    fn is_awaited(&self, _: bool) -> bool {
        false
    }
}

//! An opening does not hear that jobs age.

use crate::planted::Bug;
use outlive::Options;

/// See the module.
pub struct AgeingForgotten;

impl Bug for AgeingForgotten {
    fn name(&self) -> &'static str {
        "ageing-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "an opening does not hear that jobs age"
    }

    fn options(&self, options: Options) -> Options {
        Options { ageing: None, ..options }
    }
}

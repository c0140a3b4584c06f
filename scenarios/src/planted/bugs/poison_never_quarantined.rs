//! A job may kill its workers for ever.

use crate::planted::Bug;
use outlive::Options;

/// See the module.
pub struct PoisonNeverQuarantined;

impl Bug for PoisonNeverQuarantined {
    fn name(&self) -> &'static str {
        "poison-never-quarantined"
    }

    fn breaks(&self) -> &'static str {
        "I3"
    }

    fn about(&self) -> &'static str {
        "a job may kill its workers for ever"
    }

    fn options(&self, mut options: Options) -> Options {
        options.limits.crashes_max = u32::MAX;
        options
    }
}

//! No page has a checksum: what rots is taken for data.

use crate::planted::Bug;
use crate::workload::Profile;
use outlive::Options;

/// See the module.
pub struct RotServedAsData;

impl Bug for RotServedAsData {
    fn name(&self) -> &'static str {
        "rot-served-as-data"
    }

    fn breaks(&self) -> &'static str {
        "X"
    }

    fn about(&self) -> &'static str {
        "no page has a checksum: what rots is taken for data"
    }

    fn profile(&self) -> Profile {
        Profile::Illegal
    }

    fn options(&self, options: Options) -> Options {
        Options { page_checksums: false, ..options }
    }
}

//! That a service is back is kept in memory alone, and the next process finds it down.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct ProbeEndUnheard;

impl Bug for ProbeEndUnheard {
    fn name(&self) -> &'static str {
        "probe-end-unheard"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "that a service is back is kept in memory alone, and the next process finds it down"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        changes.retain(|change| !matches!(change, Change::DeletePause { is_down: true, .. }));
        changes
    }
}

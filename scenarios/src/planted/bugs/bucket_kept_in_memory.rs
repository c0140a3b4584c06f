//! The state of a rate's bucket is never written: the next process finds it full.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct BucketKeptInMemory;

impl Bug for BucketKeptInMemory {
    fn name(&self) -> &'static str {
        "bucket-kept-in-memory"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "the state of a rate's bucket is never written: the next process finds it full"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::InsertLimit(row) | Change::UpdateLimit(row) = change {
                row.full_at_ns = 0;
            }
        }
        changes
    }
}

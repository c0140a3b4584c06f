//! A payload of more than eighty bytes is cut.

use crate::planted::{Bug, Memory};
use outlive::store::Change;

/// See the module.
pub struct PayloadCut;

impl Bug for PayloadCut {
    fn name(&self) -> &'static str {
        "payload-cut"
    }

    fn breaks(&self) -> &'static str {
        "I1"
    }

    fn about(&self) -> &'static str {
        "a payload of more than eighty bytes is cut"
    }

    fn changes(&self, _: &Memory, mut changes: Vec<Change>) -> Vec<Change> {
        for change in &mut changes {
            if let Change::InsertJob(job) = change
                && job.new.payload.len() > 80
            {
                job.new.payload = job.new.payload[..80].into();
            }
        }
        changes
    }
}

//! An opening puts all jobs in line as if they were of one priority.

use crate::planted::{Bug, Memory};
use outlive::store::Live;

/// See the module.
pub struct PriorityForgotten;

impl Bug for PriorityForgotten {
    fn name(&self) -> &'static str {
        "priority-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "an opening puts all jobs in line as if they were of one priority"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        page.iter_mut().for_each(|live| live.priority = 0);
        page
    }
}

//! A process that opens its file again after an error of the disk looks at no job that is there.

use crate::planted::{Bug, Memory};
use outlive::store::Live;

/// See the module.
pub struct HalfReopened;

impl Bug for HalfReopened {
    fn name(&self) -> &'static str {
        "half-reopened"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "a process that opens its file again after an error of the disk looks at no job that is there"
    }

    fn live(&self, memory: &Memory, page: Vec<Live>) -> Vec<Live> {
        if memory.openings() > 1 { Vec::new() } else { page }
    }
}

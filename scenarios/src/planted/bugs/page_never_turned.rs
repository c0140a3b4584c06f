//! An opening looks at the first eight jobs that are not terminal, and at no other.

use crate::planted::{Bug, Memory};
use outlive::store::Live;

/// See the module.
pub struct PageNeverTurned;

impl Bug for PageNeverTurned {
    fn name(&self) -> &'static str {
        "page-never-turned"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "an opening looks at the first eight jobs that are not terminal, and at no other"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        // A short page is the last one.
        page.truncate(8);
        page
    }
}

//! An opening does not count the leases that it finds among those of their concurrency keys.

use crate::planted::{Bug, Memory};
use outlive::store::Live;

/// See the module.
pub struct LeasesOfKeysForgotten;

impl Bug for LeasesOfKeysForgotten {
    fn name(&self) -> &'static str {
        "leases-of-keys-forgotten"
    }

    fn breaks(&self) -> &'static str {
        "I2"
    }

    fn about(&self) -> &'static str {
        "an opening does not count the leases that it finds among those of their concurrency keys"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        page.iter_mut().filter(|live| live.leased.is_some()).for_each(|live| live.concurrency_key = None);
        page
    }
}

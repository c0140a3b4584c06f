//! An opening does not know who waits for a signal: those that come later are not delivered.

use crate::planted::{Bug, Memory};
use outlive::job::WaitOn;
use outlive::store::Live;

/// See the module.
pub struct WaitsUnheardAfterRestart;

impl Bug for WaitsUnheardAfterRestart {
    fn name(&self) -> &'static str {
        "waits-unheard-after-restart"
    }

    fn breaks(&self) -> &'static str {
        "L"
    }

    fn about(&self) -> &'static str {
        "an opening does not know who waits for a signal: those that come later are not delivered"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        for live in &mut page {
            if let Some(WaitOn::Signal { name, .. }) = &mut live.wait_on {
                name.push('?');
            }
        }
        page
    }
}

//! An opening takes a job that waits for others for one that waits for its turn.

use crate::planted::{Bug, Memory};
use outlive::job::{Wait, WaitOn};
use outlive::store::Live;

/// See the module.
pub struct HeldJobRunsAfterRestart;

impl Bug for HeldJobRunsAfterRestart {
    fn name(&self) -> &'static str {
        "held-job-runs-after-restart"
    }

    fn breaks(&self) -> &'static str {
        "I4"
    }

    fn about(&self) -> &'static str {
        "an opening takes a job that waits for others for one that waits for its turn"
    }

    fn live(&self, _: &Memory, mut page: Vec<Live>) -> Vec<Live> {
        for live in &mut page {
            if matches!(live.wait_on, Some(WaitOn::Before { .. })) {
                (live.wait, live.wait_on) = (Wait::Line, None);
            }
        }
        page
    }
}

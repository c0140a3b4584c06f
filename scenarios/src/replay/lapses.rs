//! Moments that come by themselves: a time, the end of a lease or of a rest, a death.

use super::director::Director;
use super::stage::Stage;
use crate::scn::{Anchor, AnyOr, Happening, JobName, Lapse};
use outlive_sim::{sleep_true, true_time};
use std::sync::Arc;
use std::time::Duration;

/// How often somebody looks whether it has come.
const LOOK: Duration = Duration::from_millis(20);
/// What only the file can tell is looked at less often.
const LOOK_AT_FILE: Duration = Duration::from_millis(200);

/// Tells the director of them, for as long as blocks are waited for.
pub async fn keep_time(director: Arc<Director>, stage: Stage) {
    let mut counted = Counted::default();
    while let Some((block, anchor, since)) = director.awaited() {
        if counted.block != block {
            counted = Counted { block, ..Counted::default() };
        }
        match anchor {
            Anchor::At { time } => {
                sleep_true(time.saturating_sub(true_time())).await;
                director.comes(block);
            }
            Anchor::After { event: Happening::Lapse { lapse }, .. } => {
                let (came, pause) = counted.came(&stage, &lapse, since);
                (0..came).for_each(|_| director.comes(block));
                sleep_true(pause).await;
            }
            Anchor::After { .. } | Anchor::Before { .. } => sleep_true(LOOK).await,
        }
    }
}

/// What was counted for the block that is waited for.
#[derive(Default)]
struct Counted {
    block: usize,
    looked: bool,
    keys: Vec<i64>,
}

impl Counted {
    /// How often it has come since the last look, and how long until the next.
    fn came(&mut self, stage: &Stage, lapse: &Lapse, since: Duration) -> (usize, Duration) {
        let (keys, pause) = match lapse {
            Lapse::Dies { process } => (stage.deaths(process, since), LOOK),
            Lapse::LeaseExpires { job } => (self.since_the_first_look(stage.expired_leases(named(job))), LOOK_AT_FILE),
            Lapse::RestEnds { job } => (self.since_the_first_look(stage.ended_rests(named(job))), LOOK_AT_FILE),
        };
        let fresh: Vec<i64> = keys.into_iter().filter(|key| !self.keys.contains(key)).collect();
        self.keys.extend(&fresh);
        (fresh.len(), pause)
    }

    /// What had come before anybody waited for it does not count.
    fn since_the_first_look(&mut self, keys: Vec<i64>) -> Vec<i64> {
        if !self.looked {
            self.looked = true;
            self.keys.extend(&keys);
        }
        keys
    }
}

fn named(job: &AnyOr<JobName>) -> Option<&JobName> {
    match job {
        AnyOr::Any => None,
        AnyOr::The(job) => Some(job),
    }
}

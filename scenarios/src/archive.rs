//! What the file has forgotten, kept for whoever judges a run: a copy of each job as it had ended, taken while it was there.
//!
//! The file is read every so often, several times in the shortest time for which it keeps anything, so that no job comes and
//! goes unseen. It shares no code with what forgets: it reads the file as the checkers do.

use crate::image::Rows;
use crate::workload::{PATH, Plan};
use outlive_sim::{Task, View, World, sleep_true, true_time};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The file is looked at this many times in the shortest time that it keeps anything.
const LOOKS: u32 = 4;
/// Looks that must have found a job ended before it counts: a power loss may take what no sync has kept.
const LOOKS_MIN: u32 = 3;

/// What was seen of jobs that had ended.
#[derive(Clone, Default)]
pub struct Archive(Arc<Mutex<BTreeMap<i64, Kept>>>);

/// A job that had ended, at the last look that found it.
struct Kept {
    /// The rows that are of it alone.
    rows: Rows,
    /// How often it was found so.
    looks: u32,
    forgotten: Forgotten,
}

/// When a job was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// The last look before it had ended, in true time.
    pub alive: Duration,
    /// The first look that did not find it any more, in true time.
    pub gone: Duration,
}

impl Archive {
    /// Looks at the file from now on, if the plan is that it forgets anything.
    pub fn begin(world: &World, plan: &Plan) -> (Self, Option<Task<()>>) {
        let archive = Self::default();
        let shortest = plan.options.retention.by_state().into_iter().filter_map(|(_, kept)| kept).min();
        let looking = shortest.map(|shortest| {
            let (own, archive, machine) = (world.clone(), archive.clone(), plan.setting.store());
            world.spawn(async move {
                let mut looked = Duration::ZERO;
                loop {
                    if let Ok(rows) = Rows::read(&own.disk(machine).image(View::Cache), PATH) {
                        archive.look(&rows, looked);
                        looked = true_time();
                    }
                    sleep_true(shortest / LOOKS).await;
                }
            })
        });
        (archive, looking)
    }

    /// Adds what is not there any more to what is.
    pub fn complete(&self, mut rows: Rows) -> Rows {
        self.look(&rows, true_time());
        rows.find_orphans();
        for (job, kept) in self.0.lock().unwrap().iter() {
            if kept.looks >= LOOKS_MIN && !rows.jobs.contains_key(job) {
                rows.add(kept.rows.clone());
                rows.forgotten.insert(*job, kept.forgotten);
            }
        }
        rows
    }

    fn look(&self, rows: &Rows, before: Duration) {
        let mut kept = self.0.lock().unwrap();
        for (id, job) in &rows.jobs {
            if job.finished {
                let known = kept.get(id);
                let looks = known.map_or(0, |known| known.looks) + 1;
                let alive = known.map_or(before, |known| known.forgotten.alive);
                let forgotten = Forgotten { alive, gone: Duration::ZERO };
                kept.insert(*id, Kept { rows: rows.of_job(*id), looks, forgotten });
            } else {
                // It was retried.
                kept.remove(id);
            }
        }
        for (_, gone) in kept.iter_mut().filter(|(id, _)| !rows.jobs.contains_key(id)) {
            if gone.forgotten.gone.is_zero() {
                gone.forgotten.gone = true_time();
            }
        }
    }
}

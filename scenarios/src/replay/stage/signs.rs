//! What can be seen from the stage: what everybody saw, what the file says, and what has come to pass by itself.

use super::super::expect::placed;
use super::Stage;
use crate::checkers::number_of;
use crate::event::Event;
use crate::image::{JobRow, Rows};
use crate::scn::{JobName, Process as Who};
use crate::workload::{PATH, Program};
use outlive_sim::{Entry, Exit, MachineId, ProcessId, View};
use std::time::Duration;

impl Stage {
    /// What everybody saw so far, and where.
    pub fn entries(&self) -> Vec<(MachineId, Entry<Event>)> {
        let Program { world, recorder, .. } = &self.0.cluster.program;
        let machines = world.times().into_iter().map(|times| (times.process, times.machine)).collect();
        placed(recorder.history().entries(), &machines)
    }

    /// What the file says.
    pub fn rows(&self) -> Result<Rows, String> {
        let disk = self.0.cluster.program.world.disk(self.0.cast.machines.store);
        Rows::read(&disk.image(View::Cache), PATH)
    }

    /// The processes of somebody that have died since then.
    pub fn deaths(&self, who: &Who, since: Duration) -> Vec<i64> {
        let machine = self.0.cast.machine(who);
        let world = &self.0.cluster.program.world;
        let died = |times: &outlive_sim::Times| times.ended.is_some_and(|ended| ended >= since);
        let crashed = |process: ProcessId| world.exit(process) != Some(Exit::Finished);
        let times = world.times().into_iter().filter(|times| times.machine == machine && died(times));
        times.filter(|times| crashed(times.process)).map(|times| i64::from(times.process.0)).collect()
    }

    /// The tokens of leases that have expired: the file says so.
    pub fn expired_leases(&self, job: Option<&JobName>) -> Vec<i64> {
        let Ok(rows) = self.rows() else { return Vec::new() };
        let expired = |ended: Option<&str>| matches!(ended, Some("expired" | "crashed"));
        let attempts = rows.attempts.iter().filter(|(_, attempt)| self.is(&rows, attempt.job, job));
        let attempts = attempts.filter(|(_, attempt)| expired(attempt.ended.as_deref()));
        attempts.map(|(token, _)| *token).collect()
    }

    /// The rests that are over, by the wall clock of the store: a job, and when its rest was to end.
    pub fn ended_rests(&self, job: Option<&JobName>) -> Vec<i64> {
        let Ok(rows) = self.rows() else { return Vec::new() };
        let wall = self.0.cluster.program.world.clock(self.0.cast.machines.store).wall();
        let wall_ms = i64::try_from(wall.as_millis()).expect("a date of our time");
        let rested = |row: &JobRow| {
            matches!(row.wait.as_str(), "delay" | "backoff" | "crash-backoff" | "snooze") && row.due_wall_ms <= wall_ms
        };
        let jobs = rows.jobs.iter().filter(|(id, row)| self.is(&rows, **id, job) && rested(row));
        jobs.map(|(id, row)| id * 1_000_000_000_000_000 + row.due_wall_ms).collect()
    }

    fn is(&self, rows: &Rows, id: i64, job: Option<&JobName>) -> bool {
        let number = rows.jobs.get(&id).and_then(|row| number_of(&row.payload));
        job.is_none_or(|JobName(name)| number == Some(self.0.cast.number(name)))
    }
}

//! Which kinds of fault were active at each time of a run.

use super::state::FAULTS;
use outlive_sim::{FaultKind, Fired};
use std::time::Duration;

/// A fault counts for so long after it struck, if it did not last longer: what it broke shows a little later.
const AFTERMATH: Duration = Duration::from_secs(1);

/// The kinds that were active, from one time on to the next.
pub struct ActiveFaults {
    /// In order; a bit for each kind of [`FAULTS`]. The first one is at zero.
    since: Vec<(Duration, u32)>,
}

impl ActiveFaults {
    /// Of the faults that took effect. Where they struck is not asked: a fault elsewhere may matter as well.
    pub fn of(fired: &[Fired]) -> Self {
        let known = |fault: &Fired| Some(1 << FAULTS.iter().position(|kind| Some(*kind) == fault.kind)?);
        let mut ends: Vec<(Duration, u32, bool)> = Vec::new();
        // A process was paused all the same if it had nothing to do meanwhile.
        let lasted = |fault: &Fired| fault.kind == Some(FaultKind::Pause) && fault.until.is_some();
        for fault in fired.iter().filter(|fault| fault.took_effect || lasted(fault)) {
            let Some(bit) = known(fault) else { continue };
            let until = fault.until.unwrap_or(fault.at).max(fault.at + AFTERMATH);
            ends.extend([(fault.at, bit, true), (until, bit, false)]);
        }
        ends.sort_unstable();
        let mut depth = [0u32; FAULTS.len()];
        let mut since = vec![(Duration::ZERO, 0)];
        for (at, bit, begins) in ends {
            let kind = bit.trailing_zeros() as usize;
            if begins {
                depth[kind] += 1
            } else {
                depth[kind] = depth[kind].saturating_sub(1)
            }
            let active = (0..FAULTS.len()).filter(|kind| depth[*kind] > 0).fold(0, |bits, kind| bits | 1 << kind);
            match since.last_mut() {
                Some((last, bits)) if *last == at => *bits = active,
                _ => since.push((at, active)),
            }
        }
        Self { since }
    }

    /// The bits of the kinds that were active at a time.
    pub fn at(&self, at: Duration) -> u32 {
        let place = self.since.partition_point(|(since, _)| *since <= at);
        self.since[place - 1].1
    }

    /// The times in between at which others were active.
    pub fn changes(&self, from: Duration, to: Duration) -> impl Iterator<Item = Duration> {
        let first = self.since.partition_point(|(since, _)| *since <= from);
        self.since[first..].iter().map(|(since, _)| *since).take_while(move |since| *since < to)
    }
}

/// The kinds of these bits; *none* alone if there are none.
pub fn kinds(bits: u32) -> impl Iterator<Item = Option<FaultKind>> {
    let of_bits = FAULTS.iter().enumerate().filter(move |(place, _)| bits & (1 << place) != 0).map(|(_, kind)| *kind);
    (bits == 0).then_some(None).into_iter().chain(of_bits.map(Some))
}

#[cfg(test)]
mod tests {
    use super::*;
    use outlive_sim::MachineId;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fired(kind: FaultKind, at: Duration, until: Option<Duration>) -> Fired {
        let what = String::new();
        Fired {
            place: None,
            at,
            machine: MachineId(0),
            process: None,
            kind: Some(kind),
            what,
            took_effect: true,
            until,
        }
    }

    fn active(faults: &ActiveFaults, at: Duration) -> Vec<Option<FaultKind>> {
        kinds(faults.at(at)).collect()
    }

    #[test]
    fn a_fault_is_active_while_it_lasts_and_a_second_after_it_struck() {
        let harmless = Fired { took_effect: false, ..fired(FaultKind::PowerLoss, s(3), None) };
        let idle = Fired { took_effect: false, ..fired(FaultKind::Pause, s(30), Some(s(40))) };
        let lasting = fired(FaultKind::Partition, s(10), Some(s(20)));
        let faults = ActiveFaults::of(&[fired(FaultKind::Crash, s(12), None), lasting, harmless, idle]);
        assert_eq!(active(&faults, s(3)), [None]);
        assert_eq!(active(&faults, s(10)), [Some(FaultKind::Partition)]);
        assert_eq!(active(&faults, s(12)), [Some(FaultKind::Crash), Some(FaultKind::Partition)]);
        assert_eq!(active(&faults, s(13)), [Some(FaultKind::Partition)]);
        assert_eq!(active(&faults, s(20)), [None]);
        assert_eq!(active(&faults, s(35)), [Some(FaultKind::Pause)], "whoever was paused may have had nothing to do");
        assert_eq!(faults.changes(s(10), s(20)).collect::<Vec<_>>(), [s(12), s(13)]);
    }

    #[test]
    fn a_kind_is_active_until_the_last_fault_of_it_is_over() {
        let twice = [fired(FaultKind::Clog, s(1), Some(s(9))), fired(FaultKind::Clog, s(2), Some(s(4)))];
        let faults = ActiveFaults::of(&twice);
        assert_eq!(active(&faults, s(8)), [Some(FaultKind::Clog)]);
        assert_eq!(active(&faults, s(9)), [None]);
    }
}

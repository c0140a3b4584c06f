//! Forgetting: what has ended is removed after its time, in small steps.
//!
//! Ends stand in the order in which they happened. For each state in which jobs end, a hand moves over them and stops at the
//! first that is too young for its state, so it never looks at what is not to be forgotten yet.

use super::Engine;
use super::group::Group;
use crate::host::Host;
use crate::job::{EndRow, Job, KeyScope, Now, State, Steady, Wall, milliseconds};
use crate::limits;
use crate::options::Retention;
use crate::store::{Change, Storage, Store, StoreError, Stored};
use std::time::Duration;

/// How far forgetting has come.
#[derive(Debug, Default)]
pub struct Retaining {
    hands: Vec<Hand>,
    /// How many jobs have ended in the group before.
    ended: usize,
}

/// How far it has come with those that ended in one state.
#[derive(Debug)]
struct Hand {
    state: State,
    kept: Duration,
    /// The last end that it has passed.
    behind: i64,
    /// Until when there is nothing for it.
    rests: Steady,
}

/// What becomes of a job whose time is over.
enum Fate {
    Forgotten,
    /// It has so many attempts that some of them go first.
    InParts,
    /// It is needed still.
    Kept,
    /// It was retried since: this end was not its last one.
    HasGoneOn,
}

impl Retaining {
    /// From the beginning.
    pub fn of(retention: &Retention) -> Self {
        let hand =
            |(state, kept): (State, Option<Duration>)| Some(Hand { state, kept: kept?, behind: 0, rests: Steady(0) });
        Self { hands: retention.by_state().into_iter().filter_map(hand).collect(), ended: 0 }
    }

    /// How often steady time must be written, so that what is kept goes on growing older however often the file is opened anew.
    pub fn mark_interval(&self) -> Option<Duration> {
        (!self.hands.is_empty()).then_some(limits::MARK_RETENTION)
    }

    /// How long until there may be something to forget.
    pub fn next_event(&self, now: Now) -> Option<Duration> {
        self.hands.iter().map(|hand| now.steady.until(hand.rests)).min()
    }
}

impl Hand {
    /// There is nothing for it before `due`; it looks at several at once.
    fn rest(&mut self, due: Steady, now: Now) {
        let least = (self.kept / limits::FORGET_LOOKS).min(limits::FORGET_REST_MAX);
        self.rests = due.max(now.steady.plus(least));
    }
}

impl<H: Host, S: Storage> Engine<H, S> {
    /// Forgets what has ended long enough ago, up to a bound. Nothing in the group asks for it afterwards.
    pub(super) async fn forget(&mut self, group: &mut Group, now: Now) -> Result<(), StoreError> {
        let ended = group.ends();
        let ended_before = std::mem::replace(&mut self.retention.ended, ended);
        let mut jobs = (2 * ended_before).clamp(limits::GROUP_FORGET_MIN, limits::GROUP_FORGET_MAX);
        let mut attempts = limits::FORGET_ATTEMPTS_MAX;
        let due = |hand: &Hand| hand.rests <= now.steady;
        if !self.retention.hands.iter().any(due) {
            return Ok(());
        }
        // To remove takes room at first.
        if self.store.free_bytes()? < self.options.reserve_bytes {
            self.retention.hands.iter_mut().for_each(|hand| hand.rest(now.steady, now));
            return Ok(());
        }
        let mut hands = std::mem::take(&mut self.retention.hands);
        for hand in hands.iter_mut().filter(|hand| due(hand)) {
            self.forget_in(hand, group, (&mut jobs, &mut attempts), now).await?;
        }
        self.retention.hands = hands;
        Ok(())
    }

    /// As [`forget`](Self::forget), those that ended in one state.
    async fn forget_in(
        &mut self,
        hand: &mut Hand,
        group: &mut Group,
        (jobs, attempts): (&mut usize, &mut usize),
        now: Now,
    ) -> Result<(), StoreError> {
        let ends = self.store.ends(hand.behind, limits::FORGET_ENDS_READ.max(*jobs)).await?;
        if ends.is_empty() {
            hand.rest(now.steady.plus(hand.kept), now);
        }
        for end in ends {
            let due = end.at.plus(hand.kept);
            if due > now.steady {
                hand.rest(due, now);
                break;
            }
            if end.state == hand.state {
                if *jobs == 0 {
                    break;
                }
                *jobs -= 1;
                match self.fate(group, &end, attempts, now).await? {
                    Fate::Forgotten | Fate::HasGoneOn => group.forget(Change::DeleteEnd { id: end.id }),
                    Fate::Kept => group.put_off(end),
                    Fate::InParts => break,
                }
            }
            hand.behind = end.id;
        }
        Ok(())
    }

    async fn fate(
        &mut self,
        group: &mut Group,
        end: &EndRow,
        attempts: &mut usize,
        now: Now,
    ) -> Result<Fate, StoreError> {
        let Some(Stored { job, .. }) = group.job(&mut self.store, end.job).await? else { return Ok(Fate::HasGoneOn) };
        // One that was retried may have ended twice in the same millisecond.
        if group.forgets(job.id) || job.state != end.state || job.finished_at != Some(end.finished_at) {
            return Ok(Fate::HasGoneOn);
        }
        let stands = |scope| matches!(scope, KeyScope::Until(due) if !due.is_due(now));
        let keys = self.store.keys_of(job.id).await?;
        if keys.iter().any(|row| stands(row.scope))
            || group.lets_wait_for(job.id)
            || self.store.is_awaited(job.id).await?
        {
            return Ok(Fate::Kept);
        }
        let most = *attempts;
        let tokens = self.store.tokens(job.id, most + 1).await?;
        let is_all = tokens.len() <= most;
        for token in tokens.into_iter().take(most) {
            group.forget(Change::DeleteAttempt { token });
            *attempts -= 1;
        }
        if !is_all {
            return Ok(Fate::InParts);
        }
        group.forget(Change::DeleteJob { id: job.id });
        self.forget_slots(group, job, now);
        Ok(Fate::Forgotten)
    }

    /// A schedule remembers its slots for longer than their jobs are kept, and not for ever.
    fn forget_slots(&mut self, group: &mut Group, job: Job, now: Now) {
        let Some(slot) = job.new.slot else { return };
        // A wall clock that was ahead for a moment has slots of its own, and they are not the measure.
        let latest = self.schedules.latest(&slot.schedule).map_or(now.wall, |latest| latest.min(now.wall));
        let before = Wall(latest.0.saturating_sub(milliseconds(limits::SLOTS_REMEMBERED)));
        let schedule = slot.schedule.into();
        group.forget(Change::ForgetSlots { schedule, before, most: limits::FORGET_SLOTS_MAX });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(steady: i64) -> Now {
        Now { steady: Steady(steady), wall: Wall(0) }
    }

    #[test]
    fn a_hand_rests_until_something_is_due_and_looks_at_several_at_once() {
        let kept = Some(Duration::from_secs(16));
        let mut retaining = Retaining::of(&Retention { completed: kept, ..Retention::FOREVER });
        assert_eq!(retaining.hands.len(), 1);
        assert_eq!(retaining.next_event(at(5)), Some(Duration::ZERO));
        retaining.hands[0].rest(Steady(20_000), at(5_000));
        assert_eq!(retaining.next_event(at(5_000)), Some(Duration::from_secs(15)));
        retaining.hands[0].rest(Steady(5_001), at(5_000));
        assert_eq!(retaining.next_event(at(5_000)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn what_is_kept_for_ever_has_no_hand() {
        assert_eq!(Retaining::of(&Retention::FOREVER).next_event(at(0)), None);
    }
}

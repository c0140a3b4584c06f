//! The states of a job, and the one table of the changes between them.

use super::text_enum;

text_enum! {
    /// Where a job is in its life. The last four are terminal: nothing happens to it any more, unless a person retries it.
    pub enum State {
        /// Not running; [`Wait`](super::Wait) says for what it waits.
        Waiting = "waiting",
        /// A lease on it was granted. Whether that lease still holds is a question of time.
        Running = "running",
        /// Its result is stored.
        Completed = "completed",
        /// Its attempts are spent, or a failure was not retryable. Kept for inspection.
        Discarded = "discarded",
        /// Somebody asked for it to stop, and it has.
        Cancelled = "cancelled",
        /// Set aside because it keeps killing its workers.
        Quarantined = "quarantined",
    }
}

text_enum! {
    /// What may happen to a job.
    pub enum Event {
        /// A worker was granted a lease.
        Claim = "claim",
        /// The attempt ended well.
        Complete = "complete",
        /// The attempt ended, and another is to follow: failure, crash, snooze, wait or release.
        Retry = "retry",
        /// The attempt ended, and no other follows; or what the job waited for can't be any more.
        Discard = "discard",
        /// The attempt ended in one crash too many.
        Quarantine = "quarantine",
        /// A request to cancel took effect.
        Cancel = "cancel",
        /// Somebody asked for another try of a job that had ended without a result.
        Revive = "revive",
    }
}

impl State {
    /// The state after `event`, or none where it can't happen.
    pub const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Waiting, Event::Claim) => Some(Self::Running),
            (Self::Running, Event::Complete) => Some(Self::Completed),
            (Self::Running, Event::Retry) => Some(Self::Waiting),
            (Self::Waiting | Self::Running, Event::Discard) => Some(Self::Discarded),
            (Self::Running, Event::Quarantine) => Some(Self::Quarantined),
            (Self::Waiting | Self::Running, Event::Cancel) => Some(Self::Cancelled),
            (Self::Discarded | Self::Quarantined | Self::Cancelled, Event::Revive) => Some(Self::Waiting),
            _ => None,
        }
    }

    /// Whether nothing can happen to the job any more.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Completed | Self::Discarded | Self::Cancelled | Self::Quarantined => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_a_person_leads_out_of_a_terminal_state_and_nothing_at_all_out_of_a_result() {
        for &state in State::ALL {
            let exits: Vec<Event> = Event::ALL.iter().copied().filter(|&event| state.after(event).is_some()).collect();
            assert_eq!(exits.iter().all(|&event| event == Event::Revive), state.is_terminal(), "{state}");
            assert_eq!(exits.is_empty(), state == State::Completed, "{state}");
        }
    }

    #[test]
    fn every_state_is_reached_from_waiting() {
        let mut reached = vec![State::Waiting];
        for _ in State::ALL {
            let next: Vec<State> =
                reached.iter().flat_map(|state| Event::ALL.iter().filter_map(|&event| state.after(event))).collect();
            reached.extend(next);
        }
        assert!(State::ALL.iter().all(|state| reached.contains(state)));
    }

    #[test]
    fn words_read_back() {
        for &state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("done"), None);
    }
}

//! A link: what carries messages from one machine to another, and what is wrong with it.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::wire::Message;
use crate::seed::Fork;

/// How long a message takes between two machines.
const LATENCY: RangeInclusive<Duration> = Duration::from_micros(200)..=Duration::from_millis(2);
/// How long a message takes within a machine.
const LATENCY_WITHIN: RangeInclusive<Duration> = Duration::from_micros(20)..=Duration::from_micros(100);

/// What may be wrong with a link. It works in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// Nothing arrives. What is due meanwhile comes when the link is mended.
    Cut,
    /// Connects do not arrive; established connections go on.
    HangConnects,
    /// Each message that is sent meanwhile takes longer by this much.
    Clog {
        /// The shortest delay.
        least: Duration,
        /// The longest delay.
        most: Duration,
    },
    /// Each end of a stream that is sent meanwhile takes longer by this much. Its bytes do not.
    DelayFins {
        /// The shortest delay.
        least: Duration,
        /// The longest delay.
        most: Duration,
    },
}

/// A fault of a link that was begun, by its ordinal in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkFaultId(pub(super) u64);

/// A link, and the faults that last.
pub(super) struct Link {
    pub(super) latency: RangeInclusive<Duration>,
    faults: BTreeMap<LinkFaultId, Lasting>,
}

struct Lasting {
    fault: LinkFault,
    /// How many messages it withheld or delayed.
    changed: u64,
}

impl Link {
    /// A link without faults.
    pub(super) fn new(within_a_machine: bool) -> Self {
        let latency = if within_a_machine { LATENCY_WITHIN } else { LATENCY };
        Self { latency, faults: BTreeMap::new() }
    }

    pub(super) fn begin(&mut self, id: LinkFaultId, fault: LinkFault) {
        if let LinkFault::Clog { least, most } | LinkFault::DelayFins { least, most } = fault {
            assert!(least <= most, "the range is empty");
        }
        self.faults.insert(id, Lasting { fault, changed: 0 });
    }

    /// How often the fault withheld or delayed a message.
    pub(super) fn end(&mut self, id: LinkFaultId) -> u64 {
        self.faults.remove(&id).map_or(0, |lasting| lasting.changed)
    }

    pub(super) fn is_cut(&self) -> bool {
        self.faults.values().any(|lasting| lasting.fault == LinkFault::Cut)
    }

    /// Whether a message that is due does not arrive now.
    pub(super) fn withholds(&mut self, message: &Message) -> bool {
        let mut withheld = false;
        for lasting in self.faults.values_mut() {
            let strikes = match lasting.fault {
                LinkFault::Cut => true,
                LinkFault::HangConnects => matches!(message, Message::Connect),
                LinkFault::Clog { .. } | LinkFault::DelayFins { .. } => false,
            };
            lasting.changed += u64::from(strikes);
            withheld |= strikes;
        }
        withheld
    }

    /// How much longer a message takes that is sent now.
    pub(super) fn delay(&mut self, message: &Message, fork: Fork) -> Duration {
        let mut sum = Duration::ZERO;
        for (place, lasting) in self.faults.values_mut().enumerate() {
            let delay = match lasting.fault {
                LinkFault::Clog { least, most } => fork.fork("clog").key(place as u64).duration(least..=most),
                LinkFault::DelayFins { least, most } if matches!(message, Message::Fin) => {
                    fork.fork("fin").key(place as u64).duration(least..=most)
                }
                LinkFault::DelayFins { .. } | LinkFault::Cut | LinkFault::HangConnects => continue,
            };
            lasting.changed += u64::from(!delay.is_zero());
            sum += delay;
        }
        sum
    }

    /// Whether a fault that delays still lasts.
    pub(super) fn delays(&self) -> bool {
        let delays = |fault| matches!(fault, LinkFault::Clog { .. } | LinkFault::DelayFins { .. });
        self.faults.values().any(|lasting| delays(lasting.fault))
    }
}

//! The policies of kinds, by what clients were told.

use super::Facts;
use outlive::job::Policy;
use outlive::protocol::Request;
use std::collections::BTreeMap;
use std::time::Duration;

/// What has been said of each kind. In a run the same is said each time.
pub struct Policies(BTreeMap<String, Said>);

struct Said {
    policy: Policy,
    /// Before that nobody had said it.
    from: Duration,
    /// From then on it stands, if it does.
    acknowledged: Option<Duration>,
}

impl Policies {
    /// Reads a history.
    pub fn of(facts: &Facts) -> Self {
        let mut said: BTreeMap<String, Said> = BTreeMap::new();
        for call in &facts.calls {
            let Request::Policy(asked) = &call.what.request else { continue };
            let (policy, from) = (asked.policy, call.invoked);
            let known = said.entry(asked.kind.clone()).or_insert(Said { policy, from, acknowledged: None });
            known.from = known.from.min(from);
            if let Some((at, _)) = call.reply() {
                known.acknowledged = Some(known.acknowledged.map_or(at, |before| before.min(at)));
            }
        }
        Self(said)
    }

    /// What may have been decided for the jobs of a kind at some time between two.
    pub fn possible(&self, kind: &str, from: Duration, to: Duration) -> Vec<Policy> {
        match self.0.get(kind) {
            None => vec![Policy::default()],
            Some(said) if said.acknowledged.is_some_and(|at| at < from) => vec![said.policy],
            Some(said) if to < said.from => vec![Policy::default()],
            Some(said) => vec![Policy::default(), said.policy],
        }
    }
}

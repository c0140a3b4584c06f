//! For which signals a job of a run waits: named by its number, so that whoever sends them knows them too.

use super::intent::{Intent, Script};
use outlive::protocol::Signal;

/// A signal for which an attempt waits.
pub struct Awaited {
    /// Its name.
    pub name: String,
    /// The step that has it.
    pub step: String,
    /// For how long; without it, for ever.
    pub limit_ms: Option<u64>,
    /// Whether anybody sends one.
    pub is_sent: bool,
}

/// The name that signals for several jobs have.
const SHARED: &str = "shared";

/// The signals for which each attempt of this script waits, one after the other.
pub fn awaited(script: &Script) -> impl Iterator<Item = Awaited> {
    let number = script.number;
    (0..u64::from(script.signals)).map(move |place| {
        let own = format!("signal-{number}-{place}");
        let step = format!("signal-{place}");
        match (number + place) % 4 {
            0 => Awaited { name: SHARED.into(), step, limit_ms: None, is_sent: true },
            1 => Awaited { name: own, step, limit_ms: None, is_sent: true },
            2 => Awaited { name: own, step, limit_ms: Some(4_000), is_sent: true },
            _ => Awaited { name: own, step, limit_ms: Some(1_500), is_sent: false },
        }
    })
}

/// The signals that must be sent for these jobs, in their order.
pub fn to_send(intents: &[Intent]) -> Vec<Signal> {
    let scripts = intents.iter().filter_map(Intent::script);
    let all = scripts.flat_map(|script| awaited(&script).map(move |it| (script.number, it)).collect::<Vec<_>>());
    let sent = all.filter(|(_, it)| it.is_sent);
    sent.map(|(number, Awaited { name, step, .. })| Signal {
        name,
        key: Some(format!("{number}-{step}")),
        payload: number.to_string(),
    })
    .collect()
}

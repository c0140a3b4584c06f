//! A run for people: who lived when, what went wrong, what followed from what.
//!
//! The model knows no system under test. [`Seen`] is what the simulator itself knows of a run, and
//! [`Draft`] makes lanes, spans and happenings of it, to which a system's own part adds: its calls, its
//! leases, what was violated, and what caused what. [`Timeline::chain`] walks causes back to a short
//! story, [`html`] makes one page of it that needs nothing else.
//!
//! Nothing in here changes a run or its hash, and the same run makes the same bytes.

mod chain;
mod disk;
mod draft;
mod encode;
mod html;
mod model;
mod seen;
mod still;

pub use chain::Chain;
pub use disk::Undurable;
pub use draft::Draft;
pub use html::html;
pub use model::{
    Happening, HappeningId, Kind, Lane, LaneId, LaneKind, Sentence, Span, SpanKind, Table, Timeline, Verdict,
};
pub use seen::{Lived, Seen};

#[cfg(test)]
mod tests;

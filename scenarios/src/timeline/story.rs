//! What to read first: of a run that failed, what led to the first violation; of one that did not, what it
//! lived through.

use outlive_sim::timeline::{Happening, HappeningId, Kind, Sentence, Timeline};

/// Sentences of a run in which nothing broke.
const SENTENCES_MAX: usize = 20;
/// Further violations that are told.
const VIOLATIONS_MAX: usize = 5;

pub(super) fn tell(timeline: &Timeline, violated: &[HappeningId]) -> Vec<Sentence> {
    let sentence = |id: HappeningId| Sentence { text: timeline.happening(id).text.clone(), happening: Some(id) };
    let said = |text: String| Sentence { text, happening: None };
    let Some((first, others)) = violated.split_first() else { return survived(timeline) };
    let chain = timeline.chain(*first);
    let mut story: Vec<Sentence> = Vec::new();
    if chain.left_out > 0 {
        story.push(said(format!("{} earlier causes are left out: select a mark to see them.", chain.left_out)));
    }
    story.extend(chain.links.iter().copied().map(sentence));
    story.extend(others.iter().take(VIOLATIONS_MAX).copied().map(sentence));
    if others.len() > VIOLATIONS_MAX {
        story.push(said(format!(
            "{} more violations: they mostly follow from the first.",
            others.len() - VIOLATIONS_MAX
        )));
    }
    story
}

fn survived(timeline: &Timeline) -> Vec<Sentence> {
    let matters = |it: &Happening| {
        !it.minor && matches!(it.kind, Kind::Fault | Kind::Crash | Kind::Lost | Kind::Expired | Kind::Unknown)
    };
    // A crash that a fault brought is told by the fault, and a lease that a crash ended by the crash.
    let brought = |it: &Happening| {
        let by = |kind| it.causes.iter().any(|cause| timeline.happening(*cause).kind == kind);
        match it.kind {
            Kind::Crash => by(Kind::Fault),
            Kind::Expired | Kind::Unknown => by(Kind::Crash),
            _ => false,
        }
    };
    let all = (0..timeline.happenings.len()).map(HappeningId);
    let all: Vec<HappeningId> =
        all.filter(|id| matters(timeline.happening(*id)) && !brought(timeline.happening(*id))).collect();
    let rank = |id: &HappeningId| match timeline.happening(*id).kind {
        Kind::Fault | Kind::Lost => 0,
        Kind::Crash => 1,
        Kind::Expired => 2,
        _ => 3,
    };
    let mut shown = all.clone();
    shown.sort_by_key(|id| (rank(id), *id));
    shown.truncate(SENTENCES_MAX);
    shown.sort_unstable();
    let mut story: Vec<Sentence> =
        shown.iter().map(|id| Sentence { text: timeline.happening(*id).text.clone(), happening: Some(*id) }).collect();
    if story.is_empty() {
        return story;
    }
    let more = all.len() - shown.len();
    let end = if more > 0 { format!("{more} lesser events are not told here. ") } else { String::new() };
    story.push(Sentence { text: format!("{end}In the end: {}.", timeline.verdict.words), happening: None });
    story
}

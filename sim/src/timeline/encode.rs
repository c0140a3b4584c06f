//! A timeline as the page's script reads it: short JSON, times in microseconds, bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::model::{HappeningId, Kind, LaneId, LaneKind, SpanKind, Timeline};

/// Happenings on a page, at the most.
const HAPPENINGS_MAX: usize = 6_000;
/// Characters of a sentence, at the most: payloads and panics can be long.
const TEXT_MAX: usize = 600;
/// Tables on a page, at the most.
const TABLES_MAX: usize = 160;

/// What the page's script reads, and what was left out for size.
pub(super) struct Encoded {
    pub(super) json: String,
    pub(super) left_out: Vec<String>,
}

/// Makes the page's data.
pub(super) fn encode(timeline: &Timeline) -> Encoded {
    let mut left_out = timeline.left_out.clone();
    let kept = kept(timeline);
    let dropped = timeline.happenings.len() - kept.len();
    if dropped > 0 {
        left_out.push(format!("{dropped} minor happenings of {} are left out", timeline.happenings.len()));
    }
    let new: BTreeMap<HappeningId, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    let happenings = kept.iter().map(|id| {
        let it = timeline.happening(*id);
        let causes: Vec<usize> = it.causes.iter().filter_map(|cause| new.get(cause).copied()).collect();
        json!([micros(it.at), it.lane.0, place(it.kind), u8::from(it.minor), shortened(&it.text), causes])
    });
    let tracks = tracks(timeline);
    let spans = timeline.spans.iter().zip(&tracks).map(|(span, track)| {
        let begun_by = span.begun_by.and_then(|id| new.get(&id).copied());
        let to = span.to.map(micros);
        json!([
            span.lane.0,
            span.kind.word(),
            micros(span.from),
            to,
            track,
            span.label,
            shortened(&span.text),
            begun_by
        ])
    });
    let story =
        timeline.story.iter().map(|it| json!([shortened(&it.text), it.happening.and_then(|id| new.get(&id).copied())]));
    let lanes = timeline.lanes.iter().map(|lane| json!([lane.name, lane_word(lane.kind)]));
    let (rows, tables) = tables(timeline, &mut left_out);
    let value = json!({
        "ended": micros(timeline.ended),
        "kinds": Kind::ALL.map(Kind::word),
        "lanes": lanes.collect::<Vec<_>>(),
        "spans": spans.collect::<Vec<_>>(),
        "happenings": happenings.collect::<Vec<_>>(),
        "story": story.collect::<Vec<_>>(),
        "columns": timeline.columns,
        "rows": rows,
        "tables": tables,
    });
    // A script element ends at the first `</script`, and a `<!--` in it changes how it is read.
    Encoded { json: value.to_string().replace('<', "\\u003c"), left_out }
}

/// What is on the page: all if there is room, else what is not minor and what the story needs first.
fn kept(timeline: &Timeline) -> Vec<HappeningId> {
    let all = (0..timeline.happenings.len()).map(HappeningId);
    if timeline.happenings.len() <= HAPPENINGS_MAX {
        return all.collect();
    }
    let mut needed: BTreeSet<HappeningId> = BTreeSet::new();
    for id in timeline.story.iter().filter_map(|it| it.happening) {
        needed.insert(id);
        needed.extend(timeline.chain(id).links);
    }
    needed.extend(timeline.spans.iter().filter_map(|span| span.begun_by));
    let (major, minor): (Vec<_>, Vec<_>) =
        all.filter(|id| !needed.contains(id)).partition(|id| !timeline.happening(*id).minor);
    let room = HAPPENINGS_MAX.saturating_sub(needed.len());
    needed.extend(major.into_iter().chain(minor).take(room));
    needed.into_iter().collect()
}

/// The height at which each span of a lane is drawn, so that none lies over another one: a life and its pauses
/// are at 0, faults below, and a trust lies where its lease does.
pub(super) fn tracks(timeline: &Timeline) -> Vec<usize> {
    let mut tracks = vec![0; timeline.spans.len()];
    let mut busy: BTreeMap<(LaneId, SpanKind), Vec<Duration>> = BTreeMap::new();
    let mut leases: BTreeMap<(LaneId, &str), usize> = BTreeMap::new();
    for (track, span) in tracks.iter_mut().zip(&timeline.spans) {
        *track = match span.kind {
            SpanKind::Pause => 0,
            SpanKind::Trust => leases.get(&(span.lane, &span.label)).copied().unwrap_or(0),
            SpanKind::Life | SpanKind::Fault | SpanKind::Lease => {
                let busy = busy.entry((span.lane, span.kind)).or_default();
                let free = busy.iter().position(|until| *until <= span.from).unwrap_or(busy.len());
                let to = span.to.unwrap_or(timeline.ended);
                match busy.get_mut(free) {
                    Some(until) => *until = to,
                    None => busy.push(to),
                }
                if span.kind == SpanKind::Lease {
                    leases.insert((span.lane, &span.label), free);
                }
                free
            }
        };
    }
    tracks
}

/// Each row once, and tables as places of rows: from one moment to the next, most stay as they are.
fn tables<'a>(timeline: &'a Timeline, left_out: &mut Vec<String>) -> (Vec<&'a Vec<String>>, Vec<Value>) {
    let (mut rows, mut places): (Vec<&Vec<String>>, BTreeMap<&Vec<String>, usize>) = Default::default();
    let every = timeline.tables.len().div_ceil(TABLES_MAX).max(1);
    let last = timeline.tables.len().saturating_sub(1);
    let shown = timeline.tables.iter().enumerate().filter(|(place, _)| place % every == 0 || *place == last);
    let tables: Vec<Value> = shown
        .map(|(_, table)| {
            let places = table.rows.iter().map(|row| {
                *places.entry(row).or_insert_with(|| {
                    rows.push(row);
                    rows.len() - 1
                })
            });
            json!([micros(table.at), table.title, places.collect::<Vec<_>>()])
        })
        .collect();
    if tables.len() < timeline.tables.len() {
        left_out.push(format!("{} of {} tables are shown", tables.len(), timeline.tables.len()));
    }
    (rows, tables)
}

/// Times on the page.
pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a run is shorter than half a million years")
}

fn place(kind: Kind) -> usize {
    Kind::ALL.iter().position(|it| *it == kind).expect("all kinds are in it")
}

fn lane_word(kind: LaneKind) -> &'static str {
    match kind {
        LaneKind::Machine => "machine",
        LaneKind::Held => "held",
        LaneKind::Disk => "disk",
    }
}

/// A sentence of bounded length.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}… ({} characters in all)", &text[..end], text.chars().count()),
    }
}

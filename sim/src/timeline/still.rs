//! A still picture of a timeline: what a page shows without a script. Lives, pauses, faults, leases, the
//! story's happenings and what led from one to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use super::encode::tracks;
use super::html::escape;
use super::model::{HappeningId, Kind, LaneKind, SpanKind, Timeline};

const WIDTH: f64 = 1200.0;
const GUTTER: f64 = 130.0;
const TOP: f64 = 24.0;
const TRACK: f64 = 8.0;
const GAP: f64 = 4.0;

/// The picture, as SVG.
pub(super) fn still(timeline: &Timeline) -> String {
    let tracks = tracks(timeline);
    let rows = Rows::of(timeline, &tracks);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"A still picture of the run\">\n",
        rows.bottom
    );
    let mut put = |line: String| svg.push_str(&line);
    let seconds = timeline.ended.as_secs_f64();
    for tenth in 0..=10 {
        let at = timeline.ended.mul_f64(f64::from(tenth) / 10.0);
        let x = rows.x(at);
        let anchor = if tenth == 10 { "end" } else { "middle" };
        put(format!("<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.0}\"/>", rows.bottom));
        put(format!(
            "<text class=\"tick\" x=\"{x:.1}\" y=\"14\" text-anchor=\"{anchor}\">{:.1} s</text>\n",
            seconds * f64::from(tenth) / 10.0
        ));
    }
    for (lane, (top, height)) in timeline.lanes.iter().zip(&rows.lanes) {
        let class = if lane.kind == LaneKind::Machine { "lane machine" } else { "lane" };
        put(format!(
            "<text class=\"{class}\" x=\"4\" y=\"{:.1}\">{}</text>\n",
            top + height.min(16.0) / 2.0 + 4.0,
            escape(&lane.name)
        ));
    }
    for (span, track) in timeline.spans.iter().zip(&tracks) {
        let (x, y) = (rows.x(span.from), rows.track(timeline, span.lane.0, span.kind, *track));
        let width = (rows.x(span.to.unwrap_or(timeline.ended)) - x).max(1.0);
        let height = if span.kind == SpanKind::Life || span.kind == SpanKind::Pause { 12.0 } else { TRACK - 2.0 };
        put(format!(
            "<rect class=\"span {}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height}\"><title>{}</title></rect>\n",
            span.kind.word(),
            escape(&span.text)
        ));
    }
    let story: BTreeSet<HappeningId> = timeline.story.iter().filter_map(|it| it.happening).collect();
    let middle = |id: HappeningId| {
        let it = timeline.happening(id);
        (rows.x(it.at), rows.lanes[it.lane.0].0 + 6.0)
    };
    for id in &story {
        for cause in timeline.happening(*id).causes.iter().filter(|cause| story.contains(cause)) {
            let ((x1, y1), (x2, y2)) = (middle(*cause), middle(*id));
            put(format!("<line class=\"arrow\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"));
        }
    }
    let faults = (0..timeline.happenings.len()).map(HappeningId);
    let faults = faults.filter(|id| timeline.happening(*id).kind == Kind::Fault);
    let shown: BTreeSet<HappeningId> = faults.chain(story.iter().copied()).collect();
    let numbers: BTreeMap<HappeningId, usize> =
        timeline.story.iter().enumerate().filter_map(|(place, it)| Some((it.happening?, place + 1))).collect();
    for id in shown {
        let ((x, y), it) = (middle(id), timeline.happening(id));
        put(format!(
            "<path class=\"mark {}\" d=\"M{x:.1} {:.1}l5 5l-5 5l-5 -5z\"><title>{:.3} s: {}</title></path>",
            it.kind.word(),
            y - 5.0,
            it.at.as_secs_f64(),
            escape(&it.text)
        ));
        if let Some(number) = numbers.get(&id) {
            put(format!(
                "<text class=\"number\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{number}</text>",
                y - 7.0
            ));
        }
        put("\n".into());
    }
    write!(svg, "</svg>").expect("a string takes it");
    svg
}

/// Where lanes are.
struct Rows {
    ended: Duration,
    /// Top and height of each lane.
    lanes: Vec<(f64, f64)>,
    bottom: f64,
}

impl Rows {
    fn of(timeline: &Timeline, tracks: &[usize]) -> Self {
        let mut top = TOP + GAP;
        let lanes = (0..timeline.lanes.len()).map(|lane| {
            let spans = timeline.spans.iter().zip(tracks).filter(|(span, _)| span.lane.0 == lane);
            let most = |kind| {
                let tracks = spans.clone().filter(|(span, _)| span.kind == kind).map(|(_, track)| *track + 1);
                tracks.max().unwrap_or(0) as f64
            };
            let height = match timeline.lanes[lane].kind {
                LaneKind::Machine => 14.0 * most(SpanKind::Life).max(1.0) + TRACK * most(SpanKind::Fault),
                LaneKind::Held => TRACK * most(SpanKind::Lease).max(1.0),
                LaneKind::Disk => 14.0,
            };
            let place = (top, height);
            top += height + GAP;
            place
        });
        let lanes = lanes.collect();
        Self { ended: timeline.ended, lanes, bottom: top }
    }

    fn x(&self, at: Duration) -> f64 {
        let share = at.as_secs_f64() / self.ended.as_secs_f64().max(1e-6);
        GUTTER + share.min(1.0) * (WIDTH - GUTTER - 10.0)
    }

    fn track(&self, timeline: &Timeline, lane: usize, kind: SpanKind, track: usize) -> f64 {
        let (top, height) = self.lanes[lane];
        match (kind, timeline.lanes[lane].kind) {
            // Faults lie below the lives.
            (SpanKind::Fault, LaneKind::Machine) => (top + 14.0 + TRACK * track as f64).min(top + height - TRACK),
            (SpanKind::Life, _) => top + 14.0 * track as f64,
            _ => top + TRACK * track as f64,
        }
    }
}

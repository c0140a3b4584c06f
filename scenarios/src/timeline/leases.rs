//! Leases as bars: how long each holder trusted its lease, and until when the store held it for valid.

use super::Drawing;
use crate::checkers::Grant;
use outlive::job::Token;
use outlive_sim::timeline::{HappeningId, Kind, Span, SpanKind};
use std::time::Duration;

/// How a lease ended.
enum End {
    /// Its holder said that it was done with it.
    GivenBack,
    /// Its process died, and the next opening knew.
    TakenBack(HappeningId),
    /// Its time was over.
    Expired,
    /// It held when the run was over.
    Held,
}

impl Drawing<'_> {
    pub(super) fn draw_leases(&mut self) {
        for (token, grant) in &self.facts.grants {
            let (to, end) = self.end(*token, grant);
            let lane = self.draft.held_lane_of(self.facts.machine(grant.process));
            let begun_by = self.granted.get(token).copied();
            let (job, attempt, number) = (grant.lease.job, grant.attempt, token.0);
            let label = format!("job {job}, attempt {attempt}");
            let how = match end {
                End::GivenBack => "given back",
                End::TakenBack(_) => "taken back by the next opening",
                End::Expired => "expired",
                End::Held => "held to the end",
            };
            let (from, until) = (grant.claimed, grant.trusted_until(self.facts).min(self.evidence.ended));
            let text = format!(
                "{label}, token {number}: claimed at {:.3} s for {:.3} s, renewed {} times, trusted until {:.3} s, {how} at {:.3} s",
                from.as_secs_f64(),
                grant.length.as_secs_f64(),
                grant.renewals.len(),
                until.as_secs_f64(),
                to.as_secs_f64()
            );
            let span = |kind, to| Span { lane, kind, from, to, label: label.clone(), text: text.clone(), begun_by };
            self.draft.span(span(SpanKind::Lease, Some(to)));
            if until > from {
                self.draft.span(span(SpanKind::Trust, Some(until.min(to.max(from)))));
            }
            let (said, cause) = match end {
                End::Expired => ("expires", None),
                End::TakenBack(opened) => ("is taken back: its process is dead", Some(opened)),
                End::GivenBack | End::Held => continue,
            };
            let expired = self.draft.happen(to, lane, Kind::Expired, format!("the lease on {label} {said}"));
            self.expired.insert(*token, expired);
            let silent = self.silence(grant, to);
            for cause in begun_by.into_iter().chain(cause).chain(silent) {
                self.draft.caused(expired, cause);
            }
        }
    }

    /// When the lease surely held no more, and how it came to that.
    fn end(&self, token: Token, grant: &Grant) -> (Duration, End) {
        let ended = self.evidence.ended;
        let ends = self.facts.calls.iter().filter(|call| call.is_end() && call.lease() == Some(grant.lease));
        let given_back = ends.filter_map(|call| Some((call.reply()?.0, End::GivenBack)));
        let taken_back = || {
            let death = self.facts.deaths.get(&grant.process).filter(|_| !grant.elsewhere)?;
            let opened = self.opened.iter().find(|(at, _)| at > death)?;
            Some((opened.0, End::TakenBack(opened.1)))
        };
        // The store knew by the next grant at the latest.
        let next = self.facts.tokens[&grant.lease.job].iter().find(|other| **other > token);
        let next = next.map_or(Duration::MAX, |next| self.facts.grants[next].answered);
        let expiry = (grant.surely_expired_as_of(ended).min(next), End::Expired);
        let all = given_back.chain(taken_back()).chain([expiry, (ended, End::Held)]);
        let (at, how) = all.min_by_key(|(at, _)| *at).expect("there is one");
        (at.max(grant.claimed), how)
    }

    /// Why nothing was heard of the holder any more: it died, or was paused.
    fn silence(&self, grant: &Grant, expired: Duration) -> Option<HappeningId> {
        let dead = self.facts.deaths.get(&grant.process).is_some_and(|death| *death <= expired);
        let death = self.draft.end_of(grant.process).filter(|_| dead);
        death.or_else(|| {
            let pause = self.draft.pause_of(grant.process, expired)?;
            (self.draft.at(pause) >= grant.claimed).then_some(pause)
        })
    }
}

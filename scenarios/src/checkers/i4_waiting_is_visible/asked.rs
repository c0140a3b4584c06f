//! Who asks for which jobs: claims get what they asked for, and a job in line is told who asks for its like.

use super::blockers;
use crate::checkers::facts::CallFact;
use crate::checkers::{Facts, Finding, Report};
use crate::drive::Evidence;
use crate::event::Event;
use outlive::job::explain::Reason;
use outlive::protocol::{Claim, Reply, Request};
use std::time::Duration;

/// What a clock of the store gains or loses at the most on the time that passes, as a part of it, and what is rounded off.
const DRIFT: f64 = 0.02;
const ROUNDED: Duration = Duration::from_millis(2);

pub fn check(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    grants(facts, report);
    sightings(evidence, facts, report);
}

fn asks_for(claim: &Claim, queue: &str, kind: &str) -> bool {
    claim.queues.iter().any(|it| it == queue) && claim.kinds.iter().any(|it| it == kind)
}

fn grants(facts: &Facts, report: &mut Report) {
    for (call, at, answer) in facts.answered() {
        let (Request::Claim(claim), Ok(Reply::Claimed { grants })) = (&call.what.request, answer) else { continue };
        for grant in grants {
            report.expect("I4.n", asks_for(claim, &grant.queue, &grant.kind), || {
                let says = format!(
                    "job {} of queue {} and kind {} was granted to a claim for queues {:?} and kinds {:?}",
                    grant.lease.job, grant.queue, grant.kind, claim.queues, claim.kinds
                );
                let found = Finding::new("job granted that was not asked for", says).job(grant.lease.job);
                found.attempt(grant.lease.token).call(call.number).at(at)
            });
        }
    }
}

/// Compares what was said of who asks for the like of a job with the claims that were made.
fn sightings(evidence: &Evidence, facts: &Facts, report: &mut Report) {
    let opened = evidence.entries.iter().filter(|entry| matches!(entry.event, Event::Opened));
    let opened: Vec<Duration> = opened.map(|entry| entry.at).collect();
    let claims: Vec<(&CallFact, &Claim)> = facts.calls.iter().filter_map(claim).collect();
    // What may repeat a claim long after it was answered shows no worker that is there.
    let is_repeated = evidence.plan.setting.cluster().is_some_and(|machines| machines.middlebox.is_some());
    for (call, at, answer) in facts.answered() {
        let (Request::Explain { job }, Ok(Reply::Explained(explanation))) = (&call.what.request, answer) else {
            continue;
        };
        // One that came from one opening, and is of one.
        let opening = opened.iter().rev().find(|opened| **opened <= call.invoked);
        let Some(opening) = opening.filter(|_| !opened.iter().any(|it| (call.invoked..=at).contains(it))) else {
            continue;
        };
        for blocker in blockers(explanation).unwrap_or_default() {
            let Reason::Line { queue, claims_waiting, asked_ms_ago, .. } = &blocker.reason else { continue };
            let asked = Asked { claims_waiting: *claims_waiting, ago: asked_ms_ago.map(Duration::from_millis) };
            let alike = claims.iter().filter(|(_, claim)| asks_for(claim, queue, &explanation.kind));
            let window = Window { opening: *opening, from: call.invoked, to: at };
            let seen = Seen::of(alike.map(|(call, _)| *call), window, facts);
            let why = seen.contradicts(asked, window, is_repeated);
            report.expect("I4.o", why.is_none(), || {
                let why = why.unwrap_or_default();
                let says = format!("of who asks for jobs like {job} it is said: {asked:?}, but {why}");
                Finding::new("worker seen wrongly", says).job(*job).call(call.number).at(at)
            });
        }
    }
}

/// What was said of who asks for the like of a job.
#[derive(Clone, Copy, Debug)]
struct Asked {
    claims_waiting: u64,
    ago: Option<Duration>,
}

/// When it was asked for and said, and since when the file was open.
#[derive(Clone, Copy)]
struct Window {
    opening: Duration,
    from: Duration,
    to: Duration,
}

/// The claims that could be seen.
struct Seen {
    /// When the latest one was sent that surely was: for the first time under its name, and answered before the question.
    surely: Option<Duration>,
    /// The latest time at which one may have come.
    perhaps: Option<Duration>,
    /// Claims that may have waited at the question.
    open: u64,
}

impl Seen {
    fn of<'a>(alike: impl Iterator<Item = &'a CallFact>, window: Window, facts: &Facts) -> Self {
        let mut seen = Self { surely: None, perhaps: None, open: 0 };
        for claim in alike.filter(|claim| claim.invoked <= window.to) {
            // Without an answer nobody knows when it came, or whether it waits still.
            let answered = claim.answer.as_ref().filter(|(_, answer)| answer.is_ok()).map(|(at, _)| *at);
            // With the program that has the file its own claims die.
            let died = facts.deaths.get(&claim.process).filter(|_| facts.is_at_store(claim.process));
            let latest = answered.or(died.copied()).unwrap_or(window.to).min(window.to);
            if latest >= window.opening {
                seen.perhaps = seen.perhaps.max(Some(latest));
            }
            if latest >= window.from {
                seen.open += 1;
            }
            let is_first = facts.first_sent.get(&claim.what.id) == Some(&claim.invoked);
            if is_first && claim.invoked >= window.opening && answered.is_some_and(|at| at < window.from) {
                seen.surely = seen.surely.max(Some(claim.invoked));
            }
        }
        seen
    }

    /// What is wrong with what was said, if anything is.
    fn contradicts(&self, Asked { claims_waiting, ago }: Asked, window: Window, is_repeated: bool) -> Option<String> {
        if let Some(surely) = self.surely {
            let most = (window.to - surely).mul_f64(1.0 + DRIFT) + ROUNDED;
            if ago.is_none_or(|ago| ago > most) {
                return Some(format!("somebody has at {surely:.3?}, and was answered"));
            }
        }
        if is_repeated {
            return None;
        }
        match (ago, self.perhaps) {
            (Some(_), None) => return Some("nobody has since the file was opened".to_owned()),
            (Some(ago), Some(perhaps)) => {
                let least = window.from.saturating_sub(perhaps).mul_f64(1.0 - DRIFT);
                if ago + ROUNDED < least {
                    return Some(format!("nobody has since {perhaps:.3?}"));
                }
            }
            (None, _) => {}
        }
        (claims_waiting > self.open).then(|| format!("no more than {} claims can wait", self.open))
    }
}

fn claim(call: &CallFact) -> Option<(&CallFact, &Claim)> {
    if let Request::Claim(claim) = &call.what.request { Some((call, claim)) } else { None }
}

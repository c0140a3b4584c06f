//! What each job of a run does, drawn.

use super::intent::{Act, BLOCKING, Intent, KINDS, OFTEN, QUEUES, Script, traced};
use super::plan::Features;
use outlive::job::Unmet;
use outlive::protocol::{Enqueue, Scope, When};
use outlive_sim::{Fork, Rng};

/// A job of this number, as these features have it. What other features do with it is drawn on top, from forks of their own.
pub fn intent(number: u64, features: &Features, fork: Fork) -> Intent {
    let mut rng = fork.rng();
    let acts = acts(number, features, &mut rng);
    // A request to cancel is heard of with a heartbeat: some work must take long enough.
    let work_ms = *rng.pick(if features.cancels {
        &[1, 5, 20, 20, 100, 100, 400, 1_500]
    } else {
        &[1, 5, 20, 20, 100, 100, 400, 400]
    });
    let script = Script { number, acts, work_ms, steps: 0, reports: 0, lines: 0, signals: 0, others: 0 };
    let undecodable = features.failures && rng.chance(0.03);
    let payload = script.payload(!undecodable);
    let when = match features.delays.then(|| rng.between(0..=9)) {
        Some(0..=1) => When::After(rng.between(1..=8_000)),
        Some(2) => When::At(outlive::job::Wall(1_750_000_000_000 + rng.between(0..=20_000).cast_signed())),
        _ => When::Now,
    };
    let lane = if features.lanes { rng.between(0..=2) as usize } else { 0 };
    let priority = if features.lanes { *rng.pick(&[0, 0, 0, 5, -5, 100, -100]) } else { 0 };
    let key = (features.keys && rng.chance(0.4)).then(|| format!("key-{number}").into());
    let enqueue = Enqueue {
        kind: KINDS[rng.between(0..=2) as usize].into(),
        queue: QUEUES[lane].into(),
        priority,
        max_attempts: Some(rng.between(1..=4) as u32),
        max_age_ms: None,
        payload,
        when,
        key,
        after: None,
        concurrency_key: None,
        trace_parent: None,
    };
    let repeats = u64::from(enqueue.key.is_some() && rng.chance(0.5));
    Intent { number, enqueue, repeats, after: None }
}

/// Lets some jobs end with a transfer instead, and some of these take one back before that. What blocks a thread
/// can't await.
pub fn let_transfer(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind == BLOCKING || script.acts.last() != Some(&Act::Complete) || rng.chance(0.5) {
        return;
    }
    script.acts.pop();
    if rng.chance(0.2) {
        script.acts.push(Act::TakeBack);
    }
    script.acts.push(Act::Transfer);
    intent.enqueue.payload = script.payload(true);
}

/// Lets half of the jobs take steps, those that do not block a thread.
pub fn let_step(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind != BLOCKING && rng.chance(0.5) {
        script.steps = rng.between(1..=3) as u32;
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs say how far they have come, those that do not block a thread.
pub fn let_report(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind != BLOCKING && rng.chance(0.5) {
        script.reports = rng.between(1..=3) as u32;
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs say what they do, and some of these more than is kept.
pub fn let_speak(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if rng.chance(0.5) {
        script.lines = *rng.pick(&[1, 2, 5, 70]);
        intent.enqueue.payload = script.payload(true);
    }
}

/// Lets half of the jobs be a part of a trace, whose numbers are their own.
pub fn let_be_traced(intent: &mut Intent, fork: Fork) {
    if fork.key(intent.number).chance(0.5) {
        intent.enqueue.trace_parent = traced(intent.number + 1);
    }
}

/// Lets some jobs wait for signals, for other jobs, or for something outside. What recurs would take the signals of
/// others.
pub fn let_wait(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    if intent.number > 3 && rng.chance(0.25) {
        let unmet = *rng.pick(&[Unmet::Cancel, Unmet::Cancel, Unmet::Discard, Unmet::Run]);
        let numbers = (0..rng.between(1..=3)).map(|_| rng.between(1..=intent.number - 1)).collect();
        intent.after = Some((numbers, unmet));
    }
    let recurs = intent.recurs();
    let Some(mut script) = intent.script() else { return };
    if intent.enqueue.kind == BLOCKING || script.acts == [Act::Kill] {
        return;
    }
    match rng.between(0..=9) {
        0..=3 if !recurs => script.signals = rng.between(1..=2) as u32,
        4 if !recurs => script.others = rng.between(1..=3) as u32,
        5..=6 => script.acts.insert(0, Act::LookAgain(rng.between(1..=3_000))),
        _ => return,
    }
    intent.enqueue.payload = script.payload(true);
}

/// Lets the policy of its kind decide how often most of the jobs are tried, and some say for how long.
pub fn let_policy_decide(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    if rng.chance(0.7) {
        intent.enqueue.max_attempts = None;
    }
    intent.enqueue.max_age_ms = rng.chance(0.15).then(|| rng.between(500..=30_000));
}

/// Lets half of the jobs share slots with some others.
pub fn let_share(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    intent.enqueue.concurrency_key = rng.chance(0.5).then(|| (*rng.pick(&["red", "green"])).to_owned());
}

/// Lets some jobs find a service down at first.
pub fn let_find_down(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let Some(mut script) = intent.script() else { return };
    if script.acts == [Act::Kill] || rng.chance(0.85) {
        return;
    }
    for _ in 0..rng.between(1..=2) {
        script.acts.insert(0, Act::ServiceDown(rng.between(300..=3_000)));
    }
    intent.enqueue.payload = script.payload(true);
}

/// Lets most keys end, and their jobs be asked for again and again. What is done once for a job's number is left out.
pub fn let_key_end(intent: &mut Intent, fork: Fork) {
    let mut rng = fork.key(intent.number).rng();
    let transfers = intent.transfers();
    let Some(key) = &mut intent.enqueue.key else { return };
    if !transfers && rng.chance(0.7) {
        let period = Scope::PeriodMs(rng.between(500..=8_000));
        key.scope = if rng.chance(0.6) { Scope::WhilePending } else { period };
        intent.repeats = OFTEN;
    }
}

fn acts(number: u64, features: &Features, rng: &mut Rng) -> Vec<Act> {
    // Two jobs of a run, at the most, kill their process each time: they must end quarantined, and run beside each other
    // only until they are suspected.
    if features.poison && matches!(number, 5 | 6) {
        return vec![Act::Kill];
    }
    let mut acts = Vec::new();
    while acts.len() < 3 {
        match rng.between(0..=19) {
            0..=2 if features.failures => acts.push(Act::Fail),
            3 if features.failures => acts.push(Act::FailAfter(rng.between(1..=3_000))),
            4 if features.failures => acts.push(Act::Discard),
            5 if features.failures => acts.push(Act::Panic),
            6..=7 if features.snoozes => acts.push(Act::Snooze(rng.between(1..=4_000))),
            _ => break,
        }
    }
    acts.push(Act::Complete);
    acts
}

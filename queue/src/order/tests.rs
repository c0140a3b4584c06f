use super::*;
use proptest::prelude::*;

/// All gates are open.
const OPEN: fn(&str, &str) -> bool = |_, _| true;

const START: Now = Now { steady: Steady(1_000), wall: Wall(100_000) };

fn at(milliseconds: u64) -> Now {
    let passed = Duration::from_millis(milliseconds);
    Now { steady: START.steady.plus(passed), wall: START.wall.plus(passed) }
}

fn entry(queue: &str, kind: &str, priority: i16, stage: Stage) -> Entry {
    Entry { queue: queue.into(), kind: kind.into(), priority, key: None, deadline: None, is_suspect: false, stage }
}

fn ready(kind: &str, priority: i16) -> Entry {
    entry("q", kind, priority, Stage::Waiting(Due::now(START)))
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|&name| name.into()).collect()
}

fn drain(order: &mut Order, kinds: &[&str]) -> Vec<i64> {
    let (queues, kinds) = (names(&["q"]), names(kinds));
    std::iter::from_fn(|| order.first(&queues, &kinds, true, OPEN).inspect(|&id| order.remove(id)))
        .map(|id| id.0)
        .collect()
}

#[test]
fn a_higher_priority_goes_first_and_then_the_older_job() {
    let mut order = Order::default();
    for (id, kind, priority) in [(1, "a", 0), (2, "b", 0), (3, "a", 9), (4, "b", -9), (5, "a", 9), (6, "c", 100)] {
        order.put(JobId(id), ready(kind, priority), START);
    }
    assert_eq!(drain(&mut order, &["a", "b"]), [3, 5, 1, 2, 4]);
    assert_eq!(drain(&mut order, &["c"]), [6]);
    assert!(order.entries().is_empty() && order.lines.is_empty());
}

#[test]
fn what_waits_for_long_counts_as_of_a_higher_priority() {
    let mut order = Order::new(Some(Duration::from_secs(1)));
    let due = |seconds: u64| Stage::Waiting(Due::now(at(seconds * 1_000)));
    // By second 10 the first one counts as 10, the second one as 10 too, and is younger; the third one as 9.
    for (id, priority, seconds) in [(1, 0, 0), (2, 5, 5), (3, 0, 1), (4, 100, 10), (5, -3, 0)] {
        order.put(JobId(id), entry("q", "a", priority, due(seconds)), at(10_000));
    }
    assert_eq!(order.ahead(JobId(3), 10), Place::Exactly(3));
    assert_eq!(drain(&mut order, &["a"]), [4, 1, 2, 3, 5]);
}

#[test]
fn a_queue_counts_its_jobs_wherever_they_stand() {
    let mut order = Order::default();
    let later = Due::after(START, Duration::from_secs(1));
    let stages =
        [Stage::Waiting(Due::now(START)), Stage::Waiting(later), Stage::Held(None), Stage::Leased(Steady(9_000))];
    for (id, stage) in (1..).zip(stages) {
        order.put(JobId(id), entry("q", "a", 0, stage), START);
    }
    order.put(JobId(5), entry("other", "a", 0, stages[0]), START);
    assert_eq!((order.count("q"), order.leased("q"), order.count("other"), order.count("none")), (4, 1, 1, 0));
    order.put(JobId(1), entry("q", "a", 0, stages[3]), START);
    order.remove(JobId(2));
    order.remove(JobId(5));
    assert_eq!((order.count("q"), order.leased("q"), order.count("other")), (3, 2, 0));
    assert_eq!(order.queues().map(|queue| &**queue).collect::<Vec<_>>(), ["q"]);
}

#[test]
fn a_job_joins_its_line_when_either_clock_says_so() {
    let delayed = Stage::Waiting(Due::after(START, Duration::from_millis(500)));
    let (queues, kinds) = (names(&["q"]), names(&["a"]));
    let jumped = Now { wall: Wall(100_500), ..START };
    let slept = Now { steady: Steady(1_500), ..START };
    for now in [jumped, slept] {
        let mut order = Order::default();
        order.put(JobId(1), entry("q", "a", 0, delayed), START);
        order.advance(START);
        assert_eq!(order.first(&queues, &kinds, true, OPEN), None);
        assert_eq!(order.next_event(START), Some(Duration::from_millis(500)));
        order.advance(now);
        assert_eq!(order.first(&queues, &kinds, true, OPEN), Some(JobId(1)));
        assert_eq!(order.next_event(now), None);
    }
}

#[test]
fn a_wall_clock_that_runs_back_takes_jobs_out_of_their_line_unless_steady_time_says_otherwise() {
    let delayed = |milliseconds| Stage::Waiting(Due::after(START, Duration::from_millis(milliseconds)));
    let mut order = Order::default();
    order.put(JobId(1), entry("q", "a", 0, delayed(500)), START);
    order.put(JobId(2), entry("q", "a", 0, delayed(300)), START);
    order.put(JobId(3), entry("q", "a", 0, Stage::Waiting(Due::at(Wall(100_100)))), START);
    order.put(JobId(4), ready("a", 0), START);
    order.advance(Now { wall: Wall(100_500), ..START });
    assert_eq!(order.ahead(JobId(4), 100), Place::Exactly(3));
    order.advance(Now { steady: Steady(1_300), wall: Wall(0) });
    assert_eq!(order.ahead(JobId(4), 100), Place::Exactly(1), "the one with the shortest delay");
    order.advance(at(500));
    assert_eq!(drain(&mut order, &["a"]), [1, 2, 3, 4]);
}

#[test]
fn the_longest_expired_lease_comes_first_and_no_more_than_asked_for() {
    let mut order = Order::default();
    for (id, expires) in [(1, 1_300), (2, 1_100), (3, 1_200), (4, 9_000)] {
        order.put(JobId(id), entry("q", "a", 0, Stage::Leased(Steady(expires))), START);
    }
    assert_eq!(order.expired(at(300), 10), [JobId(2), JobId(3), JobId(1)]);
    assert_eq!(order.expired(at(300), 2), [JobId(2), JobId(3)]);
    assert_eq!(order.expired(at(99), 10), []);
}

#[test]
fn the_line_ahead_is_counted_over_all_kinds_of_the_queue_up_to_a_limit() {
    let mut order = Order::default();
    for id in 1..=10 {
        order.put(JobId(id), ready(if id % 2 == 0 { "a" } else { "b" }, 0), START);
    }
    order.put(JobId(11), entry("other", "a", 50, Stage::Waiting(Due::now(START))), START);
    assert_eq!(order.ahead(JobId(1), 100), Place::Exactly(0));
    assert_eq!(order.ahead(JobId(8), 100), Place::Exactly(7));
    assert_eq!(order.ahead(JobId(8), 4), Place::AtLeast(4));
    assert_eq!(order.ahead(JobId(11), 100), Place::Exactly(0));
}

proptest! {
    #[test]
    fn the_order_agrees_with_a_sorted_list(
        jobs in prop::collection::vec((0..3u8, -2..3i16, 0..50i64, any::<bool>()), 1..40),
        now in 0..60u64,
    ) {
        let now = at(now);
        let mut order = Order::default();
        let mut expected = Vec::new();
        for (id, (kind, priority, delay, steady)) in (1..).zip(&jobs) {
            let wall = START.wall.plus(Duration::from_millis(delay.cast_unsigned()));
            let due = if *steady { Due::after(START, Duration::from_millis(delay.cast_unsigned())) } else { Due::at(wall) };
            let kind = ["a", "b", "c"][usize::from(*kind)];
            order.put(JobId(id), entry("q", kind, *priority, Stage::Waiting(due)), START);
            if due.is_due(now) && kind != "c" {
                expected.push((-i64::from(*priority), id));
            }
        }
        order.advance(now);
        expected.sort();
        let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(drain(&mut order, &["a", "b"]), expected);
    }
}

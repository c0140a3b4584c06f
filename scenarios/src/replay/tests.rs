//! A line that changes nothing makes its file stale, and a line does no more than it says.

use super::{Replay, replay};
use crate::scn::parse;
use outlive_sim::Recording;

/// Plays a file with these blocks, of a store that does not start again for an hour once it is down.
fn play(blocks: &str) -> Replay {
    let text = format!(
        "scenario story\nguards   I1\n\nworld    1 store, workers w1 w2, clients c1, lease 30s, downtime 1h\n\
         job      A kind=mail client=c1 work=2s\njob      B kind=mail client=c1 delay=20s\n\n{blocks}\n\
         settle   1m\nexpect   rows A <= 1\n"
    );
    replay(&parse(&text).unwrap_or_else(|error| panic!("{error}")), Recording::Off)
}

macro_rules! idle_lines {
    ($($name:ident: $blocks:literal, $line:literal;)+) => {$(
        #[test]
        fn $name() {
            let played = play($blocks);
            assert_eq!(played.stale, [format!("`{}` changed nothing", $line)], "{:?}", played.story);
            assert!(!played.passed());
        }
    )+};
}
idle_lines! {
    a_power_loss_that_took_nothing_from_nobody:
        "after    w1 completes A\n  power-loss store keep none\nat       50s\n  power-loss store keep all\n",
        "power-loss store keep all";
    a_worker_that_is_down_can_not_be_stopped:
        "after    w1 completes A\n  crash  w2\n  stop   w2 within 1s\n", "stop w2 within 1s";
    a_worker_that_was_stopped_is_not_stopped_again:
        "after    w1 starts A\n  stop   w1 within 10s\n  stop   w1\n", "stop w1";
    a_job_that_its_client_does_not_know_is_not_cancelled:
        "after    w1 completes A\n  cancel B\nat       5s\n  enqueue B\n", "cancel B";
    a_job_that_has_ended_is_not_cancelled:
        "after    w1 completes A\n  cancel A\n", "cancel A";
    a_client_that_is_down_enqueues_nothing:
        "after    w1 completes A\n  crash  c1\n  enqueue B\n", "enqueue B";
    a_client_that_is_down_cancels_nothing:
        "after    w1 completes A\n  crash  c1\n  cancel B\n", "cancel B";
}

#[test]
fn lines_that_change_something_are_not_stale() {
    let played = play(
        "after    w1 starts A\n  cancel B\n  stop   w2 within 1s\nafter    w1 completes A\n  crash  c1\n\
                       \x20 start  c1\nat       30s\n  power-loss store keep none\n",
    );
    assert!(played.stale.is_empty(), "{:?}", played.stale);
}

#[test]
fn a_pause_that_ends_by_itself_ends_no_later_one() {
    // The first pause would end in the middle of the second, and the handler with it.
    let played = play(
        "after    w1 starts A\n  pause  w1 for 10s\nat       2s\n  resume w1\n  pause  w1\n\
                       at       14s\n  expect A running on w1\n  expect attempts A = 1\n  resume w1\n\
                       after    w1 completes A\n  expect attempts A = 1\n",
    );
    assert!(played.stale.is_empty() && played.unmet.is_empty(), "{played:?}");
}

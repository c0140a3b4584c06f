//! The key-value store of `examples/kv`: each of its bugs is found, shrunk and explained, and the store
//! without them passes the same seeds.

#![cfg(madsim)]

#[path = "../examples/kv/checker.rs"]
mod checker;
#[path = "../examples/kv/hunt.rs"]
mod hunt;
#[path = "../examples/kv/store.rs"]
mod store;
#[path = "../examples/kv/story.rs"]
mod story;
#[path = "../examples/kv/workload.rs"]
mod workload;

use outlive_sim::Recording;

use crate::store::Bug;

/// How many seeds each bug may take to be found: what the example runs.
const SEEDS: u64 = 500;

/// Finds, shrinks and explains a bug; the explanation.
fn explained(bug: Bug) -> String {
    let failing = hunt::first_failure(bug, 1..=SEEDS).expect("the bug is found");
    let hunt::Shrunk { failing: small, tries, necessary } = hunt::shrink(&failing, bug);
    println!("{bug:?}: seed {}, {tries} tries", failing.case.seed.0);
    assert!(necessary.iter().all(|necessary| *necessary == Some(true)), "{necessary:?}");
    assert!(small.case.faults.len() <= 2, "{:?}", small.case);
    assert!(small.case.operations.len() <= 2, "{:?}", small.case);
    assert!(!small.case.faults.is_empty(), "nothing is lost without a fault: {:?}", small.case);
    let again = hunt::judge(&small.case, bug).expect("the small case fails each time");
    assert_eq!(again.violation, small.violation);
    assert!(hunt::judge(&small.case, Bug::None).is_none(), "the store without the bug passes the small case");
    let text = story::explain(&small);
    let lost = small.violation.expected.expect("a put is lost");
    assert!(text.contains(&format!("Put {lost} of {} was acknowledged", small.violation.key)), "{text}");
    for fault in &small.case.faults {
        assert!(text.contains(&story::fault_text(fault)), "{text}");
    }
    let told = story::tell(&small).join("\n");
    assert!(told.contains("acknowledged: put") && told.contains("holds"), "{told}");
    text
}

#[test]
fn appending_behind_a_torn_record_is_found_and_explained() {
    let text = explained(Bug::AppendsBehindTornRecord);
    assert!(text.contains("stopped at a record that is not whole"), "{text}");
}

#[test]
fn emptying_the_log_before_the_directory_is_synced_is_found_and_explained() {
    let text = explained(Bug::EmptiesLogBeforeDirectorySync);
    assert!(text.contains("before the snapshot's name was durable"), "{text}");
}

#[test]
fn the_store_without_a_bug_passes_the_same_seeds() {
    let failing = hunt::first_failure(Bug::None, 1..=SEEDS);
    assert!(failing.is_none(), "{:?}", failing.map(|failing| (failing.case.seed, failing.violation)));
}

#[test]
fn the_checker_names_what_is_lost_and_what_is_invented() {
    use crate::checker::{Clause, check};
    use crate::workload::{Event, Operation, Request};

    let put = |number| Operation {
        number,
        client: 0,
        after: std::time::Duration::ZERO,
        request: Request::Put { key: "a", bytes: 8 },
    };
    let acknowledged = |number| [Event::Invoked(put(number)), Event::Put { operation: put(number), at_byte: 0 }];
    // The second put is acknowledged, and the third has no answer: it may have had its effect.
    let [first, second] = [acknowledged(1), acknowledged(2)];
    let seen = [&first[..], &second[..], &[Event::Invoked(put(3))]].concat();
    let lost = Some(Clause::Lost);
    let cases = [(Some(2), None), (Some(3), None), (Some(1), lost), (None, lost), (Some(7), Some(Clause::Invented))];
    for (found, clause) in cases {
        let history = outlive_sim::History::new();
        seen.iter().cloned().for_each(|event| history.record_world(event));
        history.record_world(Event::Left { key: "a", found });
        assert_eq!(check(&history.entries()).first().map(|violation| violation.clause), clause, "{found:?}");
        // What was read once is not seen to vanish.
        history.record_world(Event::Left { key: "a", found: Some(2) });
        let vanished = check(&history.entries()).last().map(|violation| violation.clause);
        assert_eq!(vanished.is_some(), found != Some(2), "{found:?}");
    }
}

#[test]
fn a_case_has_the_same_hash_each_time() {
    let case = workload::Case::draw(outlive_sim::Seed(7));
    let hashes = [(); 2].map(|()| workload::play(&case, Bug::None, Recording::Off).hash);
    assert_eq!(hashes[0], hashes[1]);
}

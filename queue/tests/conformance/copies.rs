//! Who copies the file keeps it still, and not for ever.

use crate::bench::{job, on_every_store_with};
use outlive::Options;
use outlive::limits;
use outlive::protocol::{CallError, Enqueue};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn a_snapshot_stands_still_for_an_hour_and_is_given_up_then() {
    let options = Options { checkpoint_frames: 4, ..Options::default() };
    let in_files = AtomicUsize::new(0);
    on_every_store_with(options, async |bench| {
        bench.enqueue(job("a")).await;
        let mut snapshot = match bench.outlive().service().snapshot().await {
            Ok(snapshot) => snapshot,
            Err(CallError::Rejected { .. }) => return,
            Err(error) => panic!("{error}"),
        };
        in_files.fetch_add(1, Ordering::Relaxed);
        let second = bench.outlive().service().snapshot().await.unwrap_err();
        assert!(second.to_string().contains("another copy of this queue is being made"), "{second}");
        let read = |snapshot: &mut dyn outlive::store::Snapshot| {
            let mut page = vec![0; snapshot.page_bytes()];
            let all: Result<Vec<Vec<u8>>, _> =
                (1..=snapshot.pages()).map(|number| snapshot.read(number, &mut page).map(|()| page.clone())).collect();
            all.map_err(|error| error.to_string())
        };
        let before = read(&mut snapshot).unwrap();
        for _ in 0..20 {
            bench.enqueue(Enqueue::new("a", format!("{:?}", "x".repeat(5_000)))).await;
        }
        bench.pass(limits::SNAPSHOT_MAX - Duration::from_secs(1)).await;
        bench.enqueue(job("a")).await;
        assert!(read(&mut snapshot).unwrap() == before, "nothing has moved");
        bench.pass(Duration::from_secs(1)).await;
        bench.enqueue(job("a")).await;
        let why = read(&mut snapshot).unwrap_err();
        assert!(why.contains("the queue could not wait for the copy any longer: it waits for 1h"), "{why}");
        // Whoever comes next has his own hour; an opening ends it.
        let mut next = bench.outlive().service().snapshot().await.unwrap();
        assert!(read(&mut next).unwrap() != before);
        bench.reopen().await;
        assert!(read(&mut next).is_err(), "the file is somebody else's now");
    });
    assert_eq!(in_files.into_inner(), 1, "one of the stores is a file");
}

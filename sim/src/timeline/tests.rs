use std::time::Duration;

use super::*;
use crate::{Action, Fault, Nemesis, OpenMode, Options, Seed, Survivors, Trigger, run, sleep_true};

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// One lane, and happenings of which each has the causes that are given.
fn timeline(causes: &[&[usize]]) -> Timeline {
    let happening = |(place, causes): (usize, &&[usize])| Happening {
        at: at(place as u64),
        lane: LaneId(0),
        kind: Kind::Note,
        minor: false,
        text: format!("event {place}"),
        causes: causes.iter().copied().map(HappeningId).collect(),
    };
    let lanes = vec![Lane { name: "one".into(), kind: LaneKind::Machine }];
    let happenings = causes.iter().enumerate().map(happening).collect();
    Timeline { lanes, happenings, ended: at(causes.len() as u64), ..Timeline::default() }
}

#[test]
fn a_chain_holds_causes_and_nothing_else_in_order_of_time() {
    let timeline = timeline(&[&[], &[0], &[], &[1], &[2, 3], &[4]]);
    let links = |of: usize| timeline.chain(HappeningId(of)).links.iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(links(3), [0, 1, 3]);
    assert_eq!(links(4), [0, 1, 2, 3, 4]);
    assert_eq!(links(2), [2]);
    assert_eq!(timeline.chain(HappeningId(4)).left_out, 0);
    assert_eq!(timeline.tell(&timeline.chain(HappeningId(1))), "    0.000 s  one  event 0\n    0.001 s  one  event 1");
}

#[test]
fn a_long_chain_keeps_the_nearest_causes_and_says_how_many_it_leaves_out() {
    let causes: Vec<Vec<usize>> = (0..40_usize).map(|place| place.checked_sub(1).into_iter().collect()).collect();
    let causes: Vec<&[usize]> = causes.iter().map(Vec::as_slice).collect();
    let timeline = timeline(&causes);
    let chain = timeline.chain(HappeningId(39));
    assert_eq!(chain.links.first(), Some(&HappeningId(25)));
    assert_eq!(chain.links.last(), Some(&HappeningId(39)));
    assert_eq!((chain.links.len(), chain.left_out), (15, 25));
    assert!(timeline.tell(&chain).starts_with("(25 earlier causes are left out)\n"));
}

#[test]
fn text_of_the_system_is_never_markup() {
    let evil = "</script><script>alert(1)</script><!-- \" onload='x' & \u{7}";
    let mut timeline = timeline(&[&[]]);
    timeline.happenings[0].text = evil.into();
    timeline.story = vec![Sentence { text: evil.into(), happening: Some(HappeningId(0)) }];
    (timeline.title, timeline.command, timeline.verdict.words) = (evil.into(), evil.into(), evil.into());
    timeline.lanes[0].name = evil.into();
    timeline.left_out = vec![evil.into()];
    timeline.columns = vec![evil.into()];
    timeline.tables = vec![Table { at: at(0), title: evil.into(), rows: vec![vec![evil.into()]] }];
    timeline.spans = vec![Span {
        lane: LaneId(0),
        kind: SpanKind::Life,
        from: at(0),
        to: None,
        label: evil.into(),
        text: evil.into(),
        begun_by: None,
    }];
    let page = html(&timeline);
    assert!(!page.contains("<script>alert"));
    let (before, rest) = page.split_once("id=\"data\">").unwrap();
    assert!(!before.contains("onload='x'") && !rest.split_once("</script>").unwrap().1.contains("onload='x'"));
    assert_eq!(page.matches("</script>").count(), 2, "those of the page itself");
    assert_eq!(page.matches("<!--").count(), 0);
    assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "it is there, as text");
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["happenings"][0][4], evil);
    assert_eq!(data["rows"][0][0], evil);
}

#[test]
fn a_page_is_bounded_and_says_what_it_leaves_out() {
    let mut many = timeline(&vec![&[][..]; 20_000]);
    many.happenings.iter_mut().for_each(|it| {
        it.minor = true;
        it.text = "x".repeat(5_000);
    });
    many.happenings[19_999].minor = false;
    many.story = vec![Sentence { text: "the first".into(), happening: Some(HappeningId(7_777)) }];
    let page = html(&many);
    assert!(page.contains("14000 minor happenings of 20000 are left out"));
    assert!(page.contains("… (5000 characters in all)"));
    assert!(page.len() < 6_000 * 700 + 200_000, "{} bytes", page.len());
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next()).unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let times: Vec<u64> = data["happenings"].as_array().unwrap().iter().map(|it| it[0].as_u64().unwrap()).collect();
    assert!(times.contains(&7_777_000) && times.contains(&19_999_000), "what the story tells, and what matters");
}

#[test]
fn leases_that_overlap_lie_beside_each_other_and_trust_lies_in_its_lease() {
    let mut timeline = timeline(&[&[]]);
    let span = |kind, from, to, label: &str| Span {
        lane: LaneId(0),
        kind,
        from: at(from),
        to: Some(at(to)),
        label: label.into(),
        text: String::new(),
        begun_by: None,
    };
    timeline.spans = vec![
        span(SpanKind::Lease, 0, 10, "a"),
        span(SpanKind::Trust, 0, 9, "a"),
        span(SpanKind::Lease, 5, 15, "b"),
        span(SpanKind::Trust, 5, 14, "b"),
        span(SpanKind::Lease, 12, 20, "c"),
    ];
    assert_eq!(encode::tracks(&timeline), [0, 0, 1, 1, 0]);
}

/// A machine that writes, syncs, writes more and loses power; then it is paused.
fn seen() -> (Seen, u64) {
    let outcome = run(Seed(7), Options::default(), async |world| {
        let machine = world.add_machine("one");
        world.disk(machine).begin_record();
        let action = Action::PowerLoss(Survivors::None);
        let nemesis = Nemesis::start(
            &world,
            vec![
                Fault { machine, trigger: Trigger::At(at(50)), action },
                Fault { machine, trigger: Trigger::At(at(200)), action: Action::Pause(at(30)) },
                Fault { machine, trigger: Trigger::At(at(300)), action: Action::SyncError(Survivors::Subset) },
            ],
        );
        let process = world.boot(machine, "writer", async |process| {
            let file = process.disk().open("/log", OpenMode::Any).unwrap();
            process.disk().set_tag(1);
            file.write_at(0, b"first").unwrap();
            file.write_at(5, b"first").unwrap();
            file.sync().unwrap();
            process.disk().sync_directory("/").unwrap();
            process.disk().set_tag(2);
            file.write_at(10, b"second").unwrap();
            std::future::pending::<()>().await;
        });
        world.exited(process).await;
        world.boot(machine, "writer", async |_| std::future::pending::<()>().await);
        sleep_true(at(400)).await;
        Seen::of(&world, &nemesis)
    });
    (outcome.result.unwrap(), outcome.hash)
}

fn drawn(seen: &Seen) -> Timeline {
    let machine = crate::MachineId(0);
    let mut draft = Draft::of(seen, &[machine]);
    let fate = draft.draw_disk(seen, machine, |tag| format!("commit {tag}"));
    let lost = fate.lost[&2][0];
    draft.finish(Timeline { title: "test".into(), ..Timeline::default() }, &[lost], |timeline, named| {
        let chain = timeline.chain(named[0]);
        chain
            .links
            .iter()
            .map(|id| Sentence { text: timeline.happening(*id).text.clone(), happening: Some(*id) })
            .collect()
    })
}

#[test]
fn what_the_simulator_knows_becomes_lanes_spans_and_causes() {
    let timeline = drawn(&seen().0);
    let texts = |kind| -> Vec<&str> {
        timeline.happenings.iter().filter(|it| it.kind == kind).map(|it| it.text.as_str()).collect()
    };
    assert_eq!(timeline.lanes.iter().map(|lane| lane.name.as_str()).collect::<Vec<_>>(), ["one", "one: disk"]);
    assert_eq!(texts(Kind::Boot), ["writer 1 boots", "writer 2 boots"]);
    assert_eq!(texts(Kind::Crash), ["writer 1 is dead"]);
    assert_eq!(texts(Kind::Pause), ["writer 2 is paused"]);
    assert_eq!(texts(Kind::Resume), ["writer 2 goes on"]);
    assert_eq!(
        texts(Kind::Fault),
        [
            "fault: power loss that takes all that was not synced",
            "fault: pause of 30.0ms",
            "fault: a sync that fails; it changed nothing",
        ]
    );
    assert!(texts(Kind::Write).contains(&"commit 1: 2 writes to /log, 10 bytes"), "{:?}", texts(Kind::Write));
    assert_eq!(texts(Kind::Lost), ["power loss: 1 change of commit 2 lost (1 whole, 0 torn, 0 names undone, 0 kept)"]);
    let story: Vec<&str> = timeline.story.iter().map(|it| it.text.as_str()).collect();
    assert_eq!(
        story,
        [
            "commit 2: 1 write to /log, 6 bytes",
            "fault: power loss that takes all that was not synced",
            "power loss: 1 change of commit 2 lost (1 whole, 0 torn, 0 names undone, 0 kept)",
        ]
    );
    let paused = timeline.spans.iter().find(|span| span.kind == SpanKind::Pause).unwrap();
    // A timer is late by a little.
    let ms = |time: Duration| time.as_millis();
    assert_eq!((ms(paused.from), paused.to.map(ms)), (200, Some(230)));
}

#[test]
fn the_same_run_makes_the_same_bytes_and_a_timeline_survives_json() {
    let (first, second) = (drawn(&seen().0), drawn(&seen().0));
    assert_eq!(html(&first), html(&second));
    let json = serde_json::to_string(&first).unwrap();
    assert_eq!(serde_json::from_str::<Timeline>(&json).unwrap(), first);
}

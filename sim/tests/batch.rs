//! A batch in child processes. The test is a program of its own, because it is also the child.

fn main() {
    if std::env::args().nth(1).as_deref() == Some("child") {
        return parts::child();
    }
    parts::every_seed_has_its_answer_and_a_dead_child_names_its_own();
    parts::a_seed_has_the_same_hash_in_another_process();
}

mod parts {
    use std::time::Duration;

    use outlive_sim::{Answer, Batch, OpenMode, Options, Seed, run, serve, sleep_true};

    /// The seeds on which a child dies, talks nonsense, and hangs.
    const DEADLY: u64 = 7;
    const NONSENSE: u64 = 13;
    const ENDLESS: u64 = 23;

    pub fn child() {
        let answer = |seed: Seed| {
            if seed.0 == DEADLY {
                std::process::exit(3);
            }
            if seed.0 == NONSENSE {
                println!("not a number");
            }
            if seed.0 == ENDLESS {
                loop {
                    std::thread::park();
                }
            }
            hash(seed)
        };
        serve(answer).expect("the pipes hold");
    }

    fn hash(seed: Seed) -> u64 {
        run(seed, Options::default(), async |world| {
            let machine = world.add_machine("one");
            let process = world.boot(machine, "writer", async |process| {
                let file = process.disk().open("/a", OpenMode::New).unwrap();
                let mut bytes = [0; 64];
                process.fill_random(&mut bytes);
                file.write_at(0, &bytes).unwrap();
            });
            world.exited(process).await;
            sleep_true(Duration::from_secs(1)).await;
        })
        .hash
    }

    fn batch() -> Batch {
        let seed_limit = Duration::from_secs(2);
        Batch { children: 3, seed_limit, ..Batch::of_this_program(["child"]).unwrap() }
    }

    pub fn every_seed_has_its_answer_and_a_dead_child_names_its_own() {
        let mut progress = 0;
        let answers = batch().run::<u64>((1..=40).map(Seed), |_, _| progress += 1).unwrap();
        assert_eq!((answers.len(), progress), (40, 40));
        for (seed, answer) in &answers {
            match answer {
                Answer::Result(_) => assert!(![DEADLY, NONSENSE, ENDLESS].contains(&seed.0)),
                Answer::Died(how) if seed.0 == ENDLESS => assert!(how.contains("no answer"), "{how}"),
                Answer::Died(how) if seed.0 == DEADLY => assert!(how.contains("status: 3"), "{how}"),
                Answer::Died(how) => {
                    assert!(seed.0 == NONSENSE && how.contains("not a number"), "{seed:?}: {how}");
                }
            }
        }
    }

    pub fn a_seed_has_the_same_hash_in_another_process() {
        let answers = batch().run::<u64>([Seed(1), Seed(2)], |_, _| ()).unwrap();
        for (seed, answer) in answers {
            assert_eq!(answer, Answer::Result(hash(seed)));
        }
    }
}

//! What rewrites a whole file, crashed at every change of its disk, with every choice of what survives: a migration from each
//! earlier format, and a compaction. Whatever a crash leaves opens with all that was in the file, and is brought to its end.

use outlive::job::State;
use outlive::protocol::JobView;
use outlive::store::turso::{FORMAT, TursoStorage};
use outlive::{Error, Job, JobId, Options as QueueOptions, Outlive};
use outlive_scenarios::host::SimHost;
use outlive_scenarios::image::Rows;
use outlive_sim::sweep::{CrashImage, Sweep};
use outlive_sim::{OpenMode, Options, Process, Seed, SimDisk, View, run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PATH: &str = "/queue.db";
const LOG: &str = "/queue.db-wal";
/// Where the format stands in the header of a database: the user version.
const FORMAT_AT: std::ops::Range<usize> = 60..64;
/// In each of the files.
const JOBS: i64 = 5;

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Job for Note {
    const KIND: &'static str = "note";
    type Output = ();
}

/// Bytes by path.
type Files = BTreeMap<String, Vec<u8>>;

/// What a process does with the file, until it ends.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Puts jobs there, and rows of its own between them, which it deletes.
    Wear,
    /// Opens it, which brings it to this format.
    Open,
    /// Makes it smaller.
    Compact,
}

/// What came of that.
struct Came {
    /// All that a crash may leave.
    sweep: Sweep,
    /// The jobs, or why they are not there.
    jobs: Result<Vec<JobView>, String>,
    /// The disk afterwards, as processes see it.
    disk: SimDisk,
}

/// What is on the disk before.
enum Before {
    Files(Files),
    Crashed(CrashImage),
}

fn live(before: Before, work: Work) -> Came {
    let outcome = run(Seed(1), Options::default(), async move |world| {
        let machine = world.add_machine("one");
        let disk = world.disk(machine);
        match before {
            Before::Files(files) => {
                put(&disk, &files);
                disk.begin_record();
            }
            Before::Crashed(image) => image.install(&disk),
        }
        let heard = Arc::new(Mutex::new(Err("the process died".to_owned())));
        let told = heard.clone();
        let process = world.boot(machine, "program", async move |process| {
            let jobs = act(&process, work).await.map_err(|error| error.to_string());
            *told.lock().unwrap() = jobs;
        });
        world.exited(process).await;
        let jobs = heard.lock().unwrap().clone();
        Came { sweep: Sweep::of(&disk), jobs, disk: disk.image(View::Cache) }
    });
    outcome.result.unwrap()
}

fn put(disk: &SimDisk, files: &Files) {
    let door = disk.onlooker();
    for (path, bytes) in files {
        let file = door.open(path, OpenMode::New).unwrap();
        file.write_at(0, bytes).unwrap();
        file.sync().unwrap();
    }
    door.sync_directory("/").unwrap();
}

async fn act(process: &Process, work: Work) -> Result<Vec<JobView>, Error> {
    let host = SimHost::new(process, Duration::from_millis(1));
    let storage = TursoStorage::new(host.clone(), PATH);
    let options = QueueOptions { page_bytes: 1_024, checkpoint_frames: 16, ..QueueOptions::default() };
    let outlive = Outlive::open_on(host, storage, options).await?;
    match work {
        Work::Wear => wear(&outlive).await?,
        Work::Open => {}
        Work::Compact => drop(outlive.compact().await?),
    }
    let mut jobs = Vec::new();
    for job in 1..=JOBS {
        jobs.push(outlive.look(JobId(job)).await?);
    }
    Ok(jobs)
}

async fn wear(outlive: &Outlive<SimHost>) -> Result<(), Error> {
    let run = async |sql: &str| outlive.transaction(async |tx| tx.execute(sql, ()).await.map(drop)).await;
    run("CREATE TABLE heap (bytes BLOB)").await?;
    for job in 1..=JOBS {
        let row = format!("('{}')", "x".repeat(900));
        run(&format!("INSERT INTO heap VALUES {}", vec![row; 8].join(", "))).await?;
        outlive.enqueue(Note { text: format!("{job} {}", "y".repeat(1_500)) }).await?;
    }
    run("DELETE FROM heap").await
}

/// The file at [`PATH`] of a disk, and its log.
fn files_of(disk: &SimDisk) -> Files {
    [PATH, LOG].iter().filter_map(|path| Some(((*path).to_owned(), disk.read_all(path).ok()?))).collect()
}

/// The files that a version of this format has left.
fn left_by(format: i64) -> Files {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../queue/tests/formats");
    let files = [(PATH, format!("{format}.db")), (LOG, format!("{format}.db-wal"))];
    files.into_iter().filter_map(|(path, name)| Some((path.to_owned(), std::fs::read(kept.join(name)).ok()?))).collect()
}

fn format_of(disk: &SimDisk) -> i64 {
    let bytes = disk.read_all(PATH).unwrap()[FORMAT_AT].try_into().unwrap();
    u32::from_be_bytes(bytes).into()
}

fn length(disk: &SimDisk) -> usize {
    disk.read_all(PATH).unwrap().len()
}

/// What is wrong with what came after a crash, compared with what comes when nothing happens.
fn wrong(came: &Came, calm: &Came) -> Option<String> {
    let (jobs, calm_jobs) = match (&came.jobs, &calm.jobs) {
        (Ok(jobs), Ok(calm)) => (jobs, calm),
        (Err(why), _) | (_, Err(why)) => return Some(why.clone()),
    };
    if jobs != calm_jobs {
        return Some(format!("the jobs are {jobs:?}, not {calm_jobs:?}"));
    }
    let (rows, calm_rows) = match (Rows::read_whole(&came.disk, PATH), Rows::read_whole(&calm.disk, PATH)) {
        (Ok(rows), Ok(calm)) => (rows, calm),
        (Err(why), _) | (_, Err(why)) => return Some(format!("the file does not read: {why}")),
    };
    let others = |rows: &Rows| {
        let Rows { keys, ends, steps, signals, schedules, waits, .. } = rows;
        let schedules: Vec<_> = schedules.keys().collect();
        format!("{keys:?} {ends:?} {steps:?} {signals:?} {schedules:?} {waits:?}")
    };
    if others(&rows) != others(&calm_rows) {
        return Some(format!("the other rows are {}, not {}", others(&rows), others(&calm_rows)));
    }
    let (format, calm_format) = (format_of(&came.disk), format_of(&calm.disk));
    (format != calm_format).then(|| format!("the file is of format {format}, not {calm_format}"))
}

/// Crashes this work at every change, does it once more with what each crash leaves, and judges what came of that. What `look`
/// says of what crashes leave, and of how many.
fn crash_everywhere(calm: &Came, work: Work, look: impl Fn(&SimDisk) -> String) -> BTreeMap<String, usize> {
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for crash in calm.sweep.images() {
        *left.entry(look(&crash.image.to_disk())).or_default() += 1;
        let came = live(Before::Crashed(crash.image.clone()), work);
        if let Some(why) = wrong(&came, calm) {
            let before = calm.sweep.entries().get(crash.point).map(|entry| &entry.change);
            panic!("{why}\nafter a crash before {before:?} with {:?}", crash.fate);
        }
    }
    left
}

#[test]
fn a_crash_at_any_change_of_a_migration_loses_nothing() {
    for format in 1..FORMAT {
        let calm = live(Before::Files(left_by(format)), Work::Open);
        let states: Vec<State> = calm.jobs.as_ref().unwrap().iter().map(|job| job.state).collect();
        assert_eq!(states[..3], [State::Completed, State::Discarded, State::Cancelled], "format {format}");
        assert_eq!(format_of(&calm.disk), if format % 2 == 0 { FORMAT + 1 } else { FORMAT });
        let left = crash_everywhere(&calm, Work::Open, |disk| format_of(disk).to_string());
        assert!(left.len() == 2 && left.values().all(|images| *images > 10), "of either format: {left:?}");
    }
}

#[test]
fn a_crash_at_any_change_of_a_compaction_loses_nothing() {
    let worn = live(Before::Files(Files::new()), Work::Wear);
    let calm = live(Before::Files(files_of(&worn.disk)), Work::Compact);
    assert_eq!(calm.jobs, worn.jobs);
    assert!(3 * length(&calm.disk) < 2 * length(&worn.disk), "{} of {}", length(&calm.disk), length(&worn.disk));
    let left = crash_everywhere(&calm, Work::Compact, |disk| (length(disk) == length(&worn.disk)).to_string());
    assert!(left.len() == 2 && left.values().all(|images| *images > 10), "as long as before, or shorter: {left:?}");
}

/// What judges the others sees what is lost with a log.
#[test]
fn a_lost_log_is_seen() {
    for format in 2..FORMAT {
        let calm = live(Before::Files(left_by(format)), Work::Open);
        let (mut images, mut seen) = (0, 0);
        for crash in calm.sweep.images() {
            let mut files = files_of(&crash.image.to_disk());
            let is_logged = files.remove(LOG).is_some_and(|log| !log.is_empty());
            if is_logged && format_of(&crash.image.to_disk()) == format {
                images += 1;
                seen += usize::from(wrong(&live(Before::Files(files), Work::Open), &calm).is_some());
            }
        }
        assert!(images > 10 && seen == images, "format {format}: {seen} of {images}");
    }
}

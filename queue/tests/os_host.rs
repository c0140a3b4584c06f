//! The operating system keeps what the host traits promise.
//!
//! A broken promise about threads shows as a test that never ends: nothing here measures time.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "these tests are about the real machine")]

use outlive::host::{Clock, Disk, DiskFile, Host, OpenMode, Os, Role};
use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;
use std::pin::pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;
use tempfile::TempDir;

fn os() -> Os {
    Os::new().unwrap()
}

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

// Files.

#[test]
fn open_demands_what_its_mode_says() {
    let (os, directory) = (os(), directory());
    let path = directory.path().join("file");
    assert_eq!(os.disk().open(&path, OpenMode::Existing).unwrap_err().kind(), ErrorKind::NotFound);
    os.disk().open(&path, OpenMode::New).unwrap().write_at(0, b"kept").unwrap();
    assert_eq!(os.disk().open(&path, OpenMode::New).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(os.disk().open(&path, OpenMode::Existing).unwrap().length().unwrap(), 4);
    assert_eq!(os.disk().open(&path, OpenMode::Any).unwrap().length().unwrap(), 4);
    assert_eq!(os.disk().open(&directory.path().join("other"), OpenMode::Any).unwrap().length().unwrap(), 0);
}

#[test]
fn a_file_reads_what_was_written_and_no_further_than_its_end() {
    let (os, directory) = (os(), directory());
    let file = os.disk().open(&directory.path().join("file"), OpenMode::New).unwrap();
    file.write_at(3, b"abc").unwrap();
    let mut buffer = [0xFF; 8];
    assert_eq!(file.read_at(0, &mut buffer).unwrap(), 6);
    assert_eq!(&buffer, b"\0\0\0abc\xFF\xFF");
    assert_eq!(file.read_at(6, &mut buffer).unwrap(), 0);
    file.truncate(4).unwrap();
    file.truncate(5).unwrap();
    file.sync().unwrap();
    assert_eq!(file.read_at(2, &mut buffer[..3]).unwrap(), 3);
    assert_eq!(&buffer[..3], b"\0a\0");
}

#[test]
fn rename_new_moves_a_file() {
    let (os, directory) = (os(), directory());
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::write(&from, "new").unwrap();
    os.disk().rename_new(&from, &to).unwrap();
    os.disk().sync_directory(directory.path()).unwrap();
    assert!(!from.exists());
    assert_eq!(fs::read(&to).unwrap(), b"new");
}

#[test]
fn rename_new_does_not_replace() {
    let (os, directory) = (os(), directory());
    let (from, to) = (directory.path().join("from"), directory.path().join("to"));
    fs::write(&from, "new").unwrap();
    fs::write(&to, "old").unwrap();
    assert_eq!(os.disk().rename_new(&from, &to).unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&from).unwrap(), b"new");
    assert_eq!(fs::read(&to).unwrap(), b"old");
}

#[test]
fn a_replaced_file_is_no_longer_at_its_path() {
    let (os, directory) = (os(), directory());
    let (path, other) = (directory.path().join("file"), directory.path().join("other"));
    let file = os.disk().open(&path, OpenMode::New).unwrap();
    assert!(file.is_at(&path).unwrap());
    fs::write(&other, "").unwrap();
    assert!(!file.is_at(&other).unwrap());
    fs::rename(&other, &path).unwrap();
    assert!(!file.is_at(&path).unwrap());
    os.disk().remove(&path).unwrap();
    assert!(!file.is_at(&path).unwrap());
    assert!(!file.is_at(&path.join("below")).unwrap());
}

// Locks.

/// Names the file that [`a_child_holds_a_lock`] is to lock; without it that test does nothing.
const CHILD_LOCKS: &str = "OUTLIVE_TEST_CHILD_LOCKS";

/// Not a test by itself: the other process of the tests below, which run it as a child.
#[test]
fn a_child_holds_a_lock() {
    let Some(path) = std::env::var_os(CHILD_LOCKS) else { return };
    let file = os().disk().open(Path::new(&path), OpenMode::Existing).unwrap();
    println!("child locked: {}", file.try_lock().unwrap());
    // Until the parent kills it, or is gone itself.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Another process that tried to lock `path`, and whether it got the lock.
fn child_locks(path: &Path) -> (Child, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_holds_a_lock", "--nocapture"])
        .env(CHILD_LOCKS, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let answer = output.lines().map(Result::unwrap).find(|line| line.contains("child locked: "));
    let locked = answer.expect("the child answers").ends_with("true");
    (child, locked)
}

fn kill(mut child: Child) {
    child.kill().unwrap(); // SIGKILL: no destructor runs.
    child.wait().unwrap();
}

#[test]
fn a_lock_excludes_another_open_file_of_this_process() {
    let (os, directory) = (os(), directory());
    let path = directory.path().join("file");
    let first = os.disk().open(&path, OpenMode::New).unwrap();
    let second = os.disk().open(&path, OpenMode::Existing).unwrap();
    assert!(first.try_lock().unwrap());
    assert!(first.try_lock().unwrap(), "its own lock is not in its way");
    assert!(!second.try_lock().unwrap());
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn a_lock_excludes_another_process() {
    let (os, directory) = (os(), directory());
    let path = directory.path().join("file");
    let file = os.disk().open(&path, OpenMode::New).unwrap();
    assert!(file.try_lock().unwrap());
    let (child, locked) = child_locks(&path);
    kill(child);
    assert!(!locked);
}

#[test]
fn a_lock_dies_with_its_killed_holder() {
    let (os, directory) = (os(), directory());
    let path = directory.path().join("file");
    let file = os.disk().open(&path, OpenMode::New).unwrap();
    let (child, locked) = child_locks(&path);
    let excluded = !file.try_lock().unwrap();
    kill(child);
    assert!(locked);
    assert!(excluded);
    assert!(file.try_lock().unwrap());
}

#[test]
fn closing_another_descriptor_of_the_file_does_not_drop_its_lock() {
    let (os, directory) = (os(), directory());
    let path = directory.path().join("file");
    let file = os.disk().open(&path, OpenMode::New).unwrap();
    assert!(file.try_lock().unwrap());
    drop(fs::File::open(&path).unwrap());
    drop(os.disk().open(&path, OpenMode::Existing).unwrap());
    let (child, locked) = child_locks(&path);
    kill(child);
    assert!(!locked);
}

// Time.

/// Wakes a thread that waits for a future: an executor with no runtime behind it.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    while future.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
        thread::park();
    }
}

#[test]
fn boot_never_runs_back() {
    let os = os();
    let latest = Mutex::new(os.clock().boot());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    let mut latest = latest.lock().unwrap();
                    let now = os.clock().boot();
                    assert!(now >= *latest);
                    *latest = now;
                }
            });
        }
    });
}

#[test]
fn sleep_may_be_polled_on_any_executor_and_outlives_its_host() {
    let os = os();
    let clock = os.clock().clone();
    let (begin, duration) = (clock.boot(), Duration::from_millis(2));
    let sleep = clock.sleep(duration);
    drop(os);
    thread::spawn(move || block_on(sleep)).join().unwrap();
    assert!(clock.boot() >= begin + duration, "at least the duration passes");
}

#[test]
fn sleep_may_be_polled_in_a_runtime_without_timers() {
    let sleep = os().clock().sleep(Duration::from_millis(1));
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(sleep);
}

// Tasks.

/// Where work can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Engine,
    Control,
    Handler,
}

const PLACES: [Place; 3] = [Place::Engine, Place::Control, Place::Handler];

/// The roles whose tasks can be cancelled.
const ROLES: [Role; 2] = [Role::Control, Role::Handler];

/// Starts work that runs to its end.
fn start(os: &Os, place: Place, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
    match place {
        Place::Engine => os.spawn_engine(name, move || work),
        Place::Control => os.spawn(Role::Control, name, work).detach(),
        Place::Handler => os.spawn(Role::Handler, name, work).detach(),
    }
}

/// How many handlers run at once, each on a thread of its own.
fn handler_threads() -> usize {
    thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

/// Handlers that block every thread for handlers until the sender is dropped.
fn block_all_handlers(os: &Os) -> Sender<()> {
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let (start, started) = channel();
    for _ in 0..handler_threads() {
        let (start, released) = (start.clone(), Arc::clone(&released));
        let handler = async move {
            start.send(()).unwrap();
            // One waits for the release, the others for the lock: all of them block.
            _ = released.lock().unwrap().recv();
        };
        os.spawn(Role::Handler, "handler", handler).detach();
    }
    for _ in 0..handler_threads() {
        started.recv().unwrap();
    }
    release
}

#[test]
fn handlers_that_block_their_threads_do_not_delay_control_or_engine() {
    let os = os();
    let release = block_all_handlers(&os);
    let (done, finished) = channel();
    for place in [Place::Control, Place::Engine] {
        let (done, clock) = (done.clone(), os.clock().clone());
        let work = async move {
            clock.sleep(Duration::from_millis(1)).await;
            done.send(place).unwrap();
        };
        start(&os, place, "work", work);
    }
    let mut places = [finished.recv().unwrap(), finished.recv().unwrap()];
    places.sort_by_key(|place| format!("{place:?}"));
    assert_eq!(places, [Place::Control, Place::Engine]);
    drop(release);
}

#[test]
fn an_engine_that_blocks_its_thread_does_not_delay_another() {
    let os = os();
    let (release, released) = channel::<()>();
    let (begin, begun) = channel();
    let blocking = async move {
        begin.send(()).unwrap();
        _ = released.recv();
    };
    start(&os, Place::Engine, "blocking", blocking);
    begun.recv().unwrap();
    let (done, finished) = channel();
    for place in PLACES {
        let done = done.clone();
        start(&os, place, "work", async move { done.send(()).unwrap() });
        finished.recv().unwrap();
    }
    drop(release);
}

#[test]
fn threads_carry_names_for_people() {
    let os = os();
    let expected = [
        (Place::Engine, "engine of jobs.db"),
        (Place::Control, "outlive-control"),
        (Place::Handler, "outlive-handler"),
    ];
    for (place, name) in expected {
        let (send, receive) = channel();
        let work = async move { send.send(thread::current().name().map(str::to_owned)).unwrap() };
        start(&os, place, "engine of jobs.db", work);
        assert_eq!(receive.recv().unwrap().as_deref(), Some(name));
    }
}

/// Work that tells when it runs and never ends. It holds `held`, and answers when it is dropped.
fn endless<T: Send + 'static>(held: T) -> (impl Future<Output = ()> + Send, Receiver<()>, Receiver<()>) {
    let (start, started) = channel();
    let (alive, ended) = channel();
    let work = async move {
        start.send(()).unwrap();
        std::future::pending::<()>().await;
        drop((alive, held));
    };
    (work, started, ended)
}

#[test]
fn dropping_a_task_cancels_its_work() {
    let os = os();
    for role in ROLES {
        let (work, started, ended) = endless(());
        let task = os.spawn(role, "endless", work);
        started.recv().unwrap();
        drop(task);
        assert!(ended.recv().is_err(), "its end of the channel was dropped");
    }
}

#[test]
fn an_engines_work_need_not_be_send() {
    let (done, finished) = channel();
    os().spawn_engine("engine", move || {
        let rows = std::rc::Rc::new(7);
        async move {
            tokio::task::yield_now().await;
            done.send(*rows).unwrap();
        }
    });
    assert_eq!(finished.recv().unwrap(), 7);
}

#[test]
fn engines_and_detached_work_run_on_after_their_host_is_gone() {
    for place in PLACES {
        let (go, going) = tokio::sync::oneshot::channel::<()>();
        let (done, finished) = channel();
        let os = os();
        let work = async move {
            going.await.unwrap();
            done.send(()).unwrap();
        };
        start(&os, place, "work", work);
        drop(os);
        go.send(()).unwrap();
        finished.recv().unwrap();
    }
}

#[test]
fn work_that_panics_takes_no_thread_with_it() {
    let os = os();
    for place in PLACES {
        let (alive, ended) = channel::<()>();
        let work = async move {
            let _alive = alive;
            panic!("on purpose");
        };
        start(&os, place, "panics", work);
        assert!(ended.recv().is_err());
        let (done, finished) = channel();
        start(&os, place, "work", async move { done.send(()).unwrap() });
        finished.recv().unwrap();
    }
}

#[test]
fn blocking_work_runs_beside_blocked_handlers_and_after_its_host() {
    let os = os();
    let release = block_all_handlers(&os);
    let (done, finished) = channel();
    os.spawn_blocking("blocking", move || {
        // Handlers' libraries find their runtime here too.
        let _runtime = tokio::runtime::Handle::current();
        done.send(()).unwrap();
    });
    drop(os);
    finished.recv().unwrap();
    drop(release);
}

#[test]
fn handlers_run_on_the_callers_runtime_and_control_does_not() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).thread_name("callers").build().unwrap();
    let os = Os::with_handler_runtime(runtime.handle().clone()).unwrap();
    for (place, expected) in [(Place::Handler, true), (Place::Control, false), (Place::Engine, false)] {
        let (send, receive) = channel();
        start(&os, place, "work", async move { send.send(thread::current().name() == Some("callers")).unwrap() });
        assert_eq!(receive.recv().unwrap(), expected);
    }
}

/// A host all of whose threads have started.
async fn busy_os() -> Os {
    let os = os();
    for place in PLACES {
        let (done, finished) = tokio::sync::oneshot::channel();
        start(&os, place, "work", async move { done.send(()).unwrap() });
        finished.await.unwrap();
    }
    os
}

#[tokio::test]
async fn dropping_the_last_host_in_async_code_does_not_panic() {
    drop(busy_os().await);
}

#[tokio::test]
async fn a_host_may_be_dropped_last_by_its_own_tasks() {
    for place in PLACES {
        let os = busy_os().await;
        let (last, dropped) = tokio::sync::oneshot::channel();
        let (go, going) = tokio::sync::oneshot::channel::<()>();
        let held = os.clone();
        let work = async move {
            going.await.unwrap();
            drop(held);
            last.send(()).unwrap();
        };
        start(&os, place, "work", work);
        drop(os);
        go.send(()).unwrap();
        dropped.await.unwrap();
    }
}

#[test]
fn a_host_may_be_dropped_last_by_a_cancelled_task() {
    for role in ROLES {
        let os = os();
        let (work, started, ended) = endless(os.clone());
        let task = os.spawn(role, "endless", work);
        started.recv().unwrap();
        drop(os);
        drop(task);
        assert!(ended.recv().is_err());
    }
}

// The rest.

#[test]
fn randomness_differs_from_call_to_call() {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    os().fill_random(&mut first);
    os().fill_random(&mut second);
    assert_ne!(first, second);
}

#[test]
fn a_process_is_named_by_its_number() {
    assert_eq!(os().process(), format!("pid {}", std::process::id()));
}

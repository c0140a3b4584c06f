//! A host whose time is moved by hand and whose randomness is drawn from a seed. Its disk and its
//! threads are the operating system's.
//!
//! It never lets time pass by itself, so a test that waits for time it did not move never ends.

use outlive::host::os::OsDisk;
use outlive::host::{Clock, Host, Os, Role, Task};
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// The wall time at which every test begins: some day of the year 2023.
pub const WALL_START: Duration = Duration::from_secs(1_700_000_000);

/// One process on an imagined machine. Clones are the same process.
#[derive(Clone)]
pub struct HandHost {
    os: Os,
    clock: HandClock,
    random: Arc<Source>,
    engines: watch::Sender<usize>,
}

/// A clock that stands still unless it is moved.
#[derive(Clone)]
pub struct HandClock {
    times: watch::Sender<Times>,
}

#[derive(Clone, Debug)]
struct Times {
    wall: Duration,
    boot: Duration,
    /// The time of which sleepers were told.
    rung: Duration,
    /// Until when each sleeper sleeps.
    sleeping: Vec<Duration>,
}

/// A seeded stream of random numbers.
///
/// Source: S. Vigna, "splitmix64.c", 2015, in the public domain.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of `choices`.
    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        let index = self.below(choices.len() as u64);
        choices[usize::try_from(index).expect("an index")].clone()
    }
}

/// Where a host draws random numbers.
struct Source {
    stream: Mutex<Stream>,
    changed: Condvar,
}

struct Stream {
    random: Random,
    held: bool,
    /// How many wait while it is held.
    waiting: usize,
}

/// Nobody draws a random number while this lives.
pub struct Held<'a>(&'a Source);

impl Held<'_> {
    /// Waits until somebody waits for a random number.
    pub fn until_awaited(&self) {
        let stream = self.0.changed.wait_while(self.0.stream(), |stream| stream.waiting == 0);
        drop(stream.expect("nothing panics while it draws"));
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.stream().held = false;
        self.0.changed.notify_all();
    }
}

impl Source {
    fn new(seed: u64) -> Self {
        let stream = Stream { random: Random::new(seed), held: false, waiting: 0 };
        Self { stream: Mutex::new(stream), changed: Condvar::new() }
    }

    fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().expect("nothing panics while it draws")
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut stream = self.stream();
        stream.waiting += 1;
        self.changed.notify_all();
        let stream_free = self.changed.wait_while(stream, |stream| stream.held);
        stream = stream_free.expect("nothing panics while it draws");
        stream.waiting -= 1;
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&stream.random.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

impl HandHost {
    pub fn new(seed: u64) -> Self {
        // Not zero: some time has passed since the machine was started.
        let boot = Duration::from_secs(500);
        let times = Times { wall: WALL_START, boot, rung: boot, sleeping: Vec::new() };
        Self {
            os: Os::new().expect("the system gives randomness"),
            clock: HandClock { times: watch::Sender::new(times) },
            random: Arc::new(Source::new(seed)),
            engines: watch::Sender::new(0),
        }
    }

    /// The same machine and time, with another stream of randomness: what its user draws does not
    /// change what anybody else draws.
    pub fn with_own_randomness(&self, seed: u64) -> Self {
        Self { random: Arc::new(Source::new(seed)), ..self.clone() }
    }

    /// Makes whoever draws a random number wait until this is dropped.
    pub fn hold_randomness(&self) -> Held<'_> {
        self.random.stream().held = true;
        Held(&self.random)
    }

    /// Waits until every engine has ended, and has dropped all that it held.
    pub async fn no_engine(&self) {
        let mut engines = self.engines.subscribe();
        engines.wait_for(|count| *count == 0).await.expect("this host holds the sender");
    }
}

impl HandClock {
    /// Lets time pass. Whoever sleeps is not told: a sleep may be late.
    pub fn pass(&self, duration: Duration) {
        self.times.send_modify(|times| {
            times.boot += duration;
            times.wall += duration;
        });
    }

    /// Lets time pass while the wall clock stands still.
    pub fn pass_steady(&self, duration: Duration) {
        self.times.send_modify(|times| times.boot += duration);
    }

    /// Sets the wall clock.
    pub fn set_wall(&self, wall: Duration) {
        self.times.send_modify(|times| times.wall = wall);
    }

    /// Wakes whoever has slept long enough.
    pub fn ring(&self) {
        self.times.send_modify(|times| times.rung = times.boot);
    }

    /// Waits until somebody sleeps for exactly `duration` from now on.
    pub async fn somebody_sleeps_for(&self, duration: Duration) {
        let mut times = self.times.subscribe();
        let asleep = times.wait_for(|times| times.sleeping.contains(&(times.boot + duration))).await;
        drop(asleep.expect("this clock holds the sender"));
    }

    /// Waits until somebody sleeps.
    pub async fn somebody_sleeps(&self) {
        let mut times = self.times.subscribe();
        let asleep = times.wait_for(|times| !times.sleeping.is_empty()).await;
        drop(asleep.expect("this clock holds the sender"));
    }
}

impl Clock for HandClock {
    fn wall(&self) -> Duration {
        self.times.borrow().wall
    }

    fn boot(&self) -> Duration {
        self.times.borrow().boot
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        let sleeper = Sleeper::new(self.times.clone(), duration);
        async move {
            let mut times = sleeper.times.subscribe();
            // No time is always long enough.
            let over = times.wait_for(|times| duration.is_zero() || times.rung >= sleeper.until).await;
            drop(over.expect("the sleeper holds the sender"));
        }
    }
}

struct Sleeper {
    times: watch::Sender<Times>,
    until: Duration,
}

impl Sleeper {
    fn new(times: watch::Sender<Times>, duration: Duration) -> Self {
        let mut until = Duration::ZERO;
        times.send_modify(|times| {
            until = times.boot + duration;
            times.sleeping.push(until);
        });
        Self { times, until }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.times.send_modify(|times| {
            let index = times.sleeping.iter().position(|until| *until == self.until).expect("it was put there");
            times.sleeping.swap_remove(index);
        });
    }
}

impl Host for HandHost {
    type Clock = HandClock;
    type Disk = OsDisk;

    fn clock(&self) -> &HandClock {
        &self.clock
    }

    fn disk(&self) -> &OsDisk {
        self.os.disk()
    }

    fn fill_random(&self, bytes: &mut [u8]) {
        self.random.fill(bytes);
    }

    fn process(&self) -> String {
        "process 1".into()
    }

    fn spawn(&self, role: Role, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Task {
        self.os.spawn(role, name, work)
    }

    fn spawn_engine<F: Future<Output = ()> + 'static>(
        &self,
        name: &'static str,
        make: impl FnOnce() -> F + Send + 'static,
    ) {
        let engines = self.engines.clone();
        engines.send_modify(|count| *count += 1);
        let running = Running(engines);
        self.os.spawn_engine(name, move || async move {
            // Dropped after the work and all that it holds, even if that panics.
            let _running = running;
            make().await;
        });
    }

    fn spawn_blocking(&self, name: &'static str, work: impl FnOnce() + Send + 'static) {
        self.os.spawn_blocking(name, work);
    }
}

struct Running(watch::Sender<usize>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

//! Time: the true one, and what the clock of a machine makes of it.
//!
//! *True time* is the simulation's own, which no fault touches: traces, histories and checkers use
//! it, and a process never sees it. A [`MachineClock`] shows wall time, which jumps, and boot time,
//! which runs at a rate of its own. Nothing in here reads a real clock.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::time::TimeHandle;

/// The shortest sleep of a process, as that of a timer with ticks of a millisecond. Without a
/// floor, a loop over `sleep(0)` would never let simulated time pass.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// A longer sleep is cut to this: no run is as long, and a deadline must not overflow.
const SLEEP_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Parts in a million.
const MILLION: u128 = 1_000_000;
/// The largest drift of a clock, 10%: ten times what the fault model allows.
const DRIFT_PPM_MAX: u32 = 100_000;
/// Wall time at the start of a run, since the Unix epoch. A constant: what the wall clock says is
/// no choice worth a seed.
pub const WALL_START: Duration = Duration::from_secs(1_750_000_000);

/// Time since the run began; zero outside of a simulation.
pub fn true_time() -> Duration {
    TimeHandle::try_current().map_or(Duration::ZERO, |time| time.elapsed())
}

/// Waits for `duration` of true time, exactly: no floor of a millisecond. The driver and the
/// nemesis wait with it; a process waits with [`MachineClock::sleep`].
///
/// # Panics
/// Outside of a simulation.
pub fn sleep_true(duration: Duration) -> Sleep {
    // One nanosecond at least, so that every sleep yields to the other tasks.
    let duration = duration.clamp(Duration::from_nanos(1), SLEEP_MAX);
    let time = TimeHandle::current();
    let mut inner = time.sleep(duration);
    // The runtime's floor of a millisecond is in its constructors only, and `reset` goes round it.
    Pin::new(&mut inner).reset(time.now_instant() + duration);
    Sleep { inner, registered: None }
}

/// A wait for a time. It arms one timer for each task that polls it, however often it is polled:
/// the runtime's own arms one at each poll, and a long sleep in a busy select leaves thousands.
#[must_use = "a sleep does nothing unless it is awaited"]
#[derive(Debug)]
pub struct Sleep {
    inner: madsim::time::Sleep,
    registered: Option<Waker>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.inner.is_elapsed() {
            return Poll::Ready(());
        }
        if self.registered.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        self.registered = Some(context.waker().clone());
        Pin::new(&mut self.inner).poll(context)
    }
}

/// The clock of a machine. Clones are the same clock.
#[derive(Clone, Debug)]
pub struct MachineClock(Arc<Mutex<Oscillator>>);

#[derive(Debug)]
struct Oscillator {
    drift_ppm: i32,
    /// True time at the last start of the machine.
    booted: Duration,
    /// The sum of all jumps of the wall clock.
    jumped_ms: i64,
    /// When it was set, in true time, and what it showed from then on.
    wall_set: Vec<(Duration, Duration)>,
}

impl Oscillator {
    /// Sets the sum of all jumps, from now on.
    fn set_jumped(&mut self, jumped_ms: i64) {
        self.jumped_ms = jumped_ms;
        let now = true_time();
        let calm = WALL_START + now;
        let jump = Duration::from_millis(jumped_ms.unsigned_abs());
        let shown = if jumped_ms < 0 { calm.saturating_sub(jump) } else { calm.saturating_add(jump) };
        self.wall_set.push((now, shown));
    }
}

impl MachineClock {
    /// A clock whose boot time gains `drift_ppm` parts in a million on true time (or loses them,
    /// below zero).
    ///
    /// # Panics
    /// If the drift is beyond 10%.
    pub fn new(drift_ppm: i32) -> Self {
        assert!(drift_ppm.unsigned_abs() <= DRIFT_PPM_MAX, "a drift of {drift_ppm} ppm is beyond 10%");
        Self(Arc::new(Mutex::new(Oscillator { drift_ppm, booted: true_time(), jumped_ms: 0, wall_set: vec![] })))
    }

    /// Wall time since the Unix epoch. It jumps when the nemesis says so.
    pub fn wall(&self) -> Duration {
        let jumped_ms = self.0.lock().unwrap().jumped_ms;
        let calm = WALL_START + true_time();
        let jump = Duration::from_millis(jumped_ms.unsigned_abs());
        if jumped_ms < 0 { calm.saturating_sub(jump) } else { calm.saturating_add(jump) }
    }

    /// Time since the machine's last start, at this clock's rate. It never jumps or runs back
    /// while a process lives; a power loss starts it anew.
    pub fn boot(&self) -> Duration {
        let clock = self.0.lock().unwrap();
        let nanos = (true_time() - clock.booted).as_nanos() * rate(clock.drift_ppm) / MILLION;
        Duration::from_nanos(u64::try_from(nanos).expect("a run shorter than 584 years"))
    }

    /// Waits for at least `duration` of boot time, and at least a millisecond.
    ///
    /// # Panics
    /// Outside of a simulation.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        let drift_ppm = self.0.lock().unwrap().drift_ppm;
        let nanos = (duration.min(SLEEP_MAX).as_nanos() * MILLION).div_ceil(rate(drift_ppm));
        sleep_true(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)).max(SLEEP_MIN))
    }

    /// Moves the wall clock by `ms` milliseconds, forwards or backwards.
    pub fn jump_wall(&self, ms: i64) {
        let mut clock = self.0.lock().unwrap();
        let jumped_ms = clock.jumped_ms.saturating_add(ms);
        clock.set_jumped(jumped_ms);
    }

    /// Takes back every jump: the wall clock shows the right time.
    pub fn set_wall_right(&self) {
        let mut clock = self.0.lock().unwrap();
        if clock.jumped_ms != 0 {
            clock.set_jumped(0);
        }
    }

    /// When the wall clock was set, in true time, and what it showed from then on; the first entry is the start of
    /// the run. In between it goes on evenly, so that a wall time can be told in true time afterwards.
    pub fn wall_history(&self) -> Vec<(Duration, Duration)> {
        let start = (Duration::ZERO, WALL_START);
        std::iter::once(start).chain(self.0.lock().unwrap().wall_set.iter().copied()).collect()
    }

    /// What this clock's boot time gains on true time, in parts in a million.
    pub fn drift_ppm(&self) -> i32 {
        self.0.lock().unwrap().drift_ppm
    }

    /// Sets the rate, before the first process reads this clock.
    ///
    /// # Panics
    /// If the drift is beyond 10%, or time has passed at another rate: boot time would jump.
    pub fn set_drift_ppm(&self, drift_ppm: i32) {
        assert!(drift_ppm.unsigned_abs() <= DRIFT_PPM_MAX, "a drift of {drift_ppm} ppm is beyond 10%");
        let mut clock = self.0.lock().unwrap();
        assert!(clock.drift_ppm == drift_ppm || clock.booted == true_time(), "boot time would jump");
        clock.drift_ppm = drift_ppm;
    }

    /// The machine starts again: boot time begins at zero.
    pub(crate) fn restart(&self) {
        self.0.lock().unwrap().booted = true_time();
    }
}

/// Nanoseconds of boot time in a million of true time.
fn rate(drift_ppm: i32) -> u128 {
    u128::try_from(i64::from(drift_ppm) + 1_000_000).expect("the drift is bounded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, Seed, run};

    #[test]
    fn a_fast_clock_gains_and_its_sleeps_are_shorter() {
        let outcome = run(Seed(1), Options::default(), async |_| {
            let clock = MachineClock::new(10_000);
            let (boot, start) = (clock.boot(), true_time());
            clock.sleep(Duration::from_secs(101)).await;
            (clock.boot() - boot, true_time() - start)
        });
        let (boot, truth) = outcome.result.unwrap();
        assert!((101.0..101.001).contains(&boot.as_secs_f64()), "{boot:?}");
        assert!((100.0..100.001).contains(&truth.as_secs_f64()), "{truth:?}");
    }

    #[test]
    fn a_jump_moves_wall_time_and_nothing_else() {
        let outcome = run(Seed(1), Options::default(), async |_| {
            let clock = MachineClock::new(0);
            let before = (clock.wall(), clock.boot(), true_time());
            clock.jump_wall(-60_000);
            (before, (clock.wall(), clock.boot(), true_time()))
        });
        let (before, after) = outcome.result.unwrap();
        assert_eq!(before.0 - after.0, Duration::from_secs(60));
        assert_eq!((before.1, before.2), (after.1, after.2));
    }

    #[test]
    fn a_wall_clock_set_right_has_forgotten_its_jumps() {
        let outcome = run(Seed(1), Options::default(), async |_| {
            let clock = MachineClock::new(0);
            let before = clock.wall();
            clock.jump_wall(-60_000);
            clock.jump_wall(5);
            clock.set_wall_right();
            (before, clock.wall())
        });
        let (before, after) = outcome.result.unwrap();
        assert_eq!(before, after);
    }

    #[test]
    fn a_wall_clock_knows_when_it_was_set() {
        let outcome = run(Seed(1), Options::default(), async |_| {
            let clock = MachineClock::new(0);
            let mut shown = vec![(true_time(), clock.wall())];
            for ms in [-60_000, 5] {
                sleep_true(Duration::from_secs(1)).await;
                clock.jump_wall(ms);
                shown.push((true_time(), clock.wall()));
            }
            sleep_true(Duration::from_secs(1)).await;
            clock.set_wall_right();
            clock.set_wall_right();
            shown.push((true_time(), clock.wall()));
            (shown, clock.wall_history())
        });
        let (shown, history) = outcome.result.unwrap();
        let (start, known) = (history[0], &history[1..]);
        assert_eq!(shown[0].1 - start.1, shown[0].0 - start.0, "it went on evenly from the start");
        assert_eq!(known, &shown[1..]);
    }

    #[test]
    fn a_true_sleep_may_be_shorter_than_a_millisecond() {
        let outcome = run(Seed(1), Options::default(), async |_| {
            let start = true_time();
            sleep_true(Duration::from_micros(20)).await;
            true_time() - start
        });
        let slept = outcome.result.unwrap();
        assert!((Duration::from_micros(20)..Duration::from_micros(22)).contains(&slept), "{slept:?}");
    }

    #[test]
    fn sleeping_for_ever_does_not_overflow() {
        let outcome = run(Seed(1), Options { time_limit: Duration::from_secs(1), ..Options::default() }, async |_| {
            MachineClock::new(-10).sleep(Duration::MAX).await;
        });
        assert!(outcome.result.is_err());
    }
}

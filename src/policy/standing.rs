//! Whether a queue stands, and who is shed while it does: in the manner of CoDel (Nichols and Jacobson, 2012), at the
//! queue's entrance.
//!
//! CoDel drops at the exit, where it knows how long each one has waited. Tasks that are accepted are run, so those are
//! shed that would have to wait for too long by Little's law: as many as wait, by the rate at which they are begun.
//! So is what has come before the queue was seen to stand, within two intervals: the fuller it was then, the longer does
//! the rest wait.
//!
//! CoDel's state ends with the first that has not waited for long. Here that happens all the time, as the queue is kept
//! near the target, and each time the queue would grow for an interval: so it doesn't end before an interval without
//! anybody shed.

use crate::policy::admission::Shed;
use std::time::Duration;

#[derive(Debug)]
pub struct StandingQueue {
    target: Duration,
    interval: Duration,
    /// From the start of a task to that of another, at least an interval later.
    window: Option<Window>,
    stands: bool,
    /// At which tasks were begun in the last window, a second.
    rate: f64,
}

#[derive(Debug)]
struct Window {
    since: Duration,
    /// Those before it.
    starts: u64,
    shortest: Duration,
    shed: bool,
}

/// What is known of the queue at one time.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    pub now: Duration,
    /// Tasks begun so far, whoever spawned them.
    pub starts: u64,
    /// Tasks that wait.
    pub queued: u64,
}

impl StandingQueue {
    pub fn new(target: Duration, interval: Duration) -> Self {
        Self { target, interval, window: None, stands: false, rate: 0.0 }
    }

    /// A task from outside is begun that has waited for so long. It is none of those in sight.
    pub fn begun(&mut self, Sight { now, starts, queued }: Sight, waited: Duration) {
        // Nobody stands behind it.
        let waited = if queued == 0 { Duration::ZERO } else { waited };
        if let Some(window) = &mut self.window {
            let elapsed = now.saturating_sub(window.since);
            if elapsed < self.interval {
                window.shortest = window.shortest.min(waited);
                return;
            }
            self.stands = window.shed || window.shortest > self.target;
            self.rate = starts.saturating_sub(window.starts) as f64 / elapsed.as_secs_f64();
        }
        self.window = Some(Window { since: now, starts, shortest: waited, shed: false });
    }

    /// Whether one is shed that comes now.
    pub fn sheds(&mut self, sight: Sight) -> bool {
        let Sight { now, starts, queued } = sight;
        if let Some(window) = &mut self.window {
            // Nothing from outside was begun for so long, perhaps as all of that was shed: what was begun beside says how fast
            // that goes by now.
            let elapsed = now.saturating_sub(window.since);
            if self.stands && queued > 0 && elapsed >= 2 * self.interval {
                self.rate = starts.saturating_sub(window.starts) as f64 / elapsed.as_secs_f64();
                (window.since, window.starts, window.shed) = (now, starts, false);
            }
        }
        let Some(window) = self.window.as_mut().filter(|_| self.stands) else { return false };
        if queued == 0 {
            // Not each time: kept short, it is empty now and then.
            if now.saturating_sub(window.since) >= 2 * self.interval {
                // Nor is what was shed in it a reason to shed when the next one begins.
                (self.stands, self.window) = (false, None);
            }
            return false;
        }
        let sheds = queued as f64 > self.rate * self.target.as_secs_f64();
        window.shed |= sheds;
        sheds
    }

    /// Whether one that may be shed when it would be begun has waited for too long.
    pub fn drops(&self, waited: Duration) -> Result<(), Shed> {
        if self.stands && waited > self.interval { Err(Shed { waited }) } else { Ok(()) }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{Sight, StandingQueue};
    use proptest::prelude::*;
    use std::collections::VecDeque;
    use std::time::Duration;

    const TARGET: Duration = Duration::from_millis(5);
    const INTERVAL: Duration = Duration::from_millis(100);

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn what_was_shed_before_a_rest_is_no_reason_to_shed_after_it() {
        let mut queue = StandingQueue::new(TARGET, INTERVAL);
        let sight = |now, starts, queued| Sight { now: ms(now), starts, queued };
        for at in 0..5 {
            queue.begun(sight(100 * at, 10 * at, 50), ms(50));
        }
        assert!(queue.sheds(sight(410, 41, 50)));
        assert!(!queue.sheds(sight(1000, 90, 0)), "it rests");
        queue.begun(sight(1001, 91, 3), ms(1));
        assert!(!queue.sheds(sight(1002, 91, 3)));
    }

    fn queue() -> StandingQueue {
        StandingQueue::new(TARGET, INTERVAL)
    }

    /// One that is begun each 10 ms, from `from` on, after a wait of so long; `queued` are left.
    fn begin(queue: &mut StandingQueue, from: u64, count: u64, waited: u64, queued: u64) {
        for task in 0..count {
            let sight = Sight { now: ms(from + 10 * task), starts: from / 10 + task, queued };
            queue.begun(sight, ms(waited));
        }
    }

    fn sheds(queue: &mut StandingQueue, now: u64, queued: u64) -> bool {
        queue.sheds(Sight { now: ms(now), starts: now / 10, queued })
    }

    /// One that stands, at 110 ms, where 100 tasks a second are begun.
    fn standing() -> StandingQueue {
        let mut queue = queue();
        begin(&mut queue, 0, 11, 6, 9);
        queue
    }

    #[test]
    fn a_queue_stands_when_all_have_waited_for_too_long_for_a_whole_interval() {
        let mut early = queue();
        begin(&mut early, 0, 10, 6, 9);
        assert!(!sheds(&mut early, 95, 1000));
        assert!(sheds(&mut standing(), 101, 9));
        let mut one = queue();
        begin(&mut one, 0, 5, 6, 9);
        begin(&mut one, 50, 1, 5, 9);
        begin(&mut one, 60, 5, 6, 9);
        assert!(!sheds(&mut one, 101, 1000), "one of them hasn't");
        let mut emptied = queue();
        begin(&mut emptied, 0, 5, 6, 9);
        begin(&mut emptied, 50, 1, 6, 0);
        begin(&mut emptied, 60, 5, 6, 9);
        assert!(!sheds(&mut emptied, 101, 1000), "it was empty");
    }

    #[test]
    fn those_are_shed_who_would_wait_for_longer_than_the_target() {
        // At 1000 a second five are begun in that time.
        let mut queue = queue();
        for task in 0..=100 {
            queue.begun(Sight { now: ms(task), starts: task, queued: 50 }, ms(6));
        }
        let mut sheds = |queued| queue.sheds(Sight { now: ms(101), starts: 101, queued });
        assert!(!sheds(0) && !sheds(5) && sheds(6) && sheds(1000));
    }

    #[test]
    fn it_stands_until_none_is_shed_for_an_interval_and_one_has_not_waited_for_long() {
        let mut queue = standing();
        begin(&mut queue, 110, 5, 4, 1);
        assert!(sheds(&mut queue, 155, 9));
        begin(&mut queue, 160, 5, 4, 1);
        assert!(sheds(&mut queue, 205, 9), "one was shed in that interval");
        let mut queue = standing();
        begin(&mut queue, 110, 10, 6, 1);
        assert!(sheds(&mut queue, 205, 9), "all have waited for long");
        let mut queue = standing();
        begin(&mut queue, 110, 10, 4, 1);
        assert!(!sheds(&mut queue, 205, 9));
    }

    #[test]
    fn where_nothing_from_outside_is_begun_the_rest_says_how_fast_it_goes() {
        // At 400 a second two are begun within the target.
        let mut queue = standing();
        let mut sheds = |queued| queue.sheds(Sight { now: ms(350), starts: 110, queued });
        assert!(!sheds(2) && sheds(3));
    }

    #[test]
    fn it_does_not_stand_after_a_pause() {
        let mut queue = standing();
        assert!(sheds(&mut queue, 150, 9));
        assert!(!sheds(&mut queue, 250, 0), "empty now and then");
        assert!(sheds(&mut queue, 260, 9));
        assert!(!sheds(&mut queue, 9000, 0));
        assert!(!sheds(&mut queue, 9001, 1000));
    }

    #[test]
    fn what_has_waited_for_an_interval_is_dropped_while_it_stands() {
        assert!(queue().drops(ms(1000)).is_ok());
        assert!(standing().drops(ms(100)).is_ok());
        assert_eq!(standing().drops(ms(101)).unwrap_err().waited, ms(101));
    }

    /// A worker that runs tasks of 1 ms each, to whom one is offered each `every` microseconds. The waits of those that
    /// were accepted, and how many were shed.
    fn offer(queue: &mut StandingQueue, from: u64, every: u64, count: u64) -> (Vec<u64>, u64) {
        let (mut waiting, mut waits, mut shed) = (VecDeque::new(), vec![], 0);
        let (mut free, mut starts) = (from, from / 1000);
        for at in (0..count).map(|task| from + task * every).chain([u64::MAX]) {
            while let Some(&came) = waiting.front()
                && free.max(came) <= at
            {
                waiting.pop_front();
                let start = free.max(came);
                let now = Duration::from_micros(start);
                let queued = waiting.iter().filter(|&&other| other <= start).count() as u64;
                queue.begun(Sight { now, starts, queued }, Duration::from_micros(start - came));
                (free, starts) = (start + 1000, starts + 1);
                waits.push(start - came);
            }
            let sight =
                Sight { now: Duration::from_micros(at), starts, queued: waiting.len() as u64 };
            if at == u64::MAX {
                break;
            }
            if queue.sheds(sight) {
                shed += 1;
            } else {
                waiting.push_back(at);
            }
        }
        (waits, shed)
    }

    #[test]
    fn one_that_all_are_shed_from_ends_when_others_are_begun_fast() {
        let mut queue = queue();
        begin(&mut queue, 0, 30, 50, 20);
        let sight = |now, starts| Sight { now: ms(now), starts, queued: 3 };
        assert!(queue.sheds(sight(310, 30)) && queue.sheds(sight(350, 20_000)));
        // Nobody from outside has been begun for two intervals, and tasks of the pool's own by the thousand.
        assert!(!queue.sheds(sight(600, 50_000)));
        assert!(queue.sheds(sight(900, 50_001)), "nor are those begun any more");
    }

    proptest! {
        #[test]
        fn under_any_overload_waits_become_short_and_the_worker_stays_busy(every in 100..900_u64) {
            let mut queue = queue();
            let seconds = 3_000_000;
            let (waits, shed) = offer(&mut queue, 0, every, seconds / every);
            prop_assert!(shed > 0);
            // It is seen within two intervals. What has come until then, nine times as much as could be run, is run
            // first, in two seconds at most.
            let settled = &waits[2100..];
            prop_assert!(settled.iter().all(|&wait| wait < 10_000), "{:?}", settled.iter().max());
            prop_assert!(waits.len() as u64 >= seconds / 1000 - 10, "{} were run", waits.len());
        }

        #[test]
        fn none_is_shed_below_capacity(every in 1000..5000_u64) {
            prop_assert_eq!(offer(&mut queue(), 0, every, 1000).1, 0);
        }

        #[test]
        fn none_of_a_burst_is_shed_that_is_over_within_an_interval(count in 1..100_u64) {
            prop_assert_eq!(offer(&mut queue(), 0, 0, count).1, 0);
        }

        #[test]
        fn none_is_shed_any_more_when_an_overload_is_over(every in 100..900_u64) {
            let mut queue = queue();
            offer(&mut queue, 0, every, 1_000_000 / every);
            // What it had has been run by then.
            let (_, shed) = offer(&mut queue, 20_000_000, 1200, 1000);
            prop_assert_eq!(shed, 0);
        }

        #[test]
        fn who_finds_more_before_it_is_shed_if_one_is_that_finds_fewer(
            rate in 1..100_u64, few in 0..200_u64, more in 0..200_u64,
        ) {
            let mut queue = queue();
            for task in 0..=rate {
                let sight = Sight { now: ms(200 * task / rate), starts: task, queued: 9 };
                queue.begun(sight, ms(50));
            }
            let mut sheds = |queued| queue.sheds(Sight { now: ms(201), starts: rate, queued });
            prop_assert!(!sheds(0));
            prop_assert!(!sheds(few) || sheds(few + more));
        }
    }
}

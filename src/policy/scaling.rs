//! How many workers run at a time, and who of them leaves.
//!
//! A seat costs nothing while nobody needs it: whoever is idle sleeps, and is woken for work. So there are as
//! many seats as there are CPUs to use, unless the kernel shows that they are too many, and a worker that
//! has long had nothing to do gives its thread back, not its seat.

use crate::telemetry::strain::Strain;
use crate::telemetry::unavailable::Fact;
use std::time::Duration;

/// What is known of a pool and its machine, about once a second.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// CPUs that the process may use: those of its affinity mask, or its quota, rounded up, if that is less.
    pub usable: usize,
    /// Periods of the quota in which the group has been stopped.
    pub throttled: Fact<u64>,
    /// Share of the time that workers which wanted to run waited for a CPU.
    pub run_delay: Fact<f64>,
    /// Share of the time in which some thread of the process's own control group did.
    pub pressure: Fact<f64>,
    /// Time spent on tasks, as a share of that for which there have been workers.
    pub utilisation: Fact<f64>,
    /// Whether memory runs out.
    pub memory_short: bool,
    /// Whether an alert fires that asks for fewer workers.
    pub alarmed: bool,
    /// Jobs that wait in queues.
    pub queued: usize,
}

/// How the number of workers that run at a time changes by itself; for
/// [`ThreadPoolBuilder::scaling`](crate::ThreadPoolBuilder::scaling).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScalingPolicy {
    /// It doesn't.
    Fixed,
    /// As many as there are CPUs to use, which is looked at every second; fewer while the kernel shows
    /// that they are too many. docs/GOVERNOR.md has the rules.
    Adaptive,
    /// As many, up to [`max_threads`](crate::ThreadPoolBuilder::max_threads), as get the most done, which is
    /// found out by trying: for tasks that block. It takes minutes to find the number, and goes on trying.
    /// Workers that block aren't [detected](crate::ThreadPoolBuilder::detect_blocking) then: they are what is
    /// tried.
    HillClimb,
}

impl Load {
    /// Whether so many would have more to do than they can, if so many have it now.
    fn is_too_much_for(&self, fewer: usize, seats: usize) -> bool {
        self.utilisation.is_ok_and(|busy| busy * seats as f64 > fewer as f64)
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Elasticity {
    pub policy: ScalingPolicy,
    pub bounds: Bounds,
    /// Whether the number of CPUs to use is a bound, too.
    pub by_cpus: bool,
    pub idle_timeout: Duration,
    pub max_queued_per_worker: usize,
}

impl Elasticity {
    /// Always so many workers.
    pub fn none(workers: usize) -> Self {
        Self {
            policy: ScalingPolicy::Fixed,
            bounds: Bounds { min: workers, max: workers },
            by_cpus: false,
            idle_timeout: Duration::from_secs(300),
            max_queued_per_worker: 100,
        }
    }
}

/// How many seats there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub min: usize,
    pub max: usize,
}

impl Bounds {
    /// With so many CPUs to use. The quota goes before the minimum: more threads than it pays for
    /// only stop each other.
    pub fn within(self, usable: usize) -> Self {
        let max = self.max.min(usable).max(1);
        Self { min: self.min.clamp(1, max), max }
    }
}

/// Above that, the CPUs are others', too. Half, since two threads that share a CPU wait half of the time each, and one
/// of them is enough then.
const STRAINED: f64 = 0.5;
/// Below that, half as many workers would do.
const SLACK: f64 = 0.5;
/// For how long a pool has slack before a worker leaves, and the next one.
const DWELL: Duration = Duration::from_secs(10);
/// What has been changed shows in the readings by then: those of the CPUs come every 5 seconds.
const SETTLES: Duration = Duration::from_secs(5);
/// After how long a seat is tried again that had to go, at first, and in the end.
const FIRST_TRY: Duration = Duration::from_secs(10);
const LAST_TRY: Duration = Duration::from_secs(300);

/// How many seats there are to be, by what has been seen so far.
#[derive(Debug)]
pub struct Scaling {
    /// How many the strain leaves.
    allowed: usize,
    strain: Option<Strain>,
    cut_at: Duration,
    try_at: Duration,
    wait: Duration,
    /// Whether the last change was such a try.
    trying: bool,
    /// No seat goes before that for what may be borne: work piled up when one had gone.
    spared_until: Duration,
    usable: usize,
    throttled: Option<u64>,
    slack_since: Option<Duration>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    pub seats: usize,
    /// Why they aren't more, if strain is the reason.
    pub strain: Option<Strain>,
    /// Whether one of the workers is to leave until it is needed.
    pub slack: bool,
}

impl Default for Scaling {
    fn default() -> Self {
        Self {
            allowed: usize::MAX,
            strain: None,
            cut_at: Duration::ZERO,
            try_at: Duration::ZERO,
            wait: FIRST_TRY,
            trying: false,
            spared_until: Duration::ZERO,
            usable: 0,
            throttled: None,
            slack_since: None,
        }
    }
}

impl Scaling {
    pub fn decide(&mut self, now: Duration, asked: &Elasticity, load: &Load) -> Decision {
        let Bounds { min, max } = asked.bounds.within(load.usable);
        let new = self.look(load);
        if std::mem::replace(&mut self.usable, load.usable) != load.usable {
            // Another machine, so to speak: what it bears is to be found out.
            (self.allowed, self.wait, self.strain) = (usize::MAX, FIRST_TRY, None);
            (self.cut_at, self.trying) = (now, false);
        }
        let seats = self.allowed.clamp(min, max);
        let urgent = load.queued > seats.saturating_mul(asked.max_queued_per_worker);
        let must = |strain| matches!(strain, Some(Strain::Memory | Strain::Alert));
        match new {
            Some(strain) if must(new) => self.cut(now, seats, min, strain),
            // Whatever it costs to have as many as before, it costs less than that.
            _ if urgent && seats < max && !must(self.strain) => self.take_back(now, seats),
            Some(_) if urgent || now < self.spared_until => {}
            // A quota of one CPU and a half, used up by two: without one of them a third of it would be left over.
            Some(Strain::Throttled) if load.is_too_much_for(seats - 1, seats) => {}
            Some(strain) => self.cut(now, seats, min, strain),
            None => self.try_again(now, seats, max, urgent),
        }
        let seats = self.allowed.clamp(min, max);
        let strain = self.strain.filter(|_| seats < max);
        Decision { seats, strain, slack: self.has_slack(now, load) }
    }

    /// The strain that shows now.
    fn look(&mut self, load: &Load) -> Option<Strain> {
        let before = self.throttled.replace(load.throttled.unwrap_or(0));
        let throttled = before.zip(load.throttled.ok()).is_some_and(|(before, now)| now > before);
        let high = |share: Fact<f64>| share.is_ok_and(|share| share > STRAINED);
        [
            (load.memory_short, Strain::Memory),
            (load.alarmed, Strain::Alert),
            (throttled, Strain::Throttled),
            (high(load.run_delay), Strain::RunDelay),
            (high(load.pressure), Strain::Pressure),
        ]
        .into_iter()
        .find_map(|(shows, strain)| shows.then_some(strain))
    }

    fn cut(&mut self, now: Duration, seats: usize, min: usize, strain: Strain) {
        let settled = now >= self.cut_at.saturating_add(SETTLES);
        if seats <= min || !(settled || self.trying) {
            return;
        }
        if self.trying {
            // In vain. A quota of one CPU and a half is always used up by two, and never by one.
            self.wait = (2 * self.wait).min(LAST_TRY);
        }
        (self.allowed, self.strain, self.trying) = (seats - 1, Some(strain), false);
        self.cut_at = now;
        self.try_at = now.saturating_add(self.wait);
    }

    /// It was needed: the next one goes later.
    fn take_back(&mut self, now: Duration, seats: usize) {
        (self.allowed, self.trying, self.cut_at) = (seats + 1, false, now);
        (self.spared_until, self.try_at) = (now.saturating_add(self.wait), now);
        self.wait = (2 * self.wait).min(LAST_TRY);
    }

    fn try_again(&mut self, now: Duration, seats: usize, max: usize, urgent: bool) {
        let since = now.saturating_sub(self.cut_at);
        if seats >= max {
            if since >= self.wait {
                // It has held for as long as the last wait: it was another time.
                (self.wait, self.trying, self.strain) = (FIRST_TRY, false, None);
            }
        } else if now >= self.try_at || urgent && since >= FIRST_TRY {
            (self.allowed, self.trying, self.cut_at) = (seats + 1, true, now);
            self.try_at = now.saturating_add(self.wait);
        }
    }

    fn has_slack(&mut self, now: Duration, load: &Load) -> bool {
        if load.queued > 0 || !load.utilisation.is_ok_and(|busy| busy < SLACK) {
            self.slack_since = None;
            return false;
        }
        let since = *self.slack_since.get_or_insert(now);
        let over = now.saturating_sub(since) >= DWELL;
        if over {
            self.slack_since = Some(now);
        }
        over
    }
}

/// A worker that may leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    pub index: usize,
    /// From 0 to 1.
    pub health: f64,
    /// For how long it has had nothing to do.
    pub idle: Duration,
}

/// Puts those first who are to leave first: the least healthy, then who has been idle for longest, then who
/// was there last.
pub fn rank(members: &mut [Member]) {
    members.sort_unstable_by(|a, b| {
        let health = a.health.total_cmp(&b.health);
        health.then(b.idle.cmp(&a.idle)).then(b.index.cmp(&a.index))
    });
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{
        Bounds, DWELL, Decision, Elasticity, FIRST_TRY, LAST_TRY, Load, Member, SETTLES, Scaling,
        ScalingPolicy, Strain, rank,
    };
    use crate::telemetry::unavailable::Unavailable;
    use proptest::prelude::*;
    use std::time::Duration;

    const SECOND: Duration = Duration::from_secs(1);
    const ASKED: Elasticity = asked(1, 8);

    const fn asked(min: usize, max: usize) -> Elasticity {
        Elasticity {
            policy: ScalingPolicy::Adaptive,
            bounds: Bounds { min, max },
            by_cpus: true,
            idle_timeout: Duration::from_secs(300),
            max_queued_per_worker: 100,
        }
    }

    fn calm(usable: usize) -> Load {
        Load {
            usable,
            throttled: Ok(0),
            run_delay: Ok(0.0),
            pressure: Err(Unavailable::Missing),
            utilisation: Ok(0.6),
            memory_short: false,
            alarmed: false,
            queued: 0,
        }
    }

    /// A second after second of what `load` makes of the seats there are.
    fn play(
        scaling: &mut Scaling,
        seconds: u32,
        mut load: impl FnMut(u32, usize) -> Load,
    ) -> Vec<Decision> {
        let mut seats = usize::MAX;
        (0..seconds)
            .map(|second| {
                let decision = scaling.decide(SECOND * second, &ASKED, &load(second, seats));
                seats = decision.seats;
                decision
            })
            .collect()
    }

    #[test]
    fn there_are_as_many_seats_as_cpus_to_use_within_the_bounds() {
        let seats = |min, max, usable| {
            Scaling::default().decide(SECOND, &asked(min, max), &calm(usable)).seats
        };
        assert_eq!([seats(1, 8, 4), seats(1, 8, 16), seats(2, 8, 1), seats(1, 8, 0)], [4, 8, 1, 1]);
        assert_eq!(seats(6, 8, 4), 4, "the quota goes before the minimum");
    }

    #[test]
    fn a_quota_that_changes_is_followed_at_once() {
        let mut scaling = Scaling::default();
        let usable = |second| if (10..20).contains(&second) { 2 } else { 4 };
        let decisions = play(&mut scaling, 30, |second, _| calm(usable(second)));
        for (second, decision) in decisions.iter().enumerate() {
            assert_eq!(decision.seats, usable(second as u32));
        }
    }

    #[test]
    fn a_quota_is_used_as_long_as_there_is_work_for_it() {
        let seats = |utilisation| {
            let throttled = |second| Load { throttled: Ok(second), utilisation, ..calm(3) };
            let decisions = play(&mut Scaling::default(), 6, |second, _| throttled(second.into()));
            decisions.last().unwrap().seats
        };
        assert_eq!([Ok(1.0), Ok(0.7), Ok(0.6), Err(Unavailable::Missing)].map(seats), [3, 3, 2, 2]);
    }

    /// One and a half CPUs: two workers use that up in bursts, one doesn't.
    #[test]
    fn a_quota_of_one_cpu_and_a_half_does_not_flap() {
        let mut throttled = 0;
        let day = 24 * 3600;
        let decisions = play(&mut Scaling::default(), day, |_, seats| {
            throttled += u64::from(seats > 1);
            Load { throttled: Ok(throttled), utilisation: Ok(0.5), ..calm(2) }
        });
        let tries =
            decisions.windows(2).filter(|pair| pair[1].seats > pair[0].seats).count() as u32;
        let most = day / LAST_TRY.as_secs() as u32;
        assert!((most - 10..most + 10).contains(&tries), "{tries} tries");
        // Each of them is over when the next look shows what came of it.
        let twos = decisions.iter().filter(|decision| decision.seats == 2).count() as u32;
        assert!(twos <= tries + SETTLES.as_secs() as u32 + 1, "{twos} seconds of {tries} tries");
        assert_eq!(decisions.last().unwrap().strain, Some(Strain::Throttled));
    }

    #[test]
    fn when_the_strain_is_over_the_seats_come_back_one_by_one() {
        let strained = |second: u32| (10..60).contains(&second);
        let decisions = play(&mut Scaling::default(), 600, |second, _| Load {
            run_delay: Ok(if strained(second) { 0.9 } else { 0.1 }),
            ..calm(4)
        });
        assert_eq!(decisions[9].seats, 4);
        assert_eq!((decisions[59].seats, decisions[59].strain), (1, Some(Strain::RunDelay)));
        assert_eq!((decisions[599].seats, decisions[599].strain), (4, None));
        assert!(decisions.iter().all(|decision| decision.seats < 4 || decision.strain.is_none()));
        let steps = decisions.windows(2).map(|pair| pair[1].seats.abs_diff(pair[0].seats));
        assert!(steps.max() == Some(1));
    }

    #[test]
    fn a_seat_that_was_needed_is_spared_for_a_while_and_none_beyond_the_most() {
        let seats = |urgent: u32| {
            let decisions = play(&mut Scaling::default(), 60, |second, _| Load {
                run_delay: Ok(0.9),
                queued: if second == urgent { 401 } else { 0 },
                ..calm(4)
            });
            move |second: u32| decisions[second as usize].seats
        };
        let spared_until = 30 + FIRST_TRY.as_secs() as u32;
        let late = seats(30);
        assert_eq!([29, 30, spared_until - 1, spared_until].map(late), [1, 2, 2, 1]);
        let at_once = seats(1);
        assert_eq!([1, SETTLES.as_secs() as u32].map(at_once), [4, 3], "there was none to spare");
    }

    #[test]
    fn each_strain_takes_a_seat_and_what_is_not_known_takes_none() {
        let unknown = Err(Unavailable::Missing);
        let blind = Load { throttled: Err(Unavailable::Missing), run_delay: unknown, ..calm(4) };
        let of = |load: Load| {
            let mut scaling = Scaling::default();
            scaling.decide(Duration::ZERO, &ASKED, &blind);
            scaling.decide(SETTLES, &ASKED, &load).strain
        };
        assert_eq!(of(Load { pressure: Ok(0.6), ..blind }), Some(Strain::Pressure));
        assert_eq!(of(Load { run_delay: Ok(0.6), ..blind }), Some(Strain::RunDelay));
        assert_eq!(of(Load { memory_short: true, ..blind }), Some(Strain::Memory));
        assert_eq!(of(Load { throttled: Ok(1), ..blind }), Some(Strain::Throttled));
        assert_eq!(of(Load { run_delay: Ok(0.6), queued: 401, ..blind }), None, "work piles up");
        assert_eq!(of(Load { memory_short: true, queued: 401, ..blind }), Some(Strain::Memory));
        assert_eq!(of(Load { pressure: Ok(f64::NAN), run_delay: Ok(0.5), ..blind }), None);
    }

    #[test]
    fn a_long_queue_asks_for_a_seat_before_its_time() {
        let tried = |queued, memory: bool| {
            let load = |second| Load {
                queued,
                throttled: Ok(if second >= 10 && !memory { 1 } else { 0 }),
                memory_short: second == 10 && memory,
                ..calm(4)
            };
            let mut scaling = Scaling::default();
            scaling.decide(Duration::ZERO, &ASKED, &load(0));
            scaling.wait = LAST_TRY;
            let decisions = play(&mut scaling, 400, |second, _| load(second));
            decisions.iter().rposition(|decision| decision.seats == 3).unwrap()
        };
        for memory in [false, true] {
            assert_eq!(tried(300, memory), 10 + LAST_TRY.as_secs() as usize - 1);
        }
        assert_eq!(tried(301, false), 10, "at once");
        // It may be short again.
        assert_eq!(tried(301, true), 10 + FIRST_TRY.as_secs() as usize - 1);
    }

    /// One and a half CPUs for work that takes 1.2: one worker falls behind, two are stopped now and then.
    #[test]
    fn a_seat_that_is_missed_comes_back_at_once_and_goes_less_and_less_often() {
        let (mut queued, mut throttled, mut longest) = (0_usize, 0, 0);
        let hour = 3600;
        let decisions = play(&mut Scaling::default(), hour, |second, seats| {
            queued = if seats > 1 { queued.saturating_sub(300) } else { queued + 200 };
            longest = longest.max(queued);
            throttled += u64::from(seats > 1 && second % 5 == 0);
            // As it was when there was less to do.
            Load { throttled: Ok(throttled), queued, utilisation: Ok(0.5), ..calm(2) }
        });
        let cuts = decisions.windows(2).filter(|pair| pair[1].seats < pair[0].seats).count();
        assert!((1..=50).contains(&cuts) && longest <= 400, "{cuts} cuts, {longest} jobs");
        let ones = decisions.iter().filter(|decision| decision.seats == 1).count();
        assert!(ones <= 2 * cuts, "{ones} seconds of {cuts} cuts");
    }

    #[test]
    fn slack_lets_one_go_after_each_dwell_and_work_that_waits_none() {
        let slack = |utilisation, queued| {
            let load = Load { utilisation: Ok(utilisation), queued, ..calm(4) };
            let decisions = play(&mut Scaling::default(), 61, |_, _| load);
            decisions.iter().filter(|decision| decision.slack).count()
        };
        assert_eq!(slack(0.49, 0), 60 / DWELL.as_secs() as usize);
        assert_eq!([slack(0.5, 0), slack(0.1, 1), slack(f64::NAN, 0)], [0, 0, 0]);
    }

    #[test]
    fn the_least_healthy_leaves_first_then_who_is_idle_then_the_last() {
        let member = |index, health, idle| Member { index, health, idle: SECOND * idle };
        let mut members =
            [member(0, 1.0, 9), member(1, 1.0, 0), member(2, 0.4, 0), member(3, 1.0, 0)];
        rank(&mut members);
        assert_eq!(members.map(|member| member.index), [2, 0, 3, 1]);
    }

    fn any_load() -> impl Strategy<Value = Load> {
        let share = || prop_oneof![Just(Err(Unavailable::Missing)), any::<f64>().prop_map(Ok)];
        let throttled = prop_oneof![Just(Err(Unavailable::Missing)), any::<u64>().prop_map(Ok)];
        (0..20_usize, throttled, share(), share(), share(), any::<[bool; 2]>(), any::<usize>())
            .prop_map(
                |(
                    usable,
                    throttled,
                    run_delay,
                    pressure,
                    utilisation,
                    [memory_short, alarmed],
                    queued,
                )| Load {
                    usable,
                    throttled,
                    run_delay,
                    pressure,
                    utilisation,
                    memory_short,
                    alarmed,
                    queued,
                },
            )
    }

    proptest! {
        #[test]
        fn seats_stay_within_the_bounds_and_change_one_at_a_time(
            loads in prop::collection::vec((any_load(), any::<Duration>()), 1..100),
            min in 0..10_usize,
            max in 0..10_usize,
        ) {
            let (mut scaling, asked) = (Scaling::default(), asked(min, max));
            let mut last: Option<(usize, usize)> = None;
            for (load, now) in loads {
                let seats = scaling.decide(now, &asked, &load).seats;
                let Bounds { min, max } = asked.bounds.within(load.usable);
                prop_assert!((1..=10).contains(&seats) && (min..=max).contains(&seats));
                if let Some((usable, before)) = last && usable == load.usable {
                    prop_assert!(seats.abs_diff(before) <= 1);
                }
                last = Some((load.usable, seats));
            }
        }

        /// Whatever it is: nothing changes, or seats only go, or only come back.
        #[test]
        fn what_stays_the_same_makes_no_seats_come_and_go(load in any_load(), seconds in 1..2000_u32) {
            let decisions = play(&mut Scaling::default(), seconds, |_, _| load);
            let seats: Vec<_> = decisions.iter().map(|decision| decision.seats).collect();
            prop_assert!(seats.is_sorted() || seats.is_sorted_by(|a, b| a >= b));
        }

        /// More CPUs to use never make fewer seats.
        #[test]
        fn seats_grow_with_the_cpus(load in any_load(), more in 0..8_usize) {
            let seats = |usable| {
                Scaling::default().decide(SECOND, &ASKED, &Load { usable, ..load }).seats
            };
            prop_assert!(seats(load.usable + more) >= seats(load.usable));
        }
    }
}

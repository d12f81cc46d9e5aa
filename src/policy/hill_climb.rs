//! How many workers tasks that block want, found out by trying.
//!
//! Who doesn't know what tasks wait for can only try. So a second number of workers, the probe, a quarter lower, is
//! tried now and then beside the one that is held, the base, and the base moves by what the difference is worth:
//!
//! 1. A *sample* is what one number of workers gets done. Its worth is `ln throughput - CPU * ln CPUs used`.
//! 2. A *round* is one sample of the probe, at a random place among several of the base.
//! 3. After a round, `ln base += GAIN * (gained - PRICE * ln (higher / lower))`, where `gained` is by how much the worth of the
//!    higher number is above that of the lower.
//!
//! In logarithms one rule serves 2 workers and 200. While a worker brings what each of the others does, `gained` is
//! nearly the whole of `ln (higher / lower)`, and the base grows; where it brings nothing, the price is left, and the base
//! shrinks until the probe below it loses something. Noise moves the base by little, up as often as down.
//!
//! The idea is .NET's: Hellerstein, Morrison and Eilebrecht, "Optimizing concurrency levels in the .NET ThreadPool" (2008) and
//! "Applying control theory in the real world" (2009). Its pool has let the number of threads swing as a wave since,
//! whose frequency it looks for in the throughput by a Fourier sum over some periods. A random place in a
//! round does the same without one: it can't be in step with anything periodic in the load, and a difference
//! within a round cancels what changes more slowly than that. It is the stochastic approximation
//! of Kiefer and Wolfowitz (1952), with a gain that doesn't fade, since loads change.

use std::time::Duration;

/// A sample has so many completions for each worker. By Little's law a task takes `workers * span /
/// completed`, so it lasts as long as so many tasks: those that began under the number before are few.
const TASKS: u64 = 4;
/// A sample is over by then, whatever has been completed. What has been learned outlasts a lull of that length.
const LONGEST: Duration = Duration::from_secs(60);
/// How far below the base the probe is: one in so many workers. Less drowns in noise, more costs throughput.
const PROBE: usize = 4;
/// The share of throughput that probes cost at most while each worker brings the same: the smaller the base, the
/// deeper a probe of one worker, and the rarer.
const LOSS: f64 = 0.08;
/// A worker is to bring this share of what the others bring on average. Near the middle between that and
/// nothing noise does least harm; a lower one follows a curve that flattens slowly further up.
const PRICE: f64 = 0.3;
/// What CPU time counts beside throughput: with twice the CPU time, 7 % more is to get done.
const CPU: f64 = 0.1;
/// In CPUs: by less than that nobody is disturbed, and coarse clocks can't tell it from zero.
const LITTLE_CPU: f64 = 0.01;
/// Higher follows faster, and wanders more where samples are noisy.
const GAIN: f64 = 0.3;
/// How much a round may count, in `ln (higher / lower)`: more than all is the load's doing.
const MOST: f64 = 1.5;
/// How far the base falls, in logarithms, where nothing is completed: two in five workers go.
const IDLE_STEP: f64 = 0.5;

/// What is being tried.
#[derive(Debug, Default)]
struct Round {
    base: usize,
    /// The same as `base` if there is nothing to try.
    probe: usize,
    samples: usize,
    taken: usize,
    /// Which sample is the probe's.
    probe_at: usize,
    /// The mean of the base's.
    base_worth: f64,
    probe_worth: f64,
}

impl Round {
    fn workers(&self) -> usize {
        if self.taken == self.probe_at { self.probe } else { self.base }
    }

    /// By how much the logarithm of the base is to move.
    fn step(&self) -> f64 {
        let ratio = (self.base as f64 / self.probe as f64).ln();
        let gained = (self.base_worth - self.probe_worth) * ratio.signum();
        let (ratio, most) = (ratio.abs(), MOST * ratio.abs());
        GAIN * (gained.clamp(-most, most) - PRICE * ratio)
    }
}

/// What has been done since the number of workers changed.
#[derive(Debug, Default)]
struct Sample {
    span: Duration,
    completed: u64,
    cpu: Duration,
}

impl Sample {
    /// Not for a sample without completions. A span of zero counts as a nanosecond: no logarithm of infinity.
    fn worth(&self) -> f64 {
        let seconds = self.span.max(Duration::from_nanos(1)).as_secs_f64();
        (self.completed as f64 / seconds).ln()
            - CPU * (self.cpu.as_secs_f64() / seconds + LITTLE_CPU).ln()
    }
}

/// Finds the number of workers beyond which more of them bring little.
///
/// It is told every half a second or second what has been done. If what it sees of the throughput is off by 20 %, it
/// takes about 120 calls from 4 to 20 workers or back, and about 400 from 1 to 64; half as many again at times. That is as
/// long as each worker completes [`TASKS`] tasks between two calls; with longer tasks it takes as many times
/// longer, and those that take longer than a fourth of [`LONGEST`] mislead it.
///
/// At rest it swings by a quarter and yields at least 0.9 of the best throughput, but for two kinds of load. Where a
/// single worker too many costs as much as a single one too few, it may be 0.86. And it doesn't follow a curve up that
/// rises by less than [`PRICE`] in proportion to the workers.
///
/// Where nothing is completed for [`LONGEST`], it can't tell idleness from tasks that take longer than that: two
/// in five workers are no longer wanted then, after the same time again two in five of the rest, and so on
/// down to the minimum, where it waits without a probe.
#[derive(Debug)]
pub struct HillClimb {
    min: usize,
    max: usize,
    /// The logarithm of the base, before rounding.
    level: f64,
    round: Round,
    sample: Sample,
}

impl HillClimb {
    /// Begins at the minimum. There is always one worker, and the maximum goes before the minimum.
    pub fn new(min: usize, max: usize) -> Self {
        let (round, sample) = (Round::default(), Sample::default());
        let mut new = Self { min: 0, max: 0, level: 0.0, round, sample };
        new.limits(min, max);
        new
    }

    /// How many workers are wanted now.
    pub fn workers(&self) -> usize {
        self.round.workers()
    }

    /// Other bounds from now on. The same ones change nothing.
    pub fn limits(&mut self, min: usize, max: usize) {
        let max = max.max(1);
        let min = min.clamp(1, max);
        if (min, max) != (self.min, self.max) {
            (self.min, self.max) = (min, max);
            self.begin(0, true);
        }
    }

    /// For a `span`, as many workers as were wanted last have completed so many tasks and used so much CPU time, zero if
    /// that isn't known. How many are wanted for the next, given any random number.
    pub fn observe(&mut self, span: Duration, completed: u64, cpu: Duration, random: u64) -> usize {
        let sample = &mut self.sample;
        sample.span = sample.span.saturating_add(span);
        sample.completed = sample.completed.saturating_add(completed);
        sample.cpu = sample.cpu.saturating_add(cpu);
        let enough = TASKS.saturating_mul(self.round.workers() as u64);
        if sample.completed >= enough || sample.span >= LONGEST {
            let sample = std::mem::take(sample);
            self.judge(&sample, random);
        }
        self.workers()
    }

    fn judge(&mut self, sample: &Sample, random: u64) {
        let round = &mut self.round;
        if sample.completed == 0 {
            self.level -= IDLE_STEP;
            return self.begin(random, false);
        }
        if round.taken == round.probe_at {
            round.probe_worth = sample.worth();
        } else {
            round.base_worth += sample.worth() / (round.samples - 1) as f64;
        }
        round.taken += 1;
        if round.taken == round.samples {
            if round.probe != round.base {
                self.level += round.step();
            }
            self.begin(random, true);
        }
    }

    fn begin(&mut self, random: u64, probes: bool) {
        self.sample = Sample::default();
        self.level = self.level.clamp((self.min as f64).ln(), (self.max as f64).ln());
        let base = (self.level.exp().round() as usize).clamp(self.min, self.max);
        let probe = match base {
            _ if !probes => base,
            _ if base > self.min => (base - base.div_ceil(PROBE)).max(self.min),
            // At the minimum the only way is up.
            _ => base.saturating_add(base.div_ceil(PROBE)).min(self.max),
        };
        let depth = base.abs_diff(probe) as f64 / base.max(probe) as f64;
        let samples = 1 + (depth / LOSS).ceil() as usize;
        let probe_at = (random % samples as u64) as usize;
        self.round = Round { base, probe, samples, probe_at, ..Round::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::{HillClimb, LONGEST, Sample, TASKS};
    use crate::primitive::rng::Rng;
    use proptest::prelude::*;
    use std::time::Duration;

    const SPAN: Duration = Duration::from_millis(500);
    /// What is seen of the throughput is off by that, as a standard deviation.
    const NOISE: f64 = 0.2;

    #[test]
    fn a_sample_is_worth_the_same_however_long_it_is() {
        let worth = |seconds: u32, completed, milliseconds| {
            let (span, cpu) =
                (Duration::from_secs(1) * seconds, Duration::from_millis(milliseconds));
            Sample { span, completed, cpu }.worth()
        };
        assert_eq!(worth(2, 20, 1000), worth(1, 10, 500));
    }

    /// Tasks that take a CPU for a while and then block, more of them than can be done.
    #[derive(Clone, Copy, Debug)]
    struct Load {
        /// In seconds.
        cpu: f64,
        blocked: f64,
        cpus: f64,
        /// How many tasks at a time something else lets through, a database for instance.
        limit: f64,
        /// Throughput is divided by 1 plus so much for each time that there are too many workers.
        contention: f64,
        /// Whether tasks vary, so that some CPUs are idle while tasks wait for others: a curve without an edge.
        varied: bool,
    }

    impl Load {
        /// Tasks of 20 ms.
        fn new(cpu: f64, blocked: f64, cpus: f64) -> Self {
            let unit = 0.02 / (cpu + blocked);
            let (cpu, blocked) = (cpu * unit, blocked * unit);
            Self { cpu, blocked, cpus, limit: f64::INFINITY, contention: 0.0, varied: false }
        }

        /// Tasks and CPU seconds a second.
        fn rates(&self, workers: usize) -> (f64, f64) {
            let task = self.cpu + self.blocked;
            let peak = (self.cpus * task / self.cpu).min(self.limit);
            let workers = workers as f64;
            let busy = if self.varied { self.queueing(workers) } else { workers.min(peak) / task };
            (busy / (1.0 + self.contention * (workers / peak - 1.0).max(0.0)), busy * self.cpu)
        }

        /// Tasks a second if both times are exponentially distributed: the machine-repairman model.
        fn queueing(&self, workers: f64) -> f64 {
            let (mut weight, mut all, mut served) = (1.0, 1.0, 0.0);
            for on_cpu in 1..=workers as usize {
                let rate = (on_cpu as f64).min(self.cpus) / self.cpu;
                weight *= (workers + 1.0 - on_cpu as f64) / self.blocked / rate;
                all += weight;
                served += weight * rate;
            }
            served / all
        }

        /// The best throughput of any size up to `max`, and the least size with 0.95 of it.
        fn sweep(&self, max: usize) -> (f64, usize) {
            let throughput = |workers| self.rates(workers).0;
            let best = (1..=max).map(throughput).fold(0.0, f64::max);
            let least = (1..=max).find(|&workers| throughput(workers) >= 0.95 * best);
            (best, least.unwrap())
        }
    }

    struct Simulation {
        climb: HillClimb,
        rng: Rng,
    }

    impl Simulation {
        fn new(max: usize, seed: u64) -> Self {
            Self { climb: HillClimb::new(1, max), rng: Rng::new(seed) }
        }

        /// Nearly normal: 1 on average, with such a standard deviation.
        fn noise(&self, deviation: f64) -> f64 {
            let uniform = || self.rng.below(1 << 24) as f64 / f64::from(1 << 24);
            (1.0 + deviation * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0)).max(0.0)
        }

        /// The mean throughput, without noise, and the mean number of workers.
        fn run(&mut self, load: &Load, intervals: usize) -> (f64, f64) {
            let (mut done, mut workers) = (0.0, 0);
            for _ in 0..intervals {
                let (throughput, cpus) = load.rates(self.climb.workers());
                done += throughput;
                workers += self.climb.workers();
                let seconds = SPAN.as_secs_f64();
                let completed = (throughput * seconds * self.noise(NOISE)).round() as u64;
                let cpu = Duration::from_secs_f64(cpus * seconds * self.noise(0.05));
                self.climb.observe(SPAN, completed, cpu, self.rng.below(1 << 31) as u64);
            }
            (done / intervals as f64, workers as f64 / intervals as f64)
        }

        /// How many intervals it takes until `done` holds.
        fn until(&mut self, load: &Load, done: impl Fn(usize) -> bool) -> usize {
            let most = 2000;
            (0..most)
                .find(|_| {
                    self.run(load, 1);
                    done(self.climb.workers())
                })
                .unwrap_or(most)
        }
    }

    /// Throughput after a while as a share of the best, and workers as a multiple of the least that
    /// do nearly as much, for several seeds.
    fn outcomes(load: Load, max: usize) -> impl Iterator<Item = (f64, f64)> {
        let (best, least) = load.sweep(max);
        (0..10).map(move |seed| {
            let mut simulation = Simulation::new(max, seed);
            simulation.run(&load, 500);
            let (throughput, workers) = simulation.run(&load, 500);
            (throughput / best, workers / least as f64)
        })
    }

    const RATIOS: [(f64, f64); 4] = [(1.0, 0.0), (1.0, 1.0), (1.0, 4.0), (1.0, 19.0)];

    fn loads() -> impl Iterator<Item = (Load, usize)> {
        RATIOS.into_iter().flat_map(|(cpu, blocked)| {
            [2.0, 8.0].into_iter().flat_map(move |cpus| {
                [10, 16, 32, 64].map(|max| (Load::new(cpu, blocked, cpus), max))
            })
        })
    }

    #[test]
    fn throughput_is_within_a_tenth_of_the_best_size_with_few_workers_more_than_it_takes() {
        for (load, max) in loads() {
            for contention in [0.0, 0.25] {
                let load = Load { contention, ..load };
                for (throughput, workers) in outcomes(load, max) {
                    assert!(throughput >= 0.9, "{throughput} of the best: {load:?}, {max}");
                    assert!(workers <= 1.5, "{workers} times the least: {load:?}, {max}");
                }
            }
        }
    }

    #[test]
    fn so_it_is_where_tasks_vary() {
        for (load, max) in loads().filter(|(load, _)| load.blocked > 0.0) {
            let load = Load { varied: true, ..load };
            for (throughput, workers) in outcomes(load, max) {
                assert!(throughput >= 0.9, "{throughput} of the best: {load:?}, {max}");
                assert!(workers <= 1.5, "{workers} times the least: {load:?}, {max}");
            }
        }
    }

    #[test]
    fn where_more_workers_bring_nothing_there_are_few() {
        let load = Load { limit: 1.0, ..Load::new(1.0, 19.0, 8.0) };
        for seed in 0..20 {
            let mut simulation = Simulation::new(64, seed);
            let (_, workers) = simulation.run(&load, 5000);
            assert!(workers < 2.5, "{workers}");
        }
    }

    #[test]
    fn a_peak_that_moves_is_followed_up_and_down() {
        let mut times = Vec::new();
        for seed in 0..20 {
            let low = Load { limit: 4.0, contention: 0.25, ..Load::new(1.0, 19.0, 8.0) };
            let high = Load { limit: 20.0, ..low };
            let mut simulation = Simulation::new(64, seed);
            for (load, peak) in [(low, 4), (high, 20), (low, 4), (high, 20)] {
                let near = |workers: usize| workers.abs_diff(peak) <= peak / 4;
                let took = simulation.until(&load, near);
                assert!(took < 300, "{took} intervals to {peak}");
                times.push(took);
                simulation.run(&load, 200);
                let (throughput, workers) = simulation.run(&load, 500);
                assert!(throughput >= 0.9 * load.sweep(64).0, "{throughput} at {peak}");
                assert!(workers <= 1.5 * peak as f64, "{workers} at {peak}");
            }
        }
        times.sort();
        let median = times[times.len() / 2];
        assert!((50..150).contains(&median), "{median} intervals");
    }

    fn at(workers: usize) -> HillClimb {
        let mut climb = HillClimb::new(1, 64);
        climb.level = (workers as f64).ln();
        climb.begin(0, true);
        climb
    }

    /// So many seconds, in each of which `done` says what so many workers complete and use of the CPUs.
    fn play(climb: &mut HillClimb, seconds: u64, done: impl Fn(usize) -> (u64, f64)) -> Vec<usize> {
        let (second, rng) = (Duration::from_secs(1), Rng::new(0));
        let step = |_| {
            let (completed, cpus) = done(climb.workers());
            let random = rng.below(1 << 31) as u64;
            climb.observe(second, completed, Duration::from_secs_f64(cpus), random)
        };
        (0..seconds).map(step).collect()
    }

    #[test]
    fn cpu_time_counts() {
        // Spinning, say: throughput grows with the workers' power of 0.35, CPU time as they do.
        let throughput = |workers: usize| (1e6 * (workers as f64).powf(0.35)) as u64;
        let end = |cpus: fn(usize) -> f64| {
            let mut climb = at(8);
            *play(&mut climb, 3000, |workers| (throughput(workers), cpus(workers))).last().unwrap()
        };
        assert!(end(|_| 0.0) >= 48 && end(|_| 4.0) >= 48);
        assert!(end(|workers| workers as f64) <= 2);
    }

    #[test]
    fn without_a_load_it_keeps_what_it_has_then_drifts_to_the_minimum_and_rests() {
        let mut climb = HillClimb::new(3, 64);
        play(&mut climb, 2000, |workers| (100 * workers as u64, 0.0));
        let before = climb.workers();
        let idle = play(&mut climb, 3000, |_| (0, 0.0));
        let keeps = LONGEST.as_secs() as usize - 1;
        assert!(before >= 48 && idle[..keeps].iter().all(|&workers| workers == before));
        assert!(idle[keeps..].is_sorted_by(|a, b| a >= b));
        assert!(idle[600..].iter().all(|&workers| workers == 3));
        play(&mut climb, 2000, |workers| (100 * workers as u64, 0.0));
        assert!(climb.workers() >= 48, "and comes back");
    }

    #[test]
    fn tasks_that_outlast_intervals_do_not_mislead_it() {
        // Of two seconds: what a number of workers has begun shows in what is completed then. No more than 16
        // at a time.
        let task = 4;
        for seed in 0..10 {
            let rng = Rng::new(seed);
            let mut climb = HillClimb::new(1, 64);
            let mut workers = vec![1; task];
            for now in task..40_000 {
                let completed = workers[now - task].min(16) as u64 / task as u64;
                // What is left of the division, as often as it makes up for that.
                let rest = workers[now - task].min(16) % task > rng.below(task);
                let random = rng.below(1 << 31) as u64;
                let next = climb.observe(SPAN, completed + u64::from(rest), Duration::ZERO, random);
                workers.push(next);
            }
            let late = &workers[20_000..];
            let mean = late.iter().sum::<usize>() as f64 / late.len() as f64;
            let done = late.iter().map(|&workers| workers.min(16)).sum::<usize>() as f64;
            assert!(done / late.len() as f64 >= 0.9 * 16.0 && mean <= 1.5 * 16.0, "{mean}");
        }
    }

    #[test]
    fn a_load_that_comes_in_waves_does_not_mislead_it() {
        // As long as a round of many workers has samples; no more than 16 workers are of use.
        for phase in 0..5 {
            let (mut climb, rng) = (at(16), Rng::new(phase as u64));
            let mut sum = 0;
            for now in 0..4000 {
                let wave = if now % 5 == phase { 500 } else { 1000 };
                let completed = climb.workers().min(16) as u64 * wave;
                climb.observe(SPAN, completed, Duration::ZERO, rng.below(1 << 31) as u64);
                sum += climb.workers();
            }
            assert!((16 * 3200..16 * 6000).contains(&sum), "{} workers on average", sum / 4000);
        }
    }

    #[test]
    fn one_outlier_moves_it_by_less_than_a_quarter() {
        for (now, then) in [(1000, 1_000_000), (1_000_000, 1000)] {
            let mut climb = at(16);
            let before = climb.round.base as f64;
            climb.observe(SPAN, now, Duration::ZERO, 0);
            while climb.round.taken > 0 {
                climb.observe(SPAN, then, Duration::ZERO, 0);
            }
            let ratio = climb.round.base as f64 / before;
            assert!(ratio != 1.0 && (0.75..1.25).contains(&ratio), "{ratio}");
        }
    }

    #[test]
    fn a_sample_waits_for_tasks_that_take_long() {
        let mut climb = HillClimb::new(8, 8);
        let enough = 8 * TASKS;
        climb.observe(SPAN, enough - 1, Duration::ZERO, 0);
        assert_eq!(climb.sample.completed, enough - 1);
        climb.observe(SPAN, 1, Duration::ZERO, 0);
        assert_eq!(climb.sample.completed, 0);
        climb.observe(LONGEST - SPAN, 1, Duration::ZERO, 0);
        assert_eq!(climb.sample.completed, 1);
        climb.observe(SPAN, 0, Duration::ZERO, 0);
        assert_eq!(climb.sample.completed, 0);
    }

    #[test]
    fn bounds_that_make_no_sense_are_mended_and_new_ones_hold_at_once() {
        let mut climb = HillClimb::new(0, 0);
        assert_eq!(climb.workers(), 1);
        climb.limits(9, 4);
        assert_eq!(climb.workers(), 4);
        climb.limits(6, 64);
        assert!((6..=64).contains(&climb.workers()));
        climb.observe(SPAN, 5, SPAN, 0);
        climb.limits(6, 64);
        assert_eq!(climb.sample.completed, 5, "the same bounds change nothing");
    }

    prop_compose! {
        fn any_call()(
            bounds in prop::option::weighted(0.1, (any_size(), any_size())),
            span in any_time(),
            completed in prop_oneof![Just(0), 0..1000_u64, any::<u64>()],
            cpu in any_time(),
            random: u64,
        ) -> (Option<(usize, usize)>, Duration, u64, Duration, u64) {
            (bounds, span, completed, cpu, random)
        }
    }

    fn any_size() -> impl Strategy<Value = usize> {
        prop_oneof![0..100_usize, any::<usize>()]
    }

    fn any_time() -> impl Strategy<Value = Duration> {
        let usual = (0..2000_u64).prop_map(Duration::from_millis);
        prop_oneof![usual, any::<Duration>(), Just(Duration::MAX), Just(Duration::ZERO)]
    }

    proptest! {
        #[test]
        fn whatever_it_is_told_it_stays_within_bounds_and_does_the_same_again(
            first in (any_size(), any_size()),
            calls in prop::collection::vec(any_call(), 1..200),
        ) {
            let mut climb = HillClimb::new(first.0, first.1);
            let mut twin = HillClimb::new(first.0, first.1);
            let (mut min, mut max) = first;
            for (bounds, span, completed, cpu, random) in calls {
                if let Some(new) = bounds {
                    (min, max) = new;
                    climb.limits(min, max);
                    twin.limits(min, max);
                }
                let within = min.clamp(1, max.max(1))..=max.max(1);
                prop_assert!(within.contains(&climb.workers()));
                let wanted = climb.observe(span, completed, cpu, random);
                prop_assert!(within.contains(&wanted));
                let levels = (*within.start() as f64).ln()..=(*within.end() as f64).ln();
                prop_assert!(levels.contains(&climb.level));
                prop_assert_eq!(wanted, climb.workers());
                prop_assert_eq!(wanted, twin.observe(span, completed, cpu, random));
            }
        }
    }
}

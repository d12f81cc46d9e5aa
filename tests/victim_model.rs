//! What the victim policies are worth, in a small model of the scheduler: virtual time, seeded, and the real
//! policies. `cargo test --test victim_model -- --nocapture` prints the table.

use filch::{Candidate, ChooseVictim, VictimPolicy};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// In microseconds of virtual time.
type Time = u64;

const TASK: Time = 200;
const WAKE: Time = 5;
const STEAL: Time = 1;
/// As `worker/victims.rs`.
const LEAVES: Time = 1000;
/// A task in so many that come from outside makes as many more where it runs.
const FORK: usize = 8;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival,
    /// The worker looks for something to do.
    Look(usize),
}

#[derive(Clone, Copy)]
struct Task {
    arrived: Time,
    forks: bool,
}

struct Worker {
    queue: VecDeque<Task>,
    /// How many times as long its tasks take.
    slowness: u64,
    asleep: bool,
    busy: bool,
    /// Since when it has left work to others that have done nothing meanwhile, and what they had done by then.
    leaves_since: Option<(Time, usize)>,
    done: usize,
    next_victim: usize,
}

struct Model {
    policy: VictimPolicy,
    workers: Vec<Worker>,
    outside: VecDeque<Task>,
    events: BinaryHeap<Reverse<(Time, Event)>>,
    random: u64,
    waits: Vec<Time>,
}

impl Model {
    /// One worker in four is ill: a CPU hog takes three quarters of its time.
    fn new(workers: usize, policy: VictimPolicy) -> Self {
        let worker = |index| Worker {
            queue: VecDeque::new(),
            slowness: if index % 4 == 1 { 4 } else { 1 },
            asleep: true,
            busy: false,
            leaves_since: None,
            done: 0,
            next_victim: index + 1,
        };
        let workers = (0..workers).map(worker).collect();
        let (outside, events) = (VecDeque::new(), BinaryHeap::new());
        Self { policy, workers, outside, events, random: 1, waits: Vec::new() }
    }

    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn candidate(&self, index: usize) -> Candidate {
        let worker = &self.workers[index];
        let mut candidate = Candidate::new(index);
        candidate.load = worker.queue.len() + usize::from(worker.busy);
        candidate.health = if worker.slowness > 1 { 0.4 } else { 1.0 };
        candidate.slowness = worker.slowness as f64;
        candidate
    }

    fn at(&mut self, time: Time, event: Event) {
        self.events.push(Reverse((time, event)));
    }

    /// Wakes an idle worker, if there is one for which `willing` holds.
    fn wake(&mut self, now: Time, willing: impl Fn(&Self, usize) -> bool) -> bool {
        let idle = (0..self.workers.len()).filter(|&i| self.workers[i].asleep && willing(self, i));
        let chosen = idle.min_by_key(|&index| (self.policy.wake(&self.candidate(index)), index));
        let Some(index) = chosen else { return false };
        self.workers[index].asleep = false;
        self.at(now + WAKE, Event::Look(index));
        true
    }

    /// At whose queue it looks first.
    fn victim(&mut self, thief: usize) -> usize {
        let all = self.workers.len();
        let turn = self.workers[thief].next_victim % all;
        self.workers[thief].next_victim = turn + 1;
        if let VictimPolicy::RoundRobin = self.policy {
            return turn;
        }
        let mut candidates = Vec::new();
        while candidates.len() < 2 {
            let index = (self.random() * all as f64) as usize;
            if index != thief {
                candidates.push(self.candidate(index));
            }
        }
        candidates[self.policy.steal_from(&candidates)].worker
    }

    fn find(&mut self, me: usize) -> Option<(Task, Time)> {
        if let Some(task) = self.workers[me].queue.pop_back() {
            return Some((task, 0));
        }
        if let Some(task) = self.outside.pop_front() {
            return Some((task, 0));
        }
        let (first, all) = (self.victim(me), self.workers.len());
        let found = (0..all)
            .map(|step| (first + step) % all)
            .enumerate()
            .find(|&(_, index)| index != me && !self.workers[index].queue.is_empty());
        let (looks, victim) = found?;
        let task = self.workers[victim].queue.pop_front()?;
        Some((task, STEAL * (1 + looks as Time)))
    }

    fn has_work(&self) -> bool {
        !self.outside.is_empty() || self.workers.iter().any(|worker| !worker.queue.is_empty())
    }

    fn look(&mut self, now: Time, me: usize) {
        let worker = &mut self.workers[me];
        worker.done += usize::from(std::mem::take(&mut worker.busy));
        let takes = self.policy.take(&self.candidate(me));
        if !takes && self.workers[me].queue.is_empty() && self.has_work() {
            let others = |model: &Self, i: usize| model.policy.take(&model.candidate(i));
            self.wake(now, others);
            let waiting: usize = self.outside.len()
                + self.workers.iter().map(|worker| worker.queue.len()).sum::<usize>();
            let willing = || (0..self.workers.len()).filter(|&i| others(self, i));
            let done = willing().map(|i| self.workers[i].done).sum();
            let willing = willing().count();
            let since = self.workers[me].leaves_since.filter(|since| since.1 == done);
            let (since, _) = *self.workers[me].leaves_since.insert(since.unwrap_or((now, done)));
            if now - since < LEAVES && waiting <= willing {
                return self.at(now + LEAVES / 4, Event::Look(me));
            }
        }
        self.workers[me].leaves_since = None;
        let Some((task, cost)) = self.find(me) else {
            self.workers[me].asleep = true;
            return;
        };
        if task.forks {
            let part = Task { forks: false, ..task };
            self.workers[me].queue.extend([part; FORK]);
            (0..FORK).for_each(|_| _ = self.wake(now, |_, _| true));
        }
        self.workers[me].busy = true;
        let end = now + cost + TASK * self.workers[me].slowness;
        self.waits.push(end - task.arrived);
        self.at(end, Event::Look(me));
    }

    /// The median and the 99th percentile of the time from a task's arrival to its end.
    fn run(mut self, tasks: usize, utilisation: f64) -> [Time; 2] {
        let power: f64 = self.workers.iter().map(|worker| 1.0 / worker.slowness as f64).sum();
        // One in FORK forks into FORK more: two tasks for each arrival, on average.
        let every = 2.0 * TASK as f64 / power / utilisation;
        let mut arrived = 0;
        self.at(0, Event::Arrival);
        while let Some(Reverse((now, event))) = self.events.pop() {
            match event {
                Event::Look(worker) => self.look(now, worker),
                Event::Arrival => {
                    let forks = self.random() < 1.0 / FORK as f64;
                    self.outside.push_back(Task { arrived: now, forks });
                    self.wake(now, |_, _| true);
                    arrived += 1;
                    if arrived < tasks {
                        // Poisson.
                        let gap = -(1.0 - self.random()).ln() * every;
                        self.at(now + gap as Time, Event::Arrival);
                    }
                }
            }
        }
        assert!(!self.has_work(), "a task was lost");
        self.waits.sort_unstable();
        let at = |share: f64| self.waits[(self.waits.len() as f64 * share) as usize];
        [at(0.5), at(0.99)]
    }
}

#[test]
fn health_shortens_the_longest_waits_where_some_workers_are_slow() {
    let settings = [8, 64].map(|workers| [0.3, 0.5, 0.7].map(|utilisation| (workers, utilisation)));
    let policies =
        [VictimPolicy::RoundRobin, VictimPolicy::LeastLoaded, VictimPolicy::HealthWeighted];
    // Without optimisations it takes long.
    let tasks = if cfg!(debug_assertions) { 25_000 } else { 100_000 };
    println!("workers  utilisation  policy            median      p99 (us)");
    std::thread::scope(|scope| {
        let run = |(workers, utilisation)| {
            let run = move |policy| Model::new(workers, policy).run(tasks, utilisation);
            (workers, utilisation, policies.clone().map(|policy| scope.spawn(move || run(policy))))
        };
        for (workers, utilisation, runs) in
            settings.as_flattened().iter().copied().map(run).collect::<Vec<_>>()
        {
            let mut policies = policies.iter();
            let [round_robin, least_loaded, health_weighted] = runs.map(|run| {
                let ([median, p99], policy) = (run.join().unwrap(), policies.next());
                let name = format!("{:?}", policy.unwrap());
                println!("{workers:7}  {utilisation:11}  {name:16}  {median:6}  {p99:7}");
                p99
            });
            // The same seed, so the same every time.
            let within = |p99: Time, share: f64| p99 as f64 <= share * round_robin as f64;
            assert!(within(least_loaded, 1.05) && within(health_weighted, 1.05));
            if workers == 64 && utilisation < 0.7 {
                assert!(within(health_weighted, 0.7), "{health_weighted} against {round_robin}");
            }
        }
    });
}

//! Whom workers take work from, wake, give work to alone and leave it to: asks the policy, with what is known of
//! each. What changes by the moment is read when it is asked.
//!
//! A policy says only who comes first. So nothing depends on it: a thief that finds nothing there looks at
//! all others, and a worker that leaves work to others does so for a moment.
//!
//! Tests: tests/victims.rs.

use crate::policy::victim::{Candidate, ChooseVictim, VictimPolicy};
use crate::sync::park_timeout;
use crate::telemetry::activity::Status;
use crate::worker::local::Local;
use crate::worker::remote::Remote;
use crate::worker::shared::Shared;
use crate::worker::victims::Table;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// So many are looked at for a choice: all if there are no more, else [`SAMPLE`].
const FEW: usize = 4;
/// Two at random are hardly worse than all (Mitzenmacher 2001), and cost the same however many there are.
const SAMPLE: usize = 2;
/// For so many moments at most a worker leaves work to others that get on with it: they may be at something else, and
/// what waits may be what they come to last.
const MOMENTS: u32 = 16;

fn loaded(table: &Table, remote: &Remote) -> Candidate {
    let hides = usize::from(remote.lane.has_hidden());
    let runs = usize::from(remote.activity.is(Status::Running));
    Candidate { load: remote.queued() + hides + runs, ..table.candidate(remote.index) }
}

impl Shared {
    /// What the policy says; none if it panics, and then it isn't asked again.
    fn ask<R>(&self, question: impl FnOnce(&Table) -> R) -> Option<R> {
        let ask = AssertUnwindSafe(|| self.victims.with(question));
        let answer = catch_unwind(ask);
        if answer.is_err() {
            self.common.policy_panics.bump_shared();
            self.victims.set_policy(VictimPolicy::RoundRobin);
        }
        answer.ok()
    }

    /// Picks an idle worker to be woken.
    pub(super) fn wake_one(&self) -> Option<usize> {
        if self.victims.is_simple() {
            return self.idle.wake_one();
        }
        let class = |table: &Table, worker| table.policy.wake(&table.candidate(worker));
        let woken = self.ask(|table| self.idle.wake_one_by(|worker| class(table, worker)));
        woken.unwrap_or_else(|| self.idle.wake_one())
    }

    /// For a publisher that relies on so many who search: wakes one who takes what waits if all of them may be such
    /// that leave it to others, or have been woken and don't get a CPU.
    #[cold]
    pub(super) fn wake_beside(&self, searching: usize) {
        let leave = (0..self.regulars.len()).filter(|&worker| !self.takes(worker)).count();
        if searching <= leave
            && let Some(worker) = self.idle.wake_one_of(|worker| self.takes(worker))
        {
            self.unpark(worker);
        }
    }

    /// Whether this worker takes what waits for anybody.
    pub(super) fn takes(&self, worker: usize) -> bool {
        let takes = |table: &Table| table.policy.take(&table.candidate(worker));
        self.victims.is_simple() || self.ask(takes).unwrap_or(true)
    }

    /// The worker that a task is to go to alone: one that hasn't left for good, if there is one.
    pub fn place(&self) -> usize {
        let (turn, regulars) = (self.victims.next_turn(), &self.regulars);
        let behind = |step| &regulars[turn.wrapping_add(step) % regulars.len()];
        let is_there = |worker: &&Remote| !worker.presence.is_gone();
        let next = || (0..regulars.len()).map(behind).find(is_there).map_or(0, |next| next.index);
        if self.victims.is_simple() {
            return next();
        }
        let place = self.ask(|table| {
            let few = regulars.len() <= FEW;
            // Any that differ: a step that no number of workers up to its own divides.
            let step = if few { 1 } else { 0x9E37_79B1 };
            let among = if few { regulars.len() } else { SAMPLE };
            let sample = (0..among).map(|at| behind(at * step)).filter(is_there);
            let mut candidates = [Candidate::new(0); FEW];
            let mut there = 0;
            for (candidate, worker) in candidates.iter_mut().zip(sample) {
                *candidate = loaded(table, worker);
                there += 1;
            }
            let choose = |candidates: &[_]| table.policy.place(candidates);
            (there > 0).then(|| chosen(&candidates[..there], choose))
        });
        place.flatten().unwrap_or_else(next)
    }
}

/// One of these.
fn chosen(candidates: &[Candidate], choose: impl FnOnce(&[Candidate]) -> usize) -> usize {
    let at = choose(candidates);
    candidates.get(at).or(candidates.first()).map_or(0, |candidate| candidate.worker)
}

impl Local {
    /// The worker at whose queues it looks first. By turns that is itself now and then: the next one, then.
    #[inline]
    pub(super) fn victim(&self) -> usize {
        if self.shared.victims.is_simple() { self.next_in_turn() } else { self.choose_victim() }
    }

    pub(super) fn next_in_turn(&self) -> usize {
        let regulars = self.shared.regulars.len();
        let next = self.next_victim.get();
        let next = if next < regulars { next } else { 0 };
        self.next_victim.set(next + 1);
        next
    }

    #[cold]
    fn choose_victim(&self) -> usize {
        let shared = &self.shared;
        let choice = shared.ask(|table| {
            let mut candidates = [Candidate::new(0); FEW];
            let mut among = 0;
            let workers = shared.regulars.len() + shared.spares().count();
            // A spare may be there before one of a lower index, so where it stands among them isn't its index; and
            // more may have come since they were counted.
            let mut add = |at: usize| {
                let Some(worker) = shared.workers().nth(at) else { return };
                let known = || candidates[..among].iter().any(|known| known.worker == worker.index);
                if among < FEW && worker.index != self.index && !known() {
                    candidates[among] = loaded(table, worker);
                    among += 1;
                }
            };
            if workers <= FEW + 1 {
                let start = self.next_in_turn();
                (0..workers).for_each(|step| add((start + step) % workers));
            } else {
                (0..SAMPLE).for_each(|_| add(self.rng.below(workers)));
            }
            let candidates = &candidates[..among];
            (among > 0).then(|| chosen(candidates, |victims| table.policy.steal_from(victims)))
        });
        choice.flatten().unwrap_or_else(|| self.next_in_turn())
    }

    /// For one that has nothing of its own to do: whether it has left what waits for anybody to others, having told
    /// those idle. Else it is to take of it.
    #[inline]
    pub(super) fn leaves_to_others(&self) -> bool {
        !self.shared.victims.is_simple() && self.leaves_for_a_moment()
    }

    #[cold]
    fn leaves_for_a_moment(&self) -> bool {
        let shared = &self.shared;
        if cfg!(loom) || shared.takes(self.index) {
            return false;
        }
        let workers = shared.regulars.iter().enumerate();
        let others = || workers.clone().filter(|&(index, _)| shared.takes(index));
        let moment = shared.victims.with(|table| table.moment);
        let done = || others().map(|(_, worker)| worker.counters.tasks.read()).sum::<u64>();
        let (start, mut left) = (Instant::now(), false);
        let (mut last, mut since) = (done(), start);
        // If nothing waits at first, there may still be hidden frames.
        while (left || shared.waiting() > 0) && self.remote().inbox.is_empty() {
            let (waiting, now) = (shared.waiting(), done());
            if waiting == 0 {
                return true;
            }
            if now != last {
                (last, since) = (now, Instant::now());
            }
            // More than one for each of them, and the later ones wait longer than for us.
            if waiting > others().count()
                || since.elapsed() > moment
                || start.elapsed() > MOMENTS * moment
            {
                return false;
            }
            if let Some(worker) = shared.idle.wake_one_of(|worker| shared.takes(worker)) {
                shared.unpark(worker);
            }
            park_timeout(moment / 8);
            left = true;
        }
        left
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{FEW, MOMENTS, chosen, loaded};
    use crate::job::StackJob;
    use crate::policy::victim::{Candidate, ChooseVictim, VictimPolicy};
    use crate::telemetry::activity::Status;
    use crate::worker::bare::{hide, is_told, sleep, take_back, task, workers};
    use crate::worker::local::Local;
    use crate::worker::shared::{Job, Shared};
    use crate::worker::victims::TASKS;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;
    use std::sync::{Arc, Mutex, OnceLock, Weak};
    use std::thread;
    use std::time::{Duration, Instant};

    /// Answers as it has been told, and keeps whom it was offered.
    #[derive(Default)]
    struct Told {
        /// A position, for steals and places.
        answer: AtomicUsize,
        /// Who is woken first, and alone takes what waits.
        only: usize,
        offered: Mutex<Vec<Candidate>>,
        /// How often it has been asked who takes.
        asked: AtomicUsize,
        /// Until when whoever takes gets on with it, whenever that is asked.
        gets_on: OnceLock<(Weak<Shared>, Instant)>,
    }

    impl Told {
        fn choose(&self, candidates: &[Candidate]) -> usize {
            assert!(!candidates.is_empty());
            *self.offered.lock().unwrap() = candidates.to_vec();
            self.answer.load(Relaxed)
        }

        fn offered(&self) -> Vec<usize> {
            self.offered.lock().unwrap().iter().map(|candidate| candidate.worker).collect()
        }
    }

    impl ChooseVictim for Told {
        fn steal_from(&self, victims: &[Candidate]) -> usize {
            self.choose(victims)
        }

        fn wake(&self, sleeper: &Candidate) -> u8 {
            u8::from(sleeper.worker != self.only)
        }

        fn place(&self, workers: &[Candidate]) -> usize {
            self.choose(workers)
        }

        fn take(&self, worker: &Candidate) -> bool {
            self.asked.fetch_add(1, Relaxed);
            if let Some((shared, until)) = self.gets_on.get()
                && Instant::now() < *until
            {
                shared.upgrade().unwrap().worker(self.only).counters.tasks.bump();
            }
            worker.worker == self.only
        }
    }

    struct Panics;

    impl ChooseVictim for Panics {
        fn steal_from(&self, _: &[Candidate]) -> usize {
            panic!("asked whom to steal from")
        }

        fn wake(&self, _: &Candidate) -> u8 {
            panic!("asked whom to wake")
        }

        fn place(&self, _: &[Candidate]) -> usize {
            panic!("asked where to place")
        }

        fn take(&self, _: &Candidate) -> bool {
            panic!("asked who takes")
        }
    }

    fn told<const WORKERS: usize>(only: usize) -> ([Local; WORKERS], Arc<Told>) {
        let (workers, told) = (workers(WORKERS, None), Arc::new(Told { only, ..Told::default() }));
        workers[0].shared.victims.set_policy(VictimPolicy::Custom(Arc::clone(&told) as _));
        (workers, told)
    }

    #[test]
    fn load_is_what_is_queued_hidden_and_run() {
        let [local] = workers(1, None);
        let ill = Candidate { health: 0.25, ..Candidate::new(0) };
        local.shared.victims.rebalance(Box::new([ill]), Duration::ZERO);
        let load = || {
            let candidate = local.shared.victims.with(|table| loaded(table, local.remote()));
            assert_eq!((candidate.worker, candidate.health), (0, 0.25));
            candidate.load
        };
        let frame = StackJob::new(|_| (), local.lane().top());
        assert_eq!(load(), 0);
        // SAFETY: taken back below.
        hide(&local, unsafe { frame.as_frame() });
        assert_eq!(load(), 1);
        (0..3).for_each(|_| local.deques.detached.push(task()));
        assert_eq!(load(), 4);
        local.is_now(Status::Running);
        assert_eq!(load(), 5);
        local.find_own().into_iter().for_each(|job| local.execute(job));
        assert!(take_back(&local, &frame));
        assert_eq!(load(), 3);
        (0..2).for_each(|_| local.execute(local.find_own().unwrap()));
    }

    #[test]
    fn a_policy_that_panics_is_asked_no_more() {
        for ask in [
            |local: &Local| assert!(local.shared.takes(local.index)),
            |local: &Local| assert_eq!(local.shared.place(), 0),
            |local: &Local| _ = local.victim(),
            |local: &Local| {
                sleep(local);
                assert_eq!(local.shared.wake_one(), Some(local.index));
            },
        ] {
            let [local, _other] = workers(2, None);
            let shared = &local.shared;
            shared.victims.set_policy(VictimPolicy::Custom(Arc::new(Panics)));
            ask(&local);
            assert!(shared.victims.is_simple());
            assert_eq!(shared.common.policy_panics.read(), 1);
        }
    }

    #[test]
    fn the_one_of_the_lowest_class_is_woken() {
        let (workers, _) = told::<4>(2);
        let shared = &workers[0].shared;
        assert_eq!(shared.wake_one(), None);
        workers.iter().for_each(sleep);
        assert_eq!([(); 3].map(|()| shared.wake_one()), [Some(2), Some(0), Some(1)]);
        shared.victims.set_policy(VictimPolicy::RoundRobin);
        assert_eq!((shared.wake_one(), shared.wake_one()), (Some(3), None));
    }

    #[test]
    fn beside_those_who_may_leave_work_to_others_one_who_takes_it_is_woken() {
        let (workers, _) = told::<3>(1);
        let shared = &workers[0].shared;
        assert_eq!([0, 1, 2].map(|worker| shared.takes(worker)), [false, true, false]);
        sleep(&workers[0]);
        sleep(&workers[1]);
        let told = |searching| {
            shared.wake_beside(searching);
            [&workers[0], &workers[1]].map(is_told)
        };
        assert_eq!(told(3), [false, false], "one of them takes it");
        assert_eq!(told(2), [false, true]);
        assert_eq!(told(1), [false, false], "it is awake");
        shared.victims.set_policy(VictimPolicy::RoundRobin);
        assert!(shared.takes(0));
    }

    #[test]
    fn a_task_goes_to_the_one_of_a_few_that_the_policy_names_and_to_each_in_turn_without() {
        let [local, ..] = workers::<3>(3, None);
        assert_eq!([(); 4].map(|()| local.shared.place()), [0, 1, 2, 0]);
        let (workers, told) = told::<FEW>(0);
        let shared = &workers[0].shared;
        told.answer.store(2, Relaxed);
        assert_eq!((shared.place(), told.offered()), (2, vec![0, 1, 2, 3]));
        assert_eq!((shared.place(), told.offered()), (3, vec![1, 2, 3, 0]));
        // Out of range.
        told.answer.store(9, Relaxed);
        assert_eq!((shared.place(), told.offered()), (2, vec![2, 3, 0, 1]));
        shared.victims.set_policy(VictimPolicy::Custom(Arc::new(Panics)));
        assert_eq!(shared.place(), 3, "its turn");
    }

    #[test]
    fn a_task_goes_to_one_who_is_there_if_anybody_is() {
        let (workers, told) = told::<FEW>(0);
        let shared = &workers[0].shared;
        shared.lose(1);
        assert_eq!((shared.place(), told.offered()), (0, vec![0, 2, 3]));
        assert_eq!((shared.place(), told.offered()), (2, vec![2, 3, 0]));
        shared.victims.set_policy(VictimPolicy::RoundRobin);
        assert_eq!([(); 4].map(|()| shared.place()), [2, 3, 0, 2]);
        for worker in [0, 2, 3] {
            shared.lose(worker);
        }
        assert_eq!(shared.place(), 0);
        shared.victims.set_policy(VictimPolicy::Custom(Arc::new(Panics)));
        assert_eq!(
            (shared.place(), shared.common.policy_panics.read()),
            (0, 0),
            "nobody is offered"
        );
    }

    #[test]
    fn of_many_two_are_offered_a_task() {
        let (workers, told) = told::<{ FEW + 3 }>(0);
        told.answer.store(1, Relaxed);
        for turn in 0..20_usize {
            let second = (turn + 0x9E37_79B1) % workers.len();
            assert_eq!(workers[0].shared.place(), second);
            assert_eq!(told.offered(), [turn % workers.len(), second]);
        }
    }

    #[test]
    fn of_none_the_first_is_chosen() {
        let candidates = [Candidate::new(7), Candidate::new(5)];
        assert_eq!([0, 1, 2].map(|at| chosen(&candidates, |_| at)), [7, 5, 7]);
        assert_eq!(chosen(&[], |_| 0), 0);
    }

    #[test]
    fn a_thief_looks_at_each_in_turn_or_at_the_one_of_a_few_that_the_policy_names() {
        let [_, local, _] = workers::<3>(3, None);
        assert_eq!([(); 4].map(|()| local.victim()), [2, 0, 1, 2]);
        let (workers, told) = told::<3>(0);
        told.answer.store(1, Relaxed);
        assert_eq!((workers[1].victim(), told.offered()), (0, vec![2, 0]));
        assert_eq!((workers[1].victim(), told.offered()), (2, vec![0, 2]));
        assert_eq!((workers[1].victim(), told.offered()), (0, vec![2, 0]), "not itself");
    }

    #[test]
    fn a_thief_that_is_alone_asks_nobody() {
        let (workers, told) = told::<1>(0);
        assert_eq!((workers[0].victim(), told.offered()), (0, vec![]));
        assert!(!workers[0].shared.victims.is_simple(), "it hasn't been asked about nobody");
    }

    #[test]
    fn spares_are_offered_too_whichever_came_first() {
        let [local, _] = workers(4, None);
        let told = Arc::new(Told::default());
        local.shared.victims.set_policy(VictimPolicy::Custom(Arc::clone(&told) as _));
        let _deques = local.shared.move_in(3);
        told.answer.store(1, Relaxed);
        assert_eq!((local.victim(), told.offered()), (3, vec![1, 3]));
    }

    #[test]
    fn of_many_two_at_most_are_offered_to_a_thief() {
        let (workers, told) = told::<{ FEW + 1 }>(0);
        let _ = workers[1].victim();
        assert_eq!(told.offered().len(), FEW);
        let (workers, told) = self::told::<{ FEW + 2 }>(0);
        let (mut seen, mut most) = (Vec::new(), 0);
        for _ in 0..200 {
            let _ = workers[1].victim();
            let offered = told.offered();
            most = most.max(offered.len());
            assert!(!offered.contains(&1) && (offered.len() < 2 || offered[0] != offered[1]));
            seen.extend(offered);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((most, seen), (2, vec![0, 2, 3, 4, 5]));
    }

    #[test]
    fn who_takes_what_waits_leaves_nothing_to_others() {
        let ([local, other], told) = told::<2>(0);
        let shared = &local.shared;
        sleep(&other);
        shared.injected.push(task());
        assert!(!local.leaves_to_others() && told.asked.load(Relaxed) == 1);
        shared.victims.set_policy(VictimPolicy::RoundRobin);
        assert!(!other.leaves_to_others() && !is_told(&other));
        other.execute(other.find().unwrap());
    }

    #[test]
    fn what_is_too_much_for_others_or_nothing_or_its_own_is_not_left_to_them() {
        let ([local, other], _) = told::<2>(1);
        let shared = &local.shared;
        sleep(&other);
        assert!(!local.leaves_to_others(), "nothing waits");
        local.remote().inbox.push(task());
        shared.injected.push(task());
        assert!(!local.leaves_to_others(), "it has something of its own to do");
        local.execute(local.find().unwrap());
        shared.injected.push(task());
        assert!(!local.leaves_to_others(), "two wait");
        assert!(!is_told(&other));
        (0..2).for_each(|_| other.execute(other.find().unwrap()));
    }

    #[test]
    #[cfg_attr(
        miri,
        ignore = "no clock, but a number of steps, says there how long something took"
    )]
    fn what_others_do_not_get_to_is_left_to_them_for_a_moment_only_or_for_some_if_they_get_on() {
        let ([local, other], told) = told::<2>(1);
        let shared = &local.shared;
        let moment = Duration::from_millis(4);
        shared.victims.rebalance(Box::default(), moment / TASKS);
        shared.injected.push(task());
        let leaves = || {
            sleep(&other);
            let start = Instant::now();
            assert!(!local.leaves_to_others() && is_told(&other));
            assert!(shared.idle.stop_searching());
            start.elapsed()
        };
        // Whoever else wants the CPUs may make it look like the other.
        assert!((0..100).any(|_| {
            let time = leaves();
            assert!(time > moment);
            time < MOMENTS * moment
        }));
        let until = Instant::now() + Duration::from_secs(30);
        assert!(told.gets_on.set((Arc::downgrade(shared), until)).is_ok());
        let time = leaves();
        assert!(time > MOMENTS * moment && Instant::now() < until, "{time:?}");
        other.execute(other.find().unwrap());
    }

    #[test]
    #[cfg_attr(miri, ignore = "as above")]
    fn what_others_take_is_left_to_them() {
        let ([local, other], _) = told::<2>(1);
        let shared = &local.shared;
        shared.victims.rebalance(Box::default(), Duration::MAX);
        // It may not get a CPU within a moment.
        assert!((0..100).any(|_| {
            sleep(&other);
            shared.injected.push(task());
            let left = thread::scope(|threads| {
                let parker = &shared.worker(other.index).parker;
                let taker = threads.spawn(|| {
                    parker.park();
                    shared.injected.steal().unwrap()
                });
                let left = local.leaves_to_others();
                // Or after a moment nobody might have told it.
                parker.unpark();
                local.execute(Job::Task(taker.join().unwrap()));
                left
            });
            is_told(&other);
            shared.idle.wake_up(other.index);
            assert!(shared.idle.stop_searching());
            left
        }));
    }
}

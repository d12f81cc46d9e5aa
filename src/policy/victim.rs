//! Whom a worker that has nothing to do takes work from; who is woken for work; who gets a task that is to go to
//! one worker alone; and who leaves work to others.

use std::fmt;
use std::sync::Arc;

/// What is known of a worker when it may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// Its index.
    pub worker: usize,
    /// The jobs in its queues, one more if frames of joins hide in its lane, and one if it runs a job: as of now.
    pub load: usize,
    /// From 0 to 1, at the last [check](crate::Monitoring::health_checks); 1 if there has been none.
    pub health: f64,
    /// Its tasks' mean response time, as a multiple of the workers' median; 1 if that isn't known.
    pub slowness: f64,
    /// Tasks that failed, as a share of all since the check before.
    pub error_rate: f64,
}

impl Candidate {
    /// A healthy worker with nothing to do.
    pub fn new(worker: usize) -> Self {
        Self { worker, load: 0, health: 1.0, slowness: 1.0, error_rate: 0.0 }
    }

    /// How much of a worker it is, from 0 (hardly) to 1.
    fn worth(&self) -> f64 {
        let pace = 1.0 / self.slowness.clamp(1.0, 10.0);
        let worth = self.health * pace * (1.0 - self.error_rate);
        // NaN counts as nothing wrong, as elsewhere.
        if worth.is_nan() { 1.0 } else { worth.clamp(0.01, 1.0) }
    }

    /// Whether it is worth half a worker at least: one that isn't counts as ill.
    fn is_well(&self) -> bool {
        self.worth() >= 0.5
    }
}

/// A policy of one's own, for [`VictimPolicy::Custom`]. It is asked on the workers' threads, whenever there is
/// something to choose: it must neither wait nor allocate, and answers from what it is told. One that
/// panics is replaced by [`VictimPolicy::RoundRobin`], and counted
/// ([`Counters::policy_panics`](crate::Counters::policy_panics)).
///
/// A position that is out of range counts as 0.
///
/// # Examples
///
/// ```
/// use filch::{Candidate, ChooseVictim, VictimPolicy};
/// use std::sync::Arc;
///
/// /// Steals from the worker with the highest index.
/// struct Last;
///
/// impl ChooseVictim for Last {
///     fn steal_from(&self, victims: &[Candidate]) -> usize {
///         let last = (0..victims.len()).max_by_key(|&at| victims[at].worker);
///         last.unwrap_or(0)
///     }
/// }
///
/// let pool = filch::ThreadPoolBuilder::new()
///     .num_threads(2)
///     .victim_policy(VictimPolicy::Custom(Arc::new(Last)))
///     .build()?;
/// assert_eq!(pool.join(|| 1, || 2), (1, 2));
/// # Ok::<(), filch::Error>(())
/// ```
pub trait ChooseVictim: Send + Sync {
    /// At whose queues a worker looks first: the position of one of the `victims`, of which there is at least
    /// one. If that one has nothing to steal, all others follow in turn.
    fn steal_from(&self, victims: &[Candidate]) -> usize;

    /// The class of one that sleeps: of the lowest class one is woken, of these the one that was there
    /// first, which is the one that was busy last.
    fn wake(&self, sleeper: &Candidate) -> u8 {
        let _ = sleeper;
        0
    }

    /// To whom of the `workers` a task goes that is to go to one alone
    /// ([`ThreadPool::spawn_placed`](crate::ThreadPool::spawn_placed)): the position of one of them, of
    /// which there is at least one.
    fn place(&self, workers: &[Candidate]) -> usize {
        first_min(workers, |worker| worker.load as f64)
    }

    /// Whether this worker, which has nothing to do, takes what waits for anybody; else it leaves that to those who
    /// do, until more than one job waits for each of them, or they have done nothing for a moment: four
    /// times the mean response time of the median worker's tasks at the last check, and 1 to 20 milliseconds. Never for
    /// more than 16 such moments.
    fn take(&self, worker: &Candidate) -> bool {
        let _ = worker;
        true
    }
}

/// Whom a worker steals from, and other choices among workers; for
/// [`ThreadPoolBuilder::victim_policy`](crate::ThreadPoolBuilder::victim_policy).
///
/// | | `RoundRobin` | `LeastLoaded` | `HealthWeighted` |
/// |-|-|-|-|
/// | steals from | each in turn | the more loaded of two, at random | the one of two whose load is the largest for what the worker is worth |
/// | wakes | who was busy last | who was busy last | who was busy last, of the healthy ones if there are any |
/// | places at | each in turn | the less loaded of two | the one of two whose load would be the least for what it is worth |
/// | takes work of all | whoever is idle | whoever is idle | a healthy one, for [as long](ChooseVictim::take) as they can |
///
/// With up to four others it is all of them instead of two. A worker is worth its health, divided by how much slower
/// than the others its tasks are, less its error rate: as they were at the last
/// [load check](crate::Monitoring::load_checks). It is healthy here if it is worth half at least.
#[derive(Clone, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum VictimPolicy {
    /// All are alike. Costs nothing.
    #[default]
    RoundRobin,
    /// Looks at the queues before it chooses.
    LeastLoaded,
    /// Looks at the queues and at who is how healthy.
    HealthWeighted,
    /// One's own. Can't be in a file.
    #[cfg_attr(feature = "serde", serde(skip))]
    Custom(Arc<dyn ChooseVictim>),
}

/// One of one's own is like itself alone.
impl PartialEq for VictimPolicy {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Custom(own), Self::Custom(other)) => Arc::ptr_eq(own, other),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl VictimPolicy {
    /// Whether it goes by turns alone.
    pub(crate) fn is_simple(&self) -> bool {
        matches!(self, Self::RoundRobin)
    }
}

impl ChooseVictim for VictimPolicy {
    fn steal_from(&self, victims: &[Candidate]) -> usize {
        match self {
            Self::RoundRobin => 0,
            Self::LeastLoaded => first_min(victims, |victim| -(victim.load as f64)),
            Self::HealthWeighted => {
                first_min(victims, |victim| -(victim.load as f64) / victim.worth())
            }
            Self::Custom(policy) => policy.steal_from(victims),
        }
    }

    fn wake(&self, sleeper: &Candidate) -> u8 {
        match self {
            Self::RoundRobin | Self::LeastLoaded => 0,
            Self::HealthWeighted => u8::from(!sleeper.is_well()),
            Self::Custom(policy) => policy.wake(sleeper),
        }
    }

    fn place(&self, workers: &[Candidate]) -> usize {
        match self {
            Self::RoundRobin => 0,
            Self::LeastLoaded => first_min(workers, |worker| worker.load as f64),
            Self::HealthWeighted => {
                first_min(workers, |worker| (worker.load as f64 + 1.0) / worker.worth())
            }
            Self::Custom(policy) => policy.place(workers),
        }
    }

    fn take(&self, worker: &Candidate) -> bool {
        match self {
            Self::RoundRobin | Self::LeastLoaded => true,
            Self::HealthWeighted => worker.is_well(),
            Self::Custom(policy) => policy.take(worker),
        }
    }
}

impl fmt::Debug for VictimPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "RoundRobin",
            Self::LeastLoaded => "LeastLoaded",
            Self::HealthWeighted => "HealthWeighted",
            Self::Custom(_) => "Custom",
        })
    }
}

/// The first of those for whom `key` is the least.
fn first_min(candidates: &[Candidate], key: impl Fn(&Candidate) -> f64) -> usize {
    let keys = candidates.iter().map(key).enumerate();
    keys.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, ChooseVictim, VictimPolicy};
    use std::sync::Arc;

    fn candidates(known: &[(usize, f64)]) -> Vec<Candidate> {
        let known = known.iter().enumerate();
        known
            .map(|(worker, &(load, health))| Candidate { load, health, ..Candidate::new(worker) })
            .collect()
    }

    #[test]
    fn each_policy_relieves_another() {
        let victims = candidates(&[(1, 1.0), (8, 1.0), (8, 1.0), (5, 0.4)]);
        assert_eq!(VictimPolicy::RoundRobin.steal_from(&victims), 0);
        assert_eq!(VictimPolicy::LeastLoaded.steal_from(&victims), 1);
        assert_eq!(VictimPolicy::HealthWeighted.steal_from(&victims), 3);
        // Whoever has nothing isn't relieved.
        let victims = candidates(&[(0, 0.0), (1, 1.0)]);
        assert_eq!(VictimPolicy::HealthWeighted.steal_from(&victims), 1);
    }

    /// Says the least that one must.
    struct Second;

    impl ChooseVictim for Second {
        fn steal_from(&self, _: &[Candidate]) -> usize {
            1
        }
    }

    #[test]
    fn a_policy_that_says_no_more_wakes_and_places_and_takes_as_if_all_were_alike() {
        let policy = VictimPolicy::Custom(Arc::new(Second));
        let workers = candidates(&[(3, 1.0), (4, 0.1), (1, 0.1), (2, 1.0)]);
        assert_eq!((policy.steal_from(&workers), policy.place(&workers)), (1, 2));
        assert!(workers.iter().all(|worker| policy.wake(worker) == 0 && policy.take(worker)));
    }

    #[test]
    fn policies_are_told_apart() {
        let [own, other] = [(); 2].map(|()| VictimPolicy::Custom(Arc::new(Second)));
        assert!(own == own.clone() && own != other && own != VictimPolicy::RoundRobin);
        assert!(VictimPolicy::LeastLoaded == VictimPolicy::LeastLoaded);
        assert!(VictimPolicy::LeastLoaded != VictimPolicy::HealthWeighted);
        assert!(VictimPolicy::RoundRobin.is_simple() && !own.is_simple());
    }

    #[test]
    fn tasks_are_placed_where_they_are_done_soonest() {
        let workers = candidates(&[(3, 1.0), (2, 1.0), (0, 0.2), (1, 0.9)]);
        assert_eq!(VictimPolicy::RoundRobin.place(&workers), 0);
        assert_eq!(VictimPolicy::LeastLoaded.place(&workers), 2);
        assert_eq!(VictimPolicy::HealthWeighted.place(&workers), 3);
    }

    #[test]
    fn the_ill_are_woken_last_and_leave_work_to_others_by_health_alone() {
        let well = Candidate { health: 0.9, slowness: 1.7, ..Candidate::new(0) };
        let ill = Candidate { health: 0.9, slowness: 1.9, ..Candidate::new(1) };
        for policy in [VictimPolicy::RoundRobin, VictimPolicy::LeastLoaded] {
            assert_eq!((policy.wake(&ill), policy.take(&ill)), (0, true));
        }
        let policy = VictimPolicy::HealthWeighted;
        assert_eq!((policy.wake(&well), policy.take(&well)), (0, true));
        assert_eq!((policy.wake(&ill), policy.take(&ill)), (1, false));
    }

    #[test]
    fn slow_workers_and_such_that_fail_are_worth_less_and_nonsense_counts_for_nothing() {
        let worker = Candidate::new(0);
        let slow = Candidate { slowness: 4.0, ..worker };
        let failing = Candidate { error_rate: 0.5, ..worker };
        assert_eq!([worker, slow, failing].map(|worker| worker.worth()), [1.0, 0.25, 0.5]);
        let strange = [
            Candidate { health: f64::NAN, ..worker },
            Candidate { slowness: f64::NAN, ..worker },
            Candidate { error_rate: f64::NAN, ..worker },
        ];
        assert!(strange.iter().all(|worker| worker.worth() == 1.0 && worker.is_well()));
        let hopeless =
            Candidate { health: 0.0, slowness: f64::INFINITY, error_rate: 1.0, ..worker };
        assert_eq!(hopeless.worth(), 0.01);
        for policy in [VictimPolicy::LeastLoaded, VictimPolicy::HealthWeighted] {
            assert!(policy.steal_from(&strange) < 3 && policy.place(&strange) < 3);
            assert_eq!((policy.steal_from(&[]), policy.place(&[])), (0, 0));
        }
    }
}

//! Whom a pool's workers take work from: how that is chosen.

use crate::policy::victim::VictimPolicy;
use crate::pool::builder::ThreadPoolBuilder;
use crate::pool::thread_pool::ThreadPool;

impl<S> ThreadPoolBuilder<S> {
    /// Whom a worker that has nothing to do steals from, and other choices among workers. Default:
    /// [`VictimPolicy::RoundRobin`].
    pub fn victim_policy(mut self, policy: VictimPolicy) -> Self {
        self.victim_policy = policy;
        self
    }
}

impl ThreadPool {
    /// From now on workers are chosen by this one. Takes some microseconds; workers go on meanwhile, by the
    /// one or the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::VictimPolicy;
    ///
    /// let pool = filch::ThreadPoolBuilder::new().num_threads(2).build()?;
    /// pool.set_victim_policy(VictimPolicy::LeastLoaded);
    /// assert!(matches!(pool.victim_policy(), VictimPolicy::LeastLoaded));
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn set_victim_policy(&self, policy: VictimPolicy) {
        self.shared().victims.set_policy(policy);
        // It knows what the policy is to be told.
        self.shared().governor.get().inspect(|governor| governor.unpark());
    }

    /// The policy by which workers are chosen: not the one that was set if that has panicked.
    pub fn victim_policy(&self) -> VictimPolicy {
        self.shared().victims.policy()
    }
}

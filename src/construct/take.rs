//! `Lease::take`: waiting as long as so many bytes a second allow.

use crate::construct::blocking::blocking;
use crate::policy::amounts::Resource;
use crate::resources::lease::Lease;
use crate::sync::sleep;
use std::time::{Duration, Instant};

/// How often one looks whether it has been granted some of a rate again.
const CHOKED: Duration = Duration::from_millis(10);

impl Lease {
    /// Waits until so many bytes may go over the network, or to and from a disk, by what the lease is for: of each of the two
    /// that it is for, at the rate that has been [granted](Self::granted), after a pause a tenth of a second's worth at
    /// once. More than fits is waited for afterwards, so that no call is refused. On a worker it runs nothing else meanwhile,
    /// and another one takes its place, as in [`blocking`](crate::blocking()).
    ///
    /// An elastic lease of which nothing is granted for now waits until that changes. A lease that is for neither lets everything through at once: nothing was agreed on.
    ///
    /// # Examples
    ///
    /// ```
    /// use filch::{Request, Resource};
    /// use std::time::{Duration, Instant};
    ///
    /// let pool = filch::ThreadPoolBuilder::new().budget(Resource::Network, 100_000_000).build()?;
    /// let lease = pool.acquire(&Request::new().network(1_000_000)).unwrap();
    /// let start = Instant::now();
    /// for _ in 0..20 {
    ///     lease.take(10_000);
    ///     // send 10,000 bytes
    /// }
    /// // 200,000 bytes, of which half is there at the beginning.
    /// assert!(start.elapsed() >= Duration::from_millis(90));
    /// # Ok::<(), filch::Error>(())
    /// ```
    pub fn take(&self, bytes: u64) {
        let rates = [Resource::Network, Resource::Io];
        while rates.into_iter().any(|rate| self.is_choked(rate)) {
            blocking(|| sleep(CHOKED));
        }
        let now = Instant::now();
        let times = rates.map(|rate| self.take_at(rate, now, bytes));
        if let Some(at) = times.into_iter().flatten().max()
            && at > now
        {
            blocking(|| sleep(at - now));
        }
    }
}

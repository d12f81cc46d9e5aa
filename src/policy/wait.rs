//! What a worker may run while it waits.

/// What a worker may run while it waits for a join, a scope, a handle, a broadcast or another
/// pool.
///
/// # Examples
///
/// ```
/// use filch::{ThreadPoolBuilder, WaitPolicy};
///
/// let pool = ThreadPoolBuilder::new().num_threads(2).wait_policy(WaitPolicy::Any).build()?;
/// assert_eq!(pool.join(|| 1, || 2), (1, 2));
/// # Ok::<(), filch::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitPolicy {
    /// Only what is part of what it waits for. So no unrelated task runs on a stack that may
    /// hold a lock that the task wants, and stacks grow no deeper than those of a serial
    /// program, nearly. A worker that finds nothing of the kind sleeps, and a spare takes its
    /// place. Exceptions: see [What a wait may run](crate#what-a-wait-may-run).
    #[default]
    Descendants,
    /// Anything, as rayon's workers do: no worker sleeps while there is work, no spare is
    /// needed, and a lock held across a wait can deadlock. All tasks of a worker, those of
    /// scopes and others, run in one order: the youngest first.
    Any,
}

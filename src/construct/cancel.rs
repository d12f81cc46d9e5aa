//! Cancellation, as a tree of flags: whoever asks walks up to the root.

use crate::sync::{AtomicBool, Ordering};
use std::fmt;
use std::sync::Arc;

/// Says that something is no longer wanted: to tasks that have not begun, which are dropped then, and to
/// those that run and ask.
///
/// A clone is the same token; a [`child`](Self::child) is cancelled with its parent, and not the other way
/// round. See [`Scope::cancel`](crate::Scope::cancel), [`ScopeBuilder::token`](crate::ScopeBuilder::token) and
/// [`TaskBuilder::token`](crate::TaskBuilder::token). There is no way back.
///
/// It orders no memory: what whoever cancels has to say beside it, such as why, takes a lock or a channel.
/// But whoever is told of the cancellation in such a way, or spawned after it, sees it.
///
/// # Examples
///
/// ```
/// let request = filch::CancelToken::new();
/// let (first, second) = (request.child(), request.child());
/// first.cancel();
/// assert!(first.is_cancelled() && !second.is_cancelled() && !request.is_cancelled());
/// request.cancel();
/// assert!(second.is_cancelled());
/// ```
// No list of children: those would have to be found and told under a lock, and to leave when they are
// dropped. So to ask takes as long as the way up, and to cancel a store.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Link>);

#[derive(Default)]
struct Link {
    cancelled: AtomicBool,
    parent: Option<CancelToken>,
}

impl CancelToken {
    /// One without a parent. Costs an allocation, as a child does.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that is cancelled by itself or with this one.
    pub fn child(&self) -> Self {
        Self(Arc::new(Link { cancelled: AtomicBool::new(false), parent: Some(self.clone()) }))
    }

    /// Cancels it and all its descendants, at the cost of one store.
    pub fn cancel(&self) {
        // Relaxed: nothing comes with it.
        self.0.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether it or one of its ancestors has been cancelled. Costs a load for each of them.
    pub fn is_cancelled(&self) -> bool {
        let mut token = Some(self);
        while let Some(CancelToken(link)) = token {
            if link.cancelled.load(Ordering::Relaxed) {
                return true;
            }
            token = link.parent.as_ref();
        }
        false
    }
}

impl Drop for Link {
    /// Or a long chain of tokens, of which only the last is left, would be dropped by recursion.
    fn drop(&mut self) {
        let mut parent = self.parent.take();
        while let Some(mut link) = parent.and_then(|CancelToken(link)| Arc::into_inner(link)) {
            parent = link.parent.take();
        }
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

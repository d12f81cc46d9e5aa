//! Frames: jobs on the stack of a thread that waits for them, each linked to the next older and the
//! next younger open join. `unsafe` as all of `job`.

use super::{FrameRef, Header};
use crate::primitive::latch::Latch;
use crate::sync::cell::UnsafeCell;
use crate::sync::{AtomicPtr, Ordering};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// The part of a frame that doesn't depend on its closure.
#[repr(C)]
#[derive(Debug)]
pub struct Frame<C> {
    pub(super) header: Header<C>,
    /// The frame that it lies on, on its owner's lane; null where it lies on none.
    below: *mut Frame<C>,
    above: Above<C>,
    /// Made by whoever takes the frame off its owner's lane: most joins never need one.
    pub(super) latch: UnsafeCell<MaybeUninit<Latch>>,
}

/// The frame that was last pushed on this one. Memory that nobody has written before that push:
/// most joins are leaves of a tree, and a store is what their cost is made of.
#[derive(Debug)]
struct Above<C>(MaybeUninit<AtomicPtr<Frame<C>>>);

impl<C> Above<C> {
    #[inline(always)]
    fn new() -> Self {
        // A model's atomics are more than their memory.
        let made = || MaybeUninit::new(AtomicPtr::new(ptr::null_mut()));
        Self(if cfg!(any(loom, shuttle)) { made() } else { MaybeUninit::uninit() })
    }

    /// To be loaded from only after a store.
    #[inline(always)]
    fn get(&self) -> &AtomicPtr<Frame<C>> {
        // SAFETY: alive and aligned. A reference says nothing of what the memory holds.
        unsafe { &*self.0.as_ptr() }
    }
}

impl<C> Frame<C> {
    #[inline(always)]
    pub(super) fn new(header: Header<C>, below: *mut Self) -> Self {
        Self { header, below, above: Above::new(), latch: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// What the oldest frame of a lane lies on.
    pub fn bottom() -> Self {
        unsafe fn run<C>(_: NonNull<Header<C>>, _: &C) {
            unreachable!("filch: the bottom of a lane is no job");
        }
        Self::new(Header { run }, ptr::null_mut())
    }

    /// The frame that `this` lies on.
    ///
    /// # Safety
    /// `this` is alive.
    #[inline(always)]
    pub unsafe fn below(this: *const Self) -> *mut Self {
        // SAFETY: alive, by the caller's promise; never written again.
        unsafe { (*this).below }
    }

    /// Notes that `above` lies on `this` now.
    ///
    /// # Safety
    /// `this` is alive, and on the lane of this thread.
    #[inline(always)]
    pub unsafe fn put_on(this: *const Self, above: *mut Self) {
        // Relaxed: the store of the lane's top, which follows, publishes it.
        // SAFETY: alive, by the caller's promise.
        unsafe { &(*this).above }.get().store(above, Ordering::Relaxed);
    }

    /// The frame that was last put on `this`.
    ///
    /// # Safety
    /// `this` is alive, and one has been put on it, as this thread knows.
    pub unsafe fn above(this: *const Self) -> *mut Self {
        // SAFETY: alive, by the caller's promise.
        unsafe { &(*this).above }.get().load(Ordering::Relaxed)
    }
}

impl<C> FrameRef<C> {
    /// # Safety
    /// As for [`JobRef::new`](super::JobRef::new); and it isn't null.
    pub unsafe fn new(frame: *mut Frame<C>) -> Self {
        // SAFETY: by the caller's promise.
        Self(unsafe { NonNull::new_unchecked(frame) })
    }

    #[inline(always)]
    pub fn as_ptr(self) -> *mut Frame<C> {
        self.0.as_ptr()
    }

    /// Makes the frame's latch, so that somebody else can run it.
    ///
    /// # Safety
    /// Called once, before anybody else may run the frame, and under the claim of the lane
    /// that it lies on: its owner asks for the latch when it has had the claim since.
    pub unsafe fn arm(&self) {
        // SAFETY: alive until run. No reference is made to the rest of the frame.
        let cell = unsafe { &(*self.0.as_ptr()).latch };
        // SAFETY: nobody else looks yet, by the caller's promise.
        cell.with_mut(|latch| _ = unsafe { (*latch).write(Latch::new()) });
    }

    /// The latch that is set when the frame has run, once it is [armed](Self::arm).
    pub fn latch(&self) -> *const Latch {
        // SAFETY: as in `arm`.
        unsafe { &(*self.0.as_ptr()).latch }.with(|latch| latch.cast())
    }
}

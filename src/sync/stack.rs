//! How much of its stack a thread has left.
//!
//! This file is `unsafe` for the system's calls that tell where the stack lies.

/// Where the current thread's stack ends, and from where on it is nearly used up.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    /// The lowest address.
    end: usize,
    /// So many bytes from there on are the margin. 0 where nobody can tell.
    margin: usize,
}

/// What is to be left for a job that somebody takes on top of others: more than most jobs
/// use, and no more than half of a small stack.
const MARGIN: usize = 1 << 20;

impl Stack {
    /// Of the current thread.
    pub fn current() -> Self {
        let (end, size) = system::bounds().unwrap_or((0, 0));
        Self { end, margin: MARGIN.min(size / 2) }
    }

    /// Whether less than the margin is left. For the thread that it is the stack of. Not while that is on another one,
    /// of which nobody can tell: a coroutine's, one that was made to go deeper, or AddressSanitizer's.
    pub fn is_nearly_used_up(&self) -> bool {
        let here = 0_u8;
        // The address only: nothing is read through it.
        (&raw const here).addr().wrapping_sub(self.end) < self.margin
    }
}

#[cfg(all(target_os = "linux", not(any(loom, miri, shuttle))))]
mod system {
    use std::mem::MaybeUninit;
    use std::ptr;

    /// The lowest address of the current thread's stack, and its size.
    pub fn bounds() -> Option<(usize, usize)> {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: initialises the attributes of a thread that is alive: this one.
        if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes) } != 0 {
            return None;
        }
        let (mut lowest, mut size) = (ptr::null_mut(), 0);
        // SAFETY: the attributes are initialised, and both results have a place.
        let known = unsafe { libc::pthread_attr_getstack(attributes, &mut lowest, &mut size) };
        // SAFETY: initialised above, and not used again.
        unsafe { libc::pthread_attr_destroy(attributes) };
        (known == 0).then_some((lowest.addr(), size))
    }
}

#[cfg(not(all(target_os = "linux", not(any(loom, miri, shuttle)))))]
mod system {
    pub fn bounds() -> Option<(usize, usize)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::{MARGIN, Stack};
    use std::hint::black_box;
    use std::thread;

    #[test]
    fn of_another_stack_nobody_can_tell() {
        let outer = Stack::current();
        // Of the two one lies below the other.
        let ask = || (Stack::current(), outer.is_nearly_used_up());
        let (inner, outer) = thread::scope(|scope| scope.spawn(ask).join().unwrap());
        assert_eq!((inner.is_nearly_used_up(), outer), (false, false));
    }

    fn dig(stack: Stack, depth: usize) -> usize {
        let frame = black_box([0_u8; 10_000]);
        if stack.is_nearly_used_up() {
            return depth;
        }
        let deeper = dig(stack, depth + 1);
        black_box(&frame);
        deeper
    }

    #[test]
    #[cfg_attr(not(all(target_os = "linux", not(miri))), ignore = "nobody can tell")]
    fn a_stack_is_nearly_used_up_while_the_margin_is_left() {
        for size in [256 << 10, 2 << 20, 8 << 20] {
            let dug = thread::Builder::new().stack_size(size).spawn(|| dig(Stack::current(), 0));
            let used = dug.unwrap().join().unwrap() * 10_000;
            let margin = MARGIN.min(size / 2);
            assert!(used <= size - margin, "{used} of {size}");
            // Frames are larger than what is in them, in a build that doesn't optimise.
            assert!(used >= (size - margin) / 4, "{used} of {size}");
        }
    }
}

//! Where jobs lie that outlive the frame which made them: in blocks of memory that are used again
//! and again.
//!
//! Each thread keeps the blocks that it has freed in *magazines*, one being filled and one full in
//! reserve, and makes its next jobs in them; so a task that spawns the next one runs in the block
//! that is in its cache already, and no allocator is asked. Further full magazines go to the
//! *depot* of the process, where threads that only spawn find what those that only run have freed
//! (Bonwick and Adams 2001). What a depot doesn't hold goes back to the allocator.
//!
//! Invariant: a block is in one place only: a job's, a thread's, or the depot's.
//!
//! This file is `unsafe` for the memory.

use crate::primitive::pile::Pile;
use crate::sync::{AtomicUsize, Ordering};
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::LazyLock;

/// Sizes of blocks are multiples of it, so that a job of the shortest kind wastes nothing. A
/// block has room for two links.
const STEP: usize = 16;
/// Larger jobs are rare, and dearer to move than to allocate.
const SIZES: usize = 8;
/// Blocks of a magazine: enough to make the depot's read-modify-writes cheap.
const MAGAZINE: usize = 32;
/// Bytes of each size in the depot at most: what a burst of a hundred thousand short tasks leaves
/// behind. An allocator keeps that memory, too, unless it happens to lie at the end of its heap.
const DEPOT: usize = 2 << 20;

/// What lies in a block that is free.
#[repr(C)]
struct Free {
    /// The next one in this magazine.
    next: *mut Free,
    /// For the first one of a full magazine: the next magazine.
    magazine: *mut Free,
}

const _: () = assert!(size_of::<Free>() <= STEP);

/// A thread's free blocks of one size.
struct Shelf {
    /// The magazine that is being filled or emptied.
    loaded: Cell<*mut Free>,
    len: Cell<usize>,
    /// Full ones.
    reserve: Cell<*mut Free>,
}

struct Shelves([Shelf; SIZES]);

thread_local! {
    static SHELVES: Shelves = const { Shelves([const { Shelf::new() }; SIZES]) };
}

/// The process's full magazines of one size.
#[derive(Default)]
struct Depot {
    magazines: Pile<Free>,
    /// About how many there are.
    len: AtomicUsize,
}

static DEPOTS: LazyLock<[Depot; SIZES]> = LazyLock::new(Default::default);

/// The index of the size that fits, if one does.
const fn size_for<T>() -> Option<usize> {
    // A model can't have what outlives it, and a tool that looks for uses after a free must see that one.
    let fits = !cfg!(any(loom, shuttle, filch_no_blocks))
        && size_of::<T>() <= SIZES * STEP
        && align_of::<T>() <= STEP;
    if fits { Some(size_of::<T>().saturating_sub(1) / STEP) } else { None }
}

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align((size + 1) * STEP, STEP) {
        Ok(layout) => layout,
        Err(_) => panic!("a multiple of the alignment"),
    }
}

/// Puts the value into a block.
#[inline(always)]
pub fn put<T>(value: T) -> NonNull<T> {
    let Some(size) = (const { size_for::<T>() }) else {
        return NonNull::from(Box::leak(Box::new(value)));
    };
    // A thread whose thread-locals are gone still spawns now and then.
    let block = SHELVES.try_with(|shelves| shelves.0[size].take(size));
    let block = block.unwrap_or_else(|_| new_block(size)).cast::<T>();
    // SAFETY: ours alone, and large enough.
    unsafe { block.write(value) };
    block
}

/// Takes the value out and frees the block.
///
/// # Safety
/// The block comes from [`put`] of the same type, and this is called once.
#[inline(always)]
pub unsafe fn take<T>(block: NonNull<T>) -> T {
    let Some(size) = (const { size_for::<T>() }) else {
        // SAFETY: made by `put` from a box.
        return *unsafe { Box::from_raw(block.as_ptr()) };
    };
    // SAFETY: put there, and taken once.
    let value = unsafe { block.read() };
    let block = block.cast::<Free>();
    if SHELVES.try_with(|shelves| shelves.0[size].give(size, block)).is_err() {
        // SAFETY: nobody has it any more.
        unsafe { free_block(size, block) };
    }
    value
}

fn new_block(size: usize) -> NonNull<Free> {
    let layout = layout(size);
    // SAFETY: no layout here is of size zero.
    let block = unsafe { alloc(layout) };
    NonNull::new(block.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// # Safety
/// The block is of this size, and nobody has it any more.
unsafe fn free_block(size: usize, block: NonNull<Free>) {
    // SAFETY: from `new_block`, with the same layout.
    unsafe { dealloc(block.as_ptr().cast(), layout(size)) }
}

/// # Safety
/// The magazine is the caller's, and of this size.
unsafe fn free_magazine(size: usize, mut first: *mut Free) {
    while let Some(block) = NonNull::new(first) {
        // SAFETY: a free block of the caller's.
        first = unsafe { block.as_ref() }.next;
        // SAFETY: taken out of the magazine.
        unsafe { free_block(size, block) };
    }
}

impl Shelf {
    const fn new() -> Self {
        Self {
            loaded: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
            reserve: Cell::new(ptr::null_mut()),
        }
    }

    #[inline(always)]
    fn take(&self, size: usize) -> NonNull<Free> {
        match NonNull::new(self.loaded.get()) {
            Some(block) => self.pop(block),
            None => self.reload(size),
        }
    }

    /// The first block of the loaded magazine.
    #[inline(always)]
    fn pop(&self, first: NonNull<Free>) -> NonNull<Free> {
        // SAFETY: by the invariant ours alone.
        self.loaded.set(unsafe { first.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        first
    }

    #[cold]
    #[inline(never)]
    fn reload(&self, size: usize) -> NonNull<Free> {
        if self.reserve.get().is_null() {
            self.reserve.set(DEPOTS[size].take_all());
        }
        let Some(first) = NonNull::new(self.reserve.get()) else { return new_block(size) };
        // SAFETY: by the invariant ours alone.
        self.reserve.set(unsafe { first.as_ref() }.magazine);
        self.len.set(MAGAZINE);
        self.pop(first)
    }

    #[inline(always)]
    fn give(&self, size: usize, block: NonNull<Free>) {
        if self.len.get() == MAGAZINE {
            self.unload(size);
        }
        // SAFETY: nobody else has it, by the promise of `take`.
        unsafe { (&raw mut (*block.as_ptr()).next).write(self.loaded.get()) };
        self.loaded.set(block.as_ptr());
        self.len.set(self.len.get() + 1);
    }

    /// Puts the full magazine away.
    #[cold]
    #[inline(never)]
    fn unload(&self, size: usize) {
        let full = self.loaded.replace(ptr::null_mut());
        self.len.set(0);
        if self.reserve.get().is_null() {
            // SAFETY: by the invariant ours alone.
            unsafe { (&raw mut (*full).magazine).write(ptr::null_mut()) };
            self.reserve.set(full);
        } else {
            put_away(size, full);
        }
    }
}

/// How many magazines the depot of this size holds.
const fn most(size: usize) -> usize {
    DEPOT / (MAGAZINE * layout(size).size())
}

/// Gives a full magazine of the caller's to the depot, or back to the allocator.
fn put_away(size: usize, full: *mut Free) {
    if !DEPOTS[size].store(full, most(size)) {
        // SAFETY: the depot hasn't taken it.
        unsafe { free_magazine(size, full) };
    }
}

impl Drop for Shelves {
    fn drop(&mut self) {
        for (size, shelf) in self.0.iter().enumerate() {
            // SAFETY: by the invariant ours alone.
            unsafe { free_magazine(size, shelf.loaded.get()) };
            // SAFETY: as above.
            unsafe { each_magazine(shelf.reserve.get(), |full| put_away(size, full)) };
        }
    }
}

/// # Safety
/// The magazines are the caller's.
unsafe fn each_magazine(mut first: *mut Free, mut with: impl FnMut(*mut Free)) {
    while !first.is_null() {
        // SAFETY: by the caller's promise. Read before it goes.
        let next = unsafe { (*first).magazine };
        with(first);
        first = next;
    }
}

/// Makes the depots, which are made behind a lock, before there are threads.
pub fn prepare() {
    LazyLock::force(&DEPOTS);
}

/// Gives what this thread has in reserve, and what lies in the depots, back to the allocator.
pub fn give_back() {
    let free = |size, magazines| {
        // SAFETY: taken out where they lay, and of that size.
        let free = |magazine| unsafe { free_magazine(size, magazine) };
        // SAFETY: as above.
        unsafe { each_magazine(magazines, free) };
    };
    let _ = SHELVES.try_with(|shelves| {
        for (size, shelf) in shelves.0.iter().enumerate() {
            free(size, shelf.reserve.replace(ptr::null_mut()));
        }
    });
    for (size, depot) in DEPOTS.iter().enumerate() {
        free(size, depot.take_all());
    }
}

impl Depot {
    /// Takes a full magazine, unless there are `most` already.
    fn store(&self, full: *mut Free, most: usize) -> bool {
        // Relaxed throughout: it only bounds what lies about.
        if self.len.load(Ordering::Relaxed) >= most {
            return false;
        }
        self.len.fetch_add(1, Ordering::Relaxed);
        self.magazines.put(full, |below| {
            // SAFETY: the caller's, until it is on the pile.
            unsafe { (&raw mut (*full).magazine).write(below) }
        });
        true
    }

    /// All magazines, linked; they are the caller's.
    fn take_all(&self) -> *mut Free {
        let all = self.magazines.take_all();
        if !all.is_null() {
            self.len.store(0, Ordering::Relaxed);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{
        DEPOTS, Depot, Free, MAGAZINE, SHELVES, SIZES, STEP, Shelf, Shelves, each_magazine,
        free_magazine, give_back, most, new_block, put, take,
    };
    use std::ptr;

    #[test]
    fn a_thread_uses_its_youngest_block_again() {
        let first = put([1_u64; 5]);
        // SAFETY: from `put`, once.
        assert_eq!(unsafe { take(first) }, [1; 5]);
        let second = put([2_u64; 5]);
        assert_eq!(first, second);
        // SAFETY: from `put`, once.
        assert_eq!(unsafe { take(second) }, [2; 5]);
    }

    #[test]
    fn what_is_in_reserve_can_be_given_back_and_the_rest_goes_on() {
        comes_back([1_u8; 100]);
        let in_reserve =
            || SHELVES.with(|shelves| shelves.0.iter().any(|shelf| !shelf.reserve.get().is_null()));
        assert!(in_reserve());
        give_back();
        assert!(!in_reserve());
        comes_back([2_u8; 100]);
        assert!(in_reserve());
    }

    fn comes_back<T: Clone + PartialEq + std::fmt::Debug>(value: T) {
        let many: Vec<_> = (0..3 * MAGAZINE).map(|_| put(value.clone())).collect();
        for block in many {
            assert!(block.is_aligned());
            // SAFETY: from `put`, once.
            assert_eq!(unsafe { take(block) }, value);
        }
    }

    #[test]
    fn values_of_all_sizes_and_alignments_come_back() {
        #[derive(Clone, PartialEq, Debug)]
        #[repr(align(64))]
        struct Aligned(u8);
        comes_back(());
        comes_back(1_u8);
        comes_back(1_u128);
        comes_back([1_u8; 17]);
        comes_back([1_u8; 128]);
        comes_back([1_u8; 129]);
        comes_back(Aligned(1));
        comes_back("a value with memory of its own".to_owned());
    }

    #[test]
    fn what_one_thread_puts_another_may_take() {
        let (sender, receiver) = std::sync::mpsc::channel::<Vec<_>>();
        std::thread::scope(|threads| {
            threads.spawn(move || {
                for round in 0..4 {
                    let block = |index| put([round, index, 0]).as_ptr().expose_provenance();
                    sender.send((0..MAGAZINE).map(block).collect()).unwrap();
                }
            });
            threads.spawn(move || {
                for (round, blocks) in receiver.iter().enumerate() {
                    for (index, block) in blocks.into_iter().enumerate() {
                        let block = ptr::with_exposed_provenance_mut(block);
                        // SAFETY: from `put`, once.
                        let value: [usize; 3] = unsafe { take(ptr::NonNull::new(block).unwrap()) };
                        assert_eq!(value, [round, index, 0]);
                    }
                }
            });
        });
    }

    #[test]
    fn a_depot_holds_a_bounded_number_of_magazines_and_gives_all_of_them_back() {
        const MOST: usize = 64;
        let depot = Depot::default();
        let mut magazines: Vec<_> =
            (0..=MOST).map(|_| Free { next: ptr::null_mut(), magazine: ptr::null_mut() }).collect();
        let places: Vec<*mut Free> = magazines.iter_mut().map(ptr::from_mut).collect();
        let stored: Vec<_> = places.iter().map(|&magazine| depot.store(magazine, MOST)).collect();
        assert!(stored[..MOST].iter().all(|&stored| stored));
        assert!(!stored[MOST]);
        let mut taken = 0;
        let mut next = depot.take_all();
        while !next.is_null() {
            taken += 1;
            // SAFETY: one of ours.
            next = unsafe { (*next).magazine };
        }
        assert_eq!(taken, MOST);
        assert!(depot.store(places[MOST], MOST));
        assert_eq!(depot.take_all(), places[MOST]);
        assert!(depot.take_all().is_null());
    }

    #[test]
    fn a_full_depot_holds_two_mebibytes() {
        for size in 0..SIZES {
            let magazine = MAGAZINE * STEP * (size + 1);
            let held = most(size) * magazine;
            assert!(held <= 2 << 20 && held + magazine > 2 << 20, "{held} bytes in {size}");
        }
    }

    #[test]
    fn what_a_thread_has_in_reserve_at_its_end_goes_to_the_depot() {
        const SIZE: usize = 5;
        let comes_there = || {
            let shelves = Shelves([const { Shelf::new() }; SIZES]);
            for _ in 0..2 * MAGAZINE {
                shelves.0[SIZE].give(SIZE, new_block(SIZE));
            }
            drop(shelves);
            let all = DEPOTS[SIZE].take_all();
            // SAFETY: just taken out, and all blocks there are of this size.
            unsafe { each_magazine(all, |magazine| free_magazine(SIZE, magazine)) };
            !all.is_null()
        };
        // Another test may empty the depots just then, but not again and again.
        assert!((0..1000).any(|_| comes_there()));
    }
}

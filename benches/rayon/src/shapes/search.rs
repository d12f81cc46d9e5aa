//! Searches, which end early or cut branches.

use crate::random::{Random, numbers};
use crate::timing::{Cost, measure};
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use std::sync::atomic::{AtomicU64, Ordering};

const CITIES: usize = 10;

struct Map {
    apart: [[u64; CITIES]; CITIES],
    best: AtomicU64,
}

impl Map {
    /// Goes on from the last city of a tour to each that isn't in it, a task for each near the root.
    fn tour<'s>(&'s self, scope: &rayon::Scope<'s>, last: usize, seen: u32, long: u64, depth: u32) {
        if long >= self.best.load(Ordering::Relaxed) {
            return;
        }
        if seen == (1 << CITIES) - 1 {
            self.best.fetch_min(long + self.apart[last][0], Ordering::Relaxed);
            return;
        }
        for city in (0..CITIES).filter(|city| seen & 1 << city == 0) {
            let (seen, long) = (seen | 1 << city, long + self.apart[last][city]);
            if depth < 4 {
                scope.spawn(move |scope| self.tour(scope, city, seen, long, depth + 1));
            } else {
                self.tour(scope, city, seen, long, depth + 1);
            }
        }
    }
}

/// The shortest way round some cities, by branch and bound.
pub fn tsp() -> Cost {
    let mut random = Random::new(11);
    let cities: [(f64, f64); CITIES] =
        std::array::from_fn(|_| (random.fraction(), random.fraction()));
    let between = |a: (f64, f64), b: (f64, f64)| 1e6 * (a.0 - b.0).hypot(a.1 - b.1);
    let apart = cities.map(|a| cities.map(|b| between(a, b) as u64));
    let mut known = None;
    measure(|| {
        let map = Map { apart, best: AtomicU64::new(u64::MAX) };
        rayon::scope(|scope| map.tour(scope, 0, 1, 0, 0));
        let best = map.best.into_inner();
        *known.get_or_insert(best) == best
    })
}

/// Things that are there, and one that isn't. Where one lies decides who comes upon it first, by luck,
/// so there are several.
pub fn find() -> Cost {
    let numbers = numbers(1 << 19);
    let wanted = [1, 2, 3, 4, 5].map(|sixths| numbers[numbers.len() * sixths / 6]);
    measure(|| {
        wanted.iter().all(|wanted| {
            numbers.par_iter().find_any(|&number| number == wanted) == Some(wanted)
                && numbers.par_iter().find_first(|&number| number == wanted) == Some(wanted)
        }) && numbers.par_iter().find_any(|&&number| number == 0).is_none()
    })
}

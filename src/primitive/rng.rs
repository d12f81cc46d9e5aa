//! A tiny generator for where to begin a search. Not for anything that matters.

use std::cell::Cell;

/// xorshift64* (Vigna 2014): three shifts and a multiplication, one word of state.
#[derive(Debug)]
pub struct Rng {
    state: Cell<u64>,
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        // Zero would stay zero; the constant spreads small seeds over all bits.
        Self { state: Cell::new((seed + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)) }
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&self, bound: usize) -> usize {
        let mut x = self.state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.state.set(x);
        let high = (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32;
        // Multiply and shift instead of a division (Lemire 2019).
        ((u64::from(high) * bound as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    /// Worked out by another program, in Python.
    #[test]
    fn the_numbers_are_those_of_the_generator_that_is_named() {
        let rng = Rng::new(0);
        assert_eq!([0; 6].map(|_| rng.below(1000)), [52, 331, 657, 489, 565, 616]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "too many rounds of mere arithmetic")]
    fn every_start_comes_up() {
        for seed in 0..64 {
            let rng = Rng::new(seed);
            let mut seen = [0; 5];
            for _ in 0..500 {
                seen[rng.below(5)] += 1;
            }
            assert!(seen.iter().all(|&n| n > 50), "seed {seed}: {seen:?}");
        }
    }
}

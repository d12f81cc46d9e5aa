//! Numbers that look random, the same in each run (xorshift; Marsaglia 2003).

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 up to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

pub fn numbers(many: usize) -> Vec<u64> {
    let mut random = Random::new(42);
    (0..many).map(|_| random.next()).collect()
}

//! Loops over numbers.

use crate::random::Random;
use crate::timing::{Cost, measure};
use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator,
    IntoParallelRefMutIterator, ParallelIterator,
};
use rayon::slice::ParallelSliceMut;

#[derive(Clone, Copy)]
struct Body {
    place: [f64; 3],
    speed: [f64; 3],
}

fn pull(body: &Body, all: &[Body]) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for other in all {
        let apart: [f64; 3] = std::array::from_fn(|axis| other.place[axis] - body.place[axis]);
        let square = apart.iter().map(|part| part * part).sum::<f64>() + 1e-3;
        let force = 1.0 / (square * square.sqrt());
        (0..3).for_each(|axis| sum[axis] += force * apart[axis]);
    }
    sum
}

pub fn nbody() -> Cost {
    let mut random = Random::new(7);
    let mut bodies: Vec<Body> = (0..800)
        .map(|_| Body { place: std::array::from_fn(|_| random.fraction()), speed: [0.0; 3] })
        .collect();
    measure(|| {
        let pulls: Vec<_> = bodies.par_iter().map(|body| pull(body, &bodies)).collect();
        bodies.par_iter_mut().zip(pulls).for_each(|(body, pull)| {
            let parts = body.place.iter_mut().zip(&mut body.speed).zip(pull);
            for ((place, speed), pull) in parts {
                *speed += 1e-9 * pull;
                *place += 1e-9 * *speed;
            }
        });
        bodies.iter().all(|body| body.place.iter().all(|part| part.is_finite()))
    })
}

pub fn matmul() -> Cost {
    const SIZE: usize = 192;
    let mut random = Random::new(3);
    let a: Vec<f64> = (0..SIZE * SIZE).map(|_| random.fraction()).collect();
    let mut product = vec![0.0; SIZE * SIZE];
    let mut identity = vec![0.0; SIZE * SIZE];
    (0..SIZE).for_each(|row| identity[row * SIZE + row] = 1.0);
    measure(|| {
        product.par_chunks_mut(SIZE).zip(a.par_iter().chunks(SIZE)).for_each(|(row, a)| {
            row.fill(0.0);
            for (&factor, b) in a.into_iter().zip(identity.chunks(SIZE)) {
                row.iter_mut().zip(b).for_each(|(sum, b)| *sum += factor * b);
            }
        });
        product == a
    })
}

const SIZE: usize = 256;

/// What becomes of a row. A function of its own, so that it is compiled alike with either pool.
#[inline(never)]
fn live(y: usize, cells: &[u8], row: &mut [u8]) {
    let [above, here, below] = [y + SIZE - 1, y, y + 1].map(|y| &cells[y % SIZE * SIZE..][..SIZE]);
    for (x, cell) in row.iter_mut().enumerate() {
        let (west, east) = ((x + SIZE - 1) % SIZE, (x + 1) % SIZE);
        let column = |x: usize| above[x] + here[x] + below[x];
        let near = column(west) + column(x) + column(east);
        *cell = u8::from(near == 3 || near == 4 && here[x] == 1);
    }
}

/// Generations of Conway's game on a torus, row by row.
pub fn life() -> Cost {
    let mut random = Random::new(5);
    let mut cells: Vec<u8> = (0..SIZE * SIZE).map(|_| (random.next() >> 60 < 5).into()).collect();
    let mut next = cells.clone();
    measure(|| {
        for _ in 0..10 {
            next.par_chunks_mut(SIZE).enumerate().for_each(|(y, row)| live(y, &cells, row));
            std::mem::swap(&mut cells, &mut next);
        }
        cells.len() == SIZE * SIZE
    })
}

/// Primes below two million, a piece at a time.
pub fn sieve() -> Cost {
    const BELOW: usize = 2_000_000;
    const PIECE: usize = 16_384;
    let root = BELOW.isqrt();
    let is_prime = |n: usize| (2..=n.isqrt()).all(|d| !n.is_multiple_of(d));
    let small: Vec<usize> = (2..=root).filter(|&n| is_prime(n)).collect();
    measure(|| {
        let primes: usize = (0..BELOW.div_ceil(PIECE))
            .into_par_iter()
            .map(|piece| {
                let from = (piece * PIECE).max(2);
                let to = ((piece + 1) * PIECE).min(BELOW);
                let mut prime = vec![true; to - from];
                for &p in &small {
                    let first = (p * p).max(from.div_ceil(p) * p);
                    (first..to).step_by(p).for_each(|n| prime[n - from] = false);
                }
                prime.iter().filter(|&&prime| prime).count()
            })
            .sum();
        primes == 148_933
    })
}

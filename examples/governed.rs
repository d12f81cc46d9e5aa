//! A service under a load that changes, for twenty seconds, and what its pool makes of that: who comes, who
//! goes, how long requests wait and what alerts that raises, printed as it happens.
//!
//! usage: governed [SECONDS]    as many seconds for each of the four parts; default: 5

use filch::{AlertKind, AlertRules, Latency, Monitoring, ThreadPool, ThreadPoolBuilder};
use hdrhistogram::Histogram;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Requests come every so often, and each takes so long.
struct Part {
    title: &'static str,
    every: Duration,
    work: Duration,
}

const MILLISECOND: Duration = Duration::from_millis(1);

const PARTS: [Part; 4] = [
    Part { title: "a quiet morning", every: Duration::from_millis(50), work: MILLISECOND },
    Part { title: "everybody comes at once", every: Duration::from_micros(400), work: MILLISECOND },
    Part { title: "nobody", every: Duration::MAX, work: MILLISECOND },
    Part {
        title: "a few who want more",
        every: Duration::from_millis(20),
        work: Duration::from_millis(15),
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = match std::env::args().nth(1) {
        Some(text) => text.parse().map_err(|_| format!("{text}: how many seconds?"))?,
        None => 5,
    };
    let pool = ThreadPoolBuilder::new()
        // So that there is something to see in twenty seconds: the default is five minutes.
        .idle_timeout(Duration::from_millis(500))
        .min_threads(1)
        .monitoring(monitoring())
        .build()?;
    let start = Instant::now();
    pool.on_alert(move |alert| {
        println!("{:5.1}s  {:27}{alert}", start.elapsed().as_secs_f64(), "");
    });
    let mut narrator = Narrator::new(&pool, start);
    println!("  time  workers  seats  queued  what");
    narrator.say("the pool has been built");
    for part in &PARTS {
        narrator.say(part.title);
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut next = Instant::now();
        while Instant::now() < end {
            if next <= Instant::now() && part.every < Duration::MAX {
                let work = part.work;
                pool.spawn_named("request", move || serve(work));
                // If we are late it comes all the same.
                next += part.every;
            } else {
                std::thread::sleep(MILLISECOND.min(part.every));
                narrator.look();
            }
        }
        narrator.requests();
    }
    pool.shutdown()?;
    Ok(())
}

/// Every task is timed, and an alert raised at once: the defaults are one in 64, and 30 seconds.
fn monitoring() -> Monitoring {
    let rules = AlertRules::none()
        .rule(AlertKind::QueueWait, 0.1, 1.0)
        .rule(AlertKind::QueueLength, 100.0, 1000.0)
        .keep_firing_for(Duration::from_secs(1));
    Monitoring::new().latency(1).alerts(rules).evaluations(Duration::from_millis(500))
}

/// A request: so much computing.
fn serve(work: Duration) {
    let start = Instant::now();
    let mut number = 1_u64;
    while start.elapsed() < work {
        for _ in 0..1000 {
            number = black_box(number.wrapping_mul(6_364_136_223_846_793_005) + 1);
        }
    }
}

/// Says what has changed.
struct Narrator<'p> {
    pool: &'p ThreadPool,
    start: Instant,
    looked: Instant,
    workers: usize,
    seats: usize,
    /// Requests that had been served when it last told of them.
    served: Histogram<u64>,
}

impl<'p> Narrator<'p> {
    fn new(pool: &'p ThreadPool, start: Instant) -> Self {
        let served = pool.histogram(Latency::QueueWait);
        Self { pool, start, looked: start, workers: pool.num_threads(), seats: 0, served }
    }

    fn say(&self, what: &str) {
        let snapshot = self.pool.snapshot().pool;
        let queued = snapshot.now.queued.unwrap_or(0);
        println!(
            "{:5.1}s  {:7}  {:5}  {queued:6}  {what}",
            self.start.elapsed().as_secs_f64(),
            snapshot.num_threads,
            snapshot.seats,
        );
    }

    /// Now and then: a snapshot takes some tens of microseconds.
    fn look(&mut self) {
        if self.looked.elapsed() < Duration::from_millis(50) {
            return;
        }
        self.looked = Instant::now();
        let pool = self.pool.snapshot().pool;
        let before = std::mem::replace(&mut self.workers, pool.num_threads);
        if before < pool.num_threads {
            self.say("a worker comes: there is work, and all others are busy");
        } else if before > pool.num_threads {
            self.say("a worker leaves: there was nothing to do, or there are too many");
        }
        if std::mem::replace(&mut self.seats, pool.seats) != pool.seats {
            match pool.strain {
                Some(strain) => self.say(&format!("fewer may run: {strain:?}")),
                None => self.say("that many may run: as many as there are CPUs to use"),
            }
        }
    }

    fn requests(&mut self) {
        let waits = self.pool.histogram(Latency::QueueWait);
        let mut since = waits.clone();
        if since.subtract(&self.served).is_ok() && !since.is_empty() {
            let wait = |quantile| since.value_at_quantile(quantile) as f64 / 1e6;
            self.say(&format!(
                "{} requests waited {:.3} ms, and one in a hundred {:.1} ms",
                since.len(),
                wait(0.5),
                wait(0.99)
            ));
        }
        self.served = waits;
    }
}

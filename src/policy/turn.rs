//! How a worker shares its time between its own jobs and those from outside.

use std::time::Duration;

/// How long a turn lasts. A look outside costs a few loads of lines that other threads write:
/// too dear for each task, nothing beside 10 us.
const TURN: Duration = Duration::from_micros(10);
/// A job that takes nearly as long is a turn, rather than two of them.
const NEARLY: Duration = TURN.saturating_sub(Duration::from_micros(4));
/// The most jobs between two looks at the clock, which costs as much as the shortest job: long
/// ones may follow on short ones, and others wait for so many of them, once.
const MOST: u32 = 64;

/// Whether a turn is over that began `elapsed` ago and has seen `jobs` jobs, at least one; and
/// after how many more the clock is to be read again.
pub fn is_over(elapsed: Duration, jobs: u32) -> (bool, u32) {
    let over = elapsed >= NEARLY;
    let left = if over { TURN } else { TURN.saturating_sub(elapsed) };
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let per_job = (nanos(elapsed) / u64::from(jobs)).max(1);
    // Doubled at most, where one job is all there is to judge by.
    let most = if over { MOST } else { MOST.min(jobs.saturating_mul(2)) };
    let next = (nanos(left) / per_job).clamp(1, most.into());
    (over, next as u32)
}

#[cfg(test)]
mod tests {
    use super::{MOST, is_over};
    use std::time::Duration;

    /// How long turns last if each job takes so long, in nanoseconds.
    fn turns(job: u64, first_span: u32) -> Vec<u64> {
        let (mut turns, mut now, mut began, mut jobs, mut span) = (vec![], 0, 0, 0, first_span);
        while now < 1_000_000 {
            (now, jobs) = (now + job * u64::from(span), jobs + span);
            let (over, next) = is_over(Duration::from_nanos(now - began), jobs);
            span = next;
            if over {
                turns.push(now - began);
                (began, jobs) = (now, 0);
            }
        }
        turns
    }

    #[test]
    fn with_short_jobs_a_turn_lasts_about_ten_microseconds() {
        for job in [1, 20, 300, 4_000] {
            let turns = turns(job, 1);
            assert!(turns.iter().all(|&took| (6_000..=14_000).contains(&took)), "{job}: {turns:?}");
        }
    }

    #[test]
    fn a_long_job_is_a_turn_once_it_is_known_that_they_are_long() {
        for job in [6_000, 9_900, 10_100, 200_000] {
            let turns = turns(job, MOST);
            assert!(turns[1..].iter().all(|&took| took == job), "{job}: {turns:?}");
        }
    }

    #[test]
    fn neither_no_time_at_all_nor_ages_upset_it() {
        assert_eq!(is_over(Duration::ZERO, 1), (false, 2));
        assert_eq!(is_over(Duration::MAX, u32::MAX), (true, 1));
    }
}

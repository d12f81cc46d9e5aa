//! What some rounds come to.

/// One figure over all rounds. They are few, so the spread is all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Sample {
    /// Of no rounds there is none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (low, high) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        Some(Self { low, median, high })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one_or_between_two() {
        let median = |values: &[f64]| Sample::of(values.to_vec()).map(|sample| sample.median);
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[9.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn the_spread_is_from_the_least_to_the_greatest() {
        let sample = Sample::of(vec![5.0, 1.0, 3.0]);
        assert_eq!(sample, Some(Sample { low: 1.0, median: 3.0, high: 5.0 }));
    }
}

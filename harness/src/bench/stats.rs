//! Medians, spreads and paired ratios.

/// The median; of an even number of values, the mean of the middle two. Zero of none.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which the share `q` of the values lies, interpolated. Zero of none.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// The smallest and the largest; none of none.
pub fn range(values: &[f64]) -> Option<(f64, f64)> {
    let low = values.iter().copied().reduce(f64::min)?;
    let high = values.iter().copied().reduce(f64::max)?;
    Some((low, high))
}

/// Round by round, the first of each pair divided by the second: what slows the
/// machine down for a while slows both. Pairs that cannot be divided are left out.
pub fn paired_ratios(first: &[f64], second: &[f64]) -> Vec<f64> {
    let pairs = first.iter().zip(second).filter(|(_, b)| **b > 0.0);
    pairs.map(|(a, b)| a / b).collect()
}

/// `value` to that many significant digits, so that recorded figures end somewhere.
pub fn significant(value: f64, digits: i32) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let decimals = digits - 1 - value.abs().log10().floor() as i32;
    if decimals <= 0 {
        let unit = 10f64.powi(-decimals);
        (value / unit).round() * unit
    } else {
        // Dividing by a power of ten gives the nearest number to the decimal.
        let unit = 10f64.powi(decimals);
        (value * unit).round() / unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_not_moved_by_one_bad_sample() {
        assert_eq!(median(&[3.0, 1.0, 1000.0]), 3.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 1000.0]), 3.0);
        assert_eq!((median(&[]), median(&[7.0])), (0.0, 7.0));
    }

    #[test]
    fn quantiles_are_interpolated_and_end_at_the_extremes() {
        let values = [10.0, 20.0, 30.0, 40.0, 50.0];
        assert_eq!(quantile(&values, 0.25), 20.0);
        assert_eq!(quantile(&values, 0.1), 14.0);
        assert_eq!((quantile(&values, -1.0), quantile(&values, 2.0)), (10.0, 50.0));
        assert_eq!((range(&values), range(&[])), (Some((10.0, 50.0)), None));
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        // The machine was ten times slower in the second round.
        assert_eq!(paired_ratios(&[40.0, 400.0], &[10.0, 100.0]), [4.0, 4.0]);
        assert!(paired_ratios(&[40.0, 1.0], &[0.0]).is_empty());
    }

    #[test]
    fn figures_are_cut_to_significant_digits() {
        assert_eq!(significant(123_456.0, 4), 123_500.0);
        assert_eq!(significant(0.012_345_6, 4), 0.01235);
        assert_eq!(significant(28.0, 4), 28.0);
        assert_eq!(significant(9.999_96, 4), 10.0);
        assert_eq!(significant(0.0, 4), 0.0);
        assert_eq!(significant(f64::NAN, 4), 0.0);
        assert_eq!(format!("{}", significant(3.1, 4)), "3.1");
    }
}

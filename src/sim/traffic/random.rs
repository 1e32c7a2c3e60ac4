//! Chance, from a seed: distributions over [`Entropy`].
//!
//! Logarithm and exponential are computed here from additions and multiplications alone, because
//! those of the system's library may differ in the last bit from machine to machine, and the same
//! seed must give the same bytes everywhere.

use super::super::entropy::Entropy;

/// A source of chance of its own for one caller, tenant or scenario, so that what is added to one
/// does not change another.
#[derive(Clone, Debug)]
pub(super) struct Random(Entropy);

impl Random {
    /// The source for a purpose, named by numbers.
    pub(super) fn new(seed: u64, purpose: &[u64]) -> Self {
        Self(Entropy::new(mix(seed, purpose)))
    }

    pub(super) fn word(&mut self) -> u64 {
        self.0.word()
    }

    /// An identifier: never zero, which stands for none.
    pub(super) fn name(&mut self) -> u64 {
        self.word().max(1)
    }

    /// From 0 up to but not including `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    /// From `low` to `high`, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = high.saturating_sub(low).max(0) as u64;
        low + self.below(span + 1) as i64
    }

    /// From 0 up to but not including 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn range(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * ln(1.0 - self.unit())
    }

    /// A normal deviate, by the sum of four uniform ones: never beyond 3.5.
    pub(super) fn normal(&mut self) -> f64 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_807_568_877_2
    }

    pub(super) fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * exp(sigma * self.normal())
    }

    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 30.0 {
            let drawn = mean + sqrt(mean) * self.normal() + 0.5;
            return drawn.max(0.0) as u64;
        }
        let floor = exp(-mean);
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// One of `items`, or the given other if there are none.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T], other: T) -> T {
        let at = self.below(items.len() as u64) as usize;
        items.get(at).copied().unwrap_or(other)
    }

    /// One of `items`, if there are any.
    pub(super) fn pick_some<T: Copy>(&mut self, items: &[T]) -> Option<T> {
        let at = self.below(items.len() as u64) as usize;
        items.get(at).copied()
    }

    /// One of `items` by weight, or the given other if there are none.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(T, u32)], other: T) -> T {
        let total: u64 = items.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut left = self.below(total.max(1));
        for (item, weight) in items {
            if left < u64::from(*weight) {
                return *item;
            }
            left -= u64::from(*weight);
        }
        other
    }

    /// A place below `bound` where small ones are likelier, the more so the greater `power` is.
    pub(super) fn skewed(&mut self, bound: u64, power: f64) -> u64 {
        let unit = self.unit();
        if unit <= 0.0 {
            return 0;
        }
        let at = (bound as f64 * exp(power * ln(unit))) as u64;
        at.min(bound.saturating_sub(1))
    }
}

/// A well-mixed number for a purpose.
pub(super) fn mix(seed: u64, purpose: &[u64]) -> u64 {
    let mut state = seed;
    for part in purpose {
        let mut entropy = Entropy::new(state ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        state = entropy.word();
    }
    state
}

/// The natural logarithm of a positive number.
pub(super) fn ln(x: f64) -> f64 {
    if x <= 0.0 {
        return -745.0;
    }
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | 0x3ff0_0000_0000_0000);
    if mantissa > core::f64::consts::SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // 2 artanh((m - 1) / (m + 1)), |s| below 0.172: eight terms give 1e-14.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let mut term = s;
    let mut sum = 0.0;
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0] {
        sum += term / odd;
        term *= square;
    }
    2.0 * sum + exponent as f64 * core::f64::consts::LN_2
}

/// The exponential of a number, from -700 to 700.
pub(super) fn exp(x: f64) -> f64 {
    let x = x.clamp(-700.0, 700.0);
    let power = (x / core::f64::consts::LN_2 + if x < 0.0 { -0.5 } else { 0.5 }) as i64;
    let rest = x - power as f64 * core::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for n in 1..14 {
        term *= rest / f64::from(n);
        sum += term;
    }
    sum * f64::from_bits(((power + 1023) as u64) << 52)
}

/// IEEE 754 asks for a correctly rounded root, so this one is the same everywhere.
fn sqrt(x: f64) -> f64 {
    x.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_system() {
        for x in [1e-9, 0.3, 0.999, 1.0, 1.5, 42.0, 1e12] {
            assert!((ln(x) - f64::ln(x)).abs() < 1e-12, "{x}");
        }
        for x in [-20.0, -1.0, -0.001, 0.0, 0.7, 9.5] {
            assert!((exp(x) / f64::exp(x) - 1.0).abs() < 1e-12, "{x}");
        }
    }

    #[test]
    fn means_are_what_was_asked_for() {
        let mut random = Random::new(1, &[2]);
        for mean in [0.2, 3.0, 80.0] {
            let sum: u64 = (0..20_000).map(|_| random.poisson(mean)).sum();
            let found = sum as f64 / 20_000.0;
            assert!((found / mean - 1.0).abs() < 0.05, "{mean}: {found}");
        }
        let sum: f64 = (0..20_000).map(|_| random.exponential(7.0)).sum();
        assert!((sum / 140_000.0 - 1.0).abs() < 0.05);
        assert_eq!(random.weighted(&[('a', 0), ('b', 5)], 'c'), 'b');
        assert_eq!(random.weighted(&[], 'c'), 'c');
    }
}

//! Scores: how they are stored, and how they are ordered.
//!
//! A score that is a whole number is stored as a packed integer, which is short; any other as the 8
//! bytes of the double. So every double but NaN is kept exactly, a negative zero too.

use crate::types::packed::{Encoded, Entry, Sink};

/// Whole numbers up to here are stored as integers: those that a double tells apart.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A number that is ordered as scores are: both zeros are equal.
#[inline]
pub fn key(score: f64) -> u64 {
    let bits = (score + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

/// Appends a score as it is stored.
#[inline]
pub fn encode(score: f64, into: &mut impl Sink) {
    if score.fract() == 0.0 && score.abs() <= WHOLE_MAX && !(score == 0.0 && score.is_sign_negative()) {
        Entry::Int(score as i64).encode(into);
    } else {
        Entry::Text(&score.to_bits().to_le_bytes()).encode(into);
    }
}

/// The score that an entry stores.
#[inline]
pub fn of(entry: Entry<'_>) -> f64 {
    match entry {
        Entry::Int(n) => n as f64,
        Entry::Text(bytes) => bytes.first_chunk().map_or(0.0, |bits| f64::from_bits(u64::from_le_bytes(*bits))),
    }
}

/// The bytes of an element: a first entry and a score.
#[inline]
pub fn element(first: Entry<'_>, score: f64) -> Encoded {
    let mut bytes = Encoded::new();
    first.encode(&mut bytes);
    encode(score, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::packed;

    const IN_ORDER: [f64; 14] = [
        f64::NEG_INFINITY,
        f64::MIN,
        -9_007_199_254_740_994.0,
        -1.5,
        -1.0,
        -f64::MIN_POSITIVE,
        0.0,
        5e-324,
        0.1,
        1.0,
        1.5,
        9_007_199_254_740_992.0,
        f64::MAX,
        f64::INFINITY,
    ];

    #[test]
    fn keys_are_in_the_order_of_scores() {
        assert!(IN_ORDER.windows(2).all(|pair| key(pair[0]) < key(pair[1])));
        assert_eq!(key(0.0), key(-0.0));
    }

    #[test]
    fn scores_read_back_to_the_bit() {
        for score in IN_ORDER.into_iter().chain([-0.0, 128.0, f64::EPSILON]) {
            let bytes = element(Entry::Int(1), score);
            let read = packed::elements(&bytes, 0, 2).next().map(|element| of(element.second()).to_bits());
            assert_eq!(read, Some(score.to_bits()), "{score}");
        }
        assert_eq!(element(Entry::Int(1), 100.0).len(), 2);
    }
}

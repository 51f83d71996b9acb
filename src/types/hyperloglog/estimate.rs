//! From the registers' histogram to a count: Otmar Ertl, "New cardinality estimation algorithms
//! for HyperLogLog sketches" (arXiv:1702.01284), algorithm 6. No correction table is needed.

use super::{RANK_BITS, REGISTERS};

/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;

pub fn count(histogram: &[u32; 64]) -> u64 {
    let m = REGISTERS as f64;
    let full = f64::from(histogram[RANK_BITS as usize + 1]);
    let mut z = m * tau((m - full) / m);
    for number in histogram[1..=RANK_BITS as usize].iter().rev() {
        z = (z + f64::from(*number)) * 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    // Where no register holds anything, z is infinite and the count 0.
    (ALPHA * m * m / z).round() as u64
}

/// x + the sum of x^(2^k) * 2^(k-1), until it no longer changes.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

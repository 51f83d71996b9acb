//! What is asked for, in order.

use crate::tools::Random;
use std::{fs, path::Path};

/// Requests of a trace that are made, at most.
const LONGEST: usize = 1_500_000;

pub struct Trace {
    pub name: String,
    pub keys: Vec<u64>,
}

impl Trace {
    pub fn read(file: &Path) -> Trace {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let lines = text.lines().filter_map(|line| {
            let mut numbers = line.split_whitespace().map(str::parse::<u64>);
            Some((numbers.next()?.ok()?, numbers.next().and_then(Result::ok).unwrap_or(1)))
        });
        let keys = lines.flat_map(|(start, count)| start..start + count).take(LONGEST).collect();
        Trace { name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(), keys }
    }
}

/// Traces of the kinds that are known to part the policies.
pub fn made_up() -> Vec<Trace> {
    const KEYS: u64 = 200_000;
    let popular = Zipf::new(KEYS, 0.9);
    let mut random = Random(7);
    let steady = (0..LONGEST).map(|_| popular.draw(&mut random)).collect();
    // Half of what a cache may hold is read once, over and over.
    let scanned =
        (0..LONGEST as u64).map(|n| if n % 100_000 < 30_000 { KEYS + n } else { popular.draw(&mut random) }).collect();
    // What is popular changes step by step.
    let drifting = (0..LONGEST as u64).map(|n| (popular.draw(&mut random) * 7_919 + n / 50) % KEYS).collect();
    let round =
        (0..LONGEST as u64).map(|n| if n % 2 == 0 { n / 2 % 20_000 } else { popular.draw(&mut random) }).collect();
    [("popular keys", steady), ("and scans", scanned), ("popular by turns", drifting), ("and a loop", round)]
        .map(|(name, keys)| Trace { name: name.to_owned(), keys })
        .into()
}

/// Key number n is drawn with a chance proportional to 1 / n^skew.
struct Zipf {
    sums: Vec<f64>,
}

impl Zipf {
    fn new(keys: u64, skew: f64) -> Zipf {
        let mut sum = 0.0;
        let sums = (1..=keys).map(|n| {
            sum += 1.0 / (n as f64).powf(skew);
            sum
        });
        Zipf { sums: sums.collect() }
    }

    fn draw(&self, random: &mut Random) -> u64 {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let at = (random.next() >> 11) as f64 / (1u64 << 53) as f64 * total;
        self.sums.partition_point(|sum| *sum <= at) as u64
    }
}

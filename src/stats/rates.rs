//! How fast things go at the moment: averages over the last samples, for INFO's `instantaneous_...`.

use parking_lot::Mutex;

/// Averages are over so many samples (the cron takes ten a second).
const SAMPLES: usize = 16;

/// What is sampled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rate {
    Commands,
    BytesIn,
    BytesOut,
    Turns,
    /// Nanoseconds spent in them.
    TurnNanos,
}

const RATES: usize = 5;

#[derive(Default, Debug)]
pub struct Rates(Mutex<State>);

#[derive(Default, Debug)]
struct State {
    last_ms: i64,
    last: [u64; RATES],
    per_second: [[u64; RATES]; SAMPLES],
    next: usize,
}

impl Rates {
    /// Notes the totals, in the order of [`Rate`], as they are at `now_ms`.
    pub fn sample(&self, now_ms: i64, totals: [u64; RATES]) {
        let mut state = self.0.lock();
        let elapsed_ms = u64::try_from(now_ms - state.last_ms).unwrap_or(0);
        if state.last_ms > 0 && elapsed_ms > 0 {
            let mut sample = [0; RATES];
            for (rate, (now, before)) in sample.iter_mut().zip(totals.iter().zip(state.last)) {
                // A total that was reset begins anew.
                *rate = now.saturating_sub(before).saturating_mul(1000) / elapsed_ms;
            }
            let next = state.next;
            state.per_second[next] = sample;
            state.next = (next + 1) % SAMPLES;
        }
        (state.last_ms, state.last) = (now_ms, totals);
    }

    /// Per second.
    pub fn get(&self, rate: Rate) -> u64 {
        let state = self.0.lock();
        state.per_second.iter().map(|sample| sample[rate as usize]).sum::<u64>() / SAMPLES as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_average_of_the_samples() {
        let rates = Rates::default();
        for step in 0..=16 {
            rates.sample(1_000 + step * 100, [step as u64 * 50, 0, step as u64, 0, 0]);
        }
        assert_eq!([Rate::Commands, Rate::BytesIn, Rate::BytesOut].map(|rate| rates.get(rate)), [500, 0, 10]);
    }
}

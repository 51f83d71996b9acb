//! The longest common subsequence of two strings, bit-parallel.
//!
//! Let `L(i, j)` be its length for the first `i` bytes of `a` and `j` of `b`. Along a row, `L`
//! grows by 0 or 1 with each column, so a row is one bit per column: here a *zero* bit marks a
//! step. A row follows from the one before with an addition that ripples over words (Crochemore
//! et al., 2001): 64 cells at a time, and 1/32 of the memory of a table of lengths.
//!
//! The way back through the table needs only "is `L(i-1, j)` larger than `L(i, j-1)`?" at cells
//! whose bytes differ. There the larger of the two is `L(i, j)`, so the answer is whether column
//! `j` is a step of row `i`. The ways chosen are thus the ones that a table would choose.

/// A run of bytes that both strings share: from `a_start` and `b_start` on, `len` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match {
    pub a_start: usize,
    pub b_start: usize,
    pub len: usize,
}

/// The length alone: one row is enough.
pub fn len(a: &[u8], b: &[u8]) -> usize {
    let masks = Masks::new(a, b);
    let mut row = vec![u64::MAX; masks.words];
    let mut next = row.clone();
    for byte in a {
        masks.step(*byte, &row, &mut next);
        std::mem::swap(&mut row, &mut next);
    }
    steps(&row)
}

/// The runs that make up the subsequence, from the last to the first.
pub fn matches(a: &[u8], b: &[u8]) -> Vec<Match> {
    let masks = Masks::new(a, b);
    let words = masks.words;
    let mut found = Vec::new();
    if words == 0 || a.is_empty() {
        return found;
    }
    let mut rows = vec![u64::MAX; words * (a.len() + 1)];
    for (i, byte) in a.iter().enumerate() {
        let (before, after) = rows.split_at_mut((i + 1) * words);
        masks.step(*byte, &before[i * words..], &mut after[..words]);
    }
    let (mut i, mut j) = (a.len(), b.len());
    let mut run: Option<Match> = None;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            let run = run.get_or_insert(Match { a_start: i, b_start: j, len: 0 });
            *run = Match { a_start: i, b_start: j, len: run.len + 1 };
        } else {
            found.extend(run.take());
            let is_step = rows[i * words + (j - 1) / 64] >> ((j - 1) % 64) & 1 == 0;
            if is_step { i -= 1 } else { j -= 1 }
        }
    }
    found.extend(run);
    found
}

/// The subsequence itself.
pub fn subsequence(a: &[u8], b: &[u8]) -> Vec<u8> {
    matches(a, b).iter().rev().flat_map(|run| &a[run.a_start..run.a_start + run.len]).copied().collect()
}

fn steps(row: &[u64]) -> usize {
    row.iter().map(|word| word.count_zeros() as usize).sum()
}

/// For each byte that occurs in `a`: at which columns `b` has it. The bits past the end of `b`
/// are never set, so nothing steps there.
struct Masks {
    words: usize,
    /// The place of a byte's mask in `bits`, in masks.
    place: [u8; 256],
    bits: Vec<u64>,
}

impl Masks {
    fn new(a: &[u8], b: &[u8]) -> Masks {
        let words = b.len().div_ceil(64);
        let mut occurs = [false; 256];
        a.iter().for_each(|byte| occurs[usize::from(*byte)] = true);
        let mut place = [0; 256];
        let mut count = 0;
        for byte in (0..256).filter(|byte| occurs[*byte]) {
            place[byte] = count as u8;
            count += 1;
        }
        let mut bits = vec![0; words * count];
        for (j, byte) in b.iter().map(|byte| usize::from(*byte)).enumerate().filter(|(_, byte)| occurs[*byte]) {
            bits[usize::from(place[byte]) * words + j / 64] |= 1 << (j % 64);
        }
        Masks { words, place, bits }
    }

    /// The row after `row`, when the next byte of `a` is `byte`.
    fn step(&self, byte: u8, row: &[u64], next: &mut [u64]) {
        let mask = &self.bits[usize::from(self.place[usize::from(byte)]) * self.words..][..self.words];
        let mut carry = false;
        for ((next, row), mask) in next.iter_mut().zip(row).zip(mask) {
            let both = row & mask;
            let (sum, first) = row.overflowing_add(both);
            let (sum, second) = sum.overflowing_add(carry.into());
            carry = first || second;
            *next = sum | (row & !mask);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The textbook's table, for comparison.
    fn table_matches(a: &[u8], b: &[u8]) -> (usize, Vec<u8>) {
        let mut table = vec![vec![0usize; b.len() + 1]; a.len() + 1];
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                table[i][j] =
                    if a[i - 1] == b[j - 1] { table[i - 1][j - 1] + 1 } else { table[i - 1][j].max(table[i][j - 1]) };
            }
        }
        let (mut i, mut j, mut way) = (a.len(), b.len(), Vec::new());
        while i > 0 && j > 0 {
            if a[i - 1] == b[j - 1] {
                way.push(a[i - 1]);
                (i, j) = (i - 1, j - 1);
            } else if table[i - 1][j] > table[i][j - 1] {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        way.reverse();
        (table[a.len()][b.len()], way)
    }

    #[test]
    fn the_same_way_as_a_table() {
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..300 {
            let letters = random.u8(1..6);
            let [a, b] = std::array::from_fn(|_| {
                (0..random.usize(0..200)).map(|_| b'a' + random.u8(0..letters)).collect::<Vec<u8>>()
            });
            let expected = table_matches(&a, &b);
            assert_eq!((len(&a, &b), subsequence(&a, &b)), expected, "round {round}");
        }
    }

    #[test]
    fn runs_come_from_the_end() {
        let runs = matches(b"ohmytext", b"mynewtext");
        assert_eq!(runs, [Match { a_start: 4, b_start: 5, len: 4 }, Match { a_start: 2, b_start: 0, len: 2 }]);
        assert_eq!(matches(b"", b"a"), []);
        assert_eq!(matches(b"a", b""), []);
        assert_eq!(len(b"abc", b""), 0);
    }
}

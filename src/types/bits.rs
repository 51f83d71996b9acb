//! Strings as arrays of bits: bit 0 is the highest bit of the first byte.

/// Whether bit `at` is set; what lies past the end is 0.
pub fn get(bytes: &[u8], at: u64) -> bool {
    let byte = usize::try_from(at / 8).ok().and_then(|byte| bytes.get(byte));
    byte.is_some_and(|byte| byte & mask_of(at) != 0)
}

/// The bit of a byte that bit `at` is.
pub fn mask_of(at: u64) -> u8 {
    0x80 >> (at % 8)
}

/// The bits from `first` to `last`, both within the string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// The span of a command's start and end, which may count from the end of the string
    /// (in bytes, or in bits); `None` when nothing is in it.
    pub fn new(len: usize, start: i64, end: i64, in_bits: bool) -> Option<Span> {
        let units = if in_bits { len as i64 * 8 } else { len as i64 };
        let absolute = |at: i64| if at < 0 { at.saturating_add(units).max(0) } else { at };
        let (start, end) = (absolute(start), absolute(end).min(units - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if in_bits { Span { first: start, last: end } } else { Span { first: start * 8, last: end * 8 + 7 } })
    }

    /// The span's whole bytes with the bits outside of it set to `outside`: the first, those
    /// between, the last. A span within one byte has only a first.
    fn split<'b>(&self, bytes: &'b [u8], outside: bool) -> (u8, &'b [u8], Option<u8>) {
        let (first, last) = ((self.first / 8) as usize, (self.last / 8) as usize);
        let head = 0xFF >> (self.first % 8);
        let tail = !(0x7F >> (self.last % 8));
        let keep = |byte: u8, mask: u8| if outside { byte | !mask } else { byte & mask };
        if first == last {
            return (keep(bytes[first], head & tail), &[], None);
        }
        (keep(bytes[first], head), &bytes[first + 1..last], Some(keep(bytes[last], tail)))
    }
}

/// How many bits of the span are set.
pub fn count(bytes: &[u8], span: Span) -> u64 {
    let (head, middle, tail) = span.split(bytes, false);
    u64::from(head.count_ones() + tail.unwrap_or(0).count_ones()) + count_all(middle)
}

fn count_all(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words.iter().map(|word| u64::from(u64::from_ne_bytes(*word).count_ones())).sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The first bit of the span that is `bit`.
pub fn position(bytes: &[u8], bit: bool, span: Span) -> Option<u64> {
    let (head, middle, tail) = span.split(bytes, !bit);
    let in_byte = |byte: u8| u64::from(if bit { byte.leading_zeros() } else { byte.leading_ones() });
    let base = span.first / 8 * 8;
    if in_byte(head) < 8 {
        return Some(base + in_byte(head));
    }
    let skipped = if bit { 0 } else { 0xFF };
    let (words, _) = middle.as_chunks::<8>();
    let whole = words.iter().take_while(|word| **word == [skipped; 8]).count() * 8;
    if let Some(at) = middle[whole..].iter().position(|byte| *byte != skipped) {
        let at = whole + at;
        return Some(base + 8 + at as u64 * 8 + in_byte(middle[at]));
    }
    let tail = tail.filter(|byte| in_byte(*byte) < 8)?;
    Some(base + 8 + middle.len() as u64 * 8 + in_byte(tail))
}

/// BITOP's operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In the first source and in no other.
    Diff,
    /// In one of the others and not in the first.
    Diff1,
    /// In the first and in one of the others.
    AndOr,
    /// In exactly one source.
    One,
}

impl Operation {
    pub const NAMES: [(&'static str, Operation); 8] = [
        ("and", Operation::And),
        ("or", Operation::Or),
        ("xor", Operation::Xor),
        ("not", Operation::Not),
        ("diff", Operation::Diff),
        ("diff1", Operation::Diff1),
        ("andor", Operation::AndOr),
        ("one", Operation::One),
    ];
}

/// Combines one source after the other, so that only one of them must be at hand. The result is
/// as long as the longest source; shorter ones count as filled up with zeros.
pub struct Combination {
    operation: Operation,
    first: bool,
    result: Vec<u8>,
    /// The first source (`Diff1`, `AndOr`), or what was seen more than once (`One`).
    other: Vec<u8>,
}

impl Combination {
    pub fn new(operation: Operation) -> Combination {
        Combination { operation, first: true, result: Vec::new(), other: Vec::new() }
    }

    pub fn add(&mut self, source: &[u8]) {
        let first = std::mem::take(&mut self.first);
        match self.operation {
            Operation::Diff1 | Operation::AndOr if first => self.other = source.to_vec(),
            Operation::And | Operation::Diff if first => self.result = source.to_vec(),
            Operation::Not => self.result = source.iter().map(|byte| !byte).collect(),
            Operation::And => {
                let common = self.result.len().min(source.len());
                self.merge(source, |result, source| result & source);
                self.result[common..].fill(0);
            }
            Operation::Or | Operation::Diff1 | Operation::AndOr => self.merge(source, |result, source| result | source),
            Operation::Xor => self.merge(source, |result, source| result ^ source),
            Operation::Diff => self.merge(source, |result, source| result & !source),
            Operation::One => {
                let len = self.result.len().max(source.len());
                self.result.resize(len, 0);
                self.other.resize(len, 0);
                for ((once, more), source) in self.result.iter_mut().zip(&mut self.other).zip(source) {
                    *more |= *once & source;
                    *once = (*once | source) & !*more;
                }
            }
        }
    }

    fn merge(&mut self, source: &[u8], with: impl Fn(u8, u8) -> u8) {
        let len = self.result.len().max(source.len());
        self.result.resize(len, 0);
        for (result, source) in self.result.iter_mut().zip(source) {
            *result = with(*result, *source);
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        if matches!(self.operation, Operation::Diff1 | Operation::AndOr) {
            let mut first = std::mem::take(&mut self.other);
            let len = self.result.len().max(first.len());
            first.resize(len, 0);
            let inside = self.operation == Operation::AndOr;
            self.merge(&first, |result, first| result & if inside { first } else { !first });
        }
        self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits_of(bytes: &[u8]) -> Vec<bool> {
        (0..bytes.len() as u64 * 8).map(|at| get(bytes, at)).collect()
    }

    #[test]
    fn counting_and_searching_agree_with_looking_at_each_bit() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..2000 {
            let fill = [0, 0xFF, random.u8(..)][random.usize(0..3)];
            let mut bytes = vec![fill; random.usize(1..40)];
            if random.bool() {
                let at = random.usize(0..bytes.len());
                bytes[at] = random.u8(..);
            }
            let bits = bits_of(&bytes);
            let (start, end) = (random.usize(0..bits.len()), random.usize(0..bits.len()));
            let Some(span) = Span::new(bytes.len(), start as i64, end as i64, true) else {
                assert!(start > end);
                continue;
            };
            let within = &bits[start..=end];
            assert_eq!(count(&bytes, span), within.iter().filter(|bit| **bit).count() as u64);
            for bit in [true, false] {
                let expected = within.iter().position(|b| *b == bit).map(|at| (start + at) as u64);
                assert_eq!(position(&bytes, bit, span), expected, "{bytes:?} {start} {end}");
            }
        }
    }

    #[test]
    fn spans() {
        assert_eq!(Span::new(3, 0, -1, false), Some(Span { first: 0, last: 23 }));
        assert_eq!(Span::new(3, -2, 100, false), Some(Span { first: 8, last: 23 }));
        assert_eq!(Span::new(3, -9, -9, true), Some(Span { first: 15, last: 15 }));
        assert_eq!(Span::new(3, 3, 5, false), None);
        assert_eq!(Span::new(0, 0, -1, false), None);
        assert_eq!(Span::new(3, i64::MIN, i64::MAX, true), Some(Span { first: 0, last: 23 }));
    }

    #[test]
    fn combinations_agree_with_their_meaning() {
        let mut random = fastrand::Rng::with_seed(4);
        for (name, operation) in Operation::NAMES {
            for _ in 0..100 {
                let count = if operation == Operation::Not { 1 } else { random.usize(2..5) };
                let sources: Vec<Vec<u8>> =
                    (0..count).map(|_| (0..random.usize(0..12)).map(|_| random.u8(..)).collect()).collect();
                let mut combination = Combination::new(operation);
                sources.iter().for_each(|source| combination.add(source));
                let result = combination.finish();
                assert_eq!(result.len(), sources.iter().map(Vec::len).max().unwrap_or(0), "{name}");
                for at in 0..result.len() as u64 * 8 {
                    let first = get(&sources[0], at);
                    let others = sources[1..].iter().filter(|source| get(source, at)).count();
                    let all = others + usize::from(first);
                    let expected = match operation {
                        Operation::And => all == count,
                        Operation::Or => all > 0,
                        Operation::Xor => all % 2 == 1,
                        Operation::Not => !first,
                        Operation::Diff => first && others == 0,
                        Operation::Diff1 => !first && others > 0,
                        Operation::AndOr => first && others > 0,
                        Operation::One => all == 1,
                    };
                    assert_eq!(get(&result, at), expected, "{name} {sources:?} {at}");
                }
            }
        }
    }
}

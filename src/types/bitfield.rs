//! Integers of 1 to 64 bits at any bit of a string, for BITFIELD. The highest bit comes first.

/// What happens to a value that its field cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Overflow {
    /// The low bits stay.
    #[default]
    Wrap,
    /// The nearest value that fits is taken.
    Saturate,
    /// Nothing is done.
    Fail,
}

/// A field's kind: signed up to 64 bits, unsigned up to 63.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    signed: bool,
    bits: u32,
}

/// A field that begins anywhere in a byte touches at most so many bytes.
pub const WINDOW: usize = 9;

impl Kind {
    pub fn new(signed: bool, bits: u32) -> Option<Kind> {
        let most = if signed { 64 } else { 63 };
        (1..=most).contains(&bits).then_some(Kind { signed, bits })
    }

    pub fn bits(self) -> u32 {
        self.bits
    }

    /// Reads the field that begins `skip` bits (0-7) into the window.
    pub fn get(self, window: &[u8; WINDOW], skip: u32) -> i64 {
        let word = word_of(window) << (56 + skip);
        // The field is at the top of the word now; shifting back extends the sign or not.
        if self.signed { (word as i128 >> (128 - self.bits)) as i64 } else { (word >> (128 - self.bits)) as i64 }
    }

    /// Writes the field's low bits.
    pub fn put(self, window: &mut [u8; WINDOW], skip: u32, value: i64) {
        let shift = 72 - skip - self.bits;
        let mask = ((1u128 << self.bits) - 1) << shift;
        let word = word_of(window) & !mask | ((value as u64 as u128) << shift) & mask;
        window.copy_from_slice(&word.to_be_bytes()[16 - WINDOW..]);
    }

    fn range(self) -> (i128, i128) {
        if self.signed { (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) } else { (0, (1 << self.bits) - 1) }
    }

    /// The value the field gets when it shall hold `value`; `None` when it is left alone.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (least, most) = self.range();
        if (least..=most).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(value.clamp(least, most) as i64),
            Overflow::Wrap => {
                let top = (value as u128) << (128 - self.bits);
                Some(if self.signed {
                    (top as i128 >> (128 - self.bits)) as i64
                } else {
                    (top >> (128 - self.bits)) as i64
                })
            }
        }
    }

    /// What SET stores. An unsigned field takes the number's 64 bits as they are, so a negative
    /// number is too large for it rather than too small.
    pub fn set(self, value: i64, overflow: Overflow) -> Option<i64> {
        let value = if self.signed { i128::from(value) } else { i128::from(value as u64) };
        self.fit(value, overflow)
    }

    /// What INCRBY stores.
    pub fn add(self, old: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(old) + i128::from(by), overflow)
    }
}

fn word_of(window: &[u8; WINDOW]) -> u128 {
    window.iter().fold(0, |word, byte| word << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        Kind::new(text.starts_with('i'), text[1..].parse().expect("a width")).expect("a kind")
    }

    #[test]
    fn fields_read_back_and_leave_their_neighbours_alone() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..5000 {
            let signed = random.bool();
            let kind = Kind::new(signed, random.u32(1..=if signed { 64 } else { 63 })).expect("a kind");
            let skip = random.u32(0..8);
            let before: [u8; WINDOW] = std::array::from_fn(|_| random.u8(..));
            let mut window = before;
            let (least, most) = kind.range();
            let value = random.i128(least..=most) as i64;
            kind.put(&mut window, skip, value);
            assert_eq!(kind.get(&window, skip), value, "{kind:?} {skip}");
            for at in (0..72).filter(|at| !(skip..skip + kind.bits).contains(at)) {
                let bit = |window: &[u8; WINDOW]| crate::types::bits::get(window, at.into());
                assert_eq!(bit(&window), bit(&before));
            }
        }
    }

    #[test]
    fn overflows() {
        use Overflow::*;
        assert_eq!(kind("u8").add(250, 10, Wrap), Some(4));
        assert_eq!(kind("u8").add(250, 10, Saturate), Some(255));
        assert_eq!(kind("u8").add(250, 10, Fail), None);
        assert_eq!(kind("u8").add(5, -10, Wrap), Some(251));
        assert_eq!(kind("u8").add(5, -10, Saturate), Some(0));
        assert_eq!(kind("u8").set(-1, Saturate), Some(255));
        assert_eq!(kind("u8").set(256, Wrap), Some(0));
        assert_eq!(kind("i8").add(127, 1, Wrap), Some(-128));
        assert_eq!(kind("i8").set(-129, Saturate), Some(-128));
        assert_eq!(kind("i64").add(i64::MAX, 1, Wrap), Some(i64::MIN));
        assert_eq!(kind("i64").add(i64::MIN, -1, Saturate), Some(i64::MIN));
        assert_eq!(kind("u63").add(i64::MAX, 1, Wrap), Some(0));
        assert_eq!(Kind::new(false, 64), None);
        assert_eq!(Kind::new(true, 65), None);
        assert_eq!(Kind::new(true, 0), None);
    }
}

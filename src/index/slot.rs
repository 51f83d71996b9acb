//! The slot: one word per key.

use crate::arena::Offset;

/// `tag 14 | expiry code 8 | main 1 | freq 2 | age 3 | location 36`; 0 is an empty slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot(pub u64);

const AGE: u32 = Offset::CODE_BITS;
const FREQ: u32 = AGE + 3;
const MAIN: u32 = FREQ + 2;
const EXPIRY: u32 = MAIN + 1;

impl Slot {
    /// Where the tag begins.
    pub const TAG: u32 = EXPIRY + 8;
    pub const EMPTY: Slot = Slot(0);
    /// `freq` saturates here.
    pub const FREQ_MAX: u8 = 3;

    pub const fn new(location: Offset) -> Slot {
        Slot(location.code())
    }
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.location().is_null()
    }
    #[inline]
    pub const fn location(self) -> Offset {
        Offset::from_code(self.0)
    }
    #[inline]
    pub const fn tag(self) -> u16 {
        (self.0 >> Self::TAG) as u16
    }
    /// 0 for a key without a time to live; see [`super::expiry_code`].
    #[inline]
    pub const fn expiry(self) -> u8 {
        (self.0 >> EXPIRY) as u8
    }
    #[inline]
    pub const fn has_expiry(self) -> bool {
        self.expiry() != 0
    }
    /// Past probation.
    #[inline]
    pub const fn main(self) -> bool {
        self.0 >> MAIN & 1 == 1
    }
    #[inline]
    pub const fn freq(self) -> u8 {
        (self.0 >> FREQ & 3) as u8
    }
    /// The shard's age counter at the last use.
    #[inline]
    pub const fn age(self) -> u8 {
        (self.0 >> AGE & 7) as u8
    }
    const fn put(self, shift: u32, bits: u32, value: u64) -> Slot {
        let mask = ((1 << bits) - 1) << shift;
        Slot(self.0 & !mask | value << shift & mask)
    }
    pub const fn with_location(self, location: Offset) -> Slot {
        self.put(0, Offset::CODE_BITS, location.code())
    }
    #[inline]
    pub const fn with_tag(self, tag: u16) -> Slot {
        self.put(Self::TAG, 14, tag as u64)
    }
    pub const fn with_expiry(self, code: u8) -> Slot {
        self.put(EXPIRY, 8, code as u64)
    }
    pub const fn with_main(self, main: bool) -> Slot {
        self.put(MAIN, 1, main as u64)
    }
    pub const fn with_freq(self, freq: u8) -> Slot {
        self.put(FREQ, 2, freq as u64)
    }
    pub const fn with_age(self, age: u8) -> Slot {
        self.put(AGE, 3, age as u64)
    }
    /// The slot after a use at `age`.
    #[inline]
    pub const fn used(self, age: u8) -> Slot {
        let freq = self.freq();
        self.with_freq(if freq < Self::FREQ_MAX { freq + 1 } else { freq }).with_age(age)
    }
}

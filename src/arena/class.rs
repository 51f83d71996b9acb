//! Size classes: 8-byte steps to 256 bytes, then 16 steps per doubling to 4 KiB, then the sizes
//! that divide a page with least rest. Beyond [`MAX_SLAB`] a value takes a run of pages of its own.
//!
//! Sizes of 1 KiB and more are multiples of 64, so that such a chunk begins on a cache line.

use super::offset::PAGE;

/// The largest chunk of a slab page.
pub const MAX_SLAB: usize = 16384;
const MIN: usize = 16;

const fn count() -> usize {
    let mut n = 0;
    let mut size = 0;
    while size < MAX_SLAB {
        size = next(size);
        n += 1;
    }
    n
}

/// The class size after `size`.
const fn next(size: usize) -> usize {
    if size < MIN {
        MIN
    } else if size < 256 {
        size + 8
    } else if size < 4096 {
        // 16 steps per doubling.
        let doubling = 1 << (usize::BITS - 1 - size.leading_zeros());
        size + doubling / 16
    } else {
        let fit = PAGE / size;
        // The largest multiple of 64 of which one fewer fits.
        PAGE / (fit - 1) / 64 * 64
    }
}

/// How many classes there are.
pub const CLASSES: usize = count();

/// For every value of a byte, so that looking up takes neither a check nor a division; 0 where there is no such class.
static SIZES: [u32; 256] = {
    let mut sizes = [0; 256];
    let (mut size, mut i) = (0, 0);
    while i < CLASSES {
        size = next(size);
        sizes[i] = size as u32;
        i += 1;
    }
    sizes
};

/// Class by size in units of 8 bytes up to 4 KiB, of 64 bytes beyond.
static SMALL: [u8; 4096 / 8 + 1] = lookup::<{ 4096 / 8 + 1 }>(8);
static MEDIUM: [u8; MAX_SLAB / 64 + 1] = lookup::<{ MAX_SLAB / 64 + 1 }>(64);

const fn lookup<const N: usize>(unit: usize) -> [u8; N] {
    let mut table = [0; N];
    let (mut class, mut i) = (0, 0);
    let mut size = next(0);
    while i < N {
        while size < i * unit {
            size = next(size);
            class += 1;
        }
        table[i] = class;
        i += 1;
    }
    table
}

/// The smallest class whose chunks hold `bytes`; `None` beyond [`MAX_SLAB`].
#[inline]
pub fn class_of(bytes: usize) -> Option<u8> {
    if bytes <= 4096 {
        Some(SMALL[bytes.div_ceil(8)])
    } else if bytes <= MAX_SLAB {
        Some(MEDIUM[bytes.div_ceil(64)])
    } else {
        None
    }
}

/// Bytes of a chunk of `class`; 0 when there is no such class.
#[inline]
pub fn class_size(class: u8) -> usize {
    SIZES[class as usize] as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "arithmetic alone")]
    fn every_size_gets_the_smallest_class_that_holds_it() {
        for bytes in 1..=MAX_SLAB {
            let class = class_of(bytes).unwrap();
            assert!(class_size(class) >= bytes);
            assert!(class == 0 || class_size(class - 1) < bytes, "{bytes}");
        }
        assert_eq!(class_of(MAX_SLAB + 1), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "arithmetic alone")]
    fn classes_waste_little_and_align() {
        let waste: f64 =
            (64..4096).map(|b| 1.0 - b as f64 / class_size(class_of(b).unwrap()) as f64).sum::<f64>() / 4032.0;
        assert!(waste < 0.03, "{waste}");
        for class in 0..CLASSES as u8 {
            assert_eq!(class_size(class) % 8, 0);
            assert!(class_size(class) < 1024 || class_size(class).is_multiple_of(64));
        }
    }
}

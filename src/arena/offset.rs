//! References into the arena are types of their own, never bare integers.

/// A page is 64 KiB: the unit that belongs to a shard and goes back to the operating system.
pub const PAGE: usize = 64 << 10;
/// A block is 4 KiB: the unit of stamps, copies before write, and checksums.
pub const BLOCK: usize = 4 << 10;
pub const BLOCKS_PER_PAGE: usize = PAGE / BLOCK;

/// The place of a chunk: bytes from the start of the arena, a multiple of 8, below 512 GiB.
/// Offset 0 is the superblock's and serves as null.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Offset(u64);

impl Offset {
    pub const NULL: Offset = Offset(0);
    /// 36 bits of 8-byte units.
    pub const SPACE: usize = 512 << 30;
    pub const CODE_BITS: u32 = 36;

    /// From the 36-bit code in an index slot.
    #[inline]
    pub const fn from_code(code: u64) -> Offset {
        Offset((code & ((1 << Self::CODE_BITS) - 1)) << 3)
    }

    #[inline]
    pub const fn code(self) -> u64 {
        self.0 >> 3
    }

    #[inline]
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// From bytes; the low three bits and what is beyond the space are cut off.
    #[inline]
    pub const fn from_bytes(bytes: u64) -> Offset {
        Offset::from_code(bytes >> 3)
    }

    #[inline]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) const fn byte(self) -> usize {
        self.0 as usize
    }

    #[inline]
    pub const fn page(self) -> PageId {
        PageId((self.0 / PAGE as u64) as u32)
    }

    #[inline]
    pub(super) const fn in_page(self) -> usize {
        (self.0 % PAGE as u64) as usize
    }
}

/// The number of a page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageId(pub u32);

impl PageId {
    #[inline]
    pub const fn start(self) -> Offset {
        Offset(self.0 as u64 * PAGE as u64)
    }

    #[inline]
    pub(super) const fn at(self, in_page: usize) -> Offset {
        Offset(self.0 as u64 * PAGE as u64 + in_page as u64)
    }

    #[inline]
    pub(super) const fn first_block(self) -> usize {
        self.0 as usize * BLOCKS_PER_PAGE
    }
}

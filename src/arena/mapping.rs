//! Raw memory: anonymous mappings, and a heap stand-in of the same shape for Miri.

use std::{io, marker::PhantomData, ops::Index};

#[cfg(not(miri))]
type Raw = memmap2::MmapRaw;

/// Under Miri the reservation is a zeroed heap allocation.
#[cfg(miri)]
struct Raw {
    start: *mut u8,
    layout: std::alloc::Layout,
}

#[cfg(miri)]
impl Raw {
    fn as_mut_ptr(&self) -> *mut u8 {
        self.start
    }
    fn len(&self) -> usize {
        self.layout.size()
    }
}

#[cfg(miri)]
impl Drop for Raw {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this layout and is freed once, here.
        unsafe { std::alloc::dealloc(self.start, self.layout) }
    }
}

#[cfg(not(miri))]
fn anonymous(bytes: usize) -> io::Result<Raw> {
    Ok(memmap2::MmapOptions::new().len(bytes).no_reserve_swap().map_anon()?.into())
}

#[cfg(miri)]
fn anonymous(bytes: usize) -> io::Result<Raw> {
    let layout = std::alloc::Layout::from_size_align(bytes, super::PAGE).map_err(io::Error::other)?;
    // SAFETY: the layout's size is not zero: callers reserve at least one element or page.
    let start = unsafe { std::alloc::alloc_zeroed(layout) };
    if start.is_null() { Err(io::ErrorKind::OutOfMemory.into()) } else { Ok(Raw { start, layout }) }
}

/// A reservation of zeroed memory. It hands out raw places; who may use which is decided above,
/// by the ownership of pages.
pub(super) struct Mapping {
    raw: Raw,
}

// SAFETY: `Mapping` is an address and a length; all access through it is unsafe and says at the
// place of use why no other thread touches the same bytes.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub fn reserve(bytes: usize) -> io::Result<Mapping> {
        Ok(Mapping { raw: anonymous(bytes)? })
    }

    /// The bytes `[at, at + len)`; an empty slice when they are not all within the mapping.
    ///
    /// # Safety
    /// For as long as the slice lives, nobody writes to these bytes.
    #[inline]
    pub unsafe fn slice(&self, at: usize, len: usize) -> &[u8] {
        if at.checked_add(len).is_none_or(|end| end > self.raw.len()) {
            return &[];
        }
        // SAFETY: within the mapping (checked), initialised (anonymous memory is zeroed), and not
        // written meanwhile (the caller's promise).
        unsafe { std::slice::from_raw_parts(self.raw.as_mut_ptr().add(at), len) }
    }

    /// The bytes `[at, at + len)` for writing; empty when they are not all within the mapping.
    ///
    /// # Safety
    /// For as long as the slice lives, nobody else reads or writes these bytes.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice_mut(&self, at: usize, len: usize) -> &mut [u8] {
        if at.checked_add(len).is_none_or(|end| end > self.raw.len()) {
            return &mut [];
        }
        // SAFETY: within the mapping (checked), initialised, and exclusive (the caller's promise).
        unsafe { std::slice::from_raw_parts_mut(self.raw.as_mut_ptr().add(at), len) }
    }

    /// As [`Self::slice`], which need not look whether the bytes lie within the mapping.
    ///
    /// # Safety
    /// - They do.
    /// - For as long as the slice lives, nobody writes to these bytes.
    #[inline]
    pub unsafe fn slice_within(&self, at: usize, len: usize) -> &[u8] {
        debug_assert!(at + len <= self.raw.len());
        // SAFETY: within the mapping and not written meanwhile (the caller's promise), initialised (anonymous memory is
        // zeroed).
        unsafe { std::slice::from_raw_parts(self.raw.as_mut_ptr().add(at), len) }
    }

    /// As [`Self::slice_mut`], which need not look whether the bytes lie within the mapping.
    ///
    /// # Safety
    /// - They do.
    /// - For as long as the slice lives, nobody else reads or writes these bytes.
    #[inline]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice_mut_within(&self, at: usize, len: usize) -> &mut [u8] {
        debug_assert!(at + len <= self.raw.len());
        // SAFETY: within the mapping and exclusive (the caller's promise), initialised.
        unsafe { std::slice::from_raw_parts_mut(self.raw.as_mut_ptr().add(at), len) }
    }

    /// Where in the mapping a slice lies, if it does.
    pub fn place_of(&self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.as_ptr().addr().checked_sub(self.raw.as_mut_ptr().addr())?;
        (at.checked_add(bytes.len())? <= self.raw.len()).then_some(at)
    }

    /// Gives the memory of `[at, at + len)` (whole blocks) back; it reads as zeros afterwards.
    ///
    /// # Safety
    /// Nobody holds a reference into these bytes.
    pub unsafe fn release(&self, at: usize, len: usize) {
        debug_assert!(
            at + len <= self.raw.len() && at.is_multiple_of(super::BLOCK) && len.is_multiple_of(super::BLOCK)
        );
        if len == 0 {
            return;
        }
        #[cfg(not(miri))]
        // SAFETY: the range is within the mapping and unreferenced (the caller's promise);
        // MADV_DONTNEED on private anonymous memory makes it read as zeros.
        let done = unsafe { self.raw.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, at, len).is_ok() };
        #[cfg(miri)]
        let done = false;
        if !done {
            // SAFETY: exclusive by the caller's promise.
            unsafe { self.slice_mut(at, len) }.fill(0);
        }
    }

    /// Bytes before the first address that a huge page can begin at.
    pub fn lead(&self) -> usize {
        self.raw.as_mut_ptr().align_offset(super::huge::REGION)
    }

    /// Makes region number `region`, counted from the first that is aligned, one huge page.
    #[cfg(all(target_os = "linux", not(miri)))]
    pub fn collapse(&self, region: usize) -> io::Result<()> {
        use super::huge::REGION;
        let start = self.lead() + region * REGION;
        if start + REGION > self.raw.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the range is within the mapping. MADV_COLLAPSE changes how it is mapped, never its
        // bytes, and may run beside any access.
        let done = unsafe { libc::madvise(self.raw.as_mut_ptr().add(start).cast(), REGION, libc::MADV_COLLAPSE) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(not(all(target_os = "linux", not(miri))))]
    pub fn collapse(&self, _: usize) -> io::Result<()> {
        Err(io::ErrorKind::InvalidInput.into())
    }

    /// Hints the processor to fetch the line at `at`.
    #[inline]
    pub fn prefetch(&self, at: usize) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        // SAFETY: a prefetch never faults, whatever the address, and changes no memory.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(self.raw.as_mut_ptr().wrapping_add(at).cast());
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        let _ = at;
    }
}

/// A type whose all-zero bytes are a valid value that threads may share.
///
/// # Safety
/// The type is made of atomic integers only.
pub(super) unsafe trait Zeroed: Sync {}
// SAFETY: an atomic integer.
unsafe impl Zeroed for std::sync::atomic::AtomicU32 {}
// SAFETY: an atomic integer.
unsafe impl Zeroed for std::sync::atomic::AtomicU64 {}

/// A table of atomics over the whole reservation: virtual until touched, zero at first.
pub(super) struct Table<T: Zeroed> {
    mapping: Mapping,
    len: usize,
    kind: PhantomData<T>,
}

impl<T: Zeroed> Table<T> {
    pub fn reserve(len: usize) -> io::Result<Self> {
        Ok(Table { mapping: Mapping::reserve(len.max(1) * size_of::<T>())?, len, kind: PhantomData })
    }
}

impl<T: Zeroed> Table<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    /// One element; a reference to no more than is asked for (which also keeps Miri quick).
    #[inline]
    pub fn get(&self, at: usize) -> Option<&T> {
        // SAFETY: the mapping holds `len` elements (checked here), is aligned to a page, and zeroed bytes are a valid
        // `T` (trait's promise), which is changed through shared references only atomically.
        (at < self.len).then(|| unsafe { &*self.mapping.raw.as_mut_ptr().cast::<T>().add(at) })
    }
}

impl<T: Zeroed> Index<usize> for Table<T> {
    type Output = T;

    #[inline]
    fn index(&self, at: usize) -> &T {
        self.get(at).expect("within the reservation")
    }
}

//! What ARINFO tells of an array: the slices of the index space in which Redis would keep it. Here they are counted, not
//! kept; whether Redis would keep one densely may also depend on what it held before.

use super::{Array, index_of};

/// `array-slice-size`, `array-sparse-kmax` and `array-sparse-kmin`.
#[derive(Clone, Copy, Debug)]
pub struct Slicing {
    /// Indexes of a slice: a power of two.
    pub size: u64,
    /// A slice with more values is dense; 0: all are.
    pub sparse_max: u64,
    /// A slice with no more values is sparse.
    pub sparse_min: u64,
}

/// Slices that a directory leads to without another above it.
const DIRECTORY: u64 = 2048;
/// Indexes of the least dense slice.
const WINDOW_MIN: u64 = 8;
/// Values for which a sparse slice has room at first.
const ROOM_MIN: u64 = 4;

/// A slice that has values.
struct Slice {
    number: u64,
    count: u64,
    /// Indexes from the first value to the last.
    span: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Survey {
    pub slices: u64,
    /// Entries for which the directory has room.
    pub directory: u64,
    /// Entries of the directory above, if there is one.
    pub blocks: u64,
    pub dense: u64,
    /// Indexes of the dense slices together, and values.
    pub dense_room: u64,
    pub dense_count: u64,
    pub sparse: u64,
    pub sparse_room: u64,
}

impl Slicing {
    fn is_dense(&self, slice: &Slice) -> bool {
        let between = slice.count > self.sparse_min && slice.count <= self.sparse_max;
        slice.count > self.sparse_max || between && slice.span == slice.count
    }
}

/// Looks at each slice of an array, in O(log n) each.
pub fn survey(array: &Array<'_>, slicing: Slicing) -> Survey {
    let mut survey = Survey::default();
    let (mut last_slice, mut last_block) = (0, None);
    for slice in slices(array, slicing.size) {
        survey.slices += 1;
        last_slice = slice.number;
        let block = slice.number / DIRECTORY;
        survey.blocks += u64::from(last_block.replace(block) != Some(block));
        if slicing.is_dense(&slice) {
            survey.dense += 1;
            survey.dense_count += slice.count;
            survey.dense_room += slice.span.next_power_of_two().max(WINDOW_MIN).min(slicing.size);
        } else {
            survey.sparse += 1;
            survey.sparse_room += slice.count.next_power_of_two().max(ROOM_MIN).min(slicing.sparse_max);
        }
    }
    survey.directory = match last_slice {
        0..DIRECTORY => (last_slice + 1).next_power_of_two(),
        _ => survey.blocks.next_power_of_two().max(ROOM_MIN),
    };
    if last_slice < DIRECTORY {
        survey.blocks = 0;
    }
    survey
}

fn slices<'a>(array: &Array<'a>, size: u64) -> impl Iterator<Item = Slice> + use<'a> {
    let (array, mut rank) = (*array, 0);
    std::iter::from_fn(move || {
        let first = index_of(&array.elements.get(rank)?.1);
        let number = first / size;
        let next = (number + 1).checked_mul(size).map_or(array.count(), |end| array.rank(end));
        let last = index_of(&array.elements.get(next.checked_sub(1)?)?.1);
        let count = next.checked_sub(rank).filter(|count| *count > 0)?;
        rank = next;
        Some(Slice { number, count, span: last.checked_sub(first)? + 1 })
    })
}

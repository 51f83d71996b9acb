//! HyperLogLog in a string, with Redis's bytes: a value of either server is one of the other's.
//!
//! ```text
//! "HYLL" | u8 encoding (0 dense, 1 sparse) | 3 zero bytes | u64 cached count | registers
//! ```
//!
//! 16384 registers keep, for the elements whose hash leads to them, the longest run of zero bits
//! seen. The cached count is out of date when its highest bit is set. `dense` packs a register
//! in six bits; `sparse` is a run-length encoding, smaller up to some thousand elements.

mod dense;
mod estimate;
mod hash;
mod sparse;

pub use hash::place_of;
pub use sparse::decode;

/// Registers; a power of two, 14 bits of the hash choose one.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
/// The bits of the hash whose zeros are counted.
const RANK_BITS: u32 = 64 - INDEX_BITS;

const HEADER: usize = 16;
const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: usize = 8;
pub const DENSE_LEN: usize = HEADER + dense::LEN;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Dense = 0,
    Sparse = 1,
}

/// The registers are not what the header promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

/// One byte for each register: where several sketches are merged.
pub struct Registers(Box<[u8]>);

/// A string that is a sketch by its header and length; sparse registers may still be corrupt.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Sketch<'a> {
    /// `None`: the string is no sketch.
    pub fn new(bytes: &'a [u8]) -> Option<Sketch<'a>> {
        let header = bytes.get(..HEADER)?;
        let encoding = match header[ENCODING_AT] {
            0 if bytes.len() == DENSE_LEN => Encoding::Dense,
            1 => Encoding::Sparse,
            _ => return None,
        };
        header.starts_with(MAGIC).then_some(Sketch { bytes, encoding })
    }

    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }

    /// The count kept in the header, if it is up to date.
    pub fn cached_count(&self) -> Option<u64> {
        let count = u64::from_le_bytes(*self.bytes[COUNT_AT..].first_chunk()?);
        (count >> 63 == 0).then_some(count)
    }

    /// About how many different elements were added.
    pub fn count(&self) -> Result<u64, Corrupt> {
        let mut histogram = [0; 64];
        match self.encoding {
            Encoding::Dense => dense::values(self.body()).for_each(|value| histogram[usize::from(value)] += 1),
            Encoding::Sparse => {
                for run in sparse::checked_runs(self.body()) {
                    let run = run?;
                    histogram[usize::from(run.value)] += run.len as u32;
                }
            }
        }
        Ok(estimate::count(&histogram))
    }

    /// A register of a dense sketch.
    pub fn dense_register(&self, index: usize) -> u8 {
        dense::get(self.body(), index)
    }

    /// The same in the dense encoding.
    pub fn to_dense(self) -> Result<Vec<u8>, Corrupt> {
        let mut dense = self.bytes.to_vec();
        if self.encoding == Encoding::Sparse {
            dense.truncate(HEADER);
            dense[ENCODING_AT] = Encoding::Dense as u8;
            dense.resize(DENSE_LEN, 0);
            let mut index = 0;
            for run in sparse::checked_runs(self.body()) {
                let run = run?;
                if run.value > 0 {
                    (index..index + run.len).for_each(|at| dense::set(&mut dense[HEADER..], at, run.value));
                }
                index += run.len;
            }
        }
        Ok(dense)
    }
}

/// Where the count lies in a sketch, and a count as it lies there.
pub fn count_field(count: u64) -> (std::ops::Range<usize>, [u8; 8]) {
    (COUNT_AT..HEADER, count.to_le_bytes())
}

/// The byte of a sketch whose highest bit says that the cached count is out of date.
pub const STALE_AT: usize = HEADER - 1;
pub const STALE: u8 = 0x80;

/// Where in a dense sketch the two bytes lie that hold a register.
pub fn dense_range(index: usize) -> std::ops::Range<usize> {
    let start = HEADER + dense::byte_of(index);
    start..(start + 2).min(DENSE_LEN)
}

/// Writes a register into the bytes at [`dense_range`].
pub fn put_dense(bytes: &mut [u8], index: usize, value: u8) {
    dense::put(bytes, index, value);
}

/// A sketch of nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = Encoding::Sparse as u8;
    bytes.extend_from_slice(&sparse::EMPTY);
    bytes
}

/// Raises a register to `value`, in a sketch that was checked; true when it was lower. A sparse
/// sketch that would get longer than `sparse_max`, or whose value is too large, becomes dense.
pub fn raise(bytes: &mut Vec<u8>, index: usize, value: u8, sparse_max: usize) -> Result<bool, Corrupt> {
    if bytes[ENCODING_AT] == Encoding::Sparse as u8 {
        match sparse::raise(bytes, HEADER, index, value, sparse_max)? {
            sparse::Raised::No => return Ok(false),
            sparse::Raised::Yes => {
                bytes[STALE_AT] |= STALE;
                return Ok(true);
            }
            sparse::Raised::TooLong => *bytes = Sketch::new(bytes).ok_or(Corrupt)?.to_dense()?,
        }
    }
    let registers = &mut bytes[HEADER..];
    let lower = dense::get(registers, index) < value;
    if lower {
        dense::set(registers, index, value);
        bytes[STALE_AT] |= STALE;
    }
    Ok(lower)
}

impl Default for Registers {
    fn default() -> Self {
        Registers(vec![0; REGISTERS].into())
    }
}

impl Registers {
    pub fn values(&self) -> &[u8] {
        &self.0
    }

    /// Takes the larger of each pair of registers.
    pub fn merge(&mut self, sketch: &Sketch<'_>) -> Result<(), Corrupt> {
        match sketch.encoding {
            Encoding::Dense => {
                for (most, value) in self.0.iter_mut().zip(dense::values(sketch.body())) {
                    *most = value.max(*most);
                }
            }
            Encoding::Sparse => {
                let mut index = 0;
                for run in sparse::checked_runs(sketch.body()) {
                    let run = run?;
                    for most in &mut self.0[index..index + run.len] {
                        *most = run.value.max(*most);
                    }
                    index += run.len;
                }
            }
        }
        Ok(())
    }

    pub fn count(&self) -> u64 {
        let mut histogram = [0; 64];
        self.0.iter().for_each(|value| histogram[usize::from(value & 63)] += 1);
        estimate::count(&histogram)
    }

    /// Writes all of them into a dense sketch.
    pub fn store_dense(&self, bytes: &mut [u8]) {
        let registers = &mut bytes[HEADER..];
        self.0.iter().enumerate().for_each(|(index, value)| dense::set(registers, index, *value));
    }
}

#[cfg(test)]
mod tests;

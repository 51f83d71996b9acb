//! Registers as runs:
//!
//! ```text
//! 00llllll            ZERO   l + 1 registers (1-64) are 0
//! 01llllll llllllll   XZERO  l + 1 registers (1-16384) are 0
//! 1vvvvvll            VAL    l + 1 registers (1-4) are v + 1 (1-32)
//! ```
//!
//! The runs follow one another and cover all registers. A change splits the run it falls in and
//! then joins equal neighbours, in the order Redis does it: the bytes come out the same.

use super::{Corrupt, REGISTERS};
use smallvec::SmallVec;

/// The most that one run can be split into: XZERO, VAL, XZERO.
type Split = SmallVec<[u8; 5]>;

/// XZERO for all registers.
pub const EMPTY: [u8; 2] = [0x7F, 0xFF];

const VALUE_MAX: u8 = 32;
const VALUE_LEN_MAX: usize = 4;
const ZERO_LEN_MAX: usize = 64;
/// How many runs, from the one before the change on, are looked at for joining.
const JOIN_REACH: usize = 5;

/// Equal registers in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub value: u8,
    pub len: usize,
    /// Bytes of its encoding.
    size: usize,
}

impl Run {
    /// The run that begins with these bytes.
    fn read(bytes: &[u8]) -> Option<Run> {
        let first = *bytes.first()?;
        Some(match first >> 6 {
            0 => Run { value: 0, len: usize::from(first) + 1, size: 1 },
            1 => {
                let len = usize::from(first & 0x3F) << 8 | usize::from(*bytes.get(1)?);
                Run { value: 0, len: len + 1, size: 2 }
            }
            _ => Run { value: (first >> 2 & 0x1F) + 1, len: usize::from(first & 3) + 1, size: 1 },
        })
    }

    fn is_value(&self) -> bool {
        self.value > 0
    }
}

fn value_run(value: u8, len: usize) -> u8 {
    0x80 | (value - 1) << 2 | (len - 1) as u8
}

/// Appends the encoding of so many registers of a value; nothing for none.
fn write(to: &mut Split, value: u8, len: usize) {
    match len {
        0 => {}
        _ if value > 0 => to.push(value_run(value, len)),
        1..=ZERO_LEN_MAX => to.push((len - 1) as u8),
        _ => to.extend_from_slice(&((len - 1) as u16 | 0x4000).to_be_bytes()),
    }
}

/// The runs in order, as far as they can be read.
fn runs(body: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let run = Run::read(rest)?;
        rest = &rest[run.size..];
        Some(run)
    })
}

/// The runs in order; an error when they do not cover exactly the registers there are.
pub fn checked_runs(body: &[u8]) -> impl Iterator<Item = Result<Run, Corrupt>> {
    let (mut rest, mut covered, mut failed) = (body, 0, false);
    std::iter::from_fn(move || {
        if failed || (rest.is_empty() && covered == REGISTERS) {
            return None;
        }
        let run = Run::read(rest).filter(|run| covered + run.len <= REGISTERS);
        failed = run.is_none();
        let Some(run) = run else { return Some(Err(Corrupt)) };
        covered += run.len;
        rest = &rest[run.size..];
        Some(Ok(run))
    })
}

/// PFDEBUG DECODE's text.
pub fn decode(sketch: &super::Sketch<'_>) -> String {
    let words: Vec<String> = runs(sketch.body())
        .map(|run| match run.size {
            _ if run.is_value() => format!("v:{},{}", run.value, run.len),
            1 => format!("z:{}", run.len),
            _ => format!("Z:{}", run.len),
        })
        .collect();
    words.join(" ")
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Raised {
    No,
    Yes,
    /// It cannot be said in this encoding, or not within the length allowed.
    TooLong,
}

/// Raises a register to `value`. The runs begin at byte `body` of `bytes`, which may get as long
/// as `len_max`.
pub fn raise(bytes: &mut Vec<u8>, body: usize, index: usize, value: u8, len_max: usize) -> Result<Raised, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Raised::TooLong);
    }
    // Find the run that covers the register.
    let (mut at, mut first, mut before) = (body, 0, body);
    let run = loop {
        let run = Run::read(&bytes[at..]).ok_or(Corrupt)?;
        if index < first + run.len {
            break run;
        }
        before = at;
        at += run.size;
        first += run.len;
    };
    if run.is_value() && run.value >= value {
        return Ok(Raised::No);
    }
    // Split it: what it covers before the register, the register, what it covers after.
    let mut split = Split::new();
    write(&mut split, run.value, index - first);
    write(&mut split, value, 1);
    write(&mut split, run.value, first + run.len - 1 - index);
    if split.len() > run.size && bytes.len() + split.len() - run.size > len_max {
        return Ok(Raised::TooLong);
    }
    bytes.splice(at..at + run.size, split);
    join(bytes, before);
    Ok(Raised::Yes)
}

/// Joins neighbours of one value near `at`.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_REACH {
        let Some(run) = Run::read(&bytes[at..]) else { return };
        if run.is_value()
            && let Some(next) = Run::read(&bytes[at + 1..])
            && next.value == run.value
            && run.len + next.len <= VALUE_LEN_MAX
        {
            bytes[at + 1] = value_run(run.value, run.len + next.len);
            bytes.remove(at);
        } else {
            at += run.size;
        }
    }
}

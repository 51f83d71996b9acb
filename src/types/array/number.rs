//! Elements as numbers. Redis keeps some decimals as doubles, which sums and its own files show: those are told apart
//! here. Every value is stored as its text.

use crate::{
    types::packed::Entry,
    util::{double, long_double::LongDouble, number::parse_f64},
};

/// The number that a value is.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Long(LongDouble),
}

impl Number {
    /// `None` of a text that is no number.
    pub fn of(value: &Entry<'_>) -> Option<Number> {
        match value {
            Entry::Int(n) => Some(Number::Int(*n)),
            Entry::Text(text) => match kept_as_double(text) {
                Some(double) => Some(Number::Long(LongDouble::from_f64(double))),
                None => LongDouble::parse(text).map(Number::Long),
            },
        }
    }

    pub fn long(self) -> LongDouble {
        match self {
            Number::Int(n) => LongDouble::from_i64(n),
            Number::Long(long) => long,
        }
    }

    /// Without its fraction; `None` of what is beyond 64 bits.
    pub fn whole(self) -> Option<i64> {
        match self {
            Number::Int(n) => Some(n),
            Number::Long(long) => long.whole(),
        }
    }
}

/// The double as which Redis keeps this text: of digits and a point, written as the double is, and whose last two bits
/// are zero.
pub fn kept_as_double(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let points = digits.iter().filter(|byte| **byte == b'.').count();
    if points != 1 || digits.iter().any(|byte| !byte.is_ascii_digit() && *byte != b'.') {
        return None;
    }
    let value = parse_f64(text).filter(|value| value.to_bits() & 3 == 0)?;
    (double_text(value) == text).then_some(value)
}

/// The text of a double that Redis has kept.
pub fn double_text(value: f64) -> Vec<u8> {
    let mut text = double::text(value).as_bytes().to_vec();
    if value.is_finite() && !text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        text.extend_from_slice(b".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_those_that_are_written_as_they_were() {
        for text in ["2.5", "-0.25", "1.0", "100.0", "-0.0", "0.28"] {
            let value = kept_as_double(text.as_bytes());
            assert_eq!(value.map(|value| value.to_string().parse()), Some(text.parse::<f64>()), "{text}");
        }
        for text in ["1", "0.1", "0.29", "2.50", "1e5", ".5", "5.", "", "-", ".", "1.2.3", "nan", "+1.5", "01.5"] {
            assert_eq!(kept_as_double(text.as_bytes()), None, "{text}");
        }
        assert_eq!(double_text(3.0), b"3.0");
        assert_eq!(double_text(1e30), b"1e+30");
        assert_eq!(double_text(f64::INFINITY), b"inf");
    }
}

//! Numbers as text, by Redis's rules.

/// Parses a decimal integer as Redis does: the text must be exactly what printing the number gives
/// (no sign `+`, no spaces, no leading zeros, no `-0`).
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value: u64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Parses an unsigned integer as Redis does: a strict one that is not negative, or what C's `strtoull` takes as a whole,
/// which may begin with space and a sign; after `-` it counts down from 2^64.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    if let Some(n) = parse_i64(text) {
        return u64::try_from(n).ok();
    }
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| blank(byte)).count()..];
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let first = digits.first().filter(|first| first.is_ascii_digit());
    let n: u64 = first.and_then(|_| std::str::from_utf8(digits).ok()?.parse().ok())?;
    Some(if negative { n.wrapping_neg() } else { n })
}

/// A floating-point number as C's `strtod` reads it, split so that no parser can be surprised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Float<'a> {
    Infinity {
        negative: bool,
    },
    /// Digits with a point and an exponent, without the sign. `zero`: every digit is 0.
    Decimal {
        negative: bool,
        text: &'a str,
        zero: bool,
    },
    /// The same after `0x`; the exponent, of two, may be missing.
    Hexadecimal {
        negative: bool,
        text: &'a str,
        zero: bool,
    },
}

impl<'a> Float<'a> {
    /// Reads the whole text or refuses it; NaN is refused, blanks are too.
    pub fn read(text: &'a [u8]) -> Option<Float<'a>> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Float::Infinity { negative });
        }
        if let [b'0', b'x' | b'X', rest @ ..] = rest {
            let zero = digits_are_zero(rest, b'p', u8::is_ascii_hexdigit)?;
            return Some(Float::Hexadecimal { negative, text: std::str::from_utf8(rest).ok()?, zero });
        }
        let zero = digits_are_zero(rest, b'e', u8::is_ascii_digit)?;
        Some(Float::Decimal { negative, text: std::str::from_utf8(rest).ok()?, zero })
    }
}

/// Checks `digits [. digits] [exponent]`; answers whether all digits before the exponent are 0.
fn digits_are_zero(text: &[u8], exponent: u8, is_digit: fn(&u8) -> bool) -> Option<bool> {
    let end = text.iter().position(|byte| byte.to_ascii_lowercase() == exponent).unwrap_or(text.len());
    let (mantissa, exponent) = text.split_at(end);
    let points = mantissa.iter().filter(|byte| **byte == b'.').count();
    let digits = mantissa.iter().filter(|byte| is_digit(byte)).count();
    let exponent_is_fine = match exponent {
        [] => true,
        [_, b'-' | b'+', digits @ ..] | [_, digits @ ..] => !digits.is_empty() && digits.iter().all(u8::is_ascii_digit),
    };
    let fine = points <= 1 && digits > 0 && points + digits == mantissa.len() && exponent_is_fine;
    fine.then(|| mantissa.iter().all(|byte| b"0.".contains(byte)))
}

/// Parses a double as Redis does: what C's `strtod` takes as a whole, but neither NaN nor a
/// number too large or too small to be told from infinity or zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(whole) = parse_whole(text) {
        return Some(whole);
    }
    let (negative, value, zero) = match Float::read(text)? {
        Float::Infinity { negative } => return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Float::Decimal { negative, text, zero } => (negative, text.parse::<f64>().ok()?, zero),
        Float::Hexadecimal { negative, text, zero } => (negative, parse_hexadecimal(text)?, zero),
    };
    let in_range = value.is_finite() && (value != 0.0 || zero);
    in_range.then_some(if negative { -value } else { value })
}

/// Digits alone, so few that a double tells all such numbers apart.
fn parse_whole(text: &[u8]) -> Option<f64> {
    const DIGITS_MAX: usize = 15;
    let is_whole = (1..=DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_whole.then(|| text.iter().fold(0, |n: i64, digit| n * 10 + i64::from(digit - b'0')) as f64)
}

fn parse_hexadecimal(text: &str) -> Option<f64> {
    use rustc_apfloat::{Float, Round, ieee::Double};
    let exponent = if text.contains(['p', 'P']) { "" } else { "p0" };
    let value = Double::from_str_r(&format!("0x{text}{exponent}"), Round::NearestTiesToEven).ok()?.value;
    Some(f64::from_bits(value.to_bits() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_what_printing_them_gives() {
        for n in [0, 1, -1, 9, 10, i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1] {
            assert_eq!(parse_i64(n.to_string().as_bytes()), Some(n));
        }
        for text in ["", "-", "+1", " 1", "1 ", "01", "-0", "00", "9223372036854775808", "-9223372036854775809", "1e3"]
        {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn unsigned_integers_are_what_c_takes() {
        for (text, n) in [
            ("0", 0),
            ("18446744073709551615", u64::MAX),
            ("9223372036854775808", 1 << 63),
            ("007", 7),
            ("+5", 5),
            (" \t\n5", 5),
            ("-00", 0),
            ("-01", u64::MAX),
        ] {
            assert_eq!(parse_u64(text.as_bytes()), Some(n), "{text}");
        }
        for text in ["", "-1", "18446744073709551616", "5 ", "+", "-", "++5", "+-5", "x", "5x", " ", "1_0"] {
            assert_eq!(parse_u64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles() {
        for (text, value) in [
            ("000000000042", 42.0),
            ("999999999999999", 999_999_999_999_999.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("1", 1.0),
            ("-1.5e3", -1500.0),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("0e99999", 0.0),
            ("0x10", 16.0),
            ("0x1.8P-1", 0.75),
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e308", 1e308),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "nan",
            "1e",
            "1e+",
            ".",
            "-",
            "+-1",
            "1.2.3",
            "0x",
            "0xp1",
            "1e309",
            "1e-400",
            "1_0",
            "1\0",
            "0x1p99999",
            "infinit",
            "1e99999999999999999999",
        ] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }
}

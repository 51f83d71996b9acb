//! C's 80-bit `long double`, for INCRBYFLOAT and HINCRBYFLOAT: their results are part of what
//! clients see, and a sum in 64 bits (10.5 + 0.1 = 10.6 only after rounding) would show.

use super::number::Float as Text;
use rustc_apfloat::{
    Float, FloatConvert, Round,
    ieee::{Double, X87DoubleExtended},
};
use std::fmt;

/// An extended number; NaN only where infinities were added up ([`LongDouble::plus`]).
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct LongDouble(X87DoubleExtended);

/// Redis's limit on the text of one.
const TEXT_MAX: usize = 5 * 1024;
/// Digits after the point.
const FRACTION: usize = 17;
const TEN_TO_FRACTION: u128 = 10u128.pow(FRACTION as u32);

impl LongDouble {
    pub const ZERO: LongDouble = LongDouble(X87DoubleExtended::ZERO);

    /// The least finite number and the largest.
    pub fn range() -> (LongDouble, LongDouble) {
        let largest = X87DoubleExtended::largest();
        (LongDouble(-largest), LongDouble(largest))
    }

    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    pub fn from_i64(n: i64) -> LongDouble {
        LongDouble(X87DoubleExtended::from_i128(n.into()).value)
    }

    /// A double is kept exactly.
    pub fn from_f64(value: f64) -> LongDouble {
        let double = Double::from_bits(value.to_bits().into());
        LongDouble(double.convert(&mut false).value)
    }

    /// Without its fraction; `None` of what does not fit.
    pub fn whole(self) -> Option<i64> {
        let whole = self.0.round_to_integral(Round::TowardZero).value;
        let (least, largest) = (LongDouble::from_i64(i64::MIN), LongDouble::from_i64(i64::MAX));
        let fits = (least..=largest).contains(&LongDouble(whole)) && (least..=largest).contains(&self);
        fits.then(|| i64::try_from(whole.to_i128(64).value).ok())?
    }

    /// The sum, whatever it is.
    pub fn plus(self, other: LongDouble) -> LongDouble {
        LongDouble((self.0 + other.0).value)
    }

    /// Parses what C's `strtold` takes as a whole, within its range.
    pub fn parse(text: &[u8]) -> Option<LongDouble> {
        if text.len() >= TEXT_MAX {
            return None;
        }
        let (negative, parsed, zero) = match Text::read(text)? {
            Text::Infinity { negative } => {
                let infinity = X87DoubleExtended::INFINITY;
                return Some(LongDouble(if negative { -infinity } else { infinity }));
            }
            Text::Decimal { negative, text, zero } => {
                (negative, X87DoubleExtended::from_str_r(text, Round::NearestTiesToEven), zero)
            }
            Text::Hexadecimal { negative, text, zero } => {
                let exponent = if text.contains(['p', 'P']) { "" } else { "p0" };
                let text = format!("0x{text}{exponent}");
                (negative, X87DoubleExtended::from_str_r(&text, Round::NearestTiesToEven), zero)
            }
        };
        let value = parsed.ok()?.value;
        let in_range = value.is_finite() && (!value.is_zero() || zero);
        in_range.then_some(LongDouble(if negative { -value } else { value }))
    }

    /// A thousand times this, rounded up; as the least integer if it is less, `None` if it is too large.
    pub fn ceil_of_thousandfold(self) -> Option<i64> {
        let product = (self.0 * LongDouble::from_i64(1000).0).value.round_to_integral(Round::TowardPositive).value;
        match LongDouble(product) {
            product if product > LongDouble::from_i64(i64::MAX) => None,
            product if product < LongDouble::from_i64(i64::MIN) => Some(i64::MIN),
            _ => i64::try_from(product.to_i128(64).value).ok(),
        }
    }

    /// The sum, if it is a finite number.
    pub fn checked_add(self, other: LongDouble) -> Option<LongDouble> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(LongDouble(sum))
    }

    /// The difference, if it is a finite number.
    pub fn checked_sub(self, other: LongDouble) -> Option<LongDouble> {
        self.checked_add(LongDouble(-other.0))
    }
}

/// As C's `%.17Lf`, without the zeros at the end.
impl fmt::Display for LongDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_infinite() {
            return f.write_str(if self.0.is_negative() { "-inf" } else { "inf" });
        }
        let (mantissa, exponent) = self.parts();
        let (whole, fraction) = if exponent >= 0 {
            (decimal(mantissa, exponent as u32, 0), 0)
        } else {
            let scaled = u128::from(mantissa) * TEN_TO_FRACTION;
            let rounded = shift_right_rounding(scaled, exponent.unsigned_abs());
            ((rounded / TEN_TO_FRACTION).to_string(), rounded % TEN_TO_FRACTION)
        };
        // What rounds to zero has no sign.
        if self.0.is_negative() && (fraction != 0 || whole != "0") {
            f.write_str("-")?;
        }
        f.write_str(&whole)?;
        if fraction == 0 {
            return Ok(());
        }
        let digits = format!("{fraction:0FRACTION$}");
        write!(f, ".{}", digits.trim_end_matches('0'))
    }
}

impl LongDouble {
    /// With so many significant digits, as C's `%.*Lg`.
    pub fn general(self, digits: usize) -> String {
        if self.0.is_nan() {
            return "nan".to_owned();
        }
        if self.0.is_infinite() || self.0.is_zero() {
            let text = if self.0.is_zero() { "0" } else { "inf" };
            return format!("{}{text}", if self.0.is_negative() { "-" } else { "" });
        }
        let (mantissa, exponent) = self.parts();
        let all = decimal(mantissa, exponent.max(0) as u32, exponent.min(0).unsigned_abs());
        // All digits, of which the last `below` stand behind the point.
        let below = exponent.min(0).unsigned_abs() as i32;
        let mut power = all.len() as i32 - 1 - below;
        let mut rounded = rounded(&all, digits);
        if rounded.len() > digits {
            rounded.pop();
            power += 1;
        }
        let rounded = rounded.trim_end_matches('0');
        let sign = if self.0.is_negative() { "-" } else { "" };
        if power < -4 || power >= digits as i32 {
            let (first, rest) = rounded.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            return format!("{sign}{first}{point}{rest}e{}{:02}", if power < 0 { '-' } else { '+' }, power.abs());
        }
        let Ok(power) = usize::try_from(power) else {
            return format!("{sign}0.{}{rounded}", "0".repeat(power.unsigned_abs() as usize - 1));
        };
        match rounded.split_at_checked(power + 1) {
            Some((whole, rest)) if !rest.is_empty() => format!("{sign}{whole}.{rest}"),
            _ => format!("{sign}{rounded:0<width$}", width = power + 1),
        }
    }

    /// A finite number's mantissa as an integer, and the power of two that it is multiplied by.
    fn parts(self) -> (u64, i32) {
        let bits = self.0.to_bits();
        // The mantissa is an integer here, so the exponent is 63 less.
        (bits as u64, ((bits >> 64) as i32 & 0x7FFF).max(1) - 16383 - 63)
    }
}

/// The first `digits` of a decimal number, the rest rounded to the nearest, ties to even; one more digit where that
/// carries over.
fn rounded(all: &str, digits: usize) -> String {
    let Some((kept, rest)) = all.split_at_checked(digits) else { return all.to_owned() };
    let is_odd = kept.bytes().last().is_some_and(|digit| digit % 2 == 1);
    let up = match rest.as_bytes() {
        [b'5', behind @ ..] => is_odd || behind.iter().any(|digit| *digit != b'0'),
        [first, ..] => *first > b'5',
        [] => false,
    };
    let number: u128 = kept.parse().unwrap_or(0);
    (number + u128::from(up)).to_string()
}

/// `value >> by`, to the nearest, ties to even.
fn shift_right_rounding(value: u128, by: u32) -> u128 {
    if by >= 128 {
        return 0;
    }
    let (quotient, rest, half) = (value >> by, value & ((1 << by) - 1), 1u128 << (by - 1));
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

/// The decimal text of `value` times so many twos and so many fives: in limbs of nine digits.
fn decimal(value: u64, twos: u32, fives: u32) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![value % BASE, value / BASE % BASE, value / BASE / BASE];
    let mut multiply = |factor: u64| {
        let mut carry = 0;
        for limb in &mut limbs {
            let product = *limb * factor + carry;
            *limb = product % BASE;
            carry = product / BASE;
        }
        while carry > 0 {
            limbs.push(carry % BASE);
            carry /= BASE;
        }
    };
    // As many at a time as a limb has room for.
    for (base, mut left, most) in [(2u64, twos, 32), (5, fives, 13)] {
        while left > 0 {
            let step = left.min(most);
            left -= step;
            multiply(base.pow(step));
        }
    }
    let digits: String = limbs.iter().rev().map(|limb| format!("{limb:09}")).collect();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() { "0".to_owned() } else { digits.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, sum: &str) {
        let [a, b] = [a, b].map(|text| LongDouble::parse(text.as_bytes()).expect(text));
        assert_eq!(a.checked_add(b).map_or_else(|| "none".to_owned(), |sum| sum.to_string()), sum);
    }

    #[test]
    fn sums() {
        check("10.5", "0.1", "10.6");
        check("3.0e3", "200", "3200");
        check("5.0e3", "2.0e2", "5200");
        check("1", "-1.1", "-0.1");
        check("0", "1e-17", "0.00000000000000001");
        check("0", "1e-18", "0");
        check("0", "-1e-30", "0");
        check("17179869184", "17179869184", "34359738368");
        check("0", "123456789.123456789", "123456789.12345678899873747");
        check("0", "9007199254740993", "9007199254740993");
        check("0", "18446744073709551615", "18446744073709551615");
        check("0", "1e25", "10000000000000000000000000");
        check("inf", "-inf", "none");
        check("1", "+inf", "none");
        check("1.18e4932", "1.18e4932", "none");
        check("0", "0x10", "16");
        check("0", "1.5", "1.5");
    }

    #[test]
    fn the_largest_is_printed_whole() {
        let text = LongDouble::parse(b"1e4932").expect("in range").to_string();
        assert_eq!(text.len(), 4933);
        // Exact to 64 bits.
        assert!(text.starts_with("1000000000000000000") || text.starts_with("9999999999999999999"));
    }

    #[test]
    fn general_numbers_are_written_as_c_writes_them() {
        for (text, general) in [
            ("0", "0"),
            ("1", "1"),
            ("-2.5", "-2.5"),
            ("100", "100"),
            ("0.1", "0.1"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("123456789.5", "123456789.5"),
            ("9223372036854775807", "9.2233720368547758e+18"),
            ("99999999999999999", "99999999999999999"),
            ("100000000000000000", "1e+17"),
            ("100000000000000005", "1e+17"),
            ("100000000000000015", "1.0000000000000002e+17"),
            ("999999999999999999", "1e+18"),
            ("1e4932", "1e+4932"),
            ("1.5e-4900", "1.5e-4900"),
            ("inf", "inf"),
            ("-inf", "-inf"),
        ] {
            assert_eq!(LongDouble::parse(text.as_bytes()).expect(text).general(17), general, "{text}");
        }
        let [up, down] = ["inf", "-inf"].map(|text| LongDouble::parse(text.as_bytes()).expect(text));
        assert_eq!(up.plus(down).general(17), "nan");
    }

    #[test]
    fn fractions_are_cut_off() {
        for (text, whole) in [("2.9", Some(2)), ("-2.9", Some(-2)), ("1e18", Some(10i64.pow(18))), ("1e19", None)] {
            assert_eq!(LongDouble::parse(text.as_bytes()).expect(text).whole(), whole);
        }
        assert_eq!(LongDouble::parse(b"-inf").and_then(LongDouble::whole), None);
        assert_eq!(LongDouble::from_f64(0.5).to_string(), "0.5");
    }

    #[test]
    fn what_is_not_a_number() {
        for text in ["", " 1", "1 ", "nan", "1e", "1e5000", "1e-6000", "1.1.1", "1\0"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(LongDouble::parse("1".repeat(TEXT_MAX).as_bytes()), None);
    }
}

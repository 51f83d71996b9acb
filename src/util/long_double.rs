//! C's 80-bit `long double`, for INCRBYFLOAT and HINCRBYFLOAT: their results are part of what
//! clients see, and a sum in 64 bits (10.5 + 0.1 = 10.6 only after rounding) would show.

use super::number::Float as Text;
use rustc_apfloat::{Float, Round, ieee::X87DoubleExtended};
use std::fmt;

/// A finite or infinite extended number, never NaN.
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
        let bits = self.0.to_bits();
        let mantissa = bits as u64;
        // The mantissa is an integer here, so the exponent is 63 less.
        let exponent = ((bits >> 64) as i32 & 0x7FFF).max(1) - 16383 - 63;
        let (whole, fraction) = if exponent >= 0 {
            (shifted_decimal(mantissa, exponent as u32), 0)
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

/// `value >> by`, to the nearest, ties to even.
fn shift_right_rounding(value: u128, by: u32) -> u128 {
    if by >= 128 {
        return 0;
    }
    let (quotient, rest, half) = (value >> by, value & ((1 << by) - 1), 1u128 << (by - 1));
    quotient + u128::from(rest > half || (rest == half && quotient & 1 == 1))
}

/// The decimal text of `value << by`: limbs of nine digits, doubled 32 times a step.
fn shifted_decimal(value: u64, mut by: u32) -> String {
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![value % BASE, value / BASE % BASE, value / BASE / BASE];
    while by > 0 {
        let step = by.min(32);
        by -= step;
        let mut carry = 0;
        for limb in &mut limbs {
            let sum = (*limb << step) + carry;
            *limb = sum % BASE;
            carry = sum / BASE;
        }
        while carry > 0 {
            limbs.push(carry % BASE);
            carry /= BASE;
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
    fn what_is_not_a_number() {
        for text in ["", " 1", "1 ", "nan", "1e", "1e5000", "1e-6000", "1.1.1", "1\0"] {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(LongDouble::parse("1".repeat(TEXT_MAX).as_bytes()), None);
    }
}

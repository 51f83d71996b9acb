//! A double as Redis 7.2 and Valkey print it: the fewest digits that read back as the same number,
//! plain for moderate sizes and with an exponent beyond.

/// The text of a number.
pub fn text(value: f64) -> Text {
    Text::new(value)
}

/// Whole numbers up to here have all their digits.
const WHOLE_MAX: f64 = (1u64 << 62) as f64;

/// See [`text`].
pub struct Text {
    text: [u8; 48],
    length: usize,
}

impl Text {
    fn new(value: f64) -> Self {
        let mut double = Text { text: [0; 48], length: 0 };
        if value.is_nan() {
            double.add(b"nan");
        } else if value.is_infinite() {
            double.add(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if value == 0.0 {
            double.add(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
            double.add(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            double.shortest(value);
        }
        double
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..self.length]
    }

    fn add(&mut self, bytes: &[u8]) {
        self.text[self.length..self.length + bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.add(b"0");
        }
    }

    /// A finite value other than zero.
    fn shortest(&mut self, value: f64) {
        // `{:e}` gives the shortest digits as `d.ddde-x`: at most 17 digits and 3 of exponent.
        let mut scientific = [0u8; 32];
        let mut rest = &mut scientific[..];
        let written = std::io::Write::write_fmt(&mut rest, format_args!("{:e}", value.abs()));
        debug_assert!(written.is_ok());
        let used = 32 - rest.len();
        let text = &scientific[..used];
        let e = text.iter().position(|&byte| byte == b'e').unwrap_or(used);
        let mut digits = [0u8; 24];
        let mut count = 0;
        for &byte in text[..e].iter().filter(|byte| byte.is_ascii_digit()) {
            digits[count] = byte;
            count += 1;
        }
        let digits = &digits[..count];
        // The decimal point stands behind the first digit, moved by `exponent`.
        let exponent: i32 =
            text.get(e + 1..).and_then(|t| std::str::from_utf8(t).ok()).and_then(|t| t.parse().ok()).unwrap_or(0);
        // The value is `digits` x 10^power.
        let power = exponent - (count as i32 - 1);

        if value < 0.0 {
            self.add(b"-");
        }
        if power >= 0 && exponent < count as i32 + 7 {
            self.add(digits);
            self.zeros(power as usize);
        } else if power < 0 && (power > -7 || exponent.abs() < 4) {
            if exponent < 0 {
                self.add(b"0.");
                self.zeros((-exponent - 1) as usize);
                self.add(digits);
            } else {
                let (whole, fraction) = digits.split_at(exponent as usize + 1);
                self.add(whole);
                self.add(b".");
                self.add(fraction);
            }
        } else {
            let (first, fraction) = digits.split_at(1);
            self.add(first);
            if !fraction.is_empty() {
                self.add(b".");
                self.add(fraction);
            }
            self.add(if exponent < 0 { b"e-" } else { b"e+" });
            self.add(itoa::Buffer::new().format(exponent.abs()).as_bytes());
        }
    }
}

/// The text of a finite number with so many significant digits, as C's `%.*g` writes it.
pub fn general(value: f64, digits: usize) -> String {
    let digits = digits.max(1);
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if exponent < -4 || exponent >= digits as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs());
    }
    let decimals = usize::try_from(digits as i32 - 1 - exponent).unwrap_or(0);
    trimmed(&format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_as_short_as_can_be() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (3.0, "3"),
            (-3.5, "-3.5"),
            (0.1, "0.1"),
            (2.14159, "2.14159"),
            (100000000.0, "100000000"),
            (123456789012345678.0, "123456789012345680"),
            (-4611686018427387904.0, "-4611686018427387904"),
            (1e19, "1e+19"),
            (1e20, "1e+20"),
            (1e21, "1e+21"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (0.000001, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (123456.789, "123456.789"),
            (-1.2345678901234568e-5, "-1.2345678901234568e-5"),
            (-0.00012345, "-1.2345e-4"),
        ] {
            assert_eq!(String::from_utf8_lossy(text(value).as_bytes()), expected);
        }
    }

    #[test]
    fn general_numbers_are_written_as_c_writes_them() {
        for (value, digits, text) in [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1.0, 14, "1"),
            (100.0, 1, "1e+02"),
            (0.1, 14, "0.1"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (1e14, 14, "1e+14"),
            (123456789012345.0, 14, "1.2345678901234e+14"),
            (99999999999999.0, 14, "99999999999999"),
            (0.00001, 14, "1e-05"),
            (0.0001, 14, "0.0001"),
            (-1234.5, 3, "-1.23e+03"),
            (9.9999, 2, "10"),
        ] {
            assert_eq!(general(value, digits), text, "{value} {digits}");
        }
    }
}

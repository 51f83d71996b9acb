//! Replies as bytes, in RESP2 or RESP3.

use crate::command::{Protocol, Reply, ReplyBuffer};

/// Collects encoded replies. A connection owns one and sends what is in `out`.
#[derive(Debug)]
pub struct Encoder {
    pub out: Vec<u8>,
    pub protocol: Protocol,
    /// Once `out` is longer, nothing more is written: the client has left so much unread that it
    /// will be closed, and the rest of a huge reply would only take memory.
    pub limit: usize,
    /// Whether something was left out for that reason.
    pub truncated: bool,
}

impl Encoder {
    pub fn new(protocol: Protocol) -> Self {
        Encoder { out: Vec::new(), protocol, limit: usize::MAX, truncated: false }
    }

    /// Boxed, as `Shared::encoder` wants it.
    pub fn boxed(protocol: Protocol) -> Box<dyn ReplyBuffer> {
        Box::new(Encoder::new(protocol))
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// `kind` and a number: `:5`, `$5`, `*5`.
    fn header(&mut self, kind: u8, n: i64) {
        // One byte of number is by far the commonest, and worth its own path.
        if (0..10).contains(&n) {
            self.out.extend_from_slice(&[kind, b'0' + n as u8, b'\r', b'\n']);
            return;
        }
        self.out.push(kind);
        self.out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    fn length(&mut self, kind: u8, len: usize) {
        self.header(kind, i64::try_from(len).unwrap_or(i64::MAX));
    }

    /// A line that must not hold line ends of its own.
    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        let start = self.out.len();
        self.out.extend_from_slice(text);
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

impl Reply for Encoder {
    fn protocol(&self) -> Protocol {
        self.protocol
    }

    fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    fn simple(&mut self, text: &str) {
        self.line(b'+', text.as_bytes());
    }

    fn error(&mut self, text: &[u8]) {
        self.line(b'-', text);
    }

    fn integer(&mut self, n: i64) {
        self.header(b':', n);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        if self.out.len() > self.limit {
            self.truncated = true;
            return;
        }
        self.out.reserve(bytes.len() + 16);
        self.length(b'$', bytes.len());
        self.out.extend_from_slice(bytes);
        self.out.extend_from_slice(b"\r\n");
    }

    fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    fn array(&mut self, len: usize) {
        self.length(b'*', len);
    }

    fn map(&mut self, pairs: usize) {
        if self.is_resp3() {
            self.length(b'%', pairs);
        } else {
            self.length(b'*', pairs.saturating_mul(2));
        }
    }

    fn set(&mut self, len: usize) {
        self.length(if self.is_resp3() { b'~' } else { b'*' }, len);
    }

    fn push(&mut self, len: usize) {
        self.length(if self.is_resp3() { b'>' } else { b'*' }, len);
    }

    fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.is_resp3());
        self.length(b'|', pairs);
    }

    fn double(&mut self, value: f64) {
        let text = Double::new(value);
        if self.is_resp3() {
            self.line(b',', text.as_bytes());
        } else {
            self.bulk(text.as_bytes());
        }
    }

    fn boolean(&mut self, value: bool) {
        self.out.extend_from_slice(match (self.is_resp3(), value) {
            (true, true) => b"#t\r\n",
            (true, false) => b"#f\r\n",
            (false, true) => b":1\r\n",
            (false, false) => b":0\r\n",
        });
    }

    fn big_number(&mut self, digits: &str) {
        if self.is_resp3() {
            self.line(b'(', digits.as_bytes());
        } else {
            self.bulk(digits.as_bytes());
        }
    }

    fn verbatim(&mut self, format: &str, text: &[u8]) {
        if self.is_resp3() {
            self.length(b'=', text.len() + 4);
            self.out.extend_from_slice(format.as_bytes());
            self.out.push(b':');
            self.out.extend_from_slice(text);
            self.out.extend_from_slice(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn written(&self) -> u64 {
        self.out.len() as u64
    }
}

impl ReplyBuffer for Encoder {
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }
}

/// A double as Redis 7.2 and Valkey print it: the fewest digits that read back as the same
/// number, plain for moderate sizes and with an exponent beyond.
struct Double {
    text: [u8; 48],
    length: usize,
}

impl Double {
    fn new(value: f64) -> Self {
        let mut double = Double { text: [0; 48], length: 0 };
        if value.is_nan() {
            double.add(b"nan");
        } else if value.is_infinite() {
            double.add(if value > 0.0 { b"inf" } else { b"-inf" });
        } else if value == 0.0 {
            double.add(if value.is_sign_negative() { b"-0" } else { b"0" });
        } else if value.fract() == 0.0 && value.abs() < (1u64 << 52) as f64 {
            double.add(itoa::Buffer::new().format(value as i64).as_bytes());
        } else {
            double.shortest(value);
        }
        double
    }

    fn as_bytes(&self) -> &[u8] {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(write: impl Fn(&mut dyn Reply), resp2: &str, resp3: &str) {
        for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
            let mut encoder = Encoder::new(protocol);
            write(&mut encoder);
            assert_eq!(String::from_utf8_lossy(&encoder.take()).replace("\r\n", "|"), expected);
        }
    }

    #[test]
    fn plain_kinds_are_the_same_in_both_protocols() {
        let same = |write: &dyn Fn(&mut dyn Reply), expected: &str| check(write, expected, expected);
        same(&|r| r.ok(), "+OK|");
        same(&|r| r.error(b"ERR a\r\nb"), "-ERR a  b|");
        same(&|r| r.integer(9), ":9|");
        same(&|r| r.integer(-10), ":-10|");
        same(&|r| r.bulk(b"a\r\nb"), "$4|a|b|");
        same(&|r| r.bulk_integer(1234567890), "$10|1234567890|");
        same(&|r| r.array(12), "*12|");
    }

    #[test]
    fn resp3_kinds_fall_back() {
        check(|r| r.null(), "$-1|", "_|");
        check(|r| r.null_array(), "*-1|", "_|");
        check(|r| r.map(2), "*4|", "%2|");
        check(|r| r.set(2), "*2|", "~2|");
        check(|r| r.push(3), "*3|", ">3|");
        check(|r| r.boolean(true), ":1|", "#t|");
        check(|r| r.double(1.5), "$3|1.5|", ",1.5|");
        check(|r| r.big_number("123"), "$3|123|", "(123|");
        check(|r| r.verbatim("txt", b"hi"), "$2|hi|", "=6|txt:hi|");
    }

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
            assert_eq!(String::from_utf8_lossy(Double::new(value).as_bytes()), expected);
        }
    }
}

//! Glob patterns as KEYS, SCAN and PSUBSCRIBE know them: `*`, `?`, `[a-z]`, `[^a]`, `\` before a literal.

/// More than these are for attacks.
const STARS_MAX: usize = 1000;

/// Whether `pattern` matches the whole of `text`.
///
/// Only the last `*` met is ever tried again, so the work is bounded by the product of the lengths
/// and nothing is put on the stack, whatever the pattern. As in Redis, a pattern with more than a
/// thousand `*` before other elements matches nothing, and the empty text is matched by the empty pattern alone.
pub fn matches(pattern: &[u8], text: &[u8], ignore_case: bool) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t, mut stars) = (0, 0, 0);
    // Where to go on after the last `*`, and how much of the text it has taken.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            // Several in a row are one.
            stars += usize::from(pattern[p] != b'*');
            if stars > STARS_MAX {
                return false;
            }
            retry = Some((p, t));
            continue;
        }
        let step = match (p < pattern.len(), text.get(t)) {
            (false, None) => return true,
            (true, None) => return pattern[p..].iter().all(|&byte| byte == b'*'),
            (false, Some(_)) => None,
            (true, Some(&byte)) => match_one(&pattern[p..], byte, ignore_case),
        };
        match (step, retry) {
            (Some(len), _) => {
                p += len;
                t += 1;
            }
            (None, Some((after_star, taken))) => {
                retry = Some((after_star, taken + 1));
                p = after_star;
                t = taken + 1;
            }
            (None, None) => return false,
        }
    }
}

/// Matches one byte against the element at the head of the pattern; answers the element's length.
fn match_one(pattern: &[u8], byte: u8, ignore_case: bool) -> Option<usize> {
    let same = |a: u8| a == byte || (ignore_case && a.eq_ignore_ascii_case(&byte));
    match pattern {
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => match_class(class, byte, ignore_case).map(|len| len + 1),
        [b'\\', literal, ..] => same(*literal).then_some(2),
        [literal, ..] => same(*literal).then_some(1),
        [] => None,
    }
}

/// `class` begins after the `[`. A class that is never closed ends with the pattern, as in Redis.
fn match_class(class: &[u8], byte: u8, ignore_case: bool) -> Option<usize> {
    let fold = |b: u8| if ignore_case { b.to_ascii_lowercase() } else { b };
    let (negated, mut at) = (class.first() == Some(&b'^'), 0);
    at += usize::from(negated);
    let mut found = false;
    loop {
        match &class[at..] {
            [] => break,
            [b'\\', literal, ..] => {
                found |= *literal == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            [from, b'-', to, ..] => {
                let (from, to) = (fold(*from.min(to)), fold(*from.max(to)));
                found |= (from..=to).contains(&fold(byte));
                at += 3;
            }
            [literal, ..] => {
                found |= fold(*literal) == fold(byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} should match {text}");
        }
        for text in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn patterns() {
        check("h?llo", &["hello", "hallo"], &["hllo", "heello"]);
        check("h*llo", &["hllo", "heeeello"], &["hell"]);
        check("h[ae]llo", &["hello", "hallo"], &["hillo"]);
        check("h[^e]llo", &["hallo", "hbllo"], &["hello"]);
        check("h[a-b]llo", &["hallo", "hbllo"], &["hcllo"]);
        check("h[b-a]llo", &["hallo"], &["hcllo"]);
        check("h\\*llo", &["h*llo"], &["hxllo"]);
        check("*", &["anything"], &[""]);
        check("", &[""], &["a"]);
        check("a*b*c", &["abc", "aXbYc", "abbc", "abcbc"], &["ab", "acb"]);
        check("**a", &["a", "ba"], &["ab"]);
        check("[]a", &[], &["a", "]a"]);
        check("[a", &["a"], &["b"]);
        check("[\\]]", &["]"], &["\\"]);
        check("a\\", &["a\\"], &["a"]);
    }

    #[test]
    fn case_may_be_ignored() {
        assert!(matches(b"MAX*[A-C]", b"maxmemoryb", true));
        assert!(!matches(b"MAX*", b"maxmemory", false));
    }

    #[test]
    fn a_crafted_pattern_costs_no_more_than_the_product_of_the_lengths() {
        let pattern = "a*".repeat(500) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(5000).as_bytes(), false));
        let text = "a".repeat(2000);
        for (stars, matched) in [(1000, true), (1001, true), (1002, false)] {
            assert_eq!(matches("a*".repeat(stars).as_bytes(), text.as_bytes(), false), matched, "{stars}");
        }
    }
}

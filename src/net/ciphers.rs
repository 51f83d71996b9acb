//! Which cipher suites are spoken: `tls-ciphers` and `tls-ciphersuites`, as OpenSSL writes them.

use rustls::{CipherSuite, SupportedCipherSuite, crypto::ring::ALL_CIPHER_SUITES};

/// The suites of TLS 1.2, and by which words a list may mean them.
const NAMES: [(CipherSuite, &str, [&str; 4]); 6] = {
    use CipherSuite as C;
    [
        (
            C::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            "ECDHE-ECDSA-AES256-GCM-SHA384",
            ["ECDSA", "AES256", "AESGCM", "SHA384"],
        ),
        (
            C::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            "ECDHE-ECDSA-AES128-GCM-SHA256",
            ["ECDSA", "AES128", "AESGCM", "SHA256"],
        ),
        (
            C::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            "ECDHE-ECDSA-CHACHA20-POLY1305",
            ["ECDSA", "CHACHA20", "", ""],
        ),
        (
            C::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            "ECDHE-RSA-AES256-GCM-SHA384",
            ["RSA", "AES256", "AESGCM", "SHA384"],
        ),
        (
            C::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            "ECDHE-RSA-AES128-GCM-SHA256",
            ["RSA", "AES128", "AESGCM", "SHA256"],
        ),
        (C::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", ["RSA", "CHACHA20", "", ""]),
    ]
};
/// What all of them are.
const GROUPS: [&str; 9] = ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "ECDH", "TLSv1.2"];
/// Of TLS 1.3.
const SUITES: [(CipherSuite, &str); 3] = [
    (CipherSuite::TLS13_AES_256_GCM_SHA384, "TLS_AES_256_GCM_SHA384"),
    (CipherSuite::TLS13_AES_128_GCM_SHA256, "TLS_AES_128_GCM_SHA256"),
    (CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, "TLS_CHACHA20_POLY1305_SHA256"),
];

/// The suites that the two lists leave, in their order; an empty list leaves all. Words that mean none of ours are passed
/// over, as OpenSSL does, but a list that leaves nothing is an error.
pub fn choose(ciphers: &str, suites: &str) -> Result<Vec<SupportedCipherSuite>, String> {
    let newest = match suites {
        "" => SUITES.iter().map(|(suite, _)| *suite).collect(),
        list => named(list),
    };
    let older = match ciphers {
        "" => NAMES.iter().map(|(suite, ..)| *suite).collect(),
        list => listed(list),
    };
    for (name, list, found) in [("tls-ciphersuites", suites, &newest), ("tls-ciphers", ciphers, &older)] {
        if found.is_empty() {
            return Err(format!("'{name}' names no cipher suite that is here: {list}"));
        }
    }
    let supported = |suite: CipherSuite| ALL_CIPHER_SUITES.iter().find(|one| one.suite() == suite).copied();
    Ok(newest.into_iter().chain(older).filter_map(supported).collect())
}

fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split([':', ',', ' ']).filter(|word| !word.is_empty())
}

fn named(list: &str) -> Vec<CipherSuite> {
    words(list).filter_map(|word| SUITES.iter().find(|(_, name)| *name == word)).map(|(suite, _)| *suite).collect()
}

fn listed(list: &str) -> Vec<CipherSuite> {
    let (mut chosen, mut banned): (Vec<CipherSuite>, Vec<CipherSuite>) = (Vec::new(), Vec::new());
    for word in words(list) {
        let meant = |word: &str| -> Vec<CipherSuite> {
            NAMES.iter().filter(|row| word.split('+').all(|part| means(row, part))).map(|row| row.0).collect()
        };
        if let Some(removed) = word.strip_prefix(['!', '-']).map(meant) {
            chosen.retain(|suite| !removed.contains(suite));
            if word.starts_with('!') {
                banned.extend(removed);
            }
        } else if let Some(word) = word.strip_prefix('+') {
            let last: Vec<_> = meant(word).into_iter().filter(|suite| chosen.contains(suite)).collect();
            chosen.retain(|suite| !last.contains(suite));
            chosen.extend(last);
        } else {
            for suite in meant(word) {
                if !chosen.contains(&suite) && !banned.contains(&suite) {
                    chosen.push(suite);
                }
            }
        }
    }
    chosen
}

fn means((_, name, parts): &(CipherSuite, &str, [&str; 4]), word: &str) -> bool {
    let part = word.strip_prefix('a').unwrap_or(word);
    *name == word || GROUPS.contains(&word) || (!part.is_empty() && parts.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        let name = |suite| NAMES.iter().find(|row| row.0 == suite).map_or("?", |row| row.1);
        listed(list).into_iter().map(name).collect()
    }

    #[test]
    fn lists() {
        assert_eq!(names("DEFAULT:-AES128-SHA256").len(), 6);
        assert_eq!(names("ECDHE-RSA-AES128-GCM-SHA256"), ["ECDHE-RSA-AES128-GCM-SHA256"]);
        assert_eq!(names("ECDHE+CHACHA20:!aRSA"), ["ECDHE-ECDSA-CHACHA20-POLY1305"]);
        assert_eq!(names("!RSA:AES256:RSA"), ["ECDHE-ECDSA-AES256-GCM-SHA384"]);
        assert_eq!(
            names("AES256+RSA:AES128+RSA:+AES256"),
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert!(names("AES128-SHA256:RC4").is_empty());
    }

    #[test]
    fn both_lists_hold() {
        assert_eq!(choose("", "").unwrap().len(), ALL_CIPHER_SUITES.len());
        let chosen = choose("AES128", "TLS_CHACHA20_POLY1305_SHA256").unwrap();
        assert_eq!(chosen.len(), 3);
        assert_eq!(chosen[0].suite(), CipherSuite::TLS13_CHACHA20_POLY1305_SHA256);
        assert!(choose("RC4", "").unwrap_err().contains("tls-ciphers"));
        assert!(choose("", "TLS_NULL").unwrap_err().contains("tls-ciphersuites"));
    }
}

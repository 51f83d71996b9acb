//! Payloads: what is written comes back, every packed form is read, and nothing that is wrong is taken.

use super::*;
use crate::types::packed::{self, Entry};
use proptest::prelude::*;

/// A payload with this body, whatever it holds.
fn sealed(body: &[u8]) -> Vec<u8> {
    seal(body.to_vec())
}

fn read(body: &[u8]) -> Result<Restored, DumpError> {
    restore(&sealed(body), 1 << 29, false)
}

fn string_payload(value: &[u8], compress: bool) -> Vec<u8> {
    let mut body = vec![0];
    put_string(&mut body, value, compress);
    seal(body)
}

fn restore_string(payload: &[u8]) -> Result<Vec<u8>, DumpError> {
    match restore(payload, 1 << 20, false)? {
        Restored::String(text) => Ok(text),
        other => panic!("{other:?}"),
    }
}

/// The bytes of packed elements of these values.
fn elements(values: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    values.iter().for_each(|value| Entry::of(value.as_bytes()).encode(&mut bytes));
    bytes
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_length(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

#[test]
fn strings_of_every_shape_come_back() {
    for value in
        [&b""[..], b"a", b"12", b"-129", b"70000", b"2147483648", b"007", &[7; 63], &[8; 64], &[9; 16384], &[1; 70000]]
    {
        assert_eq!(restore_string(&string_payload(value, true)).as_deref(), Ok(value));
        assert_eq!(restore_string(&string_payload(value, false)).as_deref(), Ok(value));
    }
}

/// What DUMP of Redis 7.0.15 answered for `SET k 10` but for the version.
#[test]
fn the_checksum_is_redis_s() {
    let payload = [0x00, 0xC0, 0x0A, 0x0A, 0x00];
    let mut whole = payload.to_vec();
    whole.extend(CRC64.checksum(&payload).to_le_bytes());
    assert_eq!(restore_string(&whole).as_deref(), Ok(&b"10"[..]));
    assert_eq!(CRC64.checksum(b"123456789"), 0xe9c6d914c4b8d9ca);
}

#[test]
fn what_repeats_is_compressed_if_it_saves_enough() {
    assert_eq!(string_payload(&[b'a'; 20], true)[1], 20);
    let payload = string_payload(&[b'a'; 100], true);
    assert_eq!((payload[1], payload.len() < 30), (0xC3, true));
    assert_eq!(string_payload(&[b'a'; 100], false)[1..3], [0x40, 100]);
    let unlike: Vec<u8> = (0..100).collect();
    assert_eq!(string_payload(&unlike, true)[1..3], [0x40, 100]);
}

#[test]
fn a_version_to_come_is_read_if_wanted() {
    let mut payload = vec![0, 1, b'x', 222, 0];
    payload.extend(CRC64.checksum(&payload).to_le_bytes());
    assert_eq!(restore(&payload, 100, false), Err(DumpError::VersionOrChecksum));
    assert_eq!(restore(&payload, 100, true), Ok(Restored::String(b"x".to_vec())));
}

#[test]
fn damage_of_any_byte_is_refused() {
    let good = string_payload(b"some value of some length", true);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        assert!(restore_string(&bad).is_err(), "byte {at}");
    }
    for len in 0..good.len() {
        assert!(restore_string(&good[..len]).is_err());
    }
}

#[test]
fn lying_lengths_are_refused() {
    for body in [
        &[0u8, 0x80, 0xFF, 0xFF, 0xFF, 0xFF][..],
        &[0, 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        &[0, 0xC3, 0x02, 0x80, 0x10, 0, 0, 0, 0, 0],
        &[0, 0xC4],
        &[0, 0x01, 0x41, 0x41],
        // Empty collections, and some of which there is less than was said.
        &[1, 0x00],
        &[1, 0x81, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, b'a'],
        &[2, 0x00],
        &[4, 2, 1, b'a', 1, b'b'],
        &[5, 1, 1, b'a', 0, 0, 0],
        &[14, 1, 0],
        &[18, 1, 3, 1, b'a'],
        // Kinds that there are not.
        &[6, 0],
        &[7, 0],
        &[8, 0],
        &[99, 0],
    ] {
        assert_eq!(read(body), Err(DumpError::Format), "{body:?}");
    }
}

const LISTPACK: &[u8] = &[
    21, 0, 0, 0, 4, 0, // bytes, entries
    0x85, b'h', b'e', b'l', b'l', b'o', 6, // text
    7, 1, // 7
    0xDF, 0xFF, 2, // -1
    0x80, 1, // empty
    0xFF,
];

#[test]
fn plain_collections() {
    let list = [&[1u8, 3][..], &string(b"a"), &string(b"17"), &string(b"a")].concat();
    assert_eq!(read(&list), Ok(Restored::List(elements(&["a", "17", "a"]))));
    let set = [&[2u8, 2][..], &string(b"a"), &string(b"17")].concat();
    assert_eq!(read(&set), Ok(Restored::Set(elements(&["a", "17"]))));
    let twice = [&[2u8, 2][..], &string(b"17"), &[0xC0, 17]].concat();
    assert_eq!(read(&twice), Err(DumpError::Format));
    let hash = [&[4u8, 2][..], &string(b"f"), &string(b"1"), &string(b"g"), &string(b"x")].concat();
    assert_eq!(read(&hash), Ok(Restored::Hash(elements(&["f", "1", "g", "x"]))));
    let old = [&[3u8, 3][..], &string(b"b"), &[1, b'2'], &string(b"a"), &[3, b'1', b'.', b'5'], &string(b"c"), &[255]];
    let Ok(Restored::ZSet(members)) = read(&old.concat()) else { panic!("it is a sorted set") };
    let members: Vec<Vec<u8>> = packed::elements(&members, 0, 2).map(|element| element.first().to_vec()).collect();
    assert_eq!(members, [b"c", b"a", b"b"]);
    let nan = [&[5u8, 1][..], &string(b"b"), &f64::NAN.to_le_bytes()].concat();
    assert_eq!(read(&nan), Err(DumpError::Format));
}

#[test]
fn packed_forms() {
    let values = ["hello", "7", "-1", ""];
    assert_eq!(read(&[&[18u8, 1, 2][..], &string(LISTPACK)].concat()), Ok(Restored::List(elements(&values))));
    assert_eq!(read(&[&[20u8][..], &string(LISTPACK)].concat()), Ok(Restored::Set(elements(&values))));
    assert_eq!(read(&[&[16u8][..], &string(LISTPACK)].concat()), Ok(Restored::Hash(elements(&values))));
    assert_eq!(read(&[&[17u8][..], &string(LISTPACK)].concat()), Err(DumpError::Format), "no score is empty");
    let ziplist: &[u8] = &[
        24, 0, 0, 0, 18, 0, 0, 0, 3, 0, // bytes, the last entry's offset, entries
        0, 2, b'a', b'b', // text
        4, 0xFE, 0x80, // -128
        // The length of the one before is that of its header, too.
        3, 0xF1, // 0
    ];
    let mut ziplist = ziplist.to_vec();
    ziplist[4] = 17;
    ziplist.push(0xFF);
    ziplist[0] = ziplist.len() as u8;
    assert_eq!(read(&[&[10u8][..], &string(&ziplist)].concat()), Ok(Restored::List(elements(&["ab", "-128", "0"]))));
    assert_eq!(
        read(&[&[14u8, 2][..], &string(&ziplist), &string(&ziplist)].concat()),
        Ok(Restored::List(elements(&["ab", "-128", "0", "ab", "-128", "0"])))
    );
    for at in [0, 4, 8, 10, 14, 17] {
        let mut bad = ziplist.clone();
        bad[at] ^= 1;
        assert_eq!(read(&[&[10u8][..], &string(&bad)].concat()), Err(DumpError::Format), "byte {at}");
    }
    let intset: &[u8] = &[2, 0, 0, 0, 2, 0, 0, 0, 0xFF, 0xFF, 5, 0];
    assert_eq!(read(&[&[11u8][..], &string(intset)].concat()), Ok(Restored::Set(elements(&["-1", "5"]))));
    let unordered: &[u8] = &[2, 0, 0, 0, 2, 0, 0, 0, 5, 0, 5, 0];
    assert_eq!(read(&[&[11u8][..], &string(unordered)].concat()), Err(DumpError::Format));
    let zipmap: &[u8] = &[1, 3, b'f', b'o', b'o', 3, 1, b'b', b'a', b'r', 0, 0xFF];
    assert_eq!(read(&[&[9u8][..], &string(zipmap)].concat()), Ok(Restored::Hash(elements(&["foo", "bar"]))));
    for at in 0..LISTPACK.len() - 1 {
        // Not the text itself, nor the small number.
        if !(7..12).contains(&at) && at != 13 && at != 16 {
            let mut bad = LISTPACK.to_vec();
            bad[at] ^= 0x40;
            assert!(read(&[&[18u8, 1, 2][..], &string(&bad)].concat()).is_err(), "byte {at}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(code in 0u8..30, bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&[&[code][..], &bytes].concat());
        let _ = read(&[&[code, 1, 2][..], &string(&bytes)].concat());
        let _ = read(&[&[code][..], &string(&bytes)].concat());
    }

    /// What is nearly a listpack.
    #[test]
    fn no_listpack_panics(at in 0usize..20, byte in any::<u8>(), cut in 0usize..21) {
        let mut bytes = LISTPACK.to_vec();
        bytes[at] = byte;
        let _ = packs::listpack(&bytes);
        bytes.truncate(cut);
        let _ = packs::listpack(&bytes);
    }
}

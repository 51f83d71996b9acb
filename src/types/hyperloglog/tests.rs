//! Counts against exact ones, and the two layouts against each other.

use super::*;

fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_max: usize) -> bool {
    let (index, value) = place_of(element);
    raise(bytes, index, value, sparse_max).expect("not corrupt")
}

fn sketch(bytes: &[u8]) -> Sketch<'_> {
    Sketch::new(bytes).expect("a sketch")
}

#[test]
fn the_bytes_are_known() {
    let mut bytes = empty();
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(sketch(&bytes).count(), Ok(0));
    for element in ["a", "b", "c", "d", "e", "f", "g"] {
        assert!(add(&mut bytes, element.as_bytes(), 3000));
        assert!(!add(&mut bytes, element.as_bytes(), 3000));
    }
    assert_eq!(sketch(&bytes).count(), Ok(7));
    assert_eq!(sketch(&bytes).cached_count(), None);
}

#[test]
fn both_encodings_say_the_same() {
    let (mut sparse, mut dense) = (empty(), sketch(&empty()).to_dense().expect("dense"));
    for n in 1..=20_000u32 {
        let element = n.to_le_bytes();
        assert_eq!(add(&mut sparse, &element, usize::MAX), add(&mut dense, &element, 0));
        if n.is_power_of_two() || n == 20_000 {
            let (sparse, dense) = (sketch(&sparse), sketch(&dense));
            let count = dense.count().expect("not corrupt");
            assert_eq!(sparse.count(), Ok(count));
            assert!(count.abs_diff(n.into()) <= u64::from(n) / 30 + 1, "{count} for {n}");
            let mut registers = Registers::default();
            registers.merge(&sparse).expect("not corrupt");
            assert_eq!(registers.count(), count);
            assert_eq!(sparse.to_dense().expect("not corrupt")[HEADER..], dense.bytes[HEADER..]);
        }
    }
}

#[test]
fn a_sparse_one_becomes_dense_when_it_gets_long() {
    let mut bytes = empty();
    for n in 0..5000u32 {
        add(&mut bytes, &n.to_le_bytes(), 3000);
        let sparse = sketch(&bytes).encoding() == Encoding::Sparse;
        assert!(!sparse || bytes.len() <= 3000);
    }
    assert_eq!(sketch(&bytes).encoding(), Encoding::Dense);
    let mut large = empty();
    raise(&mut large, 5, 33, 3000).expect("not corrupt");
    assert_eq!(sketch(&large).encoding(), Encoding::Dense);
    assert_eq!(sketch(&large).dense_register(5), 33);
}

#[test]
fn runs_are_split_and_joined() {
    let mut bytes = empty();
    for (index, value) in [(1000, 2), (1020, 3), (1021, 3), (1022, 3), (1021, 4), (0, 1), (16383, 32)] {
        raise(&mut bytes, index, value, 3000).expect("not corrupt");
    }
    assert_eq!(decode(&sketch(&bytes)), "v:1,1 Z:999 v:2,1 z:19 v:3,1 v:4,1 v:3,1 Z:15360 v:32,1");
    raise(&mut bytes, 1020, 4, 3000).expect("not corrupt");
    raise(&mut bytes, 1022, 4, 3000).expect("not corrupt");
    assert_eq!(decode(&sketch(&bytes)), "v:1,1 Z:999 v:2,1 z:19 v:4,3 Z:15360 v:32,1");
}

#[test]
fn damage_is_an_error_or_a_wrong_count_but_never_a_panic() {
    let mut random = fastrand::Rng::with_seed(6);
    for _ in 0..3000 {
        let mut bytes = empty();
        for _ in 0..random.usize(0..60) {
            add(&mut bytes, &random.u64(..).to_le_bytes(), 3000);
        }
        for _ in 0..random.usize(1..10) {
            let at = random.usize(HEADER..bytes.len());
            match random.u8(0..3) {
                0 => bytes[at] = random.u8(..),
                1 => bytes.truncate(at.max(HEADER + 1)),
                _ => bytes.push(random.u8(..)),
            }
        }
        let whole = sketch(&bytes).count().is_ok();
        assert_eq!(whole, Registers::default().merge(&sketch(&bytes)).is_ok());
        assert_eq!(whole, sketch(&bytes).to_dense().is_ok());
        let _ = raise(&mut bytes, random.usize(0..REGISTERS), random.u8(1..=51), 3000);
    }
}

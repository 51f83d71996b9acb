//! Arrays against a map of the standard library, across the border between packed and tree.

use super::*;
use crate::types::{home::Home, home::alone::Alone, tree};
use proptest::prelude::*;
use slices::{Slicing, Survey, survey};
use std::collections::BTreeMap;

type Model = BTreeMap<u64, Vec<u8>>;

fn new() -> Alone {
    Alone::new(EMPTY, 16 << 20)
}

fn array(home: &Alone) -> Array<'_> {
    Array::new(home.view())
}

/// The elements, of trees that are whole.
fn checked(home: &Alone) -> Model {
    for root in crate::types::roots(home.encoding, &home.value) {
        assert_eq!(tree::check(&home.heap, root, &mut |_| Ok(())), Ok(()));
    }
    array(home).iter(0).map(|element| (index_of(&element), element.second().to_vec())).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Set(u64, Vec<Vec<u8>>),
    Remove(u64),
    RemoveRange(u64, u64),
    Ring(u64, Vec<Vec<u8>>),
    Seek(u64),
}

/// Few indexes close to each other, and some far away.
fn index() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..200u64, 1 => (0..8u64).prop_map(|n| n << 61 | n), 1 => INDEX_MAX - 50..=INDEX_MAX]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i16>().prop_map(|n| n.to_string().into_bytes()),
        4 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => (0..3000usize).prop_map(|len| vec![b'x'; len]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let values = || proptest::collection::vec(value(), 1..30);
    prop_oneof![
        6 => (index(), values()).prop_map(|(index, values)| Step::Set(index, values)),
        3 => index().prop_map(Step::Remove),
        2 => (index(), index()).prop_map(|(a, b)| Step::RemoveRange(a.min(b), a.max(b))),
        2 => (1..60u64, values()).prop_map(|(size, values)| Step::Ring(size, values)),
        1 => index().prop_map(Step::Seek),
    ]
}

fn words(values: &[Vec<u8>]) -> Vec<&[u8]> {
    values.iter().map(Vec::as_slice).collect()
}

/// What a ring of another size keeps: as [`resize`](super::edit) says, position by position.
fn resized(model: &mut Model, cursor: &mut u64, size: u64) {
    let span = model.last_key_value().map_or(0, |(last, _)| last + 1);
    let comes_round = *cursor != u64::MAX && cursor.wrapping_add(1) < span;
    if span == 0 || size == span || size > span && !comes_round {
        return;
    }
    let mut at = if *cursor == u64::MAX { span - 1 } else { *cursor % span };
    let mut kept = Vec::new();
    while (kept.len() as u64) < size.min(span) {
        let Some(value) = model.get(&at) else { break };
        kept.push(value.clone());
        at = at.checked_sub(1).unwrap_or(span - 1);
    }
    *cursor = (kept.len() as u64).wrapping_sub(1);
    *model = (0..).zip(kept.into_iter().rev()).collect();
}

fn apply(home: &mut Alone, model: &mut Model, cursor: &mut u64, step: &Step) {
    match step {
        Step::Set(index, values) => {
            let start = (*index).min(INDEX_MAX - values.len() as u64);
            let before = model.len() as u64;
            model.extend((start..).zip(values.iter().cloned()));
            assert_eq!(set(home, start, &words(values)), Ok(model.len() as u64 - before));
        }
        Step::Remove(index) => assert_eq!(remove(home, *index), Ok(model.remove(index).is_some())),
        Step::RemoveRange(first, last) => {
            let before = model.len();
            model.retain(|index, _| !(first..=last).contains(&index));
            assert_eq!(remove_range(home, *first, *last), Ok((before - model.len()) as u64));
        }
        Step::Ring(size, values) => {
            resized(model, cursor, *size);
            for value in values {
                *cursor = cursor.wrapping_add(1) % size;
                model.insert(*cursor, value.clone());
            }
            assert_eq!(ring(home, *size, &words(values)), Ok(*cursor));
        }
        Step::Seek(index) => {
            *cursor = index.wrapping_sub(1);
            seek(home, Cursor::before(*index)).unwrap();
        }
    }
}

fn compare(home: &Alone, model: &Model, cursor: u64, near: u64) {
    assert_eq!(checked(home), *model);
    let array = array(home);
    assert_eq!((array.count(), array.cursor()), (model.len() as u64, Cursor(cursor)));
    assert_eq!(array.len(), model.last_key_value().map_or(0, |(last, _)| last + 1));
    assert_eq!(array.get(near).map(|value| value.to_vec()), model.get(&near).cloned());
    assert_eq!(array.rank(near), model.range(..near).count() as u64);
    let far = near.saturating_add(40);
    let back: Vec<u64> = array.between(far, near).map(|element| index_of(&element)).collect();
    assert!(back.iter().eq(model.range(near..=far).rev().map(|(index, _)| index)));
    let span: Vec<Option<Vec<u8>>> = array.span(near, far).map(|value| value.map(|value| value.to_vec())).collect();
    assert!(span.into_iter().eq((near..=far).map(|index| model.get(&index).cloned())));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 300 }, ..ProptestConfig::default() })]

    #[test]
    fn an_array_equals_a_map(steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 10 } else { 60 })) {
        let (mut home, mut model, mut cursor) = (new(), Model::new(), u64::MAX);
        for step in &steps {
            apply(&mut home, &mut model, &mut cursor, step);
            let near = match step {
                Step::Set(index, _) | Step::Remove(index) | Step::RemoveRange(index, _) | Step::Seek(index) => *index,
                Step::Ring(size, _) => *size / 2,
            };
            compare(&home, &model, cursor, near);
        }
    }
}

#[test]
fn an_array_crosses_the_border_both_ways() {
    let mut home = new();
    let count = if cfg!(miri) { 70 } else { 300 };
    for _ in 0..2 {
        seek(&mut home, Cursor(41)).unwrap();
        for index in (0..count).map(|n| n * 1000) {
            assert_eq!(set(&mut home, index, &[b"some value"]), Ok(1));
        }
        assert_eq!((home.encoding, array(&home).cursor()), (Encoding::ArrayTree, Cursor(41)));
        assert_eq!(checked(&home).len() as u64, count);
        assert_eq!(remove_range(&mut home, 5000, u64::MAX), Ok(count - 5));
        assert_eq!((home.encoding, array(&home).cursor()), (Encoding::ArrayPacked, Cursor(41)));
        assert_eq!(remove_range(&mut home, 0, 5000), Ok(5));
        assert!(array(&home).is_empty());
    }
}

#[test]
fn values_set_in_a_row_fill_the_leaves() {
    let mut home = new();
    let value = b"twelve bytes".as_slice();
    let count = if cfg!(miri) { 500 } else { 20_000 };
    assert_eq!(set(&mut home, 0, &vec![value; count]), Ok(count as u64));
    assert_eq!(checked(&home).len(), count);
    let (elements, mut leaves) = (home.view().sequence(0, WIDTH), 1);
    let mut spot = elements.first();
    while elements.next(&mut spot) {
        leaves += 1;
    }
    assert!(leaves <= count * 17 / ByIndex::LEAF * 5 / 4 + 2, "{leaves} leaves");
    // What is set again changes no count.
    assert_eq!(set(&mut home, 10, &vec![b"other".as_slice(); count - 20]), Ok(0));
    assert_eq!(checked(&home).len(), count);
}

#[test]
fn slices_are_as_redis_would_have_them() {
    let mut home = new();
    let slicing = Slicing { size: 4096, sparse_max: 10, sparse_min: 5 };
    let told = |home: &Alone| survey(&array(home), slicing);
    assert_eq!(told(&home), Survey { directory: 1, ..Survey::default() });
    set(&mut home, 100, &vec![b"v".as_slice(); 100]).unwrap();
    set(&mut home, 4096 * 5, &[b"v"]).unwrap();
    let dense = Survey { dense: 1, dense_room: 128, dense_count: 100, ..Survey::default() };
    assert_eq!(told(&home), Survey { slices: 2, directory: 8, sparse: 1, sparse_room: 4, ..dense });
    set(&mut home, 4096 * 2048, &[b"v"]).unwrap();
    assert_eq!(told(&home), Survey { slices: 3, directory: 4, blocks: 2, sparse: 2, sparse_room: 8, ..dense });
    set(&mut home, INDEX_MAX, &[b"v"]).unwrap();
    assert_eq!(told(&home).slices, 4);
}

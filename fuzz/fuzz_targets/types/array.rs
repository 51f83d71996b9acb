use crate::{Word, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    array::{self, Array, Cursor, INDEX_MAX, index_of},
    home::Home,
};
use std::collections::BTreeMap;

type Model = BTreeMap<u64, Vec<u8>>;

/// Often among the first, sometimes anywhere, up to the last that there is.
#[derive(Clone, Copy, Debug)]
struct Index(u64);

impl<'a> Arbitrary<'a> for Index {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Index> {
        let near = u64::from(u16::arbitrary(input)?);
        Ok(Index(match near % 8 {
            0 => u64::arbitrary(input)?.min(INDEX_MAX),
            1 => INDEX_MAX - near / 8,
            2 => near,
            _ => near / 8 % 300,
        }))
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Set(Index, Word, u8),
    Remove(Index),
    RemoveRange(Index, Index),
    Ring(u8, Word, u8),
    Seek(Index),
    Fill,
}

/// What a ring of another size keeps: position by position.
fn resize(model: &mut Model, cursor: &mut u64, size: u64) {
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

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (mut model, mut cursor) = (Model::new(), u64::MAX);
    steps(input, array::EMPTY, |cell, step| {
        match step {
            Step::Set(Index(index), Word(value), more) => {
                let values = vec![&value[..]; usize::from(more % 50) + 1];
                let start = index.min(INDEX_MAX - values.len() as u64);
                let before = model.len() as u64;
                model.extend((start..).zip(values.iter().map(|value| value.to_vec())));
                assert_eq!(array::set(cell, start, &values), Ok(model.len() as u64 - before));
            }
            Step::Remove(Index(index)) => {
                assert_eq!(array::remove(cell, index), Ok(model.remove(&index).is_some()));
            }
            Step::RemoveRange(Index(a), Index(b)) => {
                let before = model.len() as u64;
                model.retain(|index, _| !(a.min(b)..=a.max(b)).contains(index));
                assert_eq!(array::remove_range(cell, a.min(b), a.max(b)), Ok(before - model.len() as u64));
            }
            Step::Ring(size, Word(value), more) => {
                let (size, values) = (u64::from(size) + 1, vec![&value[..]; usize::from(more % 50) + 1]);
                resize(&mut model, &mut cursor, size);
                for value in &values {
                    cursor = cursor.wrapping_add(1) % size;
                    model.insert(cursor, value.to_vec());
                }
                assert_eq!(array::ring(cell, size, &values), Ok(cursor));
            }
            Step::Seek(Index(index)) => {
                cursor = index.wrapping_sub(1);
                array::seek(cell, Cursor::before(index)).expect("room for it");
            }
            Step::Fill => {
                let mut elements = Vec::new();
                Array::new(cell.view()).iter(0).for_each(|element| elements.extend_from_slice(element.bytes));
                array::fill(cell, &elements, Cursor(cursor)).expect("room for it");
            }
        }
        let array = Array::new(cell.view());
        assert_eq!((array.count(), array.cursor()), (model.len() as u64, Cursor(cursor)));
        assert_eq!(array.len(), model.last_key_value().map_or(0, |(last, _)| last + 1));
        let all = || array.iter(0).map(|element| (index_of(&element), element.second().to_vec()));
        assert!(all().eq(model.iter().map(|(index, value)| (*index, value.clone()))));
        let back = array.iter_back(INDEX_MAX).map(|element| index_of(&element));
        assert!(back.eq(model.keys().rev().copied()));
        let middle = model.keys().nth(model.len() / 2).copied().unwrap_or(7);
        assert_eq!(array.get(middle).map(|value| value.to_vec()), model.get(&middle).cloned());
        assert_eq!(array.rank(middle), model.range(..middle).count() as u64);
    })
}

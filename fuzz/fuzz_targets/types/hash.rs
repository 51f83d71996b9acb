use crate::{Word, first, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    hash::{self, FieldTtl, Hash, Limits, expiry},
    home::Home,
};
use std::collections::BTreeMap;

const LIMITS: Limits = Limits { entries: 9, value: 40 };

#[derive(Arbitrary, Debug)]
enum Step {
    Set(Word, Word),
    SetMore(u8, u8),
    SetUntil(Word, Word, u8),
    Keep(Word, Word),
    Remove(Word),
    Expire(Word, Option<u8>),
    Advance(u8),
}

/// Each field's value and when it expires.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let (mut model, mut now) = (Model::new(), 1i64);
    steps(input, hash::EMPTY, |cell, step| {
        match step {
            Step::Set(Word(field), Word(value)) => {
                let is_new = hash::set(cell, &field, &value, FieldTtl::Clear, LIMITS);
                assert_eq!(is_new, Ok(model.insert(field, (value, None)).is_none()));
            }
            Step::SetMore(from, count) => {
                for field in (0..u32::from(count % 50)).map(|n| (u32::from(from) * 1000 + n).to_string().into_bytes()) {
                    let is_new = hash::set(cell, &field, &field, FieldTtl::Clear, LIMITS);
                    assert_eq!(is_new, Ok(model.insert(field.clone(), (field, None)).is_none()));
                }
            }
            Step::SetUntil(Word(field), Word(value), after) => {
                let at = now + i64::from(after) + 1;
                let is_new = hash::set(cell, &field, &value, FieldTtl::At(at), LIMITS);
                assert_eq!(is_new, Ok(model.insert(field, (value, Some(at))).is_none()));
            }
            Step::Keep(Word(field), Word(value)) => {
                let is_new = hash::set(cell, &field, &value, FieldTtl::Keep, LIMITS);
                let at = model.get(&field).and_then(|(_, at)| *at);
                assert_eq!(is_new, Ok(model.insert(field, (value, at)).is_none()));
            }
            Step::Remove(Word(field)) => {
                assert_eq!(hash::remove(cell, &field), Ok(model.remove(&field).is_some()));
            }
            Step::Expire(Word(field), after) => {
                let at = after.map(|after| now + i64::from(after) + 1);
                hash::set_expiry(cell, &field, at).expect("room for it");
                model.entry(field).and_modify(|(_, old)| *old = at);
            }
            Step::Advance(by) => now += i64::from(by),
        }
        // One call removes a bounded part of what has expired.
        while Hash::new(cell.view()).iter().any(|element| element.note.is_some_and(|at| at as i64 <= now)) {
            let mut named = 0;
            let removed = expiry::remove_expired(cell, now, &mut |field| named += u64::from(model.contains_key(field)));
            assert!(removed.is_ok_and(|removed| removed > 0 && removed == named));
        }
        model.retain(|_, (_, at)| at.is_none_or(|at| at > now));
        let hash = Hash::at(cell.view(), now);
        assert_eq!((hash.len(), hash.live()), (model.len() as u64, model.len() as u64));
        let of = |field: &[u8]| hash.get(field).map(|value| value.to_vec());
        assert!(model.iter().all(|(field, (value, _))| of(field).as_ref() == Some(value)));
        let all: Model = hash
            .iter()
            .map(|element| (first(element), (element.second().to_vec(), element.note.map(|at| at as i64))))
            .collect();
        assert_eq!(all, model);
        let earliest = model.values().filter_map(|(_, at)| *at).min().unwrap_or(i64::MAX);
        assert!(expiry::next(&cell.view()).unwrap_or(i64::MAX) <= earliest);
    })
}

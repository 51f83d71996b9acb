use crate::{Word, first, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    home::Home,
    set::{self, Limits, Set},
};
use std::collections::BTreeSet;

const LIMITS: Limits = Limits { integers: 6, entries: 9, value: 20 };

#[derive(Arbitrary, Debug)]
enum Step {
    Add(Word),
    AddMore(u8, u8),
    Remove(Word),
    Take(u16),
    Scan(u8),
}

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut model: BTreeSet<Vec<u8>> = BTreeSet::new();
    steps(input, set::empty(b"1", 1, LIMITS), |cell, step| {
        match step {
            Step::Add(Word(member)) => {
                assert_eq!(set::add(cell, &member, LIMITS), Ok(model.insert(member)));
            }
            Step::AddMore(from, count) => {
                for member in (0..u32::from(count % 50)).map(|n| (u32::from(from) * 1000 + n).to_string().into_bytes())
                {
                    assert_eq!(set::add(cell, &member, LIMITS), Ok(model.insert(member)));
                }
            }
            Step::Remove(Word(member)) => assert_eq!(set::remove(cell, &member), Ok(model.remove(&member))),
            Step::Take(rank) => {
                let taken = set::take(cell, u64::from(rank) % (model.len() as u64 + 1)).expect("no memory is needed");
                assert_eq!(taken.is_some(), usize::from(rank) % (model.len() + 1) < model.len());
                assert!(taken.is_none_or(|member| model.remove(&member)));
            }
            Step::Scan(count) => {
                let (mut seen, mut cursor) = (BTreeSet::new(), 0);
                loop {
                    let set = Set::new(cell.view());
                    cursor = set.scan(cursor, u64::from(count) + 1, &mut |element| {
                        seen.insert(first(element));
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert_eq!(seen, model);
            }
        }
        let set = Set::new(cell.view());
        assert_eq!(set.len(), model.len() as u64);
        assert!(model.iter().all(|member| set.contains(member)));
        assert_eq!(set.iter().map(first).collect::<BTreeSet<_>>(), model);
    })
}

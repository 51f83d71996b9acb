use crate::{Word, first, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    home::Home,
    list::{self, Limit, List},
};
use std::collections::VecDeque;

const LIMIT: Limit = Limit(12);

#[derive(Arbitrary, Clone, Copy, Debug)]
enum End {
    Left,
    Right,
}

impl From<End> for list::End {
    fn from(end: End) -> list::End {
        match end {
            End::Left => list::End::Left,
            End::Right => list::End::Right,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Push(End, Word, u8),
    Insert(u16, Word),
    Set(u16, Word),
    Pop(End, u8),
    Remove(u16, u8),
    RemoveEqual(End, u16, u8),
    Settle,
}

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut model: VecDeque<Vec<u8>> = VecDeque::new();
    steps(input, list::EMPTY, |cell, step| {
        let rank = |n: u16, model: &VecDeque<_>| usize::from(n) % (model.len() + 1);
        match step {
            Step::Push(end, Word(value), more) => {
                let values = vec![&value[..]; usize::from(more % 40) + 1];
                list::push(cell, end.into(), &values, LIMIT).expect("room for it");
                values.iter().for_each(|value| match end {
                    End::Left => model.push_front(value.to_vec()),
                    End::Right => model.push_back(value.to_vec()),
                });
            }
            Step::Insert(n, Word(value)) => {
                let rank = rank(n, &model);
                list::insert(cell, rank as u64, &value, LIMIT).expect("room for it");
                model.insert(rank, value);
            }
            Step::Set(n, Word(value)) => {
                let rank = rank(n, &model);
                assert_eq!(list::set(cell, rank as u64, &value, LIMIT), Ok(rank < model.len()));
                if let Some(old) = model.get_mut(rank) {
                    *old = value;
                }
            }
            Step::Pop(end, count) => {
                for _ in 0..count {
                    let mut popped = None;
                    let left = list::pop(cell, end.into(), LIMIT, &mut |entry| popped = Some(entry.to_vec()));
                    let wanted = match end {
                        End::Left => model.pop_front(),
                        End::Right => model.pop_back(),
                    };
                    assert_eq!((left, popped), (Ok(model.len() as u64), wanted));
                }
            }
            Step::Remove(n, count) => {
                let start = rank(n, &model);
                let end = (start + usize::from(count)).min(model.len());
                list::remove(cell, start as u64..end as u64).expect("room for it");
                model.drain(start..end);
            }
            Step::RemoveEqual(end, n, most) => {
                let value = model.get(rank(n, &model)).cloned().unwrap_or_default();
                let removed = list::remove_equal(cell, &value, end.into(), most.into());
                let mut equal: Vec<usize> = (0..model.len()).filter(|at| model[*at] == value).collect();
                if matches!(end, End::Right) {
                    equal.reverse();
                }
                equal.truncate(most.into());
                equal.sort_unstable();
                assert_eq!(removed, Ok(equal.len() as u64));
                equal.iter().rev().for_each(|at| drop(model.remove(*at)));
            }
            Step::Settle => list::settle(cell, LIMIT).expect("room for it"),
        }
        list::shrink(cell, LIMIT).expect("room for it");
        let list = List::new(cell.view());
        assert_eq!(list.len(), model.len() as u64);
        assert!(list.iter(0).map(first).eq(model.iter().cloned()));
        assert!(list.iter_back().map(first).eq(model.iter().rev().cloned()));
        let half = model.len() / 2;
        assert_eq!(list.get(half as u64).map(|entry| entry.to_vec()), model.get(half).cloned());
    })
}

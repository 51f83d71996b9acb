use crate::{Word, first, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    home::Home,
    zset::{self, Edge, Limits, ZSet, score_of},
};
use std::collections::BTreeMap;

const LIMITS: Limits = Limits { entries: 9, value: 40 };

#[derive(Arbitrary, Debug)]
enum Step {
    Set(Word, Score),
    SetMore(u8, u8),
    Remove(Word),
    RemoveRanks(u16, u8),
    Between(Score, bool, Score, bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Score {
    Small(i8),
    Any(f64),
    Infinite(bool),
}

impl Score {
    /// As commands store it: never NaN, and no negative zero.
    fn value(self) -> f64 {
        match self {
            Score::Small(n) => f64::from(n) / 4.0,
            Score::Any(score) if score.is_nan() => 0.0,
            Score::Any(score) => score + 0.0,
            Score::Infinite(true) => f64::NEG_INFINITY,
            Score::Infinite(false) => f64::INFINITY,
        }
    }
}

/// Members in order.
fn sorted(model: &BTreeMap<Vec<u8>, f64>) -> Vec<(Vec<u8>, f64)> {
    let mut all: Vec<(Vec<u8>, f64)> = model.iter().map(|(member, score)| (member.clone(), *score)).collect();
    all.sort_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| a.cmp(b)));
    all
}

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut model: BTreeMap<Vec<u8>, f64> = BTreeMap::new();
    steps(input, zset::EMPTY, |cell, step| {
        match step {
            Step::Set(Word(member), score) => {
                zset::change(cell, &member, LIMITS, |old| {
                    assert_eq!(old, model.get(&member).copied());
                    Some(score.value())
                })
                .expect("room for it");
                model.insert(member, score.value());
            }
            Step::SetMore(from, count) => {
                for n in (0..u32::from(count % 50)).map(|n| u32::from(from) * 1000 + n * 7 % 100) {
                    zset::change(cell, n.to_string().as_bytes(), LIMITS, |_| Some(f64::from(n % 13)))
                        .expect("room for it");
                    model.insert(n.to_string().into_bytes(), f64::from(n % 13));
                }
            }
            Step::Remove(Word(member)) => assert_eq!(zset::remove(cell, &member), Ok(model.remove(&member).is_some())),
            Step::RemoveRanks(n, count) => {
                let start = usize::from(n) % (model.len() + 1);
                let end = (start + usize::from(count)).min(model.len());
                zset::remove_ranks(cell, start as u64..end as u64).expect("room for it");
                for (member, _) in &sorted(&model)[start..end] {
                    model.remove(member);
                }
            }
            Step::Between(from, after_from, to, after_to) => {
                let (from, to) = (from.value(), to.value());
                let edges = Edge::Score { score: from, after: after_from }..Edge::Score { score: to, after: after_to };
                let found: Vec<Vec<u8>> = ZSet::new(cell.view()).between(&edges).map(first).collect();
                let inside = |score: f64| {
                    (if after_from { score > from } else { score >= from })
                        && (if after_to { score <= to } else { score < to })
                };
                let wanted = sorted(&model).into_iter().filter(|(_, score)| inside(*score)).map(|(member, _)| member);
                assert!(wanted.eq(found));
            }
        }
        let zset = ZSet::new(cell.view());
        let wanted = sorted(&model);
        assert_eq!(zset.len(), model.len() as u64);
        assert!(
            zset.iter(0)
                .map(|element| {
                    let score = score_of(&element);
                    (first(element), score)
                })
                .eq(wanted.iter().cloned())
        );
        for (rank, (member, score)) in wanted.iter().enumerate() {
            assert_eq!(zset.rank(member), Some((rank as u64, *score)));
        }
    })
}

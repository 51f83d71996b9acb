use crate::steps;
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    geo::{Position, Shape},
    home::Home,
    zset::{self, Edge, Limits, ZSet, score_of},
};
use std::collections::{BTreeMap, BTreeSet};

const LIMITS: Limits = Limits { entries: 9, value: 40 };

/// A place on the globe, often near others.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Place {
    longitude: u16,
    latitude: u16,
    fine: u16,
}

impl Place {
    fn position(self) -> Position {
        let part = |n: u16, size: f64| (f64::from(n) / 65536.0 - 0.5) * size;
        let fine = part(self.fine, 0.01);
        Position::new(part(self.longitude, 359.9) + fine, part(self.latitude, 170.0) + fine)
            .expect("it is on the globe")
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Add(u8, Place),
    Remove(u8),
    Circle(Place, u32),
    Box(Place, u32, u32),
}

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    // What a score says of a place is not quite the place.
    let mut model: BTreeMap<Vec<u8>, Position> = BTreeMap::new();
    steps(input, zset::EMPTY, |cell, step| {
        let (centre, shape) = match step {
            Step::Add(member, place) => {
                let score = place.position().score();
                zset::change(cell, &[member], LIMITS, |_| Some(score)).expect("room for it");
                model.insert(vec![member], Position::of_score(score));
                return;
            }
            Step::Remove(member) => {
                assert_eq!(zset::remove(cell, &[member]), Ok(model.remove(&vec![member]).is_some()));
                return;
            }
            Step::Circle(centre, radius) => (centre.position(), Shape::Circle { radius: f64::from(radius) / 100.0 }),
            Step::Box(centre, width, height) => {
                let (width, height) = (f64::from(width) / 1000.0, f64::from(height) / 1000.0);
                (centre.position(), Shape::Box { width, height })
            }
        };
        let zset = ZSet::new(cell.view());
        let edge = |score| Edge::Score { score, after: false };
        let ranges = shape.scores(&centre).into_iter().map(|scores| edge(scores.start)..edge(scores.end));
        let inside = |position: &Position| shape.distance(&centre, position).is_some();
        let found: Vec<Vec<u8>> = ranges
            .flat_map(|edges| zset.between(&edges).collect::<Vec<_>>())
            .filter(|element| inside(&Position::of_score(score_of(element))))
            .map(crate::first)
            .collect();
        let once: BTreeSet<Vec<u8>> = found.iter().cloned().collect();
        assert_eq!(once.len(), found.len(), "nothing is found twice");
        let wanted: BTreeSet<Vec<u8>> =
            model.iter().filter(|(_, position)| inside(position)).map(|(member, _)| member.clone()).collect();
        assert!(once.is_subset(&wanted));
        // Redis's search, which this is, knows nothing beyond the antimeridian and the poles.
        if shape_is_small(&shape) && centre.latitude.abs() < 60.0 && centre.longitude.abs() < 170.0 {
            assert_eq!(once, wanted);
        }
    })
}

fn shape_is_small(shape: &Shape) -> bool {
    match *shape {
        Shape::Circle { radius } => radius < 100_000.0,
        Shape::Box { width, height } => width.max(height) < 100_000.0,
    }
}

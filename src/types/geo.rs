//! Positions on Earth as scores of a sorted set.
//!
//! Longitude and latitude are each cut into 2^26 cells, and the bits of the two numbers interleaved:
//! 52 bits, which a double holds exactly, and in whose order neighbours mostly are near. (G. Niemeyer,
//! geohash, 2008.) With fewer bits a cell is a *box*: the scores of all positions inside are one range.
//! A search visits the box of its centre and the eight around it, boxes just large enough.

use std::f64::consts::PI;
use std::ops::Range;

/// Cells of a coordinate: 2^26.
pub const STEPS: u32 = 26;
const LATITUDE: Axis = Axis { min: -85.05112878, max: 85.05112878 };
const LONGITUDE: Axis = Axis { min: -180.0, max: 180.0 };
const EARTH_RADIUS: f64 = 6372797.560856;
/// Half the length of the equator in Mercator's projection.
const MERCATOR_MAX: f64 = 20037726.37;

/// A place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Position {
    pub longitude: f64,
    pub latitude: f64,
}

/// The range of a coordinate.
#[derive(Clone, Copy)]
struct Axis {
    min: f64,
    max: f64,
}

impl Axis {
    fn contains(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }

    fn cell(&self, value: f64, steps: u32) -> u32 {
        ((value - self.min) / (self.max - self.min) * (1u64 << steps) as f64) as u32
    }

    /// Where a cell begins and ends.
    fn span(&self, cell: u32, steps: u32) -> (f64, f64) {
        let scale = self.max - self.min;
        let edge = |cell: u32| self.min + f64::from(cell) / (1u64 << steps) as f64 * scale;
        (edge(cell), edge(cell.wrapping_add(1)))
    }

    fn middle(&self, cell: u32, steps: u32) -> f64 {
        let (start, end) = self.span(cell, steps);
        ((start + end) / 2.0).clamp(self.min, self.max)
    }
}

/// Puts the bits of `n` apart, so that there is room for another's between them.
fn spread(n: u32) -> u64 {
    let masks = [
        0x0000_FFFF_0000_FFFF,
        0x00FF_00FF_00FF_00FF,
        0x0F0F_0F0F_0F0F_0F0F,
        0x3333_3333_3333_3333,
        0x5555_5555_5555_5555,
    ];
    let shifts = [16, 8, 4, 2, 1];
    shifts.into_iter().zip(masks).fold(u64::from(n), |n, (shift, mask)| (n | n << shift) & mask)
}

/// Undoes [`spread`]; the other bits are not looked at.
fn gather(n: u64) -> u32 {
    let masks = [
        0x3333_3333_3333_3333,
        0x0F0F_0F0F_0F0F_0F0F,
        0x00FF_00FF_00FF_00FF,
        0x0000_FFFF_0000_FFFF,
        0x0000_0000_FFFF_FFFF,
    ];
    let shifts = [1, 2, 4, 8, 16];
    let bits =
        shifts.into_iter().zip(masks).fold(n & 0x5555_5555_5555_5555, |n, (shift, mask)| (n | n >> shift) & mask);
    bits as u32
}

impl Position {
    /// A position that can be stored; `None` when it is off the map.
    pub fn new(longitude: f64, latitude: f64) -> Option<Position> {
        (LONGITUDE.contains(longitude) && LATITUDE.contains(latitude)).then_some(Position { longitude, latitude })
    }

    /// The score of a member at this position.
    pub fn score(&self) -> f64 {
        Cell::of(self, STEPS).bits() as f64
    }

    /// The middle of the cell that a score means.
    pub fn of_score(score: f64) -> Position {
        let bits = score as u64;
        Position {
            longitude: LONGITUDE.middle(gather(bits >> 1), STEPS),
            latitude: LATITUDE.middle(gather(bits), STEPS),
        }
    }

    /// The geohash that the rest of the world uses, of 11 characters: its latitudes go from pole to pole. The last
    /// character would need more bits than there are.
    pub fn geohash(&self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let whole = Axis { min: -90.0, max: 90.0 };
        let bits = spread(whole.cell(self.latitude, STEPS)) | spread(LONGITUDE.cell(self.longitude, STEPS)) << 1;
        std::array::from_fn(|at| match at {
            10 => ALPHABET[0],
            _ => ALPHABET[(bits >> (52 - (at + 1) * 5) & 31) as usize],
        })
    }

    /// Metres between two positions, along a great circle (the haversine formula).
    pub fn distance(&self, other: &Position) -> f64 {
        let v = ((other.longitude.to_radians() - self.longitude.to_radians()) / 2.0).sin();
        if v == 0.0 {
            return latitude_distance(self.latitude, other.latitude);
        }
        let (a, b) = (self.latitude.to_radians(), other.latitude.to_radians());
        let u = ((b - a) / 2.0).sin();
        2.0 * EARTH_RADIUS * (u * u + a.cos() * b.cos() * v * v).sqrt().asin()
    }
}

fn latitude_distance(a: f64, b: f64) -> f64 {
    EARTH_RADIUS * (b.to_radians() - a.to_radians()).abs()
}

/// A box of the map: of each coordinate, one of 2^steps parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Cell {
    x: u32,
    y: u32,
    steps: u32,
}

impl Cell {
    fn of(position: &Position, steps: u32) -> Cell {
        Cell { x: LONGITUDE.cell(position.longitude, steps), y: LATITUDE.cell(position.latitude, steps), steps }
    }

    fn bits(&self) -> u64 {
        spread(self.y) | spread(self.x) << 1
    }

    /// The box so far to the east and north; beyond the edge of the map, the one at the other side.
    fn neighbour(&self, east: i32, north: i32) -> Cell {
        let mask = (1u32 << self.steps) - 1;
        let moved = |cell: u32, by: i32| cell.wrapping_add_signed(by) & mask;
        Cell { x: moved(self.x, east), y: moved(self.y, north), steps: self.steps }
    }

    /// The scores of the positions inside.
    fn scores(&self) -> Range<f64> {
        let shift = 2 * (STEPS - self.steps);
        let bits = self.bits();
        (bits << shift) as f64..((bits + 1) << shift) as f64
    }
}

/// What is searched: everything within a circle, or a box whose sides run along the coordinates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Shape {
    /// In metres.
    Circle {
        radius: f64,
    },
    Box {
        width: f64,
        height: f64,
    },
}

/// Where the eight neighbours lie, in the order in which they are searched.
const AROUND: [(i32, i32); 8] = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

impl Shape {
    /// The distance of a position from the centre, if it is inside.
    pub fn distance(&self, centre: &Position, position: &Position) -> Option<f64> {
        match *self {
            Shape::Circle { radius } => Some(centre.distance(position)).filter(|distance| *distance <= radius),
            Shape::Box { width, height } => {
                let beside = Position { longitude: centre.longitude, latitude: position.latitude };
                let inside = latitude_distance(position.latitude, centre.latitude) <= height / 2.0
                    && position.distance(&beside) <= width / 2.0;
                inside.then(|| centre.distance(position))
            }
        }
    }

    /// Ranges of scores that together hold every position inside the shape, and others.
    pub fn scores(&self, centre: &Position) -> Vec<Range<f64>> {
        let bounds = self.bounds(centre);
        let mut steps = self.steps(centre.latitude);
        let mut cell = Cell::of(centre, steps);
        if steps > 1 && !bounds.lie_around(&cell) {
            steps -= 1;
            cell = Cell::of(centre, steps);
        }
        let (west, east) = LONGITUDE.span(cell.x, steps);
        let (south, north) = LATITUDE.span(cell.y, steps);
        // Sides that the shape does not reach are left out.
        let reaches = |(x, y): (i32, i32)| {
            steps < 2
                || !(y < 0 && south < bounds.south
                    || y > 0 && north > bounds.north
                    || x < 0 && west < bounds.west
                    || x > 0 && east > bounds.east)
        };
        let mut cells = vec![cell];
        for (x, y) in AROUND.into_iter().filter(|side| reaches(*side)) {
            let neighbour = cell.neighbour(x, y);
            // Of very large boxes there are not nine.
            if !cells.contains(&neighbour) {
                cells.push(neighbour);
            }
        }
        cells.iter().map(Cell::scores).collect()
    }

    /// How fine the boxes may be for three of them to span the shape.
    fn steps(&self, latitude: f64) -> u32 {
        let mut radius = match *self {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => (width / 2.0).hypot(height / 2.0),
        };
        if radius == 0.0 {
            return STEPS;
        }
        let mut steps = 1i32;
        while radius < MERCATOR_MAX {
            radius *= 2.0;
            steps += 1;
        }
        // Two less, to be sure; and towards the poles boxes become narrow.
        steps -= 2 + i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }

    fn bounds(&self, centre: &Position) -> Bounds {
        let (width, height) = match *self {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let degrees = |radians: f64| radians / (PI / 180.0);
        let up = degrees(height / EARTH_RADIUS);
        // Measured where it is narrowest: at the side that is nearer to a pole.
        let latitude = if centre.latitude < 0.0 { centre.latitude - up } else { centre.latitude + up };
        let aside = degrees(width / EARTH_RADIUS / latitude.to_radians().cos());
        Bounds {
            west: centre.longitude - aside,
            east: centre.longitude + aside,
            south: centre.latitude - up,
            north: centre.latitude + up,
        }
    }
}

/// A box around a shape, in degrees.
struct Bounds {
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl Bounds {
    /// Whether the neighbours of a cell reach as far.
    fn lie_around(&self, cell: &Cell) -> bool {
        let x = |by| LONGITUDE.span(cell.neighbour(by, 0).x, cell.steps);
        let y = |by| LATITUDE.span(cell.neighbour(0, by).y, cell.steps);
        y(1).1 >= self.north && y(-1).0 <= self.south && x(1).1 >= self.east && x(-1).0 <= self.west
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn palermo() -> Position {
        Position::new(13.361389, 38.115556).unwrap()
    }

    #[test]
    fn known_places() {
        assert_eq!(palermo().score(), 3479099956230698.0);
        let read = Position::of_score(3479099956230698.0);
        assert_eq!((read.longitude, read.latitude), (13.361389338970184, 38.1155563954963));
        assert_eq!(&read.geohash(), b"sqc8b49rny0");
        let catania = Position::of_score(3479447370796909.0);
        assert!((read.distance(&catania) - 166274.1516).abs() < 0.001);
        assert_eq!(Position::new(180.1, 0.0), None);
        assert_eq!(Position::new(0.0, 86.0), None);
        assert_eq!(Position::new(f64::NAN, 0.0), None);
    }

    proptest! {
        #[test]
        fn scores_read_back_as_the_same_cell(longitude in -180.0..180.0f64, latitude in -85.0..85.0f64) {
            let position = Position::new(longitude, latitude).unwrap();
            let score = position.score();
            prop_assert_eq!(Position::of_score(score).score(), score);
            prop_assert!(position.distance(&Position::of_score(score)) < 1.0);
        }

        #[test]
        fn what_is_inside_lies_in_the_ranges(
            longitude in -179.0..179.0f64, latitude in -80.0..80.0f64, metres in 1.0..300_000.0f64,
            aside in -2.5..2.5f64, up in -2.5..2.5f64, is_box in any::<bool>(),
        ) {
            let centre = Position::new(longitude, latitude).unwrap();
            let shape = match is_box {
                true => Shape::Box { width: metres, height: metres * 1.5 },
                false => Shape::Circle { radius: metres },
            };
            let Some(position) = Position::new(longitude + aside, latitude + up) else { return Ok(()) };
            // Near the edge of the map a search does not look over it.
            prop_assume!(position.longitude.abs() < 179.0);
            let (score, ranges) = (position.score(), shape.scores(&centre));
            if shape.distance(&centre, &Position::of_score(score)).is_some() {
                prop_assert!(ranges.iter().any(|range| range.contains(&score)));
            }
        }
    }
}

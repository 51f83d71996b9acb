//! Collections against plain ones of the standard library: whatever is done to a list, hash, set, sorted set, stream,
//! array or positions, both answer the same, in the packed form and as trees, and every tree is sound after each step.
//!
//! The first byte says which type. `FUZZ_TYPE=zset` (a name of [`TYPES`]) tries one alone.

#![no_main]

#[path = "types/array.rs"]
mod array;
#[path = "types/geo.rs"]
mod geo;
#[path = "types/hash.rs"]
mod hash;
#[path = "types/list.rs"]
mod list;
#[path = "types/set.rs"]
mod set;
#[path = "types/stream.rs"]
mod stream;
#[path = "types/zset.rs"]
mod zset;

use arbitrary::{Arbitrary, Unstructured};
use flagstone::{
    config::Policy,
    keyspace::{Cell, Db, Keyspace, Options, Type},
    types::{self, home::View, kind::Encoding, packed::Element, tree},
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

type Run = fn(&mut Unstructured<'_>) -> arbitrary::Result<()>;

const TYPES: [(&str, Run); 7] = [
    ("list", list::run),
    ("hash", hash::run),
    ("set", set::run),
    ("zset", zset::run),
    ("stream", stream::run),
    ("geo", geo::run),
    ("array", array::run),
];

static ONLY: LazyLock<Option<Run>> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TYPE").ok()?;
    TYPES.iter().find(|(name, _)| *name == wanted).map(|(_, run)| *run)
});

/// Enough for the border to be crossed many times; all is compared after each.
const STEPS: usize = 200;

/// Runs steps on the key `k` of a new keyspace until the input is used up.
fn steps<'a, S: Arbitrary<'a>>(
    input: &mut Unstructured<'a>,
    empty: (Type, Encoding, &'static [u8]),
    mut step: impl FnMut(&mut Cell<'_>, S),
) -> arbitrary::Result<()> {
    let options = Options { reserve: 64 << 20, ..Options::new(1, 1, 0, Policy::NoEviction) };
    let keyspace = Keyspace::new(&options).expect("address space");
    let mut locked = keyspace.lock(keyspace.all_shards(), 0);
    let mut db: Db<'_, '_> = locked.db(0);
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let next = S::arbitrary(input)?;
        let mut cell = db.cell_or(b"k", empty).expect("room for it");
        step(&mut cell, next);
        check_trees(&types::home::Home::view(&cell));
    }
    Ok(())
}

fn check_trees(view: &View<'_>) {
    for root in types::roots(view.encoding, view.value) {
        assert_eq!(tree::check(view.heap, root, &mut |_| Ok(())), Ok(()));
    }
}

/// A value: often the same few, numbers and texts, sometimes long.
#[derive(Debug)]
struct Word(Vec<u8>);

impl<'a> Arbitrary<'a> for Word {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Word> {
        let n = u8::arbitrary(input)?;
        Ok(Word(match n % 8 {
            0 => i64::arbitrary(input)?.to_string().into_bytes(),
            1 => format!("text{n}").repeat(usize::from(n) / 4 + 1).into_bytes(),
            2 => input.bytes(usize::from(n / 8).min(input.len()))?.to_vec(),
            3 => vec![n; usize::from(u16::arbitrary(input)? % 6000)],
            4 => format!("-{n}").into_bytes(),
            _ => n.to_string().into_bytes(),
        }))
    }
}

fn first(element: Element<'_>) -> Vec<u8> {
    element.first().to_vec()
}

fuzz_target!(|data: &[u8]| {
    let mut input = Unstructured::new(data);
    let which = u8::arbitrary(&mut input).unwrap_or(0);
    let run = ONLY.unwrap_or(TYPES[usize::from(which) % TYPES.len()].1);
    // An input that ends within a step is as good as one that ends before it.
    let _ = run(&mut input);
});

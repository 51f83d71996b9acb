//! Trees against plain vectors and maps.

use super::*;
use crate::{
    arena::{Arena, BLOCK, PAGE, ShardHeap},
    types::packed::{self, Entry},
};
use proptest::prelude::*;

struct Positions;
impl Order for Positions {
    const LEAF: usize = 128;
    const WIDTH: usize = 1;
    fn key(_: &RandomState, _: &Element<'_>) -> u64 {
        0
    }
}

/// By way of one type: what a hasher makes of another that holds the same bytes may differ, by the compiler.
fn hash(hasher: &RandomState, bytes: &[u8]) -> u64 {
    hasher.hash_one(bytes)
}

struct Hashed;
impl Order for Hashed {
    const LEAF: usize = 128;
    const WIDTH: usize = 1;
    const LOOSE: bool = true;
    fn key(hasher: &RandomState, element: &Element<'_>) -> u64 {
        hash(hasher, &element.first().to_vec())
    }
}

fn heap() -> ShardHeap {
    ShardHeap::new(&Arena::reserve(64 << 20, 1 << 20).unwrap(), 0)
}

fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

fn checked(heap: &ShardHeap, root: Root) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    check(heap, root, &mut |leaf| {
        all.extend(packed::elements(leaf, 0, 1).map(|element| element.first().to_vec()));
        Ok(())
    })
    .unwrap();
    assert_eq!(all.len() as u64, root.len);
    all
}

fn insert_at(heap: &mut ShardHeap, root: &mut Root, rank: u64, value: &[u8]) {
    let spot = leaf_by_rank(heap, *root, rank);
    let at = packed::element_at(payload(heap, spot.leaf.at), (rank - spot.rank(heap)) as usize, 1);
    splice::<Positions>(heap, &hasher(), root, &spot, at..at, &packed::encoded(value), 1).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 64 }, ..ProptestConfig::default() })]

    #[test]
    fn a_list_equals_a_vector(steps in prop::collection::vec(
        (0u8..8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..60),
        1..if cfg!(miri) { 20 } else { 600 },
    )) {
        let (mut heap, mut model) = (heap(), Vec::<Vec<u8>>::new());
        let mut root = Root::create(&mut heap, 77).unwrap();
        for (step, (what, a, b, len)) in steps.into_iter().enumerate() {
            let rank = a.index(model.len() + 1);
            match what {
                0..=4 => {
                    let rank = match what { 0 => model.len(), 1 => 0, _ => rank };
                    let value = format!("{step}{}", "x".repeat(len)).into_bytes();
                    insert_at(&mut heap, &mut root, rank as u64, &value);
                    model.insert(rank, value);
                }
                5 if rank < model.len() => {
                    let spot = leaf_by_rank(&heap, root, rank as u64);
                    let leaf = payload(&heap, spot.leaf.at);
                    let at = packed::element_at(leaf, rank - spot.rank(&heap) as usize, 1);
                    let end = packed::entry_end(leaf, at).unwrap();
                    splice::<Positions>(&mut heap, &hasher(), &mut root, &spot, at..end, &[], -1).unwrap();
                    model.remove(rank);
                }
                6 if step % 7 == 0 => {
                    let end = (rank + b.index(model.len() + 1)).min(model.len());
                    remove_ranks::<Positions>(&mut heap, &mut root, rank as u64..end as u64).unwrap();
                    model.drain(rank.min(end)..end);
                }
                _ => {}
            }
            prop_assert_eq!(root.len, model.len() as u64);
        }
        prop_assert_eq!(checked(&heap, root), model);
        // Nothing is left over once the tree is gone.
        doom(&mut heap, root.node);
        while free_some(&mut heap, 3) {}
        prop_assert_eq!(heap.stats().chunk_bytes, 0);
    }

    #[test]
    fn a_hashed_tree_equals_a_set(steps in prop::collection::vec((0u16..300, 0u8..3), 1..if cfg!(miri) { 20 } else { 800 })) {
        let (mut heap, mut model) = (heap(), std::collections::BTreeSet::new());
        let hasher = hasher();
        let mut root = Root::create(&mut heap, 5).unwrap();
        for (n, what) in steps {
            // Some are longer than a label can tell.
            let value = format!("member:{n}{}", "x".repeat(if n % 50 == 0 { 1200 } else { n as usize % 7 })).into_bytes();
            let key = hash(&hasher, &value);
            let spot = leaf_by_hash(&heap, root, key);
            let leaf = payload(&heap, spot.leaf.at);
            let found = packed::find(leaf, &Entry::of(&value), 1).map(|element| element.range());
            let mut probe = Probe::new(root, key);
            while probe.step(&heap) {}
            prop_assert_eq!(probe.at, spot.leaf.at);
            let by_label = alike(&heap, &spot, key, 1).find(|element| element.encoded() == &packed::encoded(&value)[..]);
            prop_assert_eq!(by_label.map(|element| element.range()), found.clone());
            prop_assert_eq!(found.is_some(), model.contains(&value));
            match (found, what) {
                (None, 0 | 1) => {
                    let end = leaf.len();
                    splice::<Hashed>(&mut heap, &hasher, &mut root, &spot, end..end, &packed::encoded(&value), 1).unwrap();
                    model.insert(value);
                }
                (Some(range), 1) => {
                    let same = packed::encoded(&value);
                    splice::<Hashed>(&mut heap, &hasher, &mut root, &spot, range, &same, 0).unwrap();
                }
                (Some(range), 2) => {
                    splice::<Hashed>(&mut heap, &hasher, &mut root, &spot, range, &[], -1).unwrap();
                    model.remove(&value);
                }
                _ => {}
            }
            if !cfg!(miri) {
                prop_assert_eq!(check_labels::<Hashed>(&heap, &hasher, root), Ok(()));
            }
        }
        prop_assert_eq!(check_labels::<Hashed>(&heap, &hasher, root), Ok(()));
        let rank = root.len / 2;
        if rank > 0 {
            remove_ranks::<Hashed>(&mut heap, &mut root, rank / 2..rank).unwrap();
            prop_assert_eq!(check_labels::<Hashed>(&heap, &hasher, root), Ok(()));
            let left = checked(&heap, root);
            prop_assert_eq!(left.len() as u64, root.len);
            model.retain(|value| left.contains(value));
        }
        let mut all = checked(&heap, root);
        all.sort();
        prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
    }
}

/// Labels that are not the elements' own lead nowhere wrong, and go with the next change.
#[test]
fn damaged_labels_are_given_up() {
    let (mut heap, hasher) = (heap(), hasher());
    let mut root = Root::create(&mut heap, 5).unwrap();
    let values: Vec<_> = (0..5).map(|n| packed::encoded(format!("member:{n}").as_bytes())).collect();
    for value in &values {
        let spot = first_leaf(&heap, root);
        let end = payload(&heap, spot.leaf.at).len();
        splice::<Hashed>(&mut heap, &hasher, &mut root, &spot, end..end, value, 1).unwrap();
    }
    let spot = first_leaf(&heap, root);
    heap.range_mut(spot.leaf.at, node::HEADER..node::HEADER + 10).fill(0xFF);
    assert!(check_labels::<Hashed>(&heap, &hasher, root).is_err());
    assert_eq!(alike(&heap, &spot, u64::MAX, 1).count(), 0);
    splice::<Hashed>(&mut heap, &hasher, &mut root, &spot, 0..values[0].len(), &[], -1).unwrap();
    assert_eq!(check_labels::<Hashed>(&heap, &hasher, root), Ok(()));
    assert_eq!(checked(&heap, root).len(), 4);
    let last = hash(&hasher, b"member:4");
    let mut found = alike(&heap, &first_leaf(&heap, root), last, 1);
    assert!(found.any(|element| element.encoded() == &values[4][..]));
}

#[test]
fn many_elements_make_levels_and_every_node_can_move() {
    let mut heap = heap();
    let mut root = Root::create(&mut heap, 9).unwrap();
    let count = if cfg!(miri) { 60 } else { 30_000 };
    for n in 0..count {
        insert_at(&mut heap, &mut root, n / 2, format!("element {n}").as_bytes());
    }
    let before = checked(&heap, root);
    // Every node once, found by walking.
    let mut nodes = vec![root.node];
    let mut seen = 0;
    while seen < nodes.len() {
        nodes.extend(node::children(&heap, nodes[seen]).map(|child| child.at));
        seen += 1;
    }
    // From the leaves up, so that the list stays true.
    for at in nodes.into_iter().rev() {
        match relocate(&mut heap, at) {
            Moved::Done => {}
            Moved::Root { owner, to } => {
                assert_eq!(owner, 9);
                heap.free(root.node);
                root.node = to;
            }
            Moved::Not => panic!("a node did not move"),
        }
    }
    assert!(checked(&heap, root) == before);
    let copied = copy(&mut Heaps::One(&mut heap), root, 10).unwrap();
    assert!(checked(&heap, copied) == before);
    // Forward and backward over the leaves.
    let mut spot = leaf_by_rank(&heap, root, 0);
    let mut ranks = vec![spot.rank(&heap)];
    while next_leaf(&heap, &mut spot) {
        ranks.push(spot.rank(&heap));
    }
    let mut back = vec![spot.rank(&heap)];
    while previous_leaf(&heap, &mut spot) {
        back.push(spot.rank(&heap));
    }
    back.reverse();
    assert!(ranks == back && ranks.is_sorted());
}

/// Leaves of a quarter of a page.
struct Wide;
impl Order for Wide {
    const LEAF: usize = 16_000;
    const WIDTH: usize = 1;
    fn key(hasher: &RandomState, element: &Element<'_>) -> u64 {
        Hashed::key(hasher, element)
    }
}

#[test]
fn a_step_of_freeing_gives_back_no_more_than_its_share() {
    const STEP: usize = 20;
    let mut heap = heap();
    let mut root = Root::create(&mut heap, 1).unwrap();
    for n in 0..if cfg!(miri) { 20 } else { 600 } {
        let value = format!("{n:08000}").into_bytes();
        let spot = leaf_by_hash(&heap, root, hash(&hasher(), &value));
        let end = payload(&heap, spot.leaf.at).len();
        splice::<Wide>(&mut heap, &hasher(), &mut root, &spot, end..end, &packed::encoded(&value), 1).unwrap();
    }
    let blocks = |heap: &ShardHeap| heap.stats().resident_bytes() as usize / BLOCK;
    doom(&mut heap, root.node);
    let (mut before, mut is_left) = (blocks(&heap), true);
    while is_left {
        is_left = free_some(&mut heap, STEP);
        let given_back = before - blocks(&heap);
        assert!(given_back < STEP + PAGE / BLOCK, "{given_back} blocks in a step");
        before -= given_back;
    }
    assert_eq!(heap.stats().chunk_bytes, 0);
}

#[test]
fn appending_fills_the_leaves() {
    let mut heap = heap();
    let mut root = Root::create(&mut heap, 1).unwrap();
    let count = if cfg!(miri) { 50 } else { 5_000 };
    for n in 0..count {
        let len = root.len;
        insert_at(&mut heap, &mut root, len, format!("e{n:05}").as_bytes());
    }
    let leaves = {
        let mut spot = leaf_by_rank(&heap, root, 0);
        let mut leaves = 1;
        while next_leaf(&heap, &mut spot) {
            leaves += 1;
        }
        leaves
    };
    assert!(leaves as u64 <= count / (Positions::LEAF as u64 / 7) + 1, "{leaves} leaves");
}

#[test]
fn one_large_element_has_a_leaf_to_itself() {
    let mut heap = heap();
    let mut root = Root::create(&mut heap, 1).unwrap();
    let large = vec![b'L'; 100_000];
    for n in 0..10u64 {
        insert_at(&mut heap, &mut root, n, n.to_string().as_bytes());
    }
    insert_at(&mut heap, &mut root, 5, &large);
    let all = checked(&heap, root);
    assert!(all[5] == large && all.len() == 11);
    assert!(matches!(Entry::of(b"12"), Entry::Int(12)));
}

//! Looking a key up among a million, and replacing one.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flagstone::{
    arena::{Arena, Offset, ShardHeap},
    index::{Index, Slot},
};
use std::hint::black_box;

const KEYS: usize = 1_000_000;

/// Items here are 16-byte chunks that hold their own hash.
fn hash_of(heap: &ShardHeap, at: Offset) -> Option<u64> {
    heap.chunk(at).get(8..16).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
}

fn add(heap: &mut ShardHeap, index: &mut Index, hash: u64) {
    let at = heap.alloc(16).expect("room");
    let chunk = heap.chunk_mut(at);
    chunk[0] = 1;
    chunk[8..16].copy_from_slice(&hash.to_le_bytes());
    index.insert(heap, hash, Slot::new(at), &hash_of).expect("room");
}

fn index(criterion: &mut Criterion) {
    let arena = Arena::reserve(4 << 30, 1 << 30).expect("address space");
    let (mut heap, mut index) = (ShardHeap::new(&arena, 0), Index::new(0, 0));
    let mut random = fastrand::Rng::with_seed(1);
    let mut hashes: Vec<u64> = (0..KEYS).map(|_| random.u64(..)).collect();
    hashes.iter().for_each(|hash| add(&mut heap, &mut index, *hash));
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Elements(1));
    group.bench_function("find one key of a million", |bencher| {
        bencher.iter(|| {
            let hash = hashes[random.usize(..KEYS)];
            black_box(index.find(&heap, hash, |at| hash_of(&heap, at) == Some(hash)))
        });
    });
    group.bench_function("miss", |bencher| {
        bencher.iter(|| {
            let hash = random.u64(..);
            black_box(index.find(&heap, hash, |at| hash_of(&heap, at) == Some(hash)))
        });
    });
    group.bench_function("replace one key of a million", |bencher| {
        bencher.iter(|| {
            let at = random.usize(..KEYS);
            let (old, new) = (hashes[at], random.u64(..));
            if let Some((place, slot)) = index.find(&heap, old, |at| hash_of(&heap, at) == Some(old)) {
                index.remove(&mut heap, place);
                heap.free(slot.location());
                index.settle(&mut heap, old);
                add(&mut heap, &mut index, new);
                hashes[at] = new;
            }
        });
    });
    group.finish();
}

criterion_group!(benches, index);
criterion_main!(benches);

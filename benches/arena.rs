//! What a chunk costs: allocated and freed in a full arena, and read at random.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flagstone::arena::{Arena, Offset, ShardHeap};
use std::hint::black_box;

const CHUNKS: usize = 1_000_000;

/// A heap of `CHUNKS` live chunks of 16 to 271 bytes.
fn full_heap(random: &mut fastrand::Rng) -> (ShardHeap, Vec<Offset>) {
    let arena = Arena::reserve(4 << 30, 1 << 30).expect("address space");
    let mut heap = ShardHeap::new(&arena, 0);
    let chunks = (0..CHUNKS).map(|_| new_chunk(&mut heap, random)).collect();
    (heap, chunks)
}

fn new_chunk(heap: &mut ShardHeap, random: &mut fastrand::Rng) -> Offset {
    let at = heap.alloc(random.usize(16..272)).expect("room");
    // The caller of `alloc` owns the chunk's tag.
    heap.chunk_mut(at)[0] = 1;
    at
}

fn arena(criterion: &mut Criterion) {
    let mut random = fastrand::Rng::with_seed(1);
    let (mut heap, mut chunks) = full_heap(&mut random);
    let mut group = criterion.benchmark_group("arena");
    group.throughput(Throughput::Elements(1));
    group.bench_function("replace one chunk of a million", |bencher| {
        bencher.iter(|| {
            let at = random.usize(..CHUNKS);
            heap.free(chunks[at]);
            chunks[at] = new_chunk(&mut heap, &mut random);
        });
    });
    group.bench_function("read one chunk of a million", |bencher| {
        bencher.iter(|| black_box(heap.chunk(chunks[random.usize(..CHUNKS)])[0]));
    });
    group.finish();
}

criterion_group!(benches, arena);
criterion_main!(benches);

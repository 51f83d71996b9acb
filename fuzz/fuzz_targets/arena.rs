//! Any sequence of allocations, writes, growth and frees: every live chunk keeps its bytes, no two overlap, and when all are
//! freed nothing is counted as used.

#![no_main]

use arbitrary::Arbitrary;
use flagstone::arena::{Arena, Offset, ShardHeap};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Op {
    Alloc { bytes: u32, fill: u8, growing: bool },
    Free { which: u8 },
    Resize { which: u8, bytes: u32 },
    Refill { which: u8, fill: u8 },
}

struct Live {
    at: Offset,
    bytes: usize,
    fill: u8,
}

/// Small sizes are common, large ones rare.
fn size(bytes: u32) -> usize {
    match bytes % 8 {
        0 => bytes as usize % (1 << 19),
        1 => bytes as usize % (1 << 16),
        _ => bytes as usize % 1024,
    }
    .max(16)
}

fn write(heap: &mut ShardHeap, live: &Live) {
    let chunk = &mut heap.chunk_mut(live.at)[..live.bytes];
    chunk.fill(live.fill);
    // The first byte is the chunk's tag; 0 and 0xFF mean that it is not in use.
    chunk[0] = 1;
}

fn check(heap: &ShardHeap, live: &Live) {
    let chunk = &heap.chunk(live.at)[..live.bytes];
    let (tag, filled) = (chunk[0], &chunk[1..]);
    assert_eq!(tag, 1);
    // All bytes are equal when each is equal to the next; compared as one block, which is quick.
    let same = filled[0] == live.fill && filled[1..] == filled[..filled.len() - 1];
    assert!(same, "a chunk of {} bytes changed", live.bytes);
}

fuzz_target!(|ops: Vec<Op>| {
    let arena = Arena::reserve(32 << 20, 32 << 20).expect("address space");
    let mut heap = ShardHeap::new(&arena, 1);
    let mut all: Vec<Live> = Vec::new();
    for op in ops {
        match op {
            Op::Alloc { bytes, fill, growing } => {
                let bytes = size(bytes);
                let large = growing && bytes > flagstone::arena::MAX_SLAB;
                let Ok(at) = (if large { heap.alloc_growing(bytes) } else { heap.alloc(bytes) }) else { continue };
                let live = Live { at, bytes, fill };
                write(&mut heap, &live);
                all.push(live);
            }
            Op::Free { which } if !all.is_empty() => {
                let live = all.swap_remove(usize::from(which) % all.len());
                check(&heap, &live);
                heap.free(live.at);
            }
            Op::Resize { which, bytes } if !all.is_empty() => {
                let n = usize::from(which) % all.len();
                let (live, bytes) = (&mut all[n], size(bytes));
                if heap.resize_large(live.at, bytes) {
                    assert!(heap.span(live.at) >= bytes);
                    let kept = live.bytes.min(bytes);
                    live.bytes = kept;
                    check(&heap, live);
                }
            }
            Op::Refill { which, fill } if !all.is_empty() => {
                let n = usize::from(which) % all.len();
                all[n].fill = fill;
                write(&mut heap, &all[n]);
            }
            _ => {}
        }
    }
    for live in &all {
        check(&heap, live);
    }
    for live in all.drain(..) {
        heap.free(live.at);
    }
    assert_eq!(heap.stats().chunk_bytes, 0);
    assert_eq!(heap.stats().large_bytes, 0);
});

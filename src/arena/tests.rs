//! Chunks, pages and cuts, under Miri too.

use super::*;

const SMALL: usize = 8 << 20;

// Bytes are compared as slices here, not one by one: Miri is quick at the former only.

fn heap() -> ShardHeap {
    ShardHeap::new(&Arena::reserve(SMALL, SMALL).unwrap(), 3)
}

fn fill(heap: &mut ShardHeap, bytes: usize, byte: u8) -> Offset {
    let at = heap.alloc(bytes).unwrap();
    heap.chunk_mut(at)[..bytes].fill(byte);
    at
}

#[test]
fn chunks_keep_their_bytes_and_are_reused() {
    let mut heap = heap();
    let chunks: Vec<(Offset, usize, u8)> = (0..200)
        .map(|i| {
            let (bytes, byte) = (16 + i * 37 % 3000, 1 + (i % 200) as u8);
            (fill(&mut heap, bytes, byte), bytes, byte)
        })
        .collect();
    for (at, bytes, byte) in &chunks {
        assert!(heap.chunk(*at)[..*bytes] == vec![*byte; *bytes]);
    }
    let resident = heap.arena().resident();
    for (at, ..) in &chunks {
        heap.free(*at);
    }
    assert!(heap.arena().resident() <= resident);
    assert_eq!(heap.stats().chunk_bytes, 0);
    for (_, bytes, byte) in &chunks {
        fill(&mut heap, *bytes, *byte);
    }
    assert!(heap.arena().resident() <= resident);
}

#[test]
fn another_shards_chunk_is_not_seen() {
    let arena = Arena::reserve(SMALL, SMALL).unwrap();
    let (mut one, two) = (ShardHeap::new(&arena, 1), ShardHeap::new(&arena, 2));
    let at = fill(&mut one, 100, 9);
    assert_eq!(two.chunk(at), b"");
    assert_eq!(two.span(Offset::NULL), 0);
    assert_eq!(two.span(Offset::from_bytes(u64::MAX)), 0);
}

#[test]
fn large_values_grow_in_place_and_go_back() {
    let mut heap = heap();
    let before = heap.arena().resident();
    let at = heap.alloc_growing(100_000).unwrap();
    heap.range_mut(at, 0..100_000).fill(5);
    assert!(heap.resize_large(at, 180_000));
    assert_eq!(heap.chunk(at)[99_999], 5);
    assert!(heap.chunk(at)[100_352..180_000] == vec![0; 180_000 - 100_352]);
    assert!(heap.resize_large(at, 20_000));
    assert_eq!(heap.span(at), 20_480);
    assert_eq!(heap.arena().resident() - before, 20_480);
    heap.free(at);
    assert_eq!(heap.arena().resident(), before);
}

#[test]
fn what_is_pinned_stays_as_it_is() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let before = arena.resident();
    let at = heap.alloc(2 * PAGE).unwrap();
    heap.range_mut(at, 0..2 * PAGE).fill(7);
    let value = PAGE - 100..PAGE + 100;
    let first = arena.pin(&heap.chunk(at)[value.clone()]).unwrap();
    let second = arena.pin(&first.bytes()[50..]).unwrap();
    assert_eq!(arena.pinned_bytes(), 2 * PAGE as u64);
    // What surrounds it may change, but not where it ends.
    assert_eq!(heap.range_mut(at, 0..PAGE - 100).len(), PAGE - 100);
    assert!(heap.range_mut(at, value.end - 1..value.end).is_empty());
    assert!(heap.chunk_mut(at).is_empty());
    assert!(!heap.resize_large(at, 3 * PAGE / 2) && !heap.resize_large(at, 2 * PAGE + 1));
    let other = heap.alloc(2 * PAGE).unwrap();
    heap.copy(other, 0, at, 0, 2 * PAGE);
    // Freed, it is nobody's, and nobody gets its memory.
    heap.free(at);
    assert!(heap.chunk(at).is_empty());
    assert_eq!(arena.release_retired(usize::MAX), 0);
    drop(first);
    assert_ne!(heap.alloc(2 * PAGE).unwrap(), at);
    assert!(second.bytes() == [7; 150]);
    drop(second);
    assert_eq!((arena.pinned_bytes(), arena.release_retired(usize::MAX)), (0, 2));
    assert_eq!(arena.resident() - before, 4 * PAGE as u64);
    assert_eq!(heap.alloc(2 * PAGE).unwrap(), at);
}

#[test]
fn only_so_much_of_large_runs_is_pinned() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let (small, large) = (heap.alloc(1000).unwrap(), heap.alloc(PAGE).unwrap());
    assert!(arena.pin(heap.chunk(small)).is_none());
    assert!(arena.pin(&[0; 100]).is_none());
    arena.limit_pins(PAGE as u64 - 1);
    assert!(arena.pin(heap.chunk(large)).is_none());
    arena.limit_pins(PAGE as u64);
    assert!(arena.pin(heap.chunk(large)).is_some());
}

#[test]
fn a_pinned_run_that_a_cut_needs_is_kept_for_both() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let at = heap.alloc(PAGE).unwrap();
    heap.range_mut(at, 0..PAGE).fill(7);
    let pin = arena.pin(heap.chunk(at)).unwrap();
    let cut = arena.begin_cut(Arc::new(Pool::default()));
    heap.enter(cut);
    heap.free(at);
    let (mut gone, mut bytes) = (Vec::new(), 0);
    heap.take_gone(&mut gone, &mut |_, taken| {
        let Taken::Bytes(_, block) = taken else { panic!("nothing is held") };
        bytes += block.iter().filter(|byte| **byte == 7).count();
    });
    heap.leave_cut();
    arena.end_cut();
    assert_eq!((gone.len(), bytes, arena.release_retired(usize::MAX)), (1, PAGE, 0));
    assert!(pin.bytes() == [7; PAGE]);
    drop(pin);
    assert_eq!(arena.release_retired(usize::MAX), 1);
}

#[test]
fn a_full_reservation_is_an_error() {
    let mut heap = ShardHeap::new(&Arena::reserve(4 * PAGE, 0).unwrap(), 0);
    assert!(heap.alloc(3 * PAGE).is_ok());
    assert_eq!(heap.alloc(100), Err(ArenaFull));
}

#[test]
fn emptying_a_page_gives_it_back() {
    let mut heap = heap();
    let per_page = PAGE / 512;
    let mut all: Vec<Offset> = (0..3 * per_page).map(|_| fill(&mut heap, 512, 7)).collect();
    // Two of three go, so that the live ones fit into other pages.
    let mut live = Vec::new();
    for (i, at) in all.drain(..).enumerate() {
        if i % 3 == 0 { live.push(at) } else { heap.free(at) }
    }
    let before = heap.arena().resident();
    let page = heap.page_to_empty(100).unwrap();
    let mut moved = Vec::new();
    heap.begin_emptying(page, &mut moved);
    assert!(!moved.is_empty());
    for from in moved {
        let to = heap.alloc(512).unwrap();
        assert_ne!(to.page(), page);
        heap.copy(from, 0, to, 0, 512);
        assert!(heap.chunk(to)[..512] == [7; 512]);
        heap.free(from);
    }
    assert!(heap.finish_emptying(page));
    assert!(heap.arena().resident() < before);
}

/// Shortens pages of 1 KiB chunks for as long as one can be; `content` has the live ones' places, which it mends.
fn shorten(heap: &mut ShardHeap, content: &mut [Offset]) {
    let mut moving = Vec::new();
    while let Some(shortening) = heap.begin_shortening(&mut moving) {
        for from in moving.drain(..) {
            let to = heap.alloc(1024).unwrap();
            heap.copy(from, 0, to, 0, 1024);
            heap.free(from);
            *content.iter_mut().find(|at| **at == from).unwrap() = to;
        }
        assert!(heap.finish_shortening(shortening));
    }
}

#[test]
fn shortened_pages_give_back_every_block_that_their_free_chunks_fill() {
    let mut heap = heap();
    let all: Vec<Offset> = (0..150).map(|i| fill(&mut heap, 1024, i as u8 + 1)).collect();
    let mut live = Vec::new();
    for (i, at) in all.into_iter().enumerate() {
        if i % 3 == 0 { live.push(at) } else { heap.free(at) }
    }
    shorten(&mut heap, &mut live);
    // 50 chunks, four to a block.
    assert_eq!(heap.arena().resident(), 13 * BLOCK as u64);
    assert_eq!(heap.stats(), HeapStats { slab_bytes: 13 * BLOCK as u64, chunk_bytes: 50 * 1024, large_bytes: 0 });
    for (i, at) in live.iter().enumerate() {
        assert!(heap.chunk(*at)[..1024] == [i as u8 * 3 + 1; 1024]);
    }
    // What was given back is fresh memory again, and what was free is used first.
    let more: Vec<Offset> = (0..30).map(|_| fill(&mut heap, 1024, 200)).collect();
    assert_eq!(heap.arena().resident(), 20 * BLOCK as u64);
    more.iter().chain(&live).for_each(|at| heap.free(*at));
    shorten(&mut heap, &mut []);
    assert_eq!(heap.arena().resident(), 0);
}

#[derive(Default)]
struct Pool {
    spilled: Mutex<Vec<(u64, Box<Block>)>>,
    room: AtomicU64,
}

impl CutSink for Pool {
    fn reserve(&self) -> Option<Box<Block>> {
        let taken = self.room.fetch_update(Relaxed, Relaxed, |room| room.checked_sub(1));
        taken.is_ok().then(|| Box::new([0; BLOCK]))
    }
    fn give_back(&self, _: Box<Block>) {
        self.room.fetch_add(1, Relaxed);
    }
    fn spill(&self, block: u64, _: u32, bytes: &Block) {
        self.spilled.lock().push((block, Box::new(*bytes)));
    }
}

/// Everything that was there at the cut is taken as it was, however it changes meanwhile.
#[test]
fn a_cut_sees_the_past() {
    let rooms: &[u64] = if cfg!(miri) { &[3] } else { &[0, 3, 1000] };
    for &room in rooms {
        let mut heap = heap();
        let arena = Arc::clone(heap.arena());
        let chunks: Vec<Offset> = (0..400).map(|_| fill(&mut heap, 1024, 1)).collect();
        let large = heap.alloc_growing(70_000).unwrap();
        heap.range_mut(large, 0..70_000).fill(1);
        let pool = Arc::new(Pool { room: AtomicU64::new(room), ..Pool::default() });
        let cut = arena.begin_cut(pool.clone());
        assert!(heap.enter(arena.epoch()));
        assert_eq!(arena.epoch(), cut);
        // Changes after the cut: overwrite, free (a whole page among them), allocate anew.
        for (i, at) in chunks.iter().enumerate() {
            if i < 130 {
                heap.free(*at)
            } else if i % 3 == 0 {
                heap.chunk_mut(*at).fill(2)
            }
        }
        heap.free(large);
        shorten(&mut heap, &mut chunks.clone());
        for _ in 0..100 {
            fill(&mut heap, 1024, 3);
        }
        let mut image: std::collections::BTreeMap<u64, Vec<u8>> = Default::default();
        let mut each = |block: u64, taken: Taken<'_>| match taken {
            Taken::Bytes(_, bytes) => assert!(image.insert(block, bytes.to_vec()).is_none()),
            Taken::Held => panic!("nothing is held"),
        };
        for page in 0..arena.frontier().0 {
            heap.take_page(PageId(page), &mut each);
        }
        while heap.take_gone(&mut Vec::new(), &mut each) {}
        for (block, bytes) in pool.spilled.lock().drain(..) {
            assert!(image.insert(block, bytes.to_vec()).is_none());
        }
        // Whether the image has a range as it was before the cut, compared block by block.
        let is_old = |at: Offset, len: usize| {
            let (mut from, end) = (at.byte(), at.byte() + len);
            while from < end {
                let to = end.min((from / BLOCK + 1) * BLOCK);
                let block = image.get(&((from / BLOCK) as u64)).map_or(&[][..], |block| block);
                if block.get(from % BLOCK..from % BLOCK + to - from) != Some(&[1; BLOCK][..to - from]) {
                    return false;
                }
                from = to;
            }
            true
        };
        for at in &chunks {
            assert!(is_old(*at, 1024), "{at:?}");
        }
        assert!(is_old(large, 70_000));
        heap.leave_cut();
        arena.end_cut();
        assert_eq!(pool.room.load(Relaxed), room);
    }
}

/// An image of the cut `.0` that has a row for every block.
struct Holds(u32);

impl CutSink for Holds {
    fn reserve(&self) -> Option<Box<Block>> {
        Some(Box::new([0; BLOCK]))
    }
    fn give_back(&self, _: Box<Block>) {}
    fn spill(&self, _: u64, _: u32, _: &Block) {}
    fn holds(&self, _: u64, written: u32) -> bool {
        written < self.0
    }
}

/// A snapshot over an older image leaves out what has not changed, and nothing else: not what became zeros without being
/// written, nor what was written before the cut and again after it.
#[test]
fn what_has_changed_since_an_image_is_taken() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let same = fill(&mut heap, 1024, 1);
    let large = heap.alloc_growing(100_000).unwrap();
    heap.range_mut(large, 0..100_000).fill(1);
    let freed = heap.alloc_growing(90_000).unwrap();
    heap.range_mut(freed, 0..90_000).fill(1);
    let snapshot = |heap: &mut ShardHeap, base: u32, meanwhile: &mut dyn FnMut(&mut ShardHeap)| {
        let cut = arena.begin_cut(Arc::new(Holds(base)));
        heap.enter(arena.epoch());
        meanwhile(heap);
        let mut blocks: std::collections::BTreeMap<u64, Option<Vec<u8>>> = Default::default();
        let mut each = |block: u64, taken: Taken<'_>| {
            let bytes = match taken {
                Taken::Bytes(_, bytes) => Some(bytes.to_vec()),
                Taken::Held => None,
            };
            assert!(blocks.insert(block, bytes).is_none());
        };
        for page in 0..arena.frontier().0 {
            heap.take_page(PageId(page), &mut each);
        }
        while heap.take_gone(&mut Vec::new(), &mut each) {}
        heap.leave_cut();
        arena.end_cut();
        (cut, blocks)
    };
    let (base, all) = snapshot(&mut heap, 0, &mut |_| ());
    assert!(all.values().all(Option::is_some));
    let block = |at: Offset, byte: usize| ((at.byte() + byte) / BLOCK) as u64;
    // Shrinks and grows again without being written; the other's pages become another's, of which nothing is written.
    assert!(heap.resize_large(large, 50_000) && heap.resize_large(large, 100_000));
    heap.free(freed);
    let fresh = heap.alloc_growing(90_000).unwrap();
    assert_eq!(fresh, freed);
    heap.range_mut(large, 0..8).fill(2);
    let (_, changed) = snapshot(&mut heap, base, &mut |heap| {
        heap.chunk_mut(same).fill(3);
        heap.range_mut(large, 0..8).fill(3);
        heap.range_mut(large, 20_000..20_008).fill(3);
    });
    assert_eq!(changed[&block(same, 0)], None);
    assert_eq!(changed[&block(large, 20_000)], None);
    assert_eq!(changed[&block(large, 0)].as_ref().map(|bytes| bytes[0]), Some(2));
    for zeros in [block(large, 60_000), block(fresh, 0), block(fresh, 70_000)] {
        assert!(changed[&zeros].as_ref().is_some_and(|bytes| bytes[..] == [0; BLOCK]), "block {zeros}");
    }
}

/// An image whose checksums are right can refer to a chunk twice: that is damage like any other.
#[test]
fn what_an_image_has_freed_twice_is_damage() {
    struct Ones;
    impl PageSource for Ones {
        fn load(&self, _: PageId, into: &mut [u8]) -> Result<(), Damage> {
            into.fill(1);
            Ok(())
        }
    }
    let mut heap = heap();
    let slab = PageMeta::slab(3, class_of(1024).unwrap());
    heap.arena().attach(5, &[(PageId(1), slab, 16)], std::iter::empty(), Arc::new(Ones)).unwrap();
    let at = PageId(1).at(1024);
    heap.free(at);
    assert!(!heap.is_damaged());
    heap.free(at);
    assert!(heap.is_damaged());
    assert_eq!(heap.arena().damaged_pages(), 1);
    assert_eq!(heap.alloc(1024), Ok(at));
    assert_ne!(heap.alloc(1024), Ok(at), "it is free once");
}

/// What is given up as a whole goes in steps, is nobody's meanwhile, and is still in the image of a running cut.
#[test]
fn a_retired_heap_goes_in_steps() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let mut other = ShardHeap::new(&arena, 4);
    let kept = fill(&mut other, 1024, 9);
    let before = arena.resident();
    let chunks: Vec<Offset> = (0..200).map(|_| fill(&mut heap, 1024, 1)).collect();
    let large = heap.alloc_growing(70_000).unwrap();
    heap.range_mut(large, 0..70_000).fill(1);
    let pool = Arc::new(Pool { room: AtomicU64::new(1000), ..Pool::default() });
    arena.begin_cut(pool.clone());
    assert!(heap.enter(arena.epoch()));
    let full = arena.resident();
    heap.retire_all();
    assert_eq!(heap.stats(), HeapStats::default());
    assert_eq!((arena.resident(), heap.span(chunks[0]), heap.span(large)), (full, 0, 0));
    let fresh = fill(&mut heap, 1024, 2);
    assert!(chunks.iter().all(|at| at.page() != fresh.page()));
    heap.free(fresh);
    // The cut has not taken them: nothing is copied, so nothing may go.
    assert_eq!((arena.release_retired(usize::MAX), pool.room.load(Relaxed)), (0, 1000));
    let (mut old, mut taken) = (0, Vec::new());
    let mut each = |_: u64, taken: Taken<'_>| {
        let Taken::Bytes(_, bytes) = taken else { panic!("nothing is held") };
        // Zeros come after them; each byte by itself would take Miri minutes.
        old += bytes.partition_point(|byte| *byte == 1);
    };
    // In steps of a few pages, each of which can go when it is taken.
    assert!(heap.take_early(false, &mut taken, &mut each));
    let full = arena.resident();
    assert!(taken.len() < 5 && arena.release_retired(2) == 2);
    assert!(arena.resident() < full && arena.resident() > before);
    while heap.take_gone(&mut taken, &mut each) {}
    assert_eq!(old, 200 * 1024 + 70_000);
    heap.retire_all();
    while arena.release_retired(2) > 0 {}
    assert_eq!(arena.resident(), before);
    assert!(other.chunk(kept)[..1024].iter().all(|b| *b == 9));
    heap.leave_cut();
    arena.end_cut();
}

/// A very large value goes in steps, too, and without copies for a running cut.
#[test]
#[cfg_attr(miri, ignore = "megabytes take Miri minutes")]
fn a_very_large_value_goes_in_steps() {
    const BYTES: usize = 10_000_000;
    let arena = Arena::reserve(8 * BYTES, 8 * BYTES).unwrap();
    let mut heap = ShardHeap::new(&arena, 3);
    let value = |heap: &mut ShardHeap| {
        let at = heap.alloc_growing(BYTES).unwrap();
        heap.range_mut(at, 0..BYTES).fill(1);
        at
    };
    let at = value(&mut heap);
    let full = arena.resident();
    assert!(!heap.resize_large(at, 100_000), "what is left of it moves");
    heap.free(at);
    assert_eq!((heap.span(at), heap.stats().large_bytes, arena.resident()), (0, 0, full));
    // The address space behind it, and some of the value.
    assert_eq!(arena.release_retired(200), 200);
    assert!(arena.resident() < full && arena.resident() > 0);
    while arena.release_retired(10) > 0 {}
    assert_eq!(arena.resident(), 0);
    let at = value(&mut heap);
    let pool = Arc::new(Pool { room: AtomicU64::new(1000), ..Pool::default() });
    arena.begin_cut(pool.clone());
    assert!(heap.enter(arena.epoch()));
    heap.free(at);
    let (mut old, mut taken) = (0, Vec::new());
    let mut each = |_: u64, taken: Taken<'_>| {
        let Taken::Bytes(_, bytes) = taken else { panic!("nothing is held") };
        old += bytes.iter().filter(|b| **b == 1).count();
    };
    while heap.take_gone(&mut taken, &mut each) {}
    assert_eq!((old, pool.room.load(Relaxed)), (BYTES, 1000));
    heap.leave_cut();
    arena.end_cut();
    while arena.release_retired(10) > 0 {}
    assert_eq!(arena.resident(), 0);
}

/// A snapshot that is given up gives back what was kept for it.
#[test]
fn a_cut_that_is_left_keeps_nothing() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let chunks: Vec<Offset> = (0..200).map(|_| fill(&mut heap, 1024, 1)).collect();
    let pool = Arc::new(Pool { room: AtomicU64::new(1000), ..Pool::default() });
    arena.begin_cut(pool.clone());
    heap.enter(arena.epoch());
    heap.chunk_mut(chunks[0]).fill(2);
    assert_eq!(pool.room.load(Relaxed), 999);
    heap.retire_all();
    arena.end_cut();
    heap.leave_cut();
    assert_eq!(pool.room.load(Relaxed), 1000);
    while arena.release_retired(2) > 0 {}
    assert_eq!(arena.resident(), 0);
}

/// While a snapshot runs, what it has taken, and what held nothing, is written to first: that needs no copies.
#[test]
fn new_chunks_come_where_the_cut_needs_no_copies() {
    let mut heap = heap();
    let arena = Arc::clone(heap.arena());
    let chunks: Vec<Offset> = (0..192).map(|_| fill(&mut heap, 1024, 1)).collect();
    // Three pages with room for ten each.
    chunks.iter().enumerate().filter(|(i, _)| i % 64 < 10).for_each(|(_, at)| heap.free(*at));
    let pool = Arc::new(Pool { room: AtomicU64::new(1000), ..Pool::default() });
    arena.begin_cut(pool.clone());
    heap.enter(arena.epoch());
    let taken = chunks[64].page();
    assert!(heap.take_page(taken, &mut |_, _| ()).is_some());
    for _ in 0..10 {
        assert_eq!(fill(&mut heap, 1024, 2).page(), taken);
    }
    assert_eq!(pool.room.load(Relaxed), 1000);
    // Of another class: blocks that were not in use.
    for _ in 0..20 {
        fill(&mut heap, 2048, 2);
    }
    assert_eq!(pool.room.load(Relaxed), 1000);
    heap.leave_cut();
    arena.end_cut();
}

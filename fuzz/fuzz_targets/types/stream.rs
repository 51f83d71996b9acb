use crate::{Word, steps};
use arbitrary::{Arbitrary, Unstructured};
use flagstone::types::{
    home::Home,
    stream::{
        self, Id, Stream, TrimTo,
        group::{self, Consumer, Group, Pending},
        producer::{self, Memory},
    },
};
use std::collections::{BTreeMap, BTreeSet};

const GROUPS: [&[u8]; 2] = [b"first", b""];
const NAMES: [&[u8]; 3] = [b"alice", b"bob", b"a consumer with a longer name"];

#[derive(Arbitrary, Debug)]
enum Step {
    Append(u32, Vec<Word>),
    Remove(u16),
    TrimTo(u16),
    Create(bool),
    Destroy(bool),
    Deliver(bool, u8, u8),
    GiveBack(bool, u16),
    Acknowledge(bool, u16),
    RemoveConsumer(bool, u8),
    KeepOrder,
    Send(u8, Word),
    Forget,
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, Vec<Vec<u8>>>,
    last: Id,
    groups: BTreeMap<&'static [u8], ModelGroup>,
    sent: BTreeMap<(u8, Vec<u8>), Id>,
}

#[derive(Default)]
struct ModelGroup {
    last: Id,
    consumers: BTreeSet<&'static [u8]>,
    /// Who has it.
    pending: BTreeMap<Id, Option<&'static [u8]>>,
}

fn nth<V>(map: &BTreeMap<Id, V>, n: u16) -> Option<Id> {
    map.keys().nth(usize::from(n) % map.len().max(1)).copied()
}

fn consumer(home: &mut impl Home, of: &Group, name: &[u8]) -> Consumer {
    let known = Stream::new(home.view()).consumer(of, name);
    known.unwrap_or_else(|| group::create_consumer(home, of, name, 5, None).expect("room for it"))
}

pub fn run(input: &mut Unstructured<'_>) -> arbitrary::Result<()> {
    let mut model = Model::default();
    steps(input, stream::EMPTY, |cell, step| {
        take(cell, &mut model, step);
        check(cell, &model);
    })
}

fn take(home: &mut impl Home, model: &mut Model, step: Step) {
    let found = |home: &dyn Home, which: bool| Stream::new(home.view()).group(GROUPS[usize::from(which)]);
    match step {
        Step::Append(later, words) => {
            let id = Id { ms: model.last.ms + u64::from(later), seq: model.last.seq + 1 };
            let pairs: Vec<&[u8]> = words.iter().map(|Word(word)| &word[..]).collect();
            let pairs = &pairs[..pairs.len() / 2 * 2];
            if !pairs.is_empty() {
                stream::append(home, id, pairs).expect("room for it");
                model.entries.insert(id, pairs.iter().map(|part| part.to_vec()).collect());
                model.last = id;
            }
        }
        Step::Remove(n) => {
            if let Some(id) = nth(&model.entries, n) {
                assert_eq!(stream::remove(home, id), Ok(true));
                assert_eq!(stream::remove(home, id), Ok(false));
                model.entries.remove(&id);
            }
        }
        Step::TrimTo(n) => {
            if let Some(id) = nth(&model.entries, n) {
                let excess = TrimTo::Id(id).excess(&Stream::new(home.view()));
                assert_eq!(excess, model.entries.range(..id).count() as u64);
                stream::trim(home, excess).expect("room for it");
                model.entries = model.entries.split_off(&id);
            }
        }
        Step::Create(which) => {
            let name = GROUPS[usize::from(which)];
            if !model.groups.contains_key(name) {
                group::create(home, name, Id::MIN, None).expect("room for it");
                model.groups.insert(name, ModelGroup::default());
            }
        }
        Step::Destroy(which) => {
            let name = GROUPS[usize::from(which)];
            assert_eq!(group::destroy(home, name), Ok(model.groups.remove(name).is_some()));
        }
        Step::Deliver(which, name, most) => {
            let Some(mut of) = found(home, which) else { return };
            let known = model.groups.get_mut(GROUPS[usize::from(which)]).expect("both know it");
            let name = NAMES[usize::from(name) % NAMES.len()];
            let consumer = consumer(home, &of, name);
            known.consumers.insert(name);
            let ids: Vec<Id> =
                model.entries.keys().copied().filter(|id| *id > known.last).take(usize::from(most)).collect();
            for id in ids {
                group::deliver(home, &of, &Pending::owned(id, consumer.number, 9, 1)).expect("room for it");
                known.pending.insert(id, Some(name));
                (known.last, of.last) = (id, id);
            }
            group::update(home, GROUPS[usize::from(which)], &of).expect("room for it");
        }
        Step::GiveBack(which, n) => {
            let Some(of) = found(home, which) else { return };
            let known = model.groups.get_mut(GROUPS[usize::from(which)]).expect("both know it");
            if let Some(id) = nth(&known.pending, n) {
                stream::keep_order(home).expect("room for it");
                let turn = Stream::new(home.view()).next_turn(&of);
                group::deliver(home, &of, &Pending::unowned(id, 1, turn)).expect("room for it");
                assert_eq!(Stream::new(home.view()).unowned(&of).last(), Some(id));
                known.pending.insert(id, None);
            }
        }
        Step::Acknowledge(which, n) => {
            let Some(of) = found(home, which) else { return };
            let known = model.groups.get_mut(GROUPS[usize::from(which)]).expect("both know it");
            if let Some(id) = nth(&known.pending, n) {
                assert_eq!(group::acknowledge(home, &of, id), Ok(true));
                known.pending.remove(&id);
            }
        }
        Step::RemoveConsumer(which, name) => {
            let Some(of) = found(home, which) else { return };
            let known = model.groups.get_mut(GROUPS[usize::from(which)]).expect("both know it");
            let name = NAMES[usize::from(name) % NAMES.len()];
            let owned = known.pending.values().filter(|owner| **owner == Some(name)).count() as u64;
            let wanted = known.consumers.remove(name).then_some(owned);
            assert_eq!(group::remove_consumer(home, &of, name), Ok(wanted));
            known.pending.retain(|_, owner| *owner != Some(name));
        }
        Step::KeepOrder => stream::keep_order(home).expect("room for it"),
        Step::Send(producer, Word(name)) => {
            let known = model.sent.get(&(producer % 3, name.clone())).copied();
            assert_eq!(Stream::new(home.view()).sent(&[producer % 3], &name, 0), known);
            if known.is_none() {
                producer::attend(home, Memory::new(1000, 10_000)).expect("room for it");
                producer::record(home, &[producer % 3], &name, model.last, 0).expect("room for it");
                model.sent.insert((producer % 3, name), model.last);
            }
        }
        Step::Forget => {
            // What differs is taken, and all is forgotten.
            let most = Stream::new(home.view()).memory().map_or(10_000, |memory| memory.most - 1).max(9_000);
            producer::configure(home, Memory::new(1000, 10_000), 1000, most).expect("room for it");
            if most < 10_000 {
                model.sent.clear();
            }
        }
    }
}

fn check(home: &impl Home, model: &Model) {
    let stream = Stream::new(home.view());
    assert_eq!(stream.len(), model.entries.len() as u64);
    let fields = |item: stream::Item<'_>| -> Vec<Vec<u8>> {
        item.fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect()
    };
    assert!(stream.iter(Id::MIN).map(|item| (item.id, fields(item))).eq(model.entries.clone()));
    assert!(stream.iter_back(Id::MAX).map(|item| item.id).eq(model.entries.keys().rev().copied()));
    assert!(stream.groups().map(|(name, _)| name).eq(model.groups.keys().copied()));
    for (name, known) in &model.groups {
        let of = stream.group(name).expect("both know it");
        assert!(stream.consumers(&of).map(|(name, _)| name).eq(known.consumers.iter().copied()));
        assert!(stream.pending(&of, Id::MIN).map(|pending| pending.id).eq(known.pending.keys().copied()));
        let nobody = known.pending.values().filter(|owner| owner.is_none()).count() as u64;
        assert_eq!(stream.unowned_len(&of), nobody);
        for (name, consumer) in stream.consumers(&of) {
            let owned = known.pending.iter().filter(|(_, owner)| **owner == Some(name)).map(|(id, _)| *id);
            assert!(stream.owned(&consumer, Id::MIN).eq(owned));
        }
    }
    assert_eq!(stream.tracked(0).1, model.sent.len() as u64);
}

//! Streams and their groups against maps of the standard library; after every step all must hold the same.

use super::{
    group::{Consumer, Group, Pending},
    *,
};
use crate::types::{
    home::alone::Alone,
    rdb::{self, Restored},
    tree,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const GROUPS_OF: [&[u8]; 3] = [b"first", b"second", b""];
/// Who has what was given back.
const NO_ONE: &[u8] = b"no one";
const NAMES: [&[u8]; 4] = [b"alice", b"bob", b"a consumer with a longer name", b"7"];

#[derive(Clone, Debug)]
enum Step {
    /// An entry: how far after the last, with which fields, of what length.
    Append(Gap, u8, u8),
    Remove(prop::sample::Index),
    TrimTo(prop::sample::Index),
    Create(usize),
    Destroy(usize),
    /// The next entries go to a consumer of a group.
    Deliver(usize, usize, u8),
    Acknowledge(usize, prop::sample::Index),
    /// What is pending with one consumer goes to another.
    Claim(usize, prop::sample::Index, usize),
    /// What is pending is given back to its group.
    GiveBack(usize, prop::sample::Index),
    RemoveConsumer(usize, usize),
    AcknowledgeAll(prop::sample::Index),
}

#[derive(Clone, Copy, Debug)]
enum Gap {
    Next,
    Ms(u32),
    Far(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    let gap = prop_oneof![
        3 => Just(Gap::Next),
        5 => (1u32..5000).prop_map(Gap::Ms),
        1 => (1u64..1 << 45).prop_map(Gap::Far),
    ];
    prop_oneof![
        20 => (gap, 0u8..6, 0u8..200).prop_map(|(gap, fields, len)| Step::Append(gap, fields, len)),
        3 => index().prop_map(Step::Remove),
        1 => index().prop_map(Step::TrimTo),
        2 => (0usize..3).prop_map(Step::Create),
        1 => (0usize..3).prop_map(Step::Destroy),
        6 => (0usize..3, 0usize..4, 1u8..20).prop_map(|(group, name, most)| Step::Deliver(group, name, most)),
        4 => (0usize..3, index()).prop_map(|(group, at)| Step::Acknowledge(group, at)),
        3 => (0usize..3, index(), 0usize..4).prop_map(|(group, at, name)| Step::Claim(group, at, name)),
        2 => (0usize..3, index()).prop_map(|(group, at)| Step::GiveBack(group, at)),
        1 => (0usize..3, 0usize..4).prop_map(|(group, name)| Step::RemoveConsumer(group, name)),
        1 => index().prop_map(Step::AcknowledgeAll),
    ]
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, Vec<Vec<u8>>>,
    last: Id,
    deleted: Id,
    added: u64,
    groups: BTreeMap<&'static [u8], ModelGroup>,
}

#[derive(Default)]
struct ModelGroup {
    last: Id,
    consumers: BTreeSet<&'static [u8]>,
    /// With whom it is, and how many times it was delivered.
    pending: BTreeMap<Id, (&'static [u8], u64)>,
    /// What no one has, in the order in which it was given back.
    unowned: Vec<Id>,
}

impl ModelGroup {
    fn put(&mut self, id: Id, owner: &'static [u8], times: u64) {
        self.unowned.retain(|unowned| *unowned != id);
        self.unowned.extend((owner == NO_ONE).then_some(id));
        self.pending.insert(id, (owner, times));
    }

    fn retain(&mut self, keeps: impl Fn(&Id, &[u8]) -> bool) {
        self.pending.retain(|id, (owner, _)| keeps(id, owner));
        self.unowned.retain(|id| self.pending.contains_key(id));
    }
}

fn fields_of(kind: u8, len: u8) -> Vec<Vec<u8>> {
    let value =
        |n: usize| if n.is_multiple_of(2) { vec![b'v'; len.into()] } else { (n * 1000).to_string().into_bytes() };
    let names: &[&str] = match kind {
        0..3 => &["sensor", "12", "value"],
        3 => &["sensor", "12"],
        4 => &["other"],
        _ => &["a name that is so long that it is repeated with every entry, for no schema takes it in"],
    };
    names.iter().enumerate().flat_map(|(n, name)| [name.as_bytes().to_vec(), value(n)]).collect()
}

fn nth<V>(map: &BTreeMap<Id, V>, at: prop::sample::Index) -> Option<Id> {
    (!map.is_empty()).then(|| *map.keys().nth(at.index(map.len())).unwrap())
}

fn consumer(home: &mut Alone, group: &Group, name: &[u8]) -> Consumer {
    let known = Stream::new(home.view()).consumer(group, name);
    known.unwrap_or_else(|| group::create_consumer(home, group, name, 5, None).unwrap())
}

fn run(steps: Vec<Step>) {
    let (mut home, mut model) = (Alone::new(EMPTY, 64 << 20), Model::default());
    for step in steps {
        take(&mut home, &mut model, step);
        check(&home.view(), &model);
    }
    // The same after it was written and read.
    let mut bytes = Vec::new();
    rdb::put_value(&mut bytes, &home.view(), b"", rdb::Form { compress: true, wide: false }, 0);
    let Ok(Restored::Stream(restored)) = rdb::restore(&rdb::seal(bytes), 1 << 20, false) else {
        panic!("a stream is read back");
    };
    let entries: BTreeMap<Id, Vec<Vec<u8>>> = restored.entries().collect();
    assert_eq!(entries, model.entries);
    assert_eq!((restored.last, restored.deleted, restored.added), (model.last, model.deleted, model.added));
    assert_eq!(restored.groups.len(), model.groups.len());
    for (group, (name, of)) in restored.groups.iter().zip(&model.groups) {
        assert_eq!((&group.name[..], group.last), (*name, of.last));
        for consumer in &group.consumers {
            let owned: Vec<_> =
                consumer.owned.iter().map(|(id, _, times)| (*id, (&consumer.name[..], *times))).collect();
            let wanted: Vec<_> =
                of.pending.iter().filter(|(_, (name, _))| *name == consumer.name).map(|(id, p)| (*id, *p)).collect();
            assert_eq!(owned, wanted);
        }
        assert!(group.unowned.iter().map(|(id, _)| id).eq(&of.unowned));
    }
}

fn take(home: &mut Alone, model: &mut Model, step: Step) {
    match step {
        Step::Append(gap, kind, len) => {
            let id = match gap {
                Gap::Next => model.last.next().unwrap(),
                Gap::Ms(ms) => Id { ms: model.last.ms + u64::from(ms), seq: u64::from(len) << (len % 40) },
                Gap::Far(ms) => Id { ms: model.last.ms + ms, seq: 0 },
            };
            let fields = fields_of(kind, len);
            append(home, id, &fields.iter().map(|part| &part[..]).collect::<Vec<_>>()).unwrap();
            model.entries.insert(id, fields);
            (model.last, model.added) = (id, model.added + 1);
        }
        Step::Remove(at) => {
            if let Some(id) = nth(&model.entries, at) {
                assert_eq!(remove(home, id), Ok(true));
                model.entries.remove(&id);
                model.deleted = model.deleted.max(id);
            }
            assert_eq!(remove(home, Id { ms: 0, seq: 0 }), Ok(false));
        }
        Step::TrimTo(at) => {
            if let Some(id) = nth(&model.entries, at) {
                let excess = TrimTo::Id(id).excess(&Stream::new(home.view()));
                assert_eq!(excess, model.entries.range(..id).count() as u64);
                trim(home, excess).unwrap();
                model.entries = model.entries.split_off(&id);
            }
        }
        Step::Create(group) => {
            let name = GROUPS_OF[group];
            if let std::collections::btree_map::Entry::Vacant(entry) = model.groups.entry(name) {
                let last = model.entries.keys().next().copied().unwrap_or(Id::MIN);
                group::create(home, name, last, None).unwrap();
                entry.insert(ModelGroup { last, ..ModelGroup::default() });
            }
        }
        Step::Destroy(group) => {
            let name = GROUPS_OF[group];
            assert_eq!(group::destroy(home, name), Ok(model.groups.remove(name).is_some()));
        }
        Step::Deliver(group, name, most) => {
            let (group_name, name) = (GROUPS_OF[group], NAMES[name]);
            let Some(of) = model.groups.get_mut(group_name) else { return };
            let mut group = Stream::new(home.view()).group(group_name).unwrap();
            let consumer = consumer(home, &group, name);
            of.consumers.insert(name);
            let next = model.entries.range((std::ops::Bound::Excluded(of.last), std::ops::Bound::Unbounded));
            let ids: Vec<Id> = next.map(|(id, _)| *id).take(most.into()).collect();
            for id in ids {
                let pending = Pending::owned(id, consumer.number, 9, 1);
                group::deliver(home, &group, &pending).unwrap();
                of.put(id, name, 1);
                (of.last, group.last) = (id, id);
            }
            group::update(home, group_name, &group).unwrap();
        }
        Step::Acknowledge(group, at) => {
            let Some(of) = model.groups.get_mut(GROUPS_OF[group]) else { return };
            let group = Stream::new(home.view()).group(GROUPS_OF[group]).unwrap();
            if let Some(id) = nth(&of.pending, at) {
                assert_eq!(group::acknowledge(home, &group, id), Ok(true));
                assert_eq!(group::acknowledge(home, &group, id), Ok(false));
                of.retain(|pending, _| *pending != id);
            }
        }
        Step::GiveBack(group, at) => {
            let Some(of) = model.groups.get_mut(GROUPS_OF[group]) else { return };
            let group = Stream::new(home.view()).group(GROUPS_OF[group]).unwrap();
            if let Some(id) = nth(&of.pending, at) {
                keep_order(home).unwrap();
                let turn = Stream::new(home.view()).next_turn(&group);
                let times = of.pending[&id].1;
                group::deliver(home, &group, &Pending::unowned(id, times, turn)).unwrap();
                of.put(id, NO_ONE, times);
            }
        }
        Step::Claim(group, at, name) => {
            let Some(of) = model.groups.get_mut(GROUPS_OF[group]) else { return };
            let group = Stream::new(home.view()).group(GROUPS_OF[group]).unwrap();
            if let Some(id) = nth(&of.pending, at) {
                let consumer = consumer(home, &group, NAMES[name]);
                of.consumers.insert(NAMES[name]);
                let times = of.pending[&id].1 * 300;
                let pending = Pending::owned(id, consumer.number, 9, times);
                group::deliver(home, &group, &pending).unwrap();
                of.put(id, NAMES[name], times);
            }
        }
        Step::RemoveConsumer(group, name) => {
            let Some(of) = model.groups.get_mut(GROUPS_OF[group]) else { return };
            let group = Stream::new(home.view()).group(GROUPS_OF[group]).unwrap();
            let name = NAMES[name];
            let owned = of.pending.values().filter(|(owner, _)| *owner == name).count() as u64;
            let wanted = of.consumers.remove(name).then_some(owned);
            assert_eq!(group::remove_consumer(home, &group, name), Ok(wanted));
            of.retain(|_, owner| owner != name);
        }
        Step::AcknowledgeAll(at) => {
            if let Some(id) = nth(&model.entries, at) {
                group::acknowledge_all(home, id).unwrap();
                model.groups.values_mut().for_each(|of| of.retain(|pending, _| *pending != id));
            }
        }
    }
}

fn check(view: &View<'_>, model: &Model) {
    let stream = Stream::new(*view);
    let found: Vec<(Id, Vec<Vec<u8>>)> = stream.iter(Id::MIN).map(owned).collect();
    assert!(found.iter().map(|(id, fields)| (id, fields)).eq(&model.entries));
    let mut back: Vec<(Id, Vec<Vec<u8>>)> = stream.iter_back(Id::MAX).map(owned).collect();
    back.reverse();
    assert!(found == back);
    assert_eq!(stream.len(), model.entries.len() as u64);
    assert_eq!((stream.head.last, stream.head.deleted, stream.head.added), (model.last, model.deleted, model.added));
    if let Some((id, _)) = found.get(found.len() / 2) {
        assert_eq!(stream.rank(*id), found.len() as u64 / 2);
        assert_eq!(stream.get(*id).map(|item| item.id), Some(*id));
        assert_eq!(stream.iter(*id).count(), found.len() - found.len() / 2);
        assert_eq!(stream.iter_back(*id).count(), found.len() / 2 + 1);
    }
    let (mut owned_in_all, mut pending_in_all) = (0, 0);
    assert!(stream.groups().map(|(name, _)| name).eq(model.groups.keys().copied()));
    for (name, of) in &model.groups {
        let group = stream.group(name).unwrap();
        assert_eq!(group.last, of.last);
        assert!(stream.consumers(&group).map(|(name, _)| name).eq(of.consumers.iter().copied()));
        assert_eq!(stream.consumers_len(&group), of.consumers.len() as u64);
        assert_eq!(stream.pending_len(&group), of.pending.len() as u64);
        assert_eq!(stream.last_pending(&group).map(|pending| pending.id), of.pending.keys().next_back().copied());
        let pending: Vec<Pending> = stream.pending(&group, Id::MIN).collect();
        assert!(
            pending.iter().map(|pending| (pending.id, pending.times)).eq(of.pending.iter().map(|(id, p)| (*id, p.1)))
        );
        for (name, consumer) in stream.consumers(&group) {
            let owned: Vec<Id> = stream.owned(&consumer, Id::MIN).collect();
            let of_it = of.pending.iter().filter(|(_, (owner, _))| *owner == name).map(|(id, _)| *id);
            assert!(of_it.eq(owned.iter().copied()));
            assert!(owned.iter().all(|id| stream.pending_entry(&group, *id).unwrap().consumer == consumer.number));
            assert_eq!(stream.owned_len(&consumer), owned.len() as u64);
            owned_in_all += owned.len() as u64;
        }
        pending_in_all += of.pending.len() as u64;
        assert_eq!(stream.unowned_len(&group), of.unowned.len() as u64);
        assert_eq!(stream.unowned(&group).collect::<Vec<_>>(), of.unowned);
        if is_extended(view) {
            let there = |id: &&Id| model.entries.contains_key(id);
            let order: Vec<Id> = stream.claimable(&group).map(|pending| pending.id).collect();
            let unowned = of.unowned.iter().filter(there);
            let others = of.pending.keys().filter(|id| !of.unowned.contains(id)).filter(there);
            assert!(unowned.chain(others).eq(&order));
        }
    }
    let trees = view.encoding.trees();
    let roots: Vec<Root> = (0..trees).filter_map(|number| Root::read(view.value, number)).collect();
    assert_eq!((roots[OWNED].len, roots[PENDING].len), (owned_in_all, pending_in_all));
    assert!(roots.get(ORDER).is_none_or(|root| root.len == pending_in_all));
    for root in roots.iter().filter(|root| !root.node.is_null()) {
        tree::check(view.heap, *root, &mut |_| Ok(())).unwrap();
    }
}

fn owned(item: Item<'_>) -> (Id, Vec<Vec<u8>>) {
    let fields: Vec<Vec<u8>> = item.fields.flat_map(|(name, value)| [name.to_vec(), value.to_vec()]).collect();
    assert_eq!(item.fields.count() * 2, fields.len());
    (item.id, fields)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 1 } else { 48 }, ..ProptestConfig::default() })]

    #[test]
    fn a_stream_equals_maps(steps in prop::collection::vec(step(), 1..if cfg!(miri) { 12 } else { 300 })) {
        run(steps);
    }

    #[test]
    fn producers_equal_maps(steps in prop::collection::vec((0usize..4, 0u8..30, 0i64..1500), 1..if cfg!(miri) { 12 } else { 300 })) {
        let (most, mut now, mut last) = (5, 1_000_000, Id::MIN);
        let mut home = Alone::new(EMPTY, 64 << 20);
        // Of each producer, what it has sent, the oldest first.
        let mut model: BTreeMap<&[u8], Vec<(Id, Vec<u8>)>> = BTreeMap::new();
        for (producer, name, later) in steps {
            let (producer, name) = (NAMES[producer], format!("{name}").repeat(name.into()).into_bytes());
            now += later;
            model.values_mut().for_each(|sent| sent.retain(|(id, _)| id.ms as i64 + 10_000 > now));
            model.retain(|_, sent| !sent.is_empty());
            let known = model.get(producer).and_then(|sent| Some(sent.iter().find(|(_, sent)| *sent == name)?.0));
            prop_assert_eq!(Stream::new(home.view()).sent(producer, &name, now), known);
            if known.is_none() {
                last = last.next().unwrap().max(Id { ms: now as u64, seq: 0 });
                producer::attend(&mut home, Memory::new(10, most)).unwrap();
                producer::record(&mut home, producer, &name, last, now).unwrap();
                let sent = model.entry(producer).or_default();
                sent.push((last, name));
                sent.drain(..sent.len().saturating_sub(most as usize));
            }
            let stream = Stream::new(home.view());
            let tracked = (model.len() as u64, model.values().map(|sent| sent.len() as u64).sum());
            prop_assert_eq!(stream.tracked(now), tracked);
            for (producer, number) in stream.producers() {
                let remembered: Vec<_> = stream.remembered(number, now).map(|(id, name)| (id, name.to_vec())).collect();
                prop_assert_eq!(Some(remembered).filter(|sent| !sent.is_empty()), model.get(producer).cloned());
            }
            let root = Root::read(&home.value, PRODUCERS).unwrap();
            tree::check(&home.heap, root, &mut |_| Ok(())).unwrap();
            // What has expired does not pile up: three records of each entry, two of each producer.
            prop_assert!(root.len <= 3 * 20 * most + 2 * 4);
        }
    }

    #[test]
    fn entries_come_back(since: u64, seq: u64, kind in 0u8..6, len: u8, of_schema: bool) {
        let fields = fields_of(kind, len);
        let pairs: Vec<&[u8]> = fields.iter().map(|part| &part[..]).collect();
        let schema = entry::names_of(&pairs);
        prop_assert!(entry::fits(&schema, &pairs));
        let body = entry::encode(since, seq, &pairs, of_schema);
        prop_assert_eq!(entry::time(&body), since);
        prop_assert_eq!(owned(entry::read(&body, 0, &schema)), (Id { ms: since, seq }, fields));
    }

    #[test]
    fn any_bytes_are_read_as_something(body in prop::collection::vec(any::<u8>(), 0..60), schema in prop::collection::vec(any::<u8>(), 0..20)) {
        let item = entry::read(&body, u64::MAX, &schema);
        let parts: Vec<usize> = item.fields.map(|(name, value)| name.text_len() + value.text_len()).collect();
        prop_assert_eq!(item.fields.count(), parts.len());
    }
}

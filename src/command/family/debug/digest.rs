//! DEBUG DIGEST and DIGEST-VALUE: whether two data sets, or two values, are the same, whatever their order and encoding.
//!
//! SHA-1 sums: of parts that have no order they are combined by exclusive or, of parts that have one by a sum over both.

use crate::{
    command::{Args, CommandResult, Context, family::string::text},
    keyspace::{Db, Type},
    types::{
        array::Array,
        hash::Hash,
        home::View,
        list::List,
        packed::Entry,
        set::Set,
        stream::{Id, Stream},
        zset::{ZSet, score_of},
    },
};
use sha1::{Digest as _, Sha1};

/// Keys that are looked up at a time.
const STEP: usize = 1000;

#[derive(Clone, Copy, Default)]
struct Digest([u8; 20]);

impl Digest {
    /// Adds a part whose place does not matter.
    fn add(&mut self, part: &[u8]) {
        self.combine(&Sha1::digest(part).into());
    }

    fn combine(&mut self, sum: &[u8; 20]) {
        self.0.iter_mut().zip(sum).for_each(|(byte, other)| *byte ^= other);
    }

    /// Adds a part whose place matters.
    fn append(&mut self, part: &[u8]) {
        self.add(part);
        self.0 = Sha1::digest(self.0).into();
    }

    fn append_entry(&mut self, entry: &Entry<'_>) {
        self.append(entry.text(&mut itoa::Buffer::new()));
    }

    fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub fn digest(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let mut whole = Digest::default();
    for number in 0..cx.shared.keyspace.databases() {
        let mut keys = Vec::new();
        let mut cursor = 0;
        loop {
            cursor = cx.keys.scan(number, cursor, STEP, &mut |key, _| keys.push(key.to_vec()));
            if cursor == 0 {
                break;
            }
        }
        if keys.is_empty() {
            continue;
        }
        whole.append(&(number as u32).to_be_bytes());
        for key in keys {
            let mut sum = Digest::default();
            sum.append(&key);
            add_value(&mut sum, &mut cx.keys.db(number), &key);
            whole.add(&sum.0);
        }
    }
    cx.reply.simple(&whole.hex());
    Ok(())
}

pub fn digest_value(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    cx.reply.array(args.len() - 2);
    for key in &args[2..] {
        let mut sum = Digest::default();
        add_value(&mut sum, &mut cx.keys.db(cx.client.db), key);
        cx.reply.simple(&sum.hex());
    }
    Ok(())
}

/// Adds what is at a key, if there is anything.
fn add_value(sum: &mut Digest, db: &mut Db<'_, '_>, key: &[u8]) {
    let now = db.judged_at();
    let Some(item) = db.peek(key) else { return };
    let expires = item.expiry.is_some();
    sum.append(item.kind.name().as_bytes());
    if item.kind == Type::String {
        sum.append(text(&item.value, &mut itoa::Buffer::new()));
    } else if let Some(view) = db.view_any(key) {
        add_collection(sum, &view, now);
    }
    if expires {
        sum.add(b"!!expire!!");
    }
}

fn add_collection(sum: &mut Digest, view: &View<'_>, now: i64) {
    match view.kind {
        Type::List => List::new(*view).iter(0).for_each(|element| sum.append_entry(&element.first())),
        Type::Set => {
            let mut digits = itoa::Buffer::new();
            Set::new(*view).iter().for_each(|element| sum.add(element.first().text(&mut digits)));
        }
        Type::ZSet => {
            for element in ZSet::new(*view).iter(0) {
                let mut part = Digest::default();
                part.append_entry(&element.first());
                part.append(&score_of(&element).to_le_bytes());
                sum.add(&part.0);
            }
        }
        Type::Hash => {
            for element in Hash::at(*view, now).iter() {
                let mut part = Digest::default();
                part.append_entry(&element.first());
                part.append_entry(&element.second());
                if element.note.is_some() {
                    part.add(b"!!hexpire!!");
                }
                sum.add(&part.0);
            }
        }
        Type::Stream => {
            let stream = Stream::new(*view);
            for item in stream.iter(Id::MIN) {
                sum.append(&item.id.to_bytes());
                for (name, value) in item.fields {
                    sum.append_entry(&name);
                    sum.append_entry(&value);
                }
            }
            sum.append(&stream.head.last.to_bytes());
            sum.append(&stream.head.deleted.to_bytes());
            sum.append(&stream.head.added.to_le_bytes());
            for (name, group) in stream.groups() {
                sum.append(name);
                sum.append(&group.last.to_bytes());
                for (name, consumer) in stream.consumers(&group) {
                    sum.append(name);
                    stream.owned(&consumer, Id::MIN).for_each(|id| sum.append(&id.to_bytes()));
                }
            }
        }
        Type::Array => {
            for element in Array::new(*view).iter(0) {
                sum.append_entry(&element.first());
                sum.append_entry(&element.second());
            }
        }
        Type::String => {}
    }
}

//! Streams.

mod add;
mod group;
mod idempotence;
mod ids;
mod info;
mod nack;
mod pending;
mod read;
mod readgroup;
mod rows;
mod trim;

pub use rows::COMMANDS;

use super::collection::bulk;
use crate::{
    command::{Reply, args::is_word},
    types::stream::Item,
};

/// What deleting an entry does to consumer groups that know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum References {
    /// KEEPREF: nothing.
    Keep,
    /// DELREF: it is pending no longer.
    Drop,
    /// ACKED: only what every group has read and acknowledged is deleted.
    None,
}

impl References {
    fn of_word(word: &[u8]) -> Option<References> {
        [("keepref", Self::Keep), ("delref", Self::Drop), ("acked", Self::None)]
            .into_iter()
            .find_map(|(name, references)| is_word(word, name).then_some(references))
    }
}

/// Answers an entry: its ID, and its fields and values by turns.
fn reply_item(reply: &mut dyn Reply, item: &Item<'_>) {
    reply.array(2);
    ids::reply(reply, item.id);
    reply_fields(reply, item);
}

/// Answers the fields and values of an entry by turns.
fn reply_fields(reply: &mut dyn Reply, item: &Item<'_>) {
    reply.array(item.fields.count() * 2);
    for (name, value) in item.fields {
        bulk(reply, &name);
        bulk(reply, &value);
    }
}

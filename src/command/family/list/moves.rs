//! LMOVE, RPOPLPUSH.

use super::{end, limit, pop_event, push::push_values, push_event, remove};
use crate::{
    command::{Args, CommandResult, Context, Error},
    config::KeyspaceEvents,
    keyspace::Type,
    types::{
        home::Home,
        list::{self, End, List},
    },
};

pub fn rpoplpush(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let route = Route { from: args[1], to: args[2], taken: End::Right, put: End::Left };
    route.take_or_null(cx)
}

pub fn lmove(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let route = Route { from: args[1], to: args[2], taken: end(args[3])?, put: end(args[4])? };
    route.take_or_null(cx)
}

/// From an end of a list to an end of a list.
pub(super) struct Route<'a> {
    pub from: &'a [u8],
    pub to: &'a [u8],
    pub taken: End,
    pub put: End,
}

impl Route<'_> {
    fn take_or_null(&self, cx: &mut Context<'_>) -> CommandResult {
        if !self.take(cx)? {
            cx.reply.null();
        }
        Ok(())
    }

    /// Moves an element and answers it; false when there is none.
    pub fn take(&self, cx: &mut Context<'_>) -> Result<bool, Error> {
        let mut db = cx.keys.db(cx.client.db);
        let Some(cell) = db.cell(self.from, Type::List)? else { return Ok(false) };
        let list = List::new(cell.view());
        let ranks = list.ranks_at(self.taken, 1);
        let Some(value) = list.get(ranks.start).map(|value| value.to_vec()) else { return Ok(false) };
        if self.from == self.to {
            self.turn(cx, &value)?;
        } else {
            // First, so that nothing is lost when there is no room.
            push_values(cx, self.to, self.put, &[&value])?;
            cx.keys.db(cx.client.db).count_one_less(self.to);
            remove(cx, self.from, &[ranks], pop_event(self.taken))?;
        }
        cx.reply.bulk(&value);
        Ok(true)
    }

    /// Within one list, which never ceases to exist.
    fn turn(&self, cx: &mut Context<'_>, value: &[u8]) -> CommandResult {
        let limit = limit(cx);
        let mut db = cx.keys.db(cx.client.db);
        let Some(mut cell) = db.cell(self.from, Type::List)? else { return Ok(()) };
        let ranks = List::new(cell.view()).ranks_at(self.taken, 1);
        list::remove(&mut cell, ranks)?;
        list::push(&mut cell, self.put, &[value], limit)?;
        list::shrink(&mut cell, limit)?;
        cx.notify(KeyspaceEvents::LIST, push_event(self.put), self.to);
        cx.notify(KeyspaceEvents::LIST, pop_event(self.taken), self.from);
        Ok(())
    }
}

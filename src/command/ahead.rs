//! After a restart: what a command comes to that is still in the snapshot only. It is found out before the command has any
//! effect, under its locks but without loading anything; then it is brought with no lock held, and the command begins anew.
//!
//! A command that only reads is run for that: what is not there reads as empty, and its reply is thrown away. Of any other
//! the keys are looked up, and in them what may be elements, ranks, scores or IDs, or all of it. (What chance leads a writing
//! command to is read where it comes to it, and so is what a script comes to once it has written.)

use super::{Args, Command, Context, args::integer, keys, spec::Flags};
use crate::types::Ahead;
use smallvec::SmallVec;

/// No element is longer, and no request is looked through for more, for what is done on the mere guess that a word is
/// one.
const ELEMENT_MAX: usize = 512;
const ELEMENTS_MAX: usize = 64;

/// What has effects though it reads.
const EFFECTS: Flags = Flags::MAY_REPLICATE.union(Flags::BLOCKING).union(Flags::SCRIPT);

impl Context<'_> {
    /// Whether anything may be absent, and who runs the command will begin anew when it is.
    fn may_wait(&self) -> bool {
        self.client.may_wait && self.shared.keyspace.arena().is_loading()
    }

    /// Whether the command is to be run without loading anything, to be ended by [`Self::has_looked`].
    pub(super) fn looks(&mut self) -> bool {
        let flags = self.command.spec.flags;
        let looks = self.may_wait() && flags.contains(Flags::READONLY) && !flags.intersects(EFFECTS);
        if looks {
            self.keys.look();
        }
        looks
    }

    /// Whether something was absent: nothing of what the command has said is true then.
    pub(super) fn has_looked(&mut self) -> bool {
        self.client.absent = self.keys.looked();
        !self.client.absent.is_empty()
    }

    /// Looks up what a command that does not only read will come to; whether something is absent.
    pub(super) fn lacks(&mut self, args: &Args<'_>) -> bool {
        let flags = self.command.spec.flags;
        if !self.may_wait() || flags.contains(Flags::READONLY) && !flags.intersects(EFFECTS) {
            return false;
        }
        self.keys.look();
        self.go_ahead(self.command, args);
        if flags.contains(Flags::QUEUED_KEYS)
            && let Some(transaction) = self.client.transaction.take()
        {
            transaction.for_each(|command, args| self.go_ahead(command, args));
            self.client.transaction = Some(transaction);
        }
        self.has_looked()
    }

    fn go_ahead(&mut self, command: &'static Command, args: &Args<'_>) {
        let spec = command.spec;
        let words = args.iter().skip(2).filter(|word| word.len() <= ELEMENT_MAX).take(ELEMENTS_MAX);
        let elements: SmallVec<[&[u8]; 8]> = words.copied().collect();
        let ranks = spec.ranks.iter().filter_map(|at| integer(args.get(*at)?).ok());
        let ranks: SmallVec<[i64; 2]> = ranks.collect();
        // Redis calls those fast whose time does not grow with the collection.
        let whole = !spec.flags.contains(Flags::FAST)
            && spec.ranks.is_empty()
            && ["list", "set", "sorted_set"].contains(&spec.group);
        for key in keys::keys(spec, args) {
            self.keys.go_ahead(self.client.db, key, Ahead { elements: &elements, ranks: &ranks, whole });
        }
    }
}

//! After a restart: what a command comes to that is still in the snapshot only. It is found out before the command has any
//! effect, under its locks but without loading anything; then it is brought with no lock held, and the command begins anew.
//!
//! A command that only reads is run for that: what is not there reads as empty, and its reply is thrown away. Of any other
//! the keys are looked up, and in them what it may come to, as its row says ([`Reach`]): its words if they are elements,
//! scores or IDs, ranks, or all of it. What is drawn by lot is drawn again when it begins anew, with the same outcome.
//!
//! A script that has written can't begin anew: while anything is absent, those that may write are run by the thread for
//! scripts, which may wait.

use super::{
    Args, Command, Context,
    args::integer,
    keys,
    spec::{Flags, Reach},
};
use crate::types::Ahead;
use smallvec::SmallVec;

/// What has effects though it reads.
const EFFECTS: Flags = Flags::MAY_REPLICATE.union(Flags::BLOCKING).union(Flags::SCRIPT);
/// Groups of commands on collections.
const COLLECTIONS: [&str; 7] = ["list", "set", "sorted_set", "hash", "stream", "geo", "array"];
/// Ranks that are drawn at once, at most: for more, all of the collection is brought.
const DRAWN_MAX: u64 = 64;

/// Elements that are popped at once, at most: for more, all of the collection is brought.
const POPPED_MAX: u64 = 100_000;

/// Whether a command only reads, so that it can be run to find out what it comes to.
fn only_reads(flags: Flags) -> bool {
    flags.contains(Flags::READONLY) && !flags.intersects(EFFECTS)
}

/// Whether a command may add keys.
fn may_add(flags: Flags) -> bool {
    flags.intersects(Flags::DENYOOM.union(Flags::SCRIPT))
}

/// How many keys a command may add.
fn added(command: &Command, args: &Args<'_>) -> usize {
    if may_add(command.spec.flags) { keys::keys(command.spec, args).count() } else { 0 }
}

impl Context<'_> {
    /// Whether anything may be absent, and who runs the command will begin anew when it is.
    #[inline]
    fn may_wait(&self) -> bool {
        self.client.may_wait && self.shared.keyspace.arena().is_loading()
    }

    /// Whether the command is to be run without loading anything, to be ended by [`Self::has_looked`].
    pub(super) fn looks(&mut self) -> bool {
        let looks = self.may_wait() && only_reads(self.command.spec.flags);
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
    #[inline]
    pub(super) fn lacks(&mut self, args: &Args<'_>) -> bool {
        self.may_wait() && self.finds_absent(args)
    }

    #[cold]
    fn finds_absent(&mut self, args: &Args<'_>) -> bool {
        if !self.client.in_script {
            fastrand::seed(*self.client.lot.get_or_insert_with(|| fastrand::u64(..)));
        }
        if only_reads(self.command.spec.flags) {
            return false;
        }
        let lot = fastrand::get_seed();
        self.keys.look();
        self.go_ahead(self.command, args, added(self.command, args));
        if self.command.spec.flags.contains(Flags::QUEUED_KEYS)
            && let Some(transaction) = self.client.transaction.take()
        {
            let mut adds = 0;
            transaction.for_each(|command, args| adds += added(command, args));
            transaction.for_each(|command, args| match only_reads(command.spec.flags) {
                true => self.run_ahead(command, args),
                false => self.go_ahead(command, args, adds),
            });
            self.client.transaction = Some(transaction);
        }
        fastrand::seed(lot);
        self.has_looked()
    }

    /// Runs a handler for what it comes to alone.
    fn run_ahead(&mut self, command: &'static Command, args: &Args<'_>) {
        let (own, spec, written) = (self.command, self.spec, self.reply.written());
        (self.command, self.spec) = (command, command.spec);
        // Whatever it says, it says again.
        let _ = (command.spec.handler)(self, args);
        (self.command, self.spec) = (own, spec);
        self.reply.rewind(written);
    }

    /// `adds`: how many keys may be added, by others that are carried out with it, too.
    fn go_ahead(&mut self, command: &'static Command, args: &Args<'_>, adds: usize) {
        let spec = command.spec;
        let words = args.get(2..).unwrap_or_default();
        let in_collection = COLLECTIONS.contains(&spec.group);
        let mut ahead = Ahead { adds: if may_add(spec.flags) { adds } else { 0 }, ..Ahead::default() };
        let mut ranks: SmallVec<[i64; 2]> = SmallVec::new();
        match spec.reach {
            // One that is alone begins anew with what it has come to; in a transaction that may be too late.
            _ if spec.flags.contains(Flags::SCRIPT) => ahead.whole = !std::ptr::eq(command, self.command),
            Reach::ByFlags if spec.flags.intersects(Flags::FAST.union(Flags::BLOCKING)) => ahead.words = words,
            Reach::ByFlags => ahead.whole = in_collection,
            Reach::Ends => {}
            Reach::Pops => {
                let count = args.last().and_then(|word| u64::try_from(integer(word).ok()?).ok());
                ahead.popped = count.unwrap_or(1);
                ahead.whole = ahead.popped > POPPED_MAX;
            }
            Reach::Gives { unsaid, tries } => {
                let count = args.iter().position(|word| word.eq_ignore_ascii_case(b"count"));
                let count = count.and_then(|at| u64::try_from(integer(args.get(at + 1)?).ok()?).ok());
                ahead.words = words;
                ahead.given = count.unwrap_or(unsaid).saturating_mul(tries);
            }
            Reach::Ranks(places) => ranks.extend(places.iter().filter_map(|at| integer(args.get(*at)?).ok())),
            Reach::Drawn(count) => {
                let count = args.get(count).map_or(Some(1), |count| u64::try_from(integer(count).ok()?).ok());
                ahead.drawn = count.unwrap_or(0);
                ahead.whole = ahead.drawn > DRAWN_MAX;
            }
            Reach::All => ahead.whole = true,
            Reach::AsItRuns => {
                ahead.whole = !spec.flags.contains(Flags::FAST);
                self.run_ahead(command, args);
            }
        }
        ahead.ranks = &ranks;
        let keys: SmallVec<[&[u8]; 4]> = keys::keys(spec, args).collect();
        let several = matches!(spec.reach, Reach::Gives { .. }) && keys.len() > 1;
        // Of several streams each has to do with the group, the consumer and its own ID, which come last in a row.
        let [group, consumer] = if several { named(args) } else { [&[][..]; 2] };
        let ids = args.len().saturating_sub(keys.len());
        for (key, id) in keys.iter().zip(&args[ids..]) {
            let own = [group, consumer, id];
            let words = if several { &own[..] } else { ahead.words };
            self.keys.go_ahead(self.client.db, key, Ahead { words, ..ahead });
        }
    }
}

/// The group and the consumer that XREADGROUP names.
fn named<'a>(args: &Args<'a>) -> [&'a [u8]; 2] {
    let group = args.iter().position(|word| word.eq_ignore_ascii_case(b"group"));
    [1, 2].map(|after| group.and_then(|at| args.get(at + after)).copied().unwrap_or_default())
}

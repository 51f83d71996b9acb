//! XTRIM, and the trimming of XADD.
//!
//! Trimming by about (`~`) removes whole nodes, counted from the first entry that was ever added: nodes of
//! `stream-node-max-entries` entries, or of fewer where they would take more than `stream-node-max-bytes`.
//! Nothing here needs it; clients that know Redis expect no more and no less, and a stream of long entries is
//! to stay about as short as they said.

use super::{
    References,
    ids::{self, Given},
};
use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
    },
    config::{KeyspaceEvents, Settings},
    keyspace::Type,
    types::{
        home::Home,
        stream::{self, Id, Stream, TrimTo, group},
    },
};

/// What is to be trimmed, and how.
#[derive(Clone, Copy)]
pub struct Trim {
    to: TrimTo,
    by_about: bool,
    /// Entries that are removed at most; `None` is no limit.
    limit: Option<u64>,
    references: References,
    /// Where the words `MAXLEN ~ n` end in the request.
    at: usize,
}

/// IDMP and IDMPAUTO: who sends an entry, and under which name; `None`: the one that its fields come to.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    pub producer: &'a [u8],
    pub name: Option<&'a [u8]>,
}

/// The options of XADD and XTRIM.
pub struct Options<'a> {
    pub trim: Option<Trim>,
    /// NOMKSTREAM.
    pub no_new_key: bool,
    pub sender: Option<Sender<'a>>,
    /// The ID of XADD, unless it is `*`; and where it stands.
    pub id: Option<Given>,
    pub id_at: usize,
}

impl<'a> Sender<'a> {
    /// How many words follow this one.
    fn len(word: &[u8]) -> Option<usize> {
        [("idmpauto", 1), ("idmp", 2)].into_iter().find_map(|(name, len)| is_word(word, name).then_some(len))
    }

    fn parse(words: &Args<'a>) -> Result<Sender<'a>, Error> {
        match words {
            [b""] => Err(Error::new("ERR syntax error, IDMPAUTO requires a non-empty producer ID")),
            [b"", ..] => Err(Error::new("ERR syntax error, IDMP requires a non-empty producer ID")),
            [_, b"", ..] => Err(Error::new("ERR syntax error, IDMP requires a non-empty idempotent ID")),
            [producer, rest @ ..] => Ok(Sender { producer, name: rest.first().copied() }),
            [] => Err(Error::SYNTAX),
        }
    }
}

const BOTH: Error = Error::new("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");

impl<'a> Options<'a> {
    pub fn parse(args: &Args<'a>, settings: &Settings, is_add: bool) -> Result<Options<'a>, Error> {
        let mut trim: Option<Trim> = None;
        let mut options = Options { trim: None, no_new_key: false, sender: None, id: None, id_at: args.len() };
        let (mut limit, mut references) = (None, None);
        let mut at = 2;
        while at < args.len() {
            let (word, more) = (args[at], args.len() - 1 - at);
            let by_len = is_word(word, "maxlen");
            if is_add && word == b"*" {
                options.id_at = at;
                break;
            } else if (by_len || is_word(word, "minid")) && more > 0 {
                if trim.is_some() {
                    return Err(BOTH);
                }
                let by_about = more >= 2 && args[at + 1] == b"~";
                at += if by_about || more >= 2 && args[at + 1] == b"=" { 2 } else { 1 };
                let to = if by_len {
                    let len = u64::try_from(integer(args[at])?);
                    TrimTo::Len(len.map_err(|_| Error::new("ERR The MAXLEN argument must be >= 0."))?)
                } else {
                    TrimTo::Id(ids::parse(args[at], 0)?)
                };
                trim = Some(Trim { to, by_about, limit: None, references: References::Keep, at });
            } else if is_word(word, "limit") && more > 0 {
                at += 1;
                let given = u64::try_from(integer(args[at])?);
                limit = Some(given.map_err(|_| Error::new("ERR The LIMIT argument must be >= 0."))?);
            } else if let Some(found) = References::of_word(word).filter(|_| references.is_none()) {
                references = Some(found);
            } else if is_add && is_word(word, "nomkstream") {
                options.no_new_key = true;
            } else if let Some(len) = Sender::len(word).filter(|len| is_add && more >= *len) {
                if options.sender.is_some() {
                    return Err(Error::new("ERR syntax error, IDMP/IDMPAUTO specified multiple times"));
                }
                options.sender = Some(Sender::parse(&args[at + 1..=at + len])?);
                at += len;
            } else if is_add {
                options.id = Some(ids::parse_given(word, 0)?);
                if options.sender.is_some() {
                    return Err(Error::new("ERR syntax error, IDMP/IDMPAUTO can be used only with auto-generated IDs"));
                }
                options.id_at = at;
                break;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        match (&mut trim, limit) {
            (None, Some(1..)) => {
                return Err(Error::new(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                ));
            }
            (None, _) if !is_add => {
                return Err(Error::new("ERR syntax error, XTRIM must be called with a trimming strategy"));
            }
            (None, _) => {}
            (Some(trim), Some(_)) if !trim.by_about => {
                return Err(Error::new("ERR syntax error, LIMIT cannot be used without the special ~ option"));
            }
            (Some(trim), limit) => {
                let usual = match settings.stream_node_max_entries.saturating_mul(100) {
                    0 => 10_000,
                    entries => entries.min(1_000_000),
                };
                trim.limit = trim.by_about.then(|| limit.unwrap_or(usual)).filter(|limit| *limit > 0);
                trim.references = references.unwrap_or(References::Keep);
            }
        }
        options.trim = trim;
        Ok(options)
    }
}

impl Trim {
    /// Trims; answers how many entries are gone.
    pub fn run(&self, home: &mut impl Home, settings: &Settings) -> Result<u64, Error> {
        let count = self.count(&Stream::new(home.view()), settings);
        match self.references {
            References::Keep => stream::trim(home, count)?,
            References::Drop => {
                for id in first_ids(home, count) {
                    group::acknowledge_all(home, id)?;
                }
                stream::trim(home, count)?;
            }
            References::None => {
                let before = Stream::new(home.view()).len();
                let deleted = Stream::new(home.view()).head.deleted;
                for id in first_ids(home, count) {
                    if !Stream::new(home.view()).is_referenced(id) {
                        stream::remove(home, id)?;
                    }
                }
                // What is trimmed leaves no gap.
                let head = Stream::new(home.view()).head;
                stream::set_head(home, head.last, None, Some(deleted))?;
                return Ok(before - Stream::new(home.view()).len());
            }
        }
        Ok(count)
    }

    /// How many entries are to be removed.
    fn count(&self, stream: &Stream<'_>, settings: &Settings) -> u64 {
        let excess = self.to.excess(stream);
        if !self.by_about || excess == 0 {
            return excess;
        }
        let node = node_len(stream, settings);
        let most = excess.min(self.limit.unwrap_or(u64::MAX));
        let gone = stream.head.added.saturating_sub(stream.len()) % node;
        // The last node may not be full yet.
        let whole = most.saturating_add(gone) / node * node;
        if most == stream.len() { most } else { whole.saturating_sub(gone) }
    }

    /// The request with what the trimming came to in place of what was asked for: `~` may mean something
    /// else the next time.
    pub fn settled<'w>(&self, args: &[&'w [u8]], len: u64, text: &'w mut Vec<u8>) -> Option<Vec<&'w [u8]>> {
        if !self.by_about || self.references == References::None {
            return None;
        }
        *text = len.to_string().into_bytes();
        let mut words = args.to_vec();
        words[self.at - 2] = b"maxlen";
        words[self.at - 1] = b"=";
        words[self.at] = text;
        if let Some(limit) = words.iter().position(|word| is_word(word, "limit")) {
            words.drain(limit..limit + 2);
        }
        Some(words)
    }
}

/// What Redis needs for an entry beyond what it takes here.
const NODE_ENTRY_EXTRA: u64 = 5;

/// How many entries a node of Redis's would have, by the length of the first. There must be entries.
pub fn node_len(stream: &Stream<'_>, settings: &Settings) -> u64 {
    let by_bytes = match settings.stream_node_max_bytes {
        0 => u64::MAX,
        bytes => (bytes / (stream.entry_bytes() + NODE_ENTRY_EXTRA)).max(1),
    };
    match settings.stream_node_max_entries {
        0 => by_bytes,
        entries => by_bytes.min(entries),
    }
}

fn first_ids(home: &impl Home, count: u64) -> Vec<Id> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Stream::new(home.view()).iter(Id::MIN).take(count).map(|item| item.id).collect()
}

pub fn xtrim(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let options = Options::parse(args, &cx.client.settings, false)?;
    let Some(trim) = options.trim else { return Err(Error::SYNTAX) };
    let settings = cx.client.settings.clone();
    let mut text = Vec::new();
    let mut db = cx.keys.db(cx.client.db);
    let (removed, kept) = match db.cell(args[1], Type::Stream)? {
        Some(mut cell) => {
            let removed = trim.run(&mut cell, &settings)?;
            (removed, trim.settled(args, Stream::new(cell.view()).len(), &mut text))
        }
        None => (0, None),
    };
    if removed > 0 {
        if let Some(words) = kept {
            cx.keep(&words);
        }
        cx.notify(KeyspaceEvents::STREAM, "xtrim", args[1]);
    }
    cx.reply.integer(removed as i64);
    Ok(())
}

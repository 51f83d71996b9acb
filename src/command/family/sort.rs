//! SORT and SORT_RO.
//!
//! What BY and GET ask for may lie in any shard, so all are locked.

use crate::{
    command::{
        Args, CommandResult, Context, Error,
        args::{integer, is_word},
        family::string::text,
        spec::{Acl, BeginSearch, FindKeys, Flags, KeyFlags, KeySpec, Reach, Spec},
    },
    config::KeyspaceEvents,
    keyspace::{Db, Locked, Type},
    types::{
        hash::Hash,
        list::{self, End, Limit, List},
        set::Set,
        zset::ZSet,
    },
    util::number::parse_f64,
};
use std::cmp::Ordering;

const ROW: Spec = Spec {
    arity: -2,
    acl: Acl::SET.union(Acl::SORTEDSET).union(Acl::LIST).union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "generic",
    since: "2.8.0",
    complexity: "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned \
                 elements. When the elements are not sorted, complexity is O(N).",
    ..Spec::DEFAULT
};

const SOURCE: KeySpec = KeySpec::one(1, KeyFlags::RO.union(KeyFlags::ACCESS));
/// What BY and GET lead to depends on the elements.
const PATTERNS: KeySpec = KeySpec {
    begin: BeginSearch::Unknown,
    find: FindKeys::Unknown,
    ..KeySpec::one(0, KeyFlags::RO.union(KeyFlags::ACCESS))
};

pub const COMMANDS: &[Spec] = &[
    Spec {
        name: "sort",
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::MOVABLEKEYS).union(Flags::ALL_SHARDS),
        acl: ROW.acl.union(Acl::WRITE),
        keys: &[
            SOURCE,
            PATTERNS,
            KeySpec {
                begin: BeginSearch::Option {
                    word: "STORE",
                    start_from: 2,
                    others: &[("BY", 1), ("GET", 1), ("LIMIT", 2)],
                },
                ..KeySpec::one(0, KeyFlags::OW.union(KeyFlags::UPDATE))
            },
        ],
        since: "1.0.0",
        summary: "Answers or stores the elements of a list, a set or a sorted set in another order.",
        syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA] \
                 [STORE destination]",
        reach: Reach::AsItRuns,
        handler: |cx, args| sort(cx, args, true),
        ..ROW
    },
    Spec {
        name: "sort_ro",
        flags: Flags::READONLY.union(Flags::MOVABLEKEYS).union(Flags::ALL_SHARDS),
        acl: ROW.acl.union(Acl::READ),
        keys: &[SOURCE, PATTERNS],
        since: "7.0.0",
        summary: "Answers the elements of a list, a set or a sorted set in another order.",
        syntax: "key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]] [ASC | DESC] [ALPHA]",
        handler: |cx, args| sort(cx, args, false),
        ..ROW
    },
];

/// What BY and GET look up for an element.
enum Pattern<'a> {
    /// `#`
    Element,
    /// Without a `*` there is nothing to look up.
    Nothing,
    /// The key is the element between these two; of a hash, this field of it.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Pattern<'a> {
        if text == b"#" {
            return Pattern::Element;
        }
        let Some(star) = memchr::memchr(b'*', text) else { return Pattern::Nothing };
        let (before, rest) = (&text[..star], &text[star + 1..]);
        // `key->` with no field behind it is a key of that name.
        match memchr::memmem::find(rest, b"->").filter(|at| at + 2 < rest.len()) {
            Some(at) => Pattern::Key { before, after: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Pattern::Key { before, after: rest, field: None },
        }
    }

    fn look_up(&self, db: &mut Db<'_, '_>, element: &[u8]) -> Option<Vec<u8>> {
        let (key, field) = match self {
            Pattern::Element => return Some(element.to_vec()),
            Pattern::Nothing => return None,
            Pattern::Key { before, after, field } => ([before, element, after].concat(), field),
        };
        let now = db.judged_at();
        match field {
            None => {
                let item = db.read(&key).filter(|item| item.kind == Type::String)?;
                Some(text(&item.value, &mut itoa::Buffer::new()).to_vec())
            }
            Some(field) => {
                let hash = Hash::at(db.view(&key, Type::Hash).ok()??, now);
                let value = hash.get(field).map(|value| value.to_vec());
                if value.is_none() && hash.has_expired(field) && !db.holds_removals() {
                    db.expire_fields(&key);
                }
                value
            }
        }
    }
}

#[derive(Default)]
struct Options<'a> {
    by: Option<&'a [u8]>,
    get: Vec<Pattern<'a>>,
    descending: bool,
    alpha: bool,
    limit: Option<(i64, i64)>,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(args: &Args<'a>, may_store: bool) -> Result<Options<'a>, Error> {
        let mut options = Options::default();
        let mut rest = &args[2..];
        while let [word, after @ ..] = rest {
            rest = match after {
                _ if is_word(word, "asc") || is_word(word, "desc") => {
                    options.descending = is_word(word, "desc");
                    after
                }
                _ if is_word(word, "alpha") => {
                    options.alpha = true;
                    after
                }
                [offset, count, after @ ..] if is_word(word, "limit") => {
                    options.limit = Some((integer(offset)?, integer(count)?));
                    after
                }
                [target, after @ ..] if may_store && is_word(word, "store") => {
                    options.store = Some(target);
                    after
                }
                [pattern, after @ ..] if is_word(word, "by") => {
                    options.by = Some(pattern);
                    after
                }
                [pattern, after @ ..] if is_word(word, "get") => {
                    options.get.push(Pattern::parse(pattern));
                    after
                }
                _ => return Err(Error::SYNTAX),
            };
        }
        Ok(options)
    }

    /// The ranks of `len` elements that are wanted.
    fn window(&self, len: usize) -> std::ops::Range<usize> {
        let Some((offset, count)) = self.limit else { return 0..len };
        let start = usize::try_from(offset.max(0)).unwrap_or(usize::MAX).min(len);
        let end = usize::try_from(count).map_or(len, |count| start.saturating_add(count).min(len));
        start..end
    }
}

/// What an element is sorted by.
enum Weight {
    Number(f64),
    /// `None`: there is no such key, which comes before all others.
    Text(Option<Vec<u8>>),
    /// The element's own text.
    Own,
}

fn sort(cx: &mut Context<'_>, args: &Args<'_>, may_store: bool) -> CommandResult {
    let mut options = Options::parse(args, may_store)?;
    let denied =
        |option: &str| Error::text(format!("ERR {option} option of SORT denied due to insufficient ACL permissions."));
    if options.by.is_some_and(|by| by.contains(&b'*')) && !cx.client.user.may_run_and_read_all(cx.command, args) {
        return Err(denied("BY"));
    }
    if options.get.iter().any(|get| !matches!(get, Pattern::Element))
        && !cx.client.user.may_run_and_read_all(cx.command, args)
    {
        return Err(denied("GET"));
    }
    // Without a `*` in what they are sorted by, be it `#`, the elements stay in their order.
    let mut by = options.by.filter(|by| by.contains(&b'*')).map(Pattern::parse);
    let mut sorted = options.by.is_none() || by.is_some();
    let (key, number) = (args[1], cx.client.db);
    let mut db = cx.keys.db(number);
    let Some(kind) = db.peek(key).map(|item| item.kind) else {
        db.read(key);
        return answer(cx, &options, Vec::new());
    };
    if !matches!(kind, Type::List | Type::Set | Type::ZSet) {
        return Err(Error::WRONG_TYPE);
    }
    // The order of a set means nothing, so what is stored, or what a script goes by, would differ from one server to the
    // next.
    if !sorted && kind == Type::Set && (options.store.is_some() || cx.client.in_script) {
        (sorted, options.alpha, by) = (true, true, None);
    }
    let mut elements = elements(&mut db, key, kind, &options, sorted)?;
    if sorted {
        let mut weighed = Vec::with_capacity(elements.len());
        for element in elements {
            let weight = weigh(&mut db, &by, options.alpha, &element)?;
            weighed.push((element, weight));
        }
        let window = options.window(weighed.len());
        arrange(&mut weighed, &window, options.descending);
        elements = weighed.drain(window).map(|(element, _)| element).collect();
    }
    answer(cx, &options, elements)
}

/// All elements; or, when they stay in their order, those that are wanted.
fn elements(
    db: &mut Db<'_, '_>,
    key: &[u8],
    kind: Type,
    options: &Options<'_>,
    all: bool,
) -> Result<Vec<Vec<u8>>, Error> {
    let Some(view) = db.view(key, kind)? else { return Ok(Vec::new()) };
    let window = |len: u64| {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if all { 0..len } else { options.window(len) }
    };
    Ok(match kind {
        Type::List => {
            let list = List::new(view);
            let window = window(list.len());
            list.iter(window.start as u64).take(window.len()).map(|element| element.first().to_vec()).collect()
        }
        Type::Set => {
            let set = Set::new(view);
            let window = window(set.len());
            set.iter().skip(window.start).take(window.len()).map(|element| element.first().to_vec()).collect()
        }
        _ => {
            let zset = ZSet::new(view);
            let window = window(zset.len());
            // In the order of the scores, from whichever end.
            if options.descending && !window.is_empty() {
                let from = zset.len() - 1 - window.start as u64;
                zset.iter_back(from).take(window.len()).map(|element| element.first().to_vec()).collect()
            } else {
                zset.iter(window.start as u64).take(window.len()).map(|element| element.first().to_vec()).collect()
            }
        }
    })
}

fn weigh(db: &mut Db<'_, '_>, by: &Option<Pattern<'_>>, alpha: bool, element: &[u8]) -> Result<Weight, Error> {
    let looked_up = by.as_ref().map(|by| by.look_up(db, element));
    if alpha {
        return Ok(looked_up.map_or(Weight::Own, Weight::Text));
    }
    let text = match &looked_up {
        None => element,
        Some(Some(text)) => text,
        Some(None) => return Ok(Weight::Number(0.0)),
    };
    if text.is_empty() {
        return Ok(Weight::Number(0.0));
    }
    let number = parse_f64(text).filter(|number| !number.is_nan());
    number.map(Weight::Number).ok_or(Error::new("ERR One or more scores can't be converted into double"))
}

/// Brings the elements of the window into their order. What is outside of it is not sorted.
fn arrange(weighed: &mut [(Vec<u8>, Weight)], window: &std::ops::Range<usize>, descending: bool) {
    let compare = |(a, by_a): &(Vec<u8>, Weight), (b, by_b): &(Vec<u8>, Weight)| {
        let order = match (by_a, by_b) {
            (Weight::Number(x), Weight::Number(y)) => x.partial_cmp(y).unwrap_or(Ordering::Equal),
            (Weight::Text(x), Weight::Text(y)) => x.cmp(y),
            _ => Ordering::Equal,
        };
        let order = order.then_with(|| a.cmp(b));
        if descending { order.reverse() } else { order }
    };
    if window.is_empty() {
        return;
    }
    let mut part = &mut weighed[..];
    if window.end < part.len() {
        part.select_nth_unstable_by(window.end, compare);
        part = &mut part[..window.end];
    }
    if window.start > 0 {
        part.select_nth_unstable_by(window.start, compare);
        part = &mut part[window.start..];
    }
    part.sort_unstable_by(compare);
}

/// Replies, or stores, what is asked for of each element.
fn answer(cx: &mut Context<'_>, options: &Options<'_>, elements: Vec<Vec<u8>>) -> CommandResult {
    let mut values: Vec<Option<Vec<u8>>> = Vec::new();
    let mut db = cx.keys.db(cx.client.db);
    for element in elements {
        match &options.get[..] {
            [] => values.push(Some(element)),
            get => values.extend(get.iter().map(|pattern| pattern.look_up(&mut db, &element))),
        }
    }
    let Some(target) = options.store else {
        cx.reply.array(values.len());
        for value in values {
            match value {
                Some(value) => cx.reply.bulk(&value),
                None => cx.reply.null(),
            }
        }
        return Ok(());
    };
    if cx.keys.is_looking() {
        return Ok(());
    }
    let limit = Limit(cx.client.settings.list_max_listpack_size);
    if !values.is_empty() {
        let before = cx.kind_before(cx.client.db, target);
        store(&mut cx.keys, cx.client.db, target, &values, limit)?;
        cx.notify_overwritten(cx.client.db, target, before, Type::List);
        cx.notify(KeyspaceEvents::LIST, "sortstore", target);
    } else if cx.keys.db(cx.client.db).remove(target) {
        cx.notify_generic("del", target);
    }
    cx.reply.integer(values.len() as i64);
    Ok(())
}

/// Stores a list over whatever was there.
fn store(
    keys: &mut Locked<'_>,
    number: usize,
    target: &[u8],
    values: &[Option<Vec<u8>>],
    limit: Limit,
) -> CommandResult {
    /// Values that are pushed at a time.
    const BATCH: usize = 512;
    let mut db = keys.db(number);
    db.vacate(target);
    let mut cell = db.cell_or(target, list::EMPTY)?;
    for batch in values.chunks(BATCH) {
        let batch: Vec<&[u8]> = batch.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
        if let Err(full) = list::push(&mut cell, End::Right, &batch, limit) {
            db.remove(target);
            return Err(full.into());
        }
    }
    Ok(())
}

//! HyperLogLogs: strings that estimate how many different elements were added to them.

use crate::command::{
    Args, CommandResult, Context, Error, args,
    spec::{Acl, Flags, KeyFlags, KeySpec, Spec},
};
use crate::keyspace::{Db, Item, OutOfMemory, Type, Value};
use crate::types::hyperloglog::{self as hll, Corrupt, Encoding, REGISTERS, Registers, Sketch};

const READ: Acl = Acl::READ.union(Acl::HYPERLOGLOG);
const WRITE: Acl = Acl::WRITE.union(Acl::HYPERLOGLOG);

pub static COMMANDS: &[Spec] = &[
    Spec {
        name: "pfadd",
        arity: -2,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::FAST),
        acl: WRITE.union(Acl::FAST),
        keys: &[KeySpec::one(1, KeyFlags::RW.union(KeyFlags::INSERT))],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Adds elements to a HyperLogLog.",
        complexity: "O(1) for each element",
        syntax: "key [element [element ...]]",
        handler: pfadd,
        ..Spec::DEFAULT
    },
    Spec {
        name: "pfcount",
        arity: -2,
        flags: Flags::READONLY.union(Flags::MAY_REPLICATE),
        acl: READ.union(Acl::SLOW),
        keys: &[KeySpec::range(1, -1, 1, KeyFlags::RW.union(KeyFlags::ACCESS))],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Estimates how many different elements HyperLogLogs have together.",
        complexity: "O(1) for one key, O(N) where N is the number of keys",
        syntax: "key [key ...]",
        handler: pfcount,
        ..Spec::DEFAULT
    },
    Spec {
        name: "pfmerge",
        arity: -2,
        flags: Flags::WRITE.union(Flags::DENYOOM),
        acl: WRITE.union(Acl::SLOW),
        keys: &[
            KeySpec::one(1, KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::INSERT)),
            KeySpec::range(2, -1, 1, KeyFlags::RO.union(KeyFlags::ACCESS)),
        ],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Merges HyperLogLogs into one.",
        complexity: "O(N) where N is the number of keys",
        syntax: "destkey [sourcekey [sourcekey ...]]",
        handler: pfmerge,
        ..Spec::DEFAULT
    },
    Spec {
        name: "pfdebug",
        arity: 3,
        flags: Flags::WRITE.union(Flags::DENYOOM).union(Flags::ADMIN),
        acl: WRITE.union(Acl::ADMIN).union(Acl::SLOW).union(Acl::DANGEROUS),
        keys: &[KeySpec::one(2, KeyFlags::RW.union(KeyFlags::ACCESS))],
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Shows how a HyperLogLog is stored.",
        complexity: "O(N) where N is the number of registers",
        syntax: "subcommand key",
        handler: pfdebug,
        ..Spec::DEFAULT
    },
    Spec {
        name: "pfselftest",
        arity: 1,
        flags: Flags::ADMIN,
        acl: Acl::HYPERLOGLOG.union(Acl::ADMIN).union(Acl::SLOW).union(Acl::DANGEROUS),
        group: "hyperloglog",
        since: "2.8.9",
        summary: "Tests the HyperLogLog implementation.",
        complexity: "O(N) where N is the number of elements tried",
        handler: pfselftest,
        ..Spec::DEFAULT
    },
];

const NOT_A_SKETCH: Error = Error::new("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<Corrupt> for Error {
    fn from(_: Corrupt) -> Self {
        Error::new("INVALIDOBJ Corrupted HLL object detected")
    }
}

fn sketch_of<'a>(item: &Item<'a>) -> Result<Sketch<'a>, Error> {
    match item.value {
        _ if item.kind != Type::String => Err(Error::WRONG_TYPE),
        Value::Bytes(bytes) => Sketch::new(bytes).ok_or(NOT_A_SKETCH),
        Value::Int(_) => Err(NOT_A_SKETCH),
    }
}

fn store(db: &mut Db<'_, '_>, key: &[u8], bytes: &[u8]) -> Result<(), OutOfMemory> {
    db.string_mut(key, bytes.len()).map(|place| place.copy_from_slice(bytes))
}

fn sparse_max(cx: &Context<'_>) -> usize {
    usize::try_from(cx.client.settings.hll_sparse_max_bytes).unwrap_or(usize::MAX)
}

fn pfadd(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let (key, elements) = (args[1], &args[2..]);
    let sparse_max = sparse_max(cx);
    let mut db = cx.keys.db(cx.client.db);
    let mut changed = false;
    let mut bytes = match db.peek(key) {
        None => {
            changed = true;
            hll::empty()
        }
        Some(item) => {
            let sketch = sketch_of(&item)?;
            if sketch.encoding() == Encoding::Dense {
                return pfadd_dense(cx, key, elements);
            }
            sketch.bytes().to_vec()
        }
    };
    for element in elements {
        let (index, value) = hll::place_of(element);
        changed |= hll::raise(&mut bytes, index, value, sparse_max)?;
    }
    if changed {
        bytes[hll::STALE_AT] |= hll::STALE;
        store(&mut db, key, &bytes)?;
        cx.notify_string("pfadd", key);
    }
    cx.reply.integer(changed.into());
    Ok(())
}

/// Changes only the bytes of the registers that are raised.
fn pfadd_dense(cx: &mut Context<'_>, key: &[u8], elements: &[&[u8]]) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let mut changed = false;
    for element in elements {
        let (index, value) = hll::place_of(element);
        let Some(item) = db.peek(key) else { break };
        if sketch_of(&item)?.dense_register(index) < value {
            hll::put_dense(db.string_range_mut(key, hll::DENSE_LEN, hll::dense_range(index))?, index, value);
            changed = true;
        }
    }
    if changed {
        let stale = hll::STALE_AT;
        let place = db.string_range_mut(key, hll::DENSE_LEN, stale..stale + 1)?;
        place.iter_mut().for_each(|byte| *byte |= hll::STALE);
        cx.notify_string("pfadd", key);
    }
    cx.reply.integer(changed.into());
    Ok(())
}

fn pfcount(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let mut db = cx.keys.db(cx.client.db);
    let count = match args {
        [_, key] => match db.read(key) {
            None => 0,
            Some(item) => {
                let sketch = sketch_of(&item)?;
                match sketch.cached_count() {
                    Some(count) => count,
                    None => {
                        let (len, count) = (sketch.bytes().len(), sketch.count()?);
                        let (range, field) = hll::count_field(count);
                        db.string_range_mut(key, len, range)?.copy_from_slice(&field);
                        count
                    }
                }
            }
        },
        _ => {
            let mut registers = Registers::default();
            for key in &args[1..] {
                if let Some(item) = db.read(key) {
                    registers.merge(&sketch_of(&item)?)?;
                }
            }
            registers.count()
        }
    };
    cx.reply.integer(count as i64);
    Ok(())
}

fn pfmerge(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let sparse_max = sparse_max(cx);
    let mut db = cx.keys.db(cx.client.db);
    let mut registers = Registers::default();
    let mut dense = false;
    let mut target = hll::empty();
    for (n, key) in args[1..].iter().enumerate() {
        let Some(item) = db.read(key) else { continue };
        let sketch = sketch_of(&item)?;
        registers.merge(&sketch)?;
        dense |= sketch.encoding() == Encoding::Dense;
        if n == 0 {
            target = sketch.bytes().to_vec();
        }
    }
    if dense {
        target = Sketch::new(&target).ok_or(NOT_A_SKETCH)?.to_dense()?;
        registers.store_dense(&mut target);
    } else {
        for (index, value) in registers.values().iter().enumerate().filter(|(_, value)| **value > 0) {
            hll::raise(&mut target, index, *value, sparse_max)?;
        }
    }
    target[hll::STALE_AT] |= hll::STALE;
    store(&mut db, args[1], &target)?;
    // PFMERGE is told as the PFADD it amounts to.
    cx.notify_string("pfadd", args[1]);
    cx.reply.ok();
    Ok(())
}

fn pfdebug(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let word = args[1];
    if args::is_word(word, "simd") {
        if !args::is_word(args[2], "on") && !args::is_word(args[2], "off") {
            return Err(Error::new("ERR Argument must be ON or OFF"));
        }
        cx.reply.simple("disabled");
        return Ok(());
    }
    let mut db = cx.keys.db(cx.client.db);
    let item = db.peek(args[2]).ok_or(Error::new("ERR The specified key does not exist"))?;
    let sketch = sketch_of(&item)?;
    let sparse = sketch.encoding() == Encoding::Sparse;
    if !["getreg", "decode", "encoding", "todense"].iter().any(|name| args::is_word(word, name)) {
        return Err(Error::quoting("ERR Unknown PFDEBUG subcommand '", word, "'"));
    }
    if args::is_word(word, "encoding") {
        cx.reply.simple(if sparse { "sparse" } else { "dense" });
    } else if args::is_word(word, "decode") {
        if !sparse {
            return Err(Error::new("ERR HLL encoding is not sparse"));
        }
        cx.reply.bulk(hll::decode(&sketch).as_bytes());
    } else {
        let dense = sketch.to_dense()?;
        if args::is_word(word, "todense") {
            cx.reply.integer(sparse.into());
        } else {
            let sketch = Sketch::new(&dense).ok_or(NOT_A_SKETCH)?;
            cx.reply.array(REGISTERS);
            (0..REGISTERS).for_each(|index| cx.reply.integer(sketch.dense_register(index).into()));
        }
        if sparse {
            store(&mut db, args[2], &dense)?;
        }
    }
    Ok(())
}

/// Both encodings agree on random elements, and the error stays within six standard errors.
fn pfselftest(cx: &mut Context<'_>, _args: &Args<'_>) -> CommandResult {
    const ELEMENTS: u64 = 1_000_000;
    let failed = |what: &str| Error::text(format!("ERR TESTFAILED {what}"));
    let sparse_max = sparse_max(cx);
    let mut grown = hll::empty();
    let mut dense = Sketch::new(&grown).ok_or_else(|| failed("no sketch"))?.to_dense()?;
    let seed = fastrand::u64(..);
    let mut checkpoint = 1;
    for n in 1..=ELEMENTS {
        let (index, value) = hll::place_of(&(n ^ seed).to_le_bytes());
        hll::raise(&mut grown, index, value, sparse_max)?;
        hll::raise(&mut dense, index, value, sparse_max)?;
        if n == checkpoint {
            checkpoint *= 10;
            let counts = [&grown, &dense].map(|bytes| Sketch::new(bytes).map(|sketch| sketch.count()));
            let [Some(Ok(of_grown)), Some(Ok(count))] = counts else { return Err(failed("no count")) };
            if of_grown != count {
                return Err(failed("dense/sparse disagree"));
            }
            let error = count.abs_diff(n);
            if error as f64 > (1.04 / (REGISTERS as f64).sqrt() * 6.0 * n as f64).ceil() {
                return Err(failed(&format!("Too big error. card:{n} abserr:{error}")));
            }
        }
    }
    cx.reply.ok();
    Ok(())
}

//! HOTKEYS: which keys take the most time, or the most bytes.

use crate::{
    command::{
        Args, CommandResult, Context, Error, Reply, args,
        hot_keys::{CpuTime, Heaviest, Metrics, Request, Session},
        spec::{Acl, Flags, Spec},
    },
    util::number::parse_i64,
};

const ROW: Spec = Spec {
    flags: Flags::ADMIN.union(Flags::NOSCRIPT),
    acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "server",
    since: "8.6.0",
    complexity: "O(1)",
    tips: &["request_policy:special"],
    ..Spec::DEFAULT
};

/// The most COUNT, DURATION (in seconds) and SAMPLE may be.
const COUNT_MAX: i64 = 64;
const DURATION_MAX: i64 = 1_000_000;
const RATIO_MAX: i64 = i32::MAX as i64;
/// Kinds of metrics.
const METRICS_MAX: i64 = 2;

pub static COMMANDS: &[Spec] = &[Spec {
    name: "hotkeys",
    arity: -2,
    flags: Flags::CONTAINER,
    acl: Acl::SLOW,
    tips: &[],
    summary: "Holds the commands about hot keys.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec {
            name: "get",
            arity: 2,
            summary: "Answers the keys that took the most.",
            complexity: "O(K) where K is the number of keys answered.",
            tips: &["nondeterministic_output", "request_policy:special", "response_policy:special"],
            handler: get,
            ..ROW
        },
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            acl: Acl::SLOW,
            since: "8.6.1",
            tips: &[],
            summary: "Shows the subcommands.",
            handler: |cx, _| {
                super::help(cx, HELP);
                Ok(())
            },
            ..ROW
        },
        Spec { name: "reset", arity: 2, summary: "Forgets what was measured.", handler: reset, ..ROW },
        Spec {
            name: "start",
            arity: -2,
            summary: "Begins to measure.",
            syntax: "METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot [slot ...]]",
            handler: start,
            ..ROW
        },
        Spec { name: "stop", arity: 2, summary: "Ends measuring; what was measured stays.", handler: stop, ..ROW },
    ],
    ..ROW
}];

const HELP: &[&str] = &[
    "START <METRICS count [CPU] [NET]> [COUNT k] [DURATION seconds] [SAMPLE ratio] [SLOTS count slot...]",
    "    Begin to measure which keys take the most.",
    "    METRICS: the time of commands (CPU), the bytes of requests and replies (NET), or both.",
    "    COUNT: how many keys are told of. Default: 10",
    "    DURATION: for how long. Default: until STOP",
    "    SAMPLE: look at one command of so many. Default: 1, at all",
    "    SLOTS: only with cluster mode.",
    "STOP",
    "    End measuring. GET goes on to answer.",
    "GET",
    "    Answer what was measured.",
    "RESET",
    "    Forget what was measured. It must have been stopped.",
];

fn start(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let in_progress = Error::new("ERR hotkey tracking session already in progress");
    if cx.shared.hot_keys.look(cx.now, Session::is_active) == Some(true) {
        return Err(in_progress);
    }
    let request = parse(&args[2..])?;
    if !cx.shared.hot_keys.start(request, cpu_time(), cx.now) {
        return Err(in_progress);
    }
    cx.reply.ok();
    Ok(())
}

/// Reads METRICS, which comes first, and the options behind it.
fn parse(words: &[&[u8]]) -> Result<Request, Error> {
    let [first, count, words @ ..] = words else { return Err(Error::new("ERR METRICS parameter is required")) };
    if !args::is_word(first, "metrics") {
        return Err(Error::new("ERR METRICS parameter is required"));
    }
    let count = within(count, METRICS_MAX, "ERR METRICS count must be > 0 and <= 2")? as usize;
    let mut metrics = Metrics { cpu: false, net: false };
    for word in words.iter().take(count) {
        // Others are passed over: a later server may know them.
        let (wanted, twice) = if args::is_word(word, "cpu") {
            (&mut metrics.cpu, "ERR METRICS CPU defined more than once!")
        } else if args::is_word(word, "net") {
            (&mut metrics.net, "ERR METRICS NET defined more than once!")
        } else {
            continue;
        };
        if std::mem::replace(wanted, true) {
            return Err(Error::new(twice));
        }
    }
    let Some(mut options) = words.get(count..) else {
        return Err(Error::new("ERR METRICS count does not match number of metric types provided"));
    };
    if !metrics.cpu && !metrics.net {
        return Err(Error::new("ERR METRICS no valid metrics passed. Supported: CPU|NET"));
    }
    let mut request = Request { metrics, count: 10, duration_ms: 0, ratio: 1 };
    while let [option, rest @ ..] = options {
        let [value, rest @ ..] = rest else { return Err(Error::SYNTAX) };
        match option.to_ascii_lowercase().as_slice() {
            b"count" => request.count = within(value, COUNT_MAX, "ERR COUNT must be between 1 and 64")? as usize,
            b"duration" => {
                let seconds = within(value, DURATION_MAX, "ERR DURATION must be between 1 and 1000000")?;
                request.duration_ms = seconds * 1000;
            }
            b"sample" => request.ratio = within(value, RATIO_MAX, "ERR SAMPLE ratio must be positive")? as u64,
            b"slots" => return Err(Error::new("ERR SLOTS parameter cannot be used in non-cluster mode")),
            _ => return Err(Error::SYNTAX),
        }
        options = rest;
    }
    Ok(request)
}

fn within(word: &[u8], most: i64, otherwise: &'static str) -> Result<i64, Error> {
    parse_i64(word).filter(|n| (1..=most).contains(n)).ok_or(Error::new(otherwise))
}

fn stop(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if cx.shared.hot_keys.stop(cx.now) {
        cx.reply.ok()
    } else {
        cx.reply.null()
    }
    Ok(())
}

fn reset(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    if !cx.shared.hot_keys.reset(cx.now) {
        return Err(Error::new("ERR hotkey tracking session in progress, stop tracking first"));
    }
    cx.reply.ok();
    Ok(())
}

fn get(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let (reply, now) = (&mut *cx.reply, cx.now);
    if cx.shared.hot_keys.look(now, |session| answer(reply, session, now)).is_none() {
        reply.null();
    }
    Ok(())
}

/// What is measured in nanoseconds, as Redis tells it.
fn micros(nanos: u64) -> u64 {
    nanos.div_ceil(1000)
}

fn answer(reply: &mut dyn Reply, session: &Session, now: i64) {
    let Metrics { cpu, net } = session.request.metrics;
    // An array, as those of a cluster's nodes may be joined.
    reply.array(1);
    reply.map(7 + if cpu { 3 } else { 0 } + if net { 2 } else { 0 });
    field(reply, "tracking-active", session.is_active().into());
    field(reply, "sample-ratio", session.request.ratio);
    reply.bulk(b"selected-slots");
    reply.array(1);
    reply.array(2);
    reply.integer(0);
    reply.integer(16383);
    field(reply, "all-commands-all-slots-us", micros(session.all_nanos));
    field(reply, "net-bytes-all-commands-all-slots", session.all_bytes);
    field(reply, "collection-start-time-unix-ms", session.started_ms as u64);
    field(reply, "collection-duration-ms", session.lasted_ms(now) as u64);
    if cpu {
        let (before, after) = (session.cpu_before, cpu_time());
        field(reply, "total-cpu-time-user-ms", after.user_ms.saturating_sub(before.user_ms));
        field(reply, "total-cpu-time-sys-ms", after.sys_ms.saturating_sub(before.sys_ms));
    }
    if let Some(heaviest) = &session.by_net {
        field(reply, "total-net-bytes", heaviest.total);
    }
    let count = session.request.count;
    list(reply, "by-cpu-time-us", &session.by_cpu, count, micros);
    list(reply, "by-net-bytes", &session.by_net, count, |bytes| bytes);
}

fn field(reply: &mut dyn Reply, name: &str, value: u64) {
    reply.bulk(name.as_bytes());
    reply.integer(value as i64);
}

fn list(reply: &mut dyn Reply, name: &str, heaviest: &Option<Heaviest>, count: usize, unit: impl Fn(u64) -> u64) {
    let Some(heaviest) = heaviest else { return };
    let keys = heaviest.first(count);
    reply.bulk(name.as_bytes());
    reply.array(keys.len() * 2);
    for (key, weight) in keys {
        reply.bulk(key);
        reply.integer(unit(weight) as i64);
    }
}

fn cpu_time() -> CpuTime {
    let [user, sys, ..] = super::info::cpu_seconds().map(|seconds| (seconds * 1000.0) as u64);
    CpuTime { user_ms: user, sys_ms: sys }
}

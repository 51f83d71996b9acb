//! LATENCY: spikes by event, and histograms by command.

use crate::{
    command::{
        Args, Command, CommandResult, Context, Error,
        spec::{Acl, Flags, Spec},
        table,
    },
    stats::latency_bound,
    util::graph::{self, Bar},
};

const ROW: Spec = Spec {
    flags: Flags::ADMIN.union(Flags::NOSCRIPT).union(Flags::LOADING).union(Flags::STALE),
    acl: Acl::ADMIN.union(Acl::SLOW).union(Acl::DANGEROUS),
    group: "server",
    since: "2.8.13",
    ..Spec::DEFAULT
};

pub static COMMANDS: &[Spec] = &[Spec {
    name: "latency",
    arity: -2,
    flags: Flags::CONTAINER,
    acl: Acl::SLOW,
    summary: "Holds the commands about latency.",
    complexity: "Depends on subcommand.",
    subcommands: &[
        Spec { name: "doctor", arity: 2, summary: "Says in words what was slow.", handler: doctor, ..ROW },
        Spec {
            name: "graph",
            arity: 3,
            summary: "Draws an event's spikes.",
            syntax: "event",
            tips: &["request_policy:all_nodes", "response_policy:special", "nondeterministic_output"],
            handler: graph,
            ..ROW
        },
        Spec {
            name: "help",
            arity: 2,
            flags: Flags::LOADING.union(Flags::STALE),
            acl: Acl::SLOW,
            summary: "Shows the subcommands.",
            handler: help,
            ..ROW
        },
        Spec {
            name: "histogram",
            arity: -2,
            since: "7.0.0",
            summary: "Answers how the durations of commands are distributed.",
            complexity: "O(N) where N is the number of commands",
            syntax: "[command [command ...]]",
            handler: histogram,
            ..ROW
        },
        Spec {
            name: "history",
            arity: 3,
            summary: "Answers an event's spikes.",
            syntax: "event",
            handler: history,
            ..ROW
        },
        Spec { name: "latest", arity: 2, summary: "Answers each event's last spike.", handler: latest, ..ROW },
        Spec {
            name: "reset",
            arity: -2,
            summary: "Forgets the spikes of events.",
            syntax: "[event [event ...]]",
            handler: reset,
            ..ROW
        },
    ],
    ..ROW
}];

fn latest(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let events = cx.shared.latency.events();
    cx.reply.array(events.len());
    for (name, event) in events {
        let last = event.spikes.back();
        cx.reply.array(6);
        cx.reply.bulk(name.as_bytes());
        cx.reply.integer(last.map_or(0, |spike| spike.at_seconds));
        cx.reply.integer(last.map_or(0, |spike| spike.ms as i64));
        cx.reply.integer(event.max_ms as i64);
        cx.reply.integer(event.sum_ms as i64);
        cx.reply.integer(event.count as i64);
    }
    Ok(())
}

fn history(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let events = cx.shared.latency.events();
    let event = events.into_iter().find(|(name, _)| args[2].eq_ignore_ascii_case(name.as_bytes()));
    let spikes = event.map(|(_, event)| event.spikes).unwrap_or_default();
    cx.reply.array(spikes.len());
    for spike in spikes {
        cx.reply.array(2);
        cx.reply.integer(spike.at_seconds);
        cx.reply.integer(spike.ms as i64);
    }
    Ok(())
}

fn graph(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let events = cx.shared.latency.events();
    let found = events.into_iter().find(|(name, _)| args[2].eq_ignore_ascii_case(name.as_bytes()));
    let Some((name, event)) = found else {
        return Err(Error::quoting("ERR No samples available for event '", args[2], "'"));
    };
    let low = event.spikes.iter().map(|spike| spike.ms).min().unwrap_or(0);
    let high = event.spikes.iter().map(|spike| spike.ms).max().unwrap_or(0);
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.max_ms);
    text.push_str(&"-".repeat(graph::COLUMNS));
    text.push('\n');
    let bars: Vec<Bar> = event
        .spikes
        .iter()
        .map(|spike| Bar { value: spike.ms, label: age(cx.now / 1000 - spike.at_seconds) })
        .collect();
    text.push_str(&graph::draw(&bars));
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// A span of time in its largest unit.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

fn reset(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let forgotten = cx.shared.latency.reset(&args[2..]);
    cx.reply.integer(forgotten as i64);
    Ok(())
}

fn doctor(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    let mut text = String::new();
    if cx.client.settings.latency_monitor_threshold_ms == 0 {
        text.push_str(
            "The latency monitor is off: 'CONFIG SET latency-monitor-threshold <milliseconds>' switches it on.\n",
        );
    }
    let events = cx.shared.latency.events();
    if events.is_empty() {
        text.push_str("No latency spike was seen.\n");
    }
    for (name, event) in events {
        let sum: u64 = event.spikes.iter().map(|spike| spike.ms).sum();
        let count = event.spikes.len().max(1) as u64;
        text.push_str(&format!(
            "{name}: {count} spikes, {} ms on average, {} ms at worst.\n",
            sum / count,
            event.max_ms
        ));
    }
    cx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Buckets below a microsecond are shown as one.
fn histogram(cx: &mut Context<'_>, args: &Args<'_>) -> CommandResult {
    let wanted: Vec<&'static Command> = match &args[2..] {
        [] => table::all().iter().collect(),
        names => names
            .iter()
            .filter_map(|name| table::lookup_full(name))
            .flat_map(|command| std::iter::once(command).chain(command.subcommands()))
            .collect(),
    };
    let shown: Vec<_> = wanted
        .into_iter()
        .map(|command| (command, cx.shared.stats.command(command.id)))
        .filter(|(_, totals)| totals.calls > 0)
        .collect();
    cx.reply.map(shown.len());
    for (command, totals) in shown {
        cx.reply.bulk(command.full_name.as_bytes());
        cx.reply.map(2);
        cx.reply.bulk(b"calls");
        cx.reply.integer(totals.calls as i64);
        cx.reply.bulk(b"histogram_usec");
        let mut sum = 0;
        let mut rows: Vec<(u64, u64)> = Vec::new();
        for (bucket, count) in totals.latency.iter().enumerate().filter(|(_, count)| **count > 0) {
            sum += count;
            let micros = (latency_bound(bucket) / 1000).max(1);
            match rows.last_mut() {
                Some(last) if last.0 == micros => last.1 = sum,
                _ => rows.push((micros, sum)),
            }
        }
        cx.reply.map(rows.len());
        for (micros, count) in rows {
            cx.reply.integer(micros as i64);
            cx.reply.integer(count as i64);
        }
    }
    Ok(())
}

const HELP: &[&str] = &[
    "DOCTOR",
    "    Say in words what was slow.",
    "GRAPH <event>",
    "    Draw the spikes of an event.",
    "HISTOGRAM [<command> ...]",
    "    How the durations of commands are distributed, cumulative, in microseconds.",
    "HISTORY <event>",
    "    The spikes of an event: time and milliseconds.",
    "LATEST",
    "    The last spike of each event: name, time, milliseconds; the worst, the sum and the number of all.",
    "RESET [<event> ...]",
    "    Forget the spikes of events.",
];

fn help(cx: &mut Context<'_>, _: &Args<'_>) -> CommandResult {
    super::help(cx, HELP);
    Ok(())
}

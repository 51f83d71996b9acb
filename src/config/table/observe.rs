//! What the server records about itself.

use super::{Section, field};
use crate::config::directive::{Flags, Kind, directive, inert};
use Kind::*;

const ANY: Kind = Integer(0, i64::MAX);
const OR_OFF: Kind = Integer(-1, i64::MAX);

pub static OBSERVING: Section = Section {
    title: "Slow log, latency, notifications",
    about: "",
    rows: &[
        directive(
            "slowlog-log-slower-than",
            OR_OFF,
            "10000",
            "Commands that take more microseconds than this are logged; 0 logs all, -1 none.",
            field!(slowlog_log_slower_than_us),
        )
        .alias(&["commandlog-execution-slower-than"]),
        directive("slowlog-max-len", ANY, "128", "How many slow commands are remembered.", field!(slowlog_max_len))
            .alias(&["commandlog-slow-execution-max-len"]),
        directive(
            "slowlog-entry-max-argc",
            Integer(2, i32::MAX as i64),
            "32",
            "How many arguments of a logged command are kept.",
            field!(slowlog_entry_max_argc),
        ),
        directive(
            "slowlog-entry-max-string-len",
            Integer(1, i64::MAX),
            "128",
            "How many bytes of each are kept.",
            field!(slowlog_entry_max_string_len),
        ),
        directive(
            "commandlog-request-larger-than",
            OR_OFF,
            "1048576",
            "Requests of more bytes than this are logged; -1 logs none.",
            field!(commandlog_request_larger_than),
        ),
        directive(
            "commandlog-large-request-max-len",
            ANY,
            "128",
            "How many large requests are remembered.",
            field!(commandlog_large_request_max_len),
        ),
        directive(
            "commandlog-reply-larger-than",
            OR_OFF,
            "1048576",
            "Replies of more bytes than this are logged; -1 logs none.",
            field!(commandlog_reply_larger_than),
        ),
        directive(
            "commandlog-large-reply-max-len",
            ANY,
            "128",
            "How many large replies are remembered.",
            field!(commandlog_large_reply_max_len),
        ),
        directive(
            "latency-monitor-threshold",
            ANY,
            "0",
            "Events that take at least so many milliseconds are kept for LATENCY; 0 keeps none.",
            field!(latency_monitor_threshold_ms),
        ),
        directive(
            "latency-tracking",
            YesNo,
            "yes",
            "Measure the time of every command for INFO latencystats and LATENCY HISTOGRAM.",
            field!(latency_tracking),
        ),
        directive(
            "latency-tracking-info-percentiles",
            Special("<percentile> ..."),
            "50 99 99.9",
            "The percentiles that INFO latencystats shows.",
            field!(latency_tracking_percentiles),
        )
        .with(Flags::WORDS),
        directive(
            "notify-keyspace-events",
            Special("<letters>"),
            "",
            "Which changes of keys are published: K and E choose the channels; g $ l s h z x e t d the events, A all of these; m misses, n new keys; \"\" is none.",
            field!(notify_keyspace_events),
        )
        .shown_as(|settings, _| settings.notify_keyspace_events.shown()),
        inert("hide-user-data-from-log", YesNo, "yes", "Keep clients' keys and values out of the log."),
    ],
};

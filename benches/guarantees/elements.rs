//! What an element of a collection costs beyond its own bytes, here and in other servers.
//!
//! Each case has a process of its own. Its cost is the growth of RSS, less the bytes of keys, fields, members and
//! values, over the count of elements. Of numbers 8 bytes are data in a sorted set (scores) and 4 in a set (each below
//! 2^31); of a stream the entry's names and values, not its ID.

use std::{path::Path, thread, time::Duration};

use crate::{client::Client, programs, server::Server};

const MILLION: u64 = 1_000_000;
/// Elements of one command, where a command takes several.
const TOGETHER: u64 = 10;

struct Case {
    name: &'static str,
    /// Sends every element and returns how many bytes of data they are.
    load: fn(&mut Client) -> u64,
    /// The command that says how many elements there are: keys of `per` elements when it counts keys.
    count: &'static [&'static [u8]],
    per: u64,
}

const CASES: [Case; 8] = [
    Case { name: "hashes of 10", load: small_hashes, count: &[b"DBSIZE"], per: 10 },
    Case { name: "hash", load: hash, count: &[b"HLEN", b"h"], per: 1 },
    Case { name: "set", load: set, count: &[b"SCARD", b"s"], per: 1 },
    Case { name: "set of integers", load: integers, count: &[b"SCARD", b"i"], per: 1 },
    Case { name: "sorted set", load: sorted_set, count: &[b"ZCARD", b"z"], per: 1 },
    Case { name: "list", load: list, count: &[b"LLEN", b"l"], per: 1 },
    Case { name: "stream", load: stream, count: &[b"XLEN", b"x"], per: 1 },
    Case { name: "array", load: array, count: &[b"ARCOUNT", b"a"], per: 1 },
];

pub fn elements() {
    let servers = programs::all();
    let mut rows = Vec::new();
    for (name, program) in &servers {
        let cells = CASES.iter().map(|case| match measure(program, case) {
            Some(bytes) => format!("{bytes:.1}"),
            None => {
                println!("{name} has no {}: unknown command", case.name);
                "-".to_owned()
            }
        });
        rows.push((name, cells.collect::<Vec<String>>()));
    }
    println!("bytes per element beyond the data");
    println!("| | {} |", CASES.map(|case| case.name).join(" | "));
    println!("|---{}|", "|---".repeat(CASES.len()));
    rows.iter().for_each(|(name, cells)| println!("| {name} | {} |", cells.join(" | ")));
}

/// Bytes per element beyond the data; nothing when the server lacks the type's commands.
fn measure(program: &Path, case: &Case) -> Option<f64> {
    let server = Server::start_program(program, &["--save", ""]);
    let mut client = server.client();
    if !client.knows(case.count) {
        return None;
    }
    let before = server.rss();
    let data = (case.load)(&mut client);
    let held = client.integer(case.count) as u64 * case.per;
    assert_eq!(held, MILLION, "every element of {} is held", case.name);
    // Tables that grow by and by are done after a while, and the connection gives its buffers back.
    thread::sleep(Duration::from_secs(4));
    Some((server.rss() as f64 - before as f64 - data as f64) / MILLION as f64)
}

/// Sends `command key` with the arguments of `TOGETHER` elements at a time.
fn in_tens(client: &mut Client, head: [&[u8]; 2], mut element: impl FnMut(u64, &mut Vec<Vec<u8>>)) {
    for first in (0..MILLION).step_by(TOGETHER as usize) {
        let mut arguments = Vec::new();
        (first..first + TOGETHER).for_each(|n| element(n, &mut arguments));
        let whole: Vec<&[u8]> = head.into_iter().chain(arguments.iter().map(Vec::as_slice)).collect();
        client.send(&whole);
    }
    client.finish();
}

fn small_hashes(client: &mut Client) -> u64 {
    let mut data = 0;
    for n in 0..MILLION / 10 {
        let mut words = vec![b"HSET".to_vec(), format!("hash:{n:06}").into_bytes()];
        (0..10).for_each(|m| words.extend([format!("field{m}").into(), format!("value{m:05}").into()]));
        data += words[1..].iter().map(|word| word.len() as u64).sum::<u64>();
        client.send(&words.iter().map(Vec::as_slice).collect::<Vec<&[u8]>>());
    }
    client.finish();
    data
}

fn hash(client: &mut Client) -> u64 {
    in_tens(client, [b"HSET", b"h"], |n, words| {
        words.extend([format!("field:{n:07}").into(), format!("value{:05}", n % 99_999).into()]);
    });
    1 + MILLION * (13 + 10)
}

fn set(client: &mut Client) -> u64 {
    in_tens(client, [b"SADD", b"s"], |n, words| words.push(format!("member:{n:07}").into()));
    1 + MILLION * 14
}

fn integers(client: &mut Client) -> u64 {
    // An odd factor permutes the residues of a power of two: no integer comes twice.
    in_tens(client, [b"SADD", b"i"], |n, words| words.push((n * 2_654_435_761 % (1 << 31)).to_string().into()));
    1 + MILLION * 4
}

fn sorted_set(client: &mut Client) -> u64 {
    in_tens(client, [b"ZADD", b"z"], |n, words| {
        words.extend([(n * 7_919 % 1_000_003).to_string().into(), format!("member:{n:07}").into()]);
    });
    1 + MILLION * (8 + 14)
}

fn list(client: &mut Client) -> u64 {
    in_tens(client, [b"RPUSH", b"l"], |n, words| words.push(format!("element:{n:07}").into()));
    1 + MILLION * 15
}

fn array(client: &mut Client) -> u64 {
    in_tens(client, [b"ARINSERT", b"a"], |n, words| words.push(format!("element:{n:07}").into()));
    1 + MILLION * 15
}

fn stream(client: &mut Client) -> u64 {
    let (mut data, head) = (1, [b"XADD".as_slice(), b"x", b"*"]);
    for n in 0..MILLION {
        let (sensor, celsius) = (format!("{:04}", n % 1_000), format!("{:05}", n % 77_777));
        let fields = [b"sensor".as_slice(), sensor.as_bytes(), b"temp", celsius.as_bytes(), b"unit", b"celsius"];
        data += fields.iter().map(|field| field.len() as u64).sum::<u64>();
        client.send(&[&head[..], &fields].concat());
    }
    client.finish();
    data
}

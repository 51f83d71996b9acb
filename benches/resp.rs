//! Decoding pipelines of requests, and encoding replies: ours, and for comparison the crate that the tests decode with.

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flagstone::{
    command::{Protocol, Reply},
    resp::{
        Encoder,
        decode::{Arguments, Decoder, Limits},
    },
};
use std::hint::black_box;

const PIPELINE: usize = 64;

fn pipeline(command: &[&[u8]]) -> Vec<u8> {
    let mut one = format!("*{}\r\n", command.len()).into_bytes();
    for arg in command {
        one.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        one.extend_from_slice(arg);
        one.extend_from_slice(b"\r\n");
    }
    one.repeat(PIPELINE)
}

fn resp(criterion: &mut Criterion) {
    let limits = Limits { bulk_max: 512 << 20, inline_max: 64 << 10, authenticated: true };
    let get = pipeline(&[b"GET", b"key:000000012345"]);
    let set = pipeline(&[b"SET", b"key:000000012345", &[b'x'; 64]]);
    let mut group = criterion.benchmark_group("resp");
    group.throughput(Throughput::Elements(PIPELINE as u64));
    for (name, bytes) in [("GET", &get), ("SET of 64 B", &set)] {
        let (mut decoder, mut buffer) = (Decoder::new(), bytes.clone());
        group.bench_function(format!("decode {name}"), |bencher| {
            bencher.iter(|| {
                decoder.parse(&mut buffer, &limits, PIPELINE).expect("well formed");
                let mut args = Arguments::default();
                while decoder.peek(&buffer, &mut args) {
                    black_box(&args[..]);
                    decoder.pop();
                }
                drop(args);
                assert_eq!(decoder.release(), bytes.len());
            });
        });
        group.bench_function(format!("decode {name} with redis-protocol"), |bencher| {
            bencher.iter(|| {
                let mut buffer = BytesMut::from(&bytes[..]);
                while let Ok(Some(frame)) = redis_protocol::resp2::decode::decode_bytes_mut(&mut buffer) {
                    black_box(frame);
                    if buffer.is_empty() {
                        break;
                    }
                }
            });
        });
    }
    let mut encoder = Encoder::new(Protocol::Resp2);
    group.bench_function("encode bulk strings of 64 B", |bencher| {
        bencher.iter(|| {
            encoder.out.clear();
            (0..PIPELINE).for_each(|_| encoder.bulk(black_box(&[b'x'; 64])));
            black_box(encoder.out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, resp);
criterion_main!(benches);

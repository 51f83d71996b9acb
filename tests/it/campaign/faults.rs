//! Every step that is asked of the disk fails once, in every way: what was acknowledged is there, and what could not be
//! done was said.

use super::{
    life::{IMAGE, Keeps, Life},
    memory::{Fault, Memory},
    seeds,
};
use flagstone::aof::{self, Log, Next, Reader};
use std::{path::Path, sync::Arc};

const FAULTS: [Fault; 5] = [Fault::Io, Fault::Full, Fault::StaysFull, Fault::Interrupted, Fault::Short];

#[test]
fn every_step_of_a_life_fails() {
    let mut runs = 0;
    for seed in seeds(1) {
        for (keeps, fault) in [Keeps::Always, Keeps::EverySecond, Keeps::Nothing]
            .iter()
            .flat_map(|keeps| FAULTS.map(|fault| (*keeps, fault)))
        {
            for step in 1.. {
                let what = format!("seed {seed}, {keeps:?}, {fault:?} at step {step}");
                let mut random = fastrand::Rng::with_seed(seed);
                let disk = Memory::default();
                disk.fail(step, fault);
                let started = Life::start(&disk, keeps);
                let Ok(mut life) = started else {
                    assert!(![Fault::Interrupted, Fault::Short].contains(&fault), "{what}: the start has failed");
                    runs += 1;
                    continue;
                };
                let failures = life.go_on(7, &mut random);
                let steps = disk.heal();
                if [Fault::Interrupted, Fault::Short].contains(&fault) {
                    assert_eq!(failures, 0, "{what}");
                }
                // As if killed here.
                let again = Life::start(&disk.copy(), keeps).unwrap_or_else(|error| panic!("{what}: {error}"));
                let found = again.contents();
                let allowed = &life.states[life.mark.acknowledged..=life.mark.newest];
                assert!(allowed.contains(&found), "{what}: not a state that was there, of {:?}", life.mark);
                assert_eq!(again.damaged_pages(), 0, "{what}");
                // And the one that lives can save what it has, once it can be written.
                assert!(life.save(), "{what}");
                let again = Life::start(&disk.copy(), keeps).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(again.contents(), life.contents(), "{what}");
                runs += 1;
                if step > steps {
                    break;
                }
            }
        }
    }
    println!("{runs} runs");
    assert!(runs > 500, "{runs}");
}

/// The file that goes on from an image refuses to go to the disk while that is being written: it takes the next image to
/// make good for it, and until then nothing is acknowledged.
#[test]
fn a_log_that_is_lost_while_its_image_is_written_waits_for_the_next() {
    let (disk, log) = (Memory::default(), Log::default());
    let append = |epoch| log.append_one(epoch, 1, 0, &[b"set", b"k", b"v"]);
    log.place_on(Arc::new(disk.clone()), Path::new("/data/log"), "log", 0);
    log.open(true, 0).expect("an empty disk");
    let under_way = log.rotate(2).expect("nothing fails");
    append(2);
    // The write, the sync of the file before, this one's.
    disk.fail(3, Fault::Io);
    assert!(log.commit(true).is_err());
    disk.heal();
    log.retire(under_way, Path::new(IMAGE));
    append(2);
    assert!(log.is_failing() && log.needs_image() && log.commit(true).is_err());
    let next = log.rotate(3).expect("nothing fails");
    log.retire(next, Path::new(IMAGE));
    append(3);
    assert!(!log.is_failing() && !log.needs_image() && log.commit(true).is_ok());
}

/// A file refuses what is to be written when a snapshot begins, the file that goes on from it does so at the next, and neither
/// image comes to be: what the first of them holds is on the disk all the same before any of it is called kept.
#[test]
fn a_log_that_refuses_at_two_cuts_forgets_no_file_that_is_not_on_the_disk() {
    let (disk, log) = (Memory::default(), Log::default());
    let append = |epoch| log.append_one(epoch, 1, 0, &[b"set", b"k", b"v"]);
    log.place_on(Arc::new(disk.clone()), Path::new("/data/log"), "log", 0);
    log.open(true, 0).expect("an empty disk");
    append(1);
    log.commit(false).expect("nothing fails");
    for epoch in [2, 3] {
        append(epoch - 1);
        disk.fail(1, Fault::Io);
        log.rotate(epoch).expect("the new file refuses nothing");
        disk.heal();
    }
    append(3);
    log.commit(true).expect("nothing fails");
    for seed in seeds(20) {
        let after = disk.lose_power(&Memory::default(), disk.steps(), &mut fastrand::Rng::with_seed(seed));
        let files = aof::files_on(&after, Path::new("/data/log"), "log").expect("nothing fails");
        let mut records = 0;
        for (_, path) in files {
            let mut reader = Reader::open(&after, &path).expect("nothing fails").expect("a log");
            while let Next::Record(_) = reader.read().expect("nothing fails") {
                records += 1;
            }
        }
        assert_eq!(records, 4, "seed {seed}");
    }
}

#[test]
fn every_step_of_a_start_fails() {
    let (mut refused, mut partial, mut whole) = (0, 0, 0);
    for seed in seeds(1) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = Memory::default();
        let mut life = Life::start(&disk, Keeps::Always).expect("an empty disk");
        life.go_on(30, &mut random);
        life.save();
        life.go_on(4, &mut random);
        let expected = life.contents();
        for fault in FAULTS {
            for step in 1.. {
                let what = format!("seed {seed}, {fault:?} at step {step}");
                let copy = disk.copy();
                copy.fail(step, fault);
                let started = Life::start(&copy, Keeps::Always);
                let steps = copy.heal();
                match started {
                    Err(reason) => {
                        assert!(reason.contains("error") || reason.contains("space"), "{what}: {reason}");
                        assert!(![Fault::Interrupted, Fault::Short].contains(&fault), "{what}: {reason}");
                        refused += 1;
                    }
                    Ok(life) => {
                        let found = life.contents();
                        assert!(found.iter().all(|(key, value)| expected.get(key) == Some(value)), "{what}");
                        let lost = found.len() < expected.len();
                        assert!(!lost || life.damaged_pages() > 0, "{what}");
                        *if lost { &mut partial } else { &mut whole } += 1;
                    }
                }
                if step > steps {
                    break;
                }
            }
        }
    }
    println!("{refused} refused, {partial} in part, {whole} whole");
    assert!(refused > 10 && partial > 0 && whole > 10, "{refused} {partial} {whole}");
}

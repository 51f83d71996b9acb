//! Power is lost before each write and each sync: whatever of the unsynced writes has come to the disk, in part, in another
//! order, or not at all, what is found is a state that was there, none older than the last that was acknowledged; and
//! life goes on from it.
//!
//! A seed is a life of its own: its commands, its snapshots, and what each loss of power leaves of them. A long run takes
//! [`power_is_lost_in_many_lives`] with `CAMPAIGN_TIMES=1000`, which are 100,000 seeds.

use super::{
    life::{IMAGE, Keeps, Life},
    memory::{Mark, Memory, Sync},
    seeds,
};
use crate::{
    harness::Session,
    instance::{Local, START},
    tree::{Tree, split_words},
};
use flagstone::{
    command::Protocol,
    snapshot::{self, Unpaced},
};
use parking_lot::Mutex;
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

fn keeps(seed: u64) -> Keeps {
    [Keeps::Nothing, Keeps::Always, Keeps::EverySecond][seed as usize % 3]
}

/// Starts from what is left of a life, and checks what is there.
fn check(life: &Life, after: &Memory, keeps: Keeps, mark: Mark) -> Result<Life, String> {
    Life::check_older(after)?;
    let again = Life::start(after, keeps)?;
    if !life.states[mark.acknowledged..=mark.newest].contains(&again.states[0]) {
        return Err(format!("not a state that was there, of {mark:?}"));
    }
    match again.damaged_pages() {
        0 => Ok(again),
        pages => Err(format!("{pages} damaged pages")),
    }
}

/// A life of some steps from `start` on; power is lost before one in `every` of its steps. Answers what was wrong first.
fn live(
    start: &Memory,
    keeps: Keeps,
    (every, lives): (usize, u32),
    random: &mut fastrand::Rng,
    crashes: &mut u64,
) -> Result<(), String> {
    let disk = start.copy();
    let mut life = Life::start(&disk, keeps)?;
    life.go_on(12, random);
    for end in (random.usize(0..every)..=disk.steps()).step_by(every) {
        let what = |error| format!("{keeps:?}, power lost before step {end} of {}: {error}", disk.steps());
        let after = disk.lose_power(start, end, random);
        *crashes += 1;
        let mut again = check(&life, &after.copy(), keeps, disk.mark_before(end)).map_err(what)?;
        // Two snapshots more, over both images.
        for _ in 0..2 {
            again.go_on(1, random);
            again.save();
            let then = check(&again, &again.disk.copy(), keeps, again.mark).map_err(what)?;
            if then.states[0] != again.contents() {
                return Err(what("what was saved after it is something else".to_owned()));
            }
        }
        if lives > 0 && random.u8(0..8) == 0 {
            live(&after, keeps, (11, lives - 1), random, crashes)?;
        }
    }
    Ok(())
}

#[test]
fn power_is_lost_at_every_step() {
    let mut crashes = 0;
    for seed in seeds(3) {
        let mut random = fastrand::Rng::with_seed(seed);
        let lived = live(&Memory::default(), keeps(seed), (1, 1), &mut random, &mut crashes);
        lived.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    println!("{crashes} losses of power");
    assert!(crashes > 200, "{crashes}");
}

/// Few losses of power in each of many lives.
#[test]
fn power_is_lost_in_many_lives() {
    let (mut crashes, seeds) = (0, seeds(100));
    for seed in seeds.clone() {
        let mut random = fastrand::Rng::with_seed(seed);
        let lived = live(&Memory::default(), keeps(seed), (41, 1), &mut random, &mut crashes);
        lived.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    println!("{crashes} losses of power in the lives of {} seeds", seeds.count());
}

/// Whichever sync were left out, the campaign above would notice.
#[test]
fn a_sync_that_is_left_out_is_noticed() {
    for lie in Sync::ALL {
        let noticed = (0..60).find_map(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let lived = live(&Memory::lying(lie), keeps(seed), (1, 1), &mut random, &mut 0);
            lived.err().map(|error| format!("{lie:?}: by seed {seed}, {error}"))
        });
        println!("{}", noticed.unwrap_or_else(|| panic!("{lie:?} is not noticed")));
    }
}

/// Power is lost while a start mends what a loss of power has left, and again while the next one does.
#[test]
fn power_is_lost_while_recovering_twice_in_a_row() {
    for seed in seeds(50) {
        let mut random = fastrand::Rng::with_seed(seed);
        let keeps = keeps(seed);
        let (empty, disk) = (Memory::default(), Memory::default());
        let mut life = Life::start(&disk, keeps).expect("an empty disk");
        life.go_on(15, &mut random);
        let end = random.usize(0..=disk.steps());
        let (mut after, mark) = (disk.lose_power(&empty, end, &mut random), disk.mark_before(end));
        for _ in 0..2 {
            let recovering = after.copy();
            let Ok(mut again) = Life::start(&recovering, keeps) else { break };
            // What a start asks for at once where there is a log: an image in its place.
            again.save();
            after = recovering.lose_power(&after, random.usize(0..=recovering.steps()), &mut random);
        }
        check(&life, &after, keeps, mark).unwrap_or_else(|error| panic!("seed {seed}, {keeps:?}: {error}"));
    }
}

/// Clients whose writes are acknowledged while snapshots begin new files of the log: wherever their records went, they
/// are on the disk by then.
#[test]
fn what_is_acknowledged_while_snapshots_begin_is_on_the_disk() {
    const CLIENTS: usize = 3;
    for seed in seeds(8) {
        let mut random = fastrand::Rng::with_seed(seed);
        let (empty, disk) = (Memory::default(), Memory::default());
        let life = Life::start(&disk, Keeps::Always).expect("an empty disk");
        // (steps of the disk by then, client, number)
        let acknowledged = Mutex::new(Vec::new());
        let stop = AtomicBool::new(false);
        let instance = Arc::clone(life.instance.shared());
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (life, disk, acknowledged, stop) = (&life.instance, &disk, &acknowledged, &stop);
                scope.spawn(move || {
                    let mut connection = Local::new(life, Protocol::Resp2);
                    let mut number = 0;
                    while !stop.load(Relaxed) {
                        number += 1;
                        connection.call("", &split_words(&format!("SET client:{client} {number}")));
                        life.shared().keyspace.log().commit(true).expect("nothing fails");
                        acknowledged.lock().push((disk.steps(), client, number));
                    }
                });
            }
            for _ in 0..4 {
                snapshot::save_on(&disk, &instance.keyspace, Path::new(IMAGE), START, &Unpaced).expect("written");
            }
            stop.store(true, Relaxed);
        });
        let acknowledged = acknowledged.into_inner();
        for _ in 0..40 {
            let end = random.usize(0..=disk.steps());
            let after = disk.lose_power(&empty, end, &mut random);
            let what = format!("seed {seed}, power lost before step {end}");
            let again = Life::start(&after, Keeps::Always).unwrap_or_else(|error| panic!("{what}: {error}"));
            let mut connection = Local::new(&again.instance, Protocol::Resp2);
            for client in 0..CLIENTS {
                let found = match connection.call("", &split_words(&format!("GET client:{client}"))) {
                    Tree::Bulk(text) => String::from_utf8_lossy(&text).parse::<u64>().expect("a number"),
                    _ => 0,
                };
                let of_client = acknowledged.iter().filter(|(step, of, _)| *step <= end && *of == client);
                let kept = of_client.map(|(_, _, number)| *number).max().unwrap_or(0);
                assert!(found >= kept, "{what}: {found} of client {client} is there, {kept} was acknowledged");
            }
        }
    }
}

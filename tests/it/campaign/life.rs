//! A server's life on a disk in memory: commands, the append-only file, snapshots; and its start from what is left.

use super::memory::{Mark, Memory};
use crate::{
    harness::Session,
    instance::{Instance, Local, START, options},
    tree::{Tree, split_words},
};
use flagstone::{
    command::{Protocol, replay::replay},
    keyspace::{Keyspace, Options},
    snapshot::{self, Image, Unpaced},
};
use std::{collections::BTreeMap, path::Path, sync::Arc};

pub const IMAGE: &str = "/data/dump.flag";
const LOG: &str = "/data/log";

pub type Contents = BTreeMap<(usize, Vec<u8>), Vec<Tree>>;

/// What is kept between snapshots, and when it is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    Nothing,
    /// Commands are written, and synced now and then.
    EverySecond,
    Always,
}

/// How the keyspaces of these lives are made: thousands of them begin and end.
fn small() -> Options {
    Options { shards: 2, databases: 1, reserve: 1 << 28, ..options() }
}

pub struct Life {
    pub disk: Memory,
    pub instance: Instance,
    client: Local,
    keeps: Keeps,
    /// What was there after each command, from the start on.
    pub states: Vec<Contents>,
    pub mark: Mark,
}

impl Life {
    /// Starts from what is on the disk.
    pub fn start(disk: &Memory, keeps: Keeps) -> Result<Life, String> {
        let small = small();
        let image = Image::open_on(disk, Path::new(IMAGE)).map_err(|error| error.to_string())?;
        let first = image.as_ref().map_or(0, Image::log);
        let keyspace = match image {
            Some(image) => image.into_keyspace(&small, START).map_err(|error| error.to_string())?,
            None => Keyspace::new(&small).expect("an arena can be reserved"),
        };
        let instance = Instance::with(keyspace, START);
        let shared = instance.shared();
        let log = shared.keyspace.log();
        let place = |sequence| log.place_on(Arc::new(disk.clone()), Path::new(LOG), "log", sequence);
        place(first);
        if keeps != Keeps::Nothing {
            let replayed = replay(shared, Path::new(LOG), "log", first).map_err(|error| error.to_string())?;
            place(replayed.newest.max(first));
            log.open(true, replayed.bytes).map_err(|error| error.to_string())?;
        }
        let (client, states) = (Local::new(&instance, Protocol::Resp2), vec![instance.contents()]);
        Ok(Life { disk: disk.clone(), instance, client, keeps, states, mark: Mark::default() })
    }

    /// What is wrong with the older of the two images, if it is one: a start may have to do with it.
    pub fn check_older(disk: &Memory) -> Result<(), String> {
        let Ok(Some(image)) = Image::open_on(disk, &snapshot::older_of(Path::new(IMAGE))) else { return Ok(()) };
        let keyspace = image.into_keyspace(&small(), START).map_err(|error| error.to_string())?;
        keyspace.load_all(&mut || true);
        match keyspace.arena().damaged_pages() {
            0 => Ok(()),
            pages => Err(format!("{pages} damaged pages in the older image")),
        }
    }

    fn acknowledge(&mut self) {
        self.mark.acknowledged = self.mark.newest;
        self.disk.mark(self.mark);
    }

    fn say(&mut self, line: &str) {
        self.client.call("", &split_words(line));
        self.states.push(self.instance.contents());
        self.mark.newest += 1;
        self.disk.mark(self.mark);
    }

    /// One command, whatever it is.
    fn change(&mut self, random: &mut fastrand::Rng) {
        let key = random.u8(0..24);
        let len = [3, 700, 3000, 30_000, 90_000][random.usize(0..5)];
        let value = char::from(random.u8(b'a'..=b'z')).to_string();
        match random.u8(0..8) {
            0 | 1 => self.say(&format!("DEL string:{key}")),
            2 => self.say(&format!("APPEND string:{key} {value}")),
            3 => self.say(&format!("RPUSH list:{} {value}", key % 4)),
            _ => self.say(&format!("SET string:{key} {}", value.repeat(len))),
        }
    }

    pub fn save(&mut self) -> bool {
        let saved = snapshot::save_on(&self.disk, &self.instance.shared().keyspace, Path::new(IMAGE), START, &Unpaced);
        if saved.is_ok() {
            self.acknowledge();
        }
        saved.is_ok()
    }

    /// Commands and snapshots, in an order that chance decides. Answers how often something could not be written.
    pub fn go_on(&mut self, steps: usize, random: &mut fastrand::Rng) -> u32 {
        let mut failures = 0;
        for _ in 0..steps {
            if random.u8(0..5) == 0 {
                failures += u32::from(!self.save());
                continue;
            }
            self.change(random);
            let to_disk = self.keeps == Keeps::Always || random.u8(0..3) == 0;
            let committed = self.instance.shared().keyspace.log().commit(to_disk);
            failures += u32::from(committed.is_err());
            if self.keeps != Keeps::Nothing && to_disk && committed.is_ok() {
                self.acknowledge();
            }
        }
        failures
    }

    pub fn contents(&self) -> Contents {
        self.instance.contents()
    }

    pub fn damaged_pages(&self) -> u64 {
        self.instance.shared().keyspace.arena().damaged_pages()
    }
}

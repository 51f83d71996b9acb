//! A thread's sockets, watched by an epoll of the thread's own.
//!
//! The runtime could watch them, too, with a task for each connection. That cost a fifth of the instructions of a request
//! that comes alone; here a batch of events is a batch of connections to be served.

use super::pace::Times;
use rustix::{
    buffer::spare_capacity,
    event::{EventfdFlags, Timespec, epoll, eventfd},
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv, send, sendmsg, shutdown},
    thread::{nanosleep, set_current_timer_slack},
    time::{ClockId, clock_gettime},
};
use std::{
    io::{self, IoSlice},
    num::NonZeroU64,
    os::fd::{AsRawFd, OwnedFd},
    sync::Arc,
    task::{Poll, ready},
    time::Duration,
};

/// Events taken at once.
const EVENTS_MAX: usize = 256;

/// What is told of each socket, each time that there is news.
const NEWS: epoll::EventFlags =
    epoll::EventFlags::IN.union(epoll::EventFlags::OUT).union(epoll::EventFlags::RDHUP).union(epoll::EventFlags::ET);

/// The number of the alarm.
const ALARM: u64 = u64::MAX;

/// The epoll of a thread.
pub struct Watch {
    epoll: OwnedFd,
    alarm: Alarm,
}

/// Room for news.
pub struct Events(Vec<epoll::Event>);

impl Events {
    pub fn new() -> Events {
        Events(Vec::with_capacity(EVENTS_MAX))
    }
}

/// Ends the thread's waiting.
#[derive(Clone)]
pub struct Alarm(Arc<OwnedFd>);

/// News of the socket that was given this number.
#[derive(Clone, Copy)]
pub struct News {
    pub number: usize,
    flags: epoll::EventFlags,
}

impl Watch {
    pub fn new() -> io::Result<Watch> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let alarm = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        epoll::add(&epoll, &alarm, epoll::EventData::new_u64(ALARM), epoll::EventFlags::IN | epoll::EventFlags::ET)?;
        Ok(Watch { epoll, alarm: Alarm(alarm) })
    }

    pub fn alarm(&self) -> Alarm {
        self.alarm.clone()
    }

    pub fn add(&self, socket: &Watched, number: usize) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, &socket.fd, epoll::EventData::new_u64(number as u64), NEWS)?)
    }

    /// Of a socket that is to be closed, nothing need be said.
    pub fn remove(&self, socket: &Watched) {
        // It is there, or was never added, which is as good.
        let _ = epoll::delete(&self.epoll, &socket.fd);
    }

    /// Waits for news, no longer than `wait` (to the millisecond) if it is given, and not when the alarm rings.
    pub fn news<'e>(&self, events: &'e mut Events, wait: Option<Duration>) -> impl Iterator<Item = News> + use<'e> {
        let Events(events) = events;
        events.clear();
        let wait = wait.and_then(|wait| Timespec::try_from(wait).ok());
        // An interruption is no news; what else could fail is the descriptor, and that is ours.
        let _ = epoll::wait(&self.epoll, spare_capacity(events), wait.as_ref());
        let sockets = events.iter().filter(|event| event.data.u64() != ALARM);
        sockets.map(|event| News { number: event.data.u64() as usize, flags: event.flags })
    }
}

/// Has the thread's pauses end when they are over; else the system prolongs them by up to 50 us.
pub fn pause_exactly() {
    // What cannot be had here is no harm.
    let _ = set_current_timer_slack(NonZeroU64::new(1000));
}

/// Of this thread.
pub fn times() -> Times {
    let [steady, processor] = [ClockId::Monotonic, ClockId::ThreadCPUTime].map(|clock| {
        let time = clock_gettime(clock);
        time.tv_sec.cast_unsigned().wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.cast_unsigned())
    });
    Times { steady, processor }
}

/// Waits, whatever news there is.
pub fn pause(pause: Duration) {
    if let Ok(pause) = Timespec::try_from(pause) {
        // A pause that is cut short is one, too.
        let _ = nanosleep(&pause);
    }
}

impl Alarm {
    pub fn ring(&self) {
        // It rings already when the count is full. Nobody reads it: each addition is news.
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

/// A socket, and what it is known to do without waiting.
#[derive(Debug)]
pub struct Watched {
    fd: OwnedFd,
    readable: bool,
    writable: bool,
    /// The other end sends no more: a read that does not fill the buffer may have more behind it.
    ended: bool,
}

impl Watched {
    /// `fd` does not block.
    pub fn new(fd: OwnedFd) -> Watched {
        Watched { fd, readable: true, writable: true, ended: false }
    }

    pub fn descriptor(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    pub fn hear(&mut self, news: News) {
        use epoll::EventFlags as Flags;
        self.ended |= news.flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR);
        self.readable |= self.ended || news.flags.contains(Flags::IN);
        self.writable |= news.flags.intersects(Flags::OUT | Flags::HUP | Flags::ERR);
    }

    /// Reads into the spare capacity of `buffer`. `Ready(Ok(0))` is the end.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let room = buffer.capacity() - buffer.len();
        self.receive(room, |fd| Ok(recv(fd, spare_capacity(buffer), RecvFlags::empty())?.1))
    }

    pub fn read_into(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.receive(buffer.len(), |fd| Ok(recv(fd, &mut *buffer, RecvFlags::empty())?.1))
    }

    /// Reads without taking.
    pub fn peek(&mut self, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        attempt(&self.fd, &mut self.readable, |fd| Ok(recv(fd, &mut *buffer, RecvFlags::PEEK)?.1))
    }

    #[inline]
    fn receive(
        &mut self,
        room: usize,
        receive: impl FnMut(&OwnedFd) -> Result<usize, Errno>,
    ) -> Poll<io::Result<usize>> {
        if !self.readable {
            return Poll::Pending;
        }
        let received = ready!(attempt(&self.fd, &mut self.readable, receive));
        // A read that does not fill the buffer has emptied the socket: whatever comes after it is news.
        if received.as_ref().is_ok_and(|count| *count < room) {
            self.readable = self.ended;
        }
        Poll::Ready(received)
    }

    pub fn write(&mut self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.send(|fd| send(fd, bytes, SendFlags::NOSIGNAL))
    }

    pub fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.send(|fd| sendmsg(fd, pieces, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL))
    }

    /// Tells the other end that nothing more comes.
    pub fn shut_down(&mut self) -> io::Result<()> {
        Ok(shutdown(&self.fd, Shutdown::Write)?)
    }

    #[inline]
    fn send(&mut self, send: impl FnMut(&OwnedFd) -> Result<usize, Errno>) -> Poll<io::Result<usize>> {
        if !self.writable {
            return Poll::Pending;
        }
        attempt(&self.fd, &mut self.writable, send)
    }
}

/// Does what can be done without waiting, if anything; otherwise notes that there is nothing until there is news.
#[inline]
fn attempt(
    fd: &OwnedFd,
    is_possible: &mut bool,
    mut work: impl FnMut(&OwnedFd) -> Result<usize, Errno>,
) -> Poll<io::Result<usize>> {
    loop {
        match work(fd) {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                *is_possible = false;
                return Poll::Pending;
            }
            result => return Poll::Ready(result.map_err(io::Error::from)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, os::unix::net::UnixStream};

    /// A watched socket with the number 7, and its other end.
    fn pair(watch: &Watch) -> (Watched, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let watched = Watched::new(ours.into());
        watch.add(&watched, 7).unwrap();
        (watched, theirs)
    }

    /// Waits for news of it.
    fn hear(watch: &Watch, events: &mut Events, socket: &mut Watched) {
        for news in watch.news(events, None) {
            assert_eq!(news.number, 7);
            socket.hear(news);
        }
    }

    fn ready(polled: Poll<io::Result<usize>>) -> Option<usize> {
        match polled {
            Poll::Ready(result) => Some(result.unwrap()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_comes_is_news_and_so_is_the_end() {
        let (watch, mut events) = (Watch::new().unwrap(), Events::new());
        let (mut socket, mut other) = pair(&watch);
        let mut buffer = Vec::with_capacity(4);
        assert_eq!(ready(socket.read(&mut buffer)), None);
        other.write_all(b"123456").unwrap();
        assert_eq!(ready(socket.read(&mut buffer)), None, "nobody has told");
        hear(&watch, &mut events, &mut socket);
        // There may be more behind a full buffer, and not behind one that is not.
        assert_eq!((ready(socket.read(&mut buffer)), &buffer[..]), (Some(4), &b"1234"[..]));
        buffer.clear();
        assert_eq!((ready(socket.read(&mut buffer)), &buffer[..]), (Some(2), &b"56"[..]));
        buffer.clear();
        assert_eq!(ready(socket.read(&mut buffer)), None);
        // Bytes and the end that came together are told together.
        other.write_all(b"7").unwrap();
        drop(other);
        hear(&watch, &mut events, &mut socket);
        assert_eq!((ready(socket.read(&mut buffer)), ready(socket.read(&mut buffer))), (Some(1), Some(0)));
    }

    #[test]
    fn room_is_news() {
        let (watch, mut events) = (Watch::new().unwrap(), Events::new());
        let (mut socket, other) = pair(&watch);
        let mut sent = 0;
        while let Some(count) = ready(socket.write_vectored(&[IoSlice::new(&[b'x'; 4000]), IoSlice::new(b"yz")])) {
            sent += count;
        }
        assert_eq!(ready(socket.write(b"more")), None);
        std::io::copy(&mut std::io::Read::take(&other, sent as u64), &mut std::io::sink()).unwrap();
        while ready(socket.write(b"more")).is_none() {
            hear(&watch, &mut events, &mut socket);
        }
    }

    #[test]
    fn an_alarm_ends_the_waiting_and_is_no_news() {
        let (watch, mut events) = (Watch::new().unwrap(), Events::new());
        let alarm = watch.alarm();
        for _ in 0..2 {
            std::thread::scope(|scope| {
                scope.spawn(|| alarm.ring());
                assert_eq!(watch.news(&mut events, None).count(), 0);
            });
        }
        assert_eq!(watch.news(&mut events, Some(Duration::from_millis(1))).count(), 0);
    }
}

//! `flagstone --health`: asks the server that a configuration describes whether it answers.
//! For container engines, in an image without a shell or a client.

use crate::{config::Settings, util::words};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(3);

/// Well, or what is wrong.
pub fn check(settings: &Settings) -> Result<(), String> {
    if settings.port == 0 && !settings.unix_socket.is_empty() {
        let path = settings.resolve(settings.unix_socket.as_ref());
        let stream = UnixStream::connect(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let limited = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        return limited.map_err(|error| error.to_string()).and_then(|()| ask(stream, settings));
    }
    let address = address(settings)?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|error| format!("{address}: {error}"))?;
    if settings.port == 0 {
        // Only TLS: whether clients' certificates suit us is not ours to know, but somebody listens.
        return Ok(());
    }
    let limited = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    limited.map_err(|error| error.to_string()).and_then(|()| ask(stream, settings))
}

/// An address the server listens on, seen from this machine.
fn address(settings: &Settings) -> Result<SocketAddr, String> {
    let port = if settings.port == 0 { settings.tls_port } else { settings.port };
    let name = settings.bind.0.first().map_or("", |bind| bind.address.as_str());
    let ip = match name {
        "" | "*" | "0.0.0.0" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        "::*" | "::" => IpAddr::V6(Ipv6Addr::LOCALHOST),
        name => {
            let mut found = (name, port).to_socket_addrs().map_err(|error| format!("{name}: {error}"))?;
            found.next().ok_or_else(|| format!("{name}: no address"))?.ip()
        }
    };
    Ok(SocketAddr::new(ip, port))
}

/// PING, after AUTH where there is a password. That a password is asked for (it was set while the
/// server ran) is an answer too.
fn ask(mut stream: impl Read + Write, settings: &Settings) -> Result<(), String> {
    let mut request = String::new();
    if !settings.requirepass.is_empty() {
        request = format!("AUTH {}\r\n", words::quote(settings.requirepass.as_bytes()));
    }
    let answers = if request.is_empty() { 1 } else { 2 };
    request.push_str("PING\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream.take(4096));
    let mut answer = String::new();
    for _ in 0..answers {
        answer.clear();
        reader.read_line(&mut answer).map_err(|error| error.to_string())?;
    }
    match answer.trim_end() {
        "+PONG" => Ok(()),
        noauth if noauth.starts_with("-NOAUTH") => Ok(()),
        "" => Err("the server closed the connection".to_owned()),
        other => Err(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use std::{io::Cursor, net::TcpListener, thread};

    /// What a server that gives these answers is asked, and whether it is well.
    fn check_answers(requirepass: &str, answers: &'static str) -> (String, Result<(), String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = Settings {
            port: listener.local_addr().unwrap().port(),
            requirepass: requirepass.to_owned(),
            ..Settings::default()
        };
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 256];
            let mut len = 0;
            while !asked[..len].ends_with(b"PING\r\n") {
                len += stream.read(&mut asked[len..]).unwrap();
            }
            std::io::copy(&mut Cursor::new(answers), &mut stream).unwrap();
            String::from_utf8_lossy(&asked[..len]).into_owned()
        });
        let health = check(&settings);
        (server.join().unwrap(), health)
    }

    #[test]
    fn answers() {
        assert_eq!(check_answers("", "+PONG\r\n"), ("PING\r\n".to_owned(), Ok(())));
        assert_eq!(check_answers("a b", "+OK\r\n+PONG\r\n"), ("AUTH \"a b\"\r\nPING\r\n".to_owned(), Ok(())));
        assert_eq!(check_answers("", "-NOAUTH Authentication required.\r\n").1, Ok(()));
        assert_eq!(check_answers("", "-LOADING later\r\n").1, Err("-LOADING later".to_owned()));
        assert!(check_answers("", "").1.is_err());
    }
}

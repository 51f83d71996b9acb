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

/// Well (and how far it is with loading, if it loads), or what is wrong.
///
/// # Errors
/// What is wrong.
pub fn check(settings: &Settings) -> Result<String, String> {
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
        return Ok("listening".to_owned());
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
fn ask(mut stream: impl Read + Write, settings: &Settings) -> Result<String, String> {
    let mut request = String::new();
    if !settings.requirepass.is_empty() {
        request = format!("AUTH {}\r\n", words::quote(settings.requirepass.as_bytes()));
    }
    let answers = if request.is_empty() { 1 } else { 2 };
    request.push_str("PING\r\nINFO persistence\r\n");
    stream.write_all(request.as_bytes()).map_err(|error| error.to_string())?;
    let mut reader = BufReader::new(stream.take(1 << 16));
    let mut answer = String::new();
    for _ in 0..answers {
        answer.clear();
        reader.read_line(&mut answer).map_err(|error| error.to_string())?;
    }
    match answer.trim_end() {
        "+PONG" => Ok(progress(reader)),
        noauth if noauth.starts_with("-NOAUTH") => Ok("it asks for a password".to_owned()),
        "" => Err("the server closed the connection".to_owned()),
        other => Err(other.to_owned()),
    }
}

/// How far the server is with loading, by what INFO says. Not to know it is no harm.
fn progress(reader: impl BufRead) -> String {
    // The section ends with its last line.
    let lines = reader.lines().map_while(Result::ok).take_while(|line| !line.starts_with('-'));
    let (mut loading, mut percent, mut eta) = (false, String::new(), String::new());
    for line in lines {
        match line.split_once(':') {
            Some(("async_loading", value)) => loading = value == "1",
            Some(("snapshot_resident_perc", value)) => percent = value.to_owned(),
            Some(("snapshot_loading_eta_seconds", value)) => eta = value.to_owned(),
            Some(("snapshot_lost_keys", _)) => break,
            _ => {}
        }
    }
    match loading {
        true => format!("serving; loading: {percent} % is resident, about {eta} s are left"),
        false => "serving".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use std::{io::Cursor, net::TcpListener, thread};

    /// What a server that gives these answers is asked, and whether it is well.
    fn check_answers(requirepass: &str, answers: &'static str) -> (String, Result<String, String>) {
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
            while !asked[..len].ends_with(b"INFO persistence\r\n") {
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
        let serving = || Ok("serving".to_owned());
        let asked = "PING\r\nINFO persistence\r\n".to_owned();
        assert_eq!(check_answers("", "+PONG\r\n"), (asked.clone(), serving()));
        assert_eq!(check_answers("a b", "+OK\r\n+PONG\r\n"), (format!("AUTH \"a b\"\r\n{asked}"), serving()));
        let loading = "+PONG\r\n$99\r\n# Persistence\r\nasync_loading:1\r\nsnapshot_resident_perc:42.10\r\n\
                       snapshot_loading_eta_seconds:3\r\nsnapshot_lost_keys:0\r\n\r\n";
        let told = "serving; loading: 42.10 % is resident, about 3 s are left".to_owned();
        assert_eq!(check_answers("", loading).1, Ok(told));
        assert!(check_answers("", "-NOAUTH Authentication required.\r\n").1.is_ok());
        assert_eq!(check_answers("", "-LOADING later\r\n").1, Err("-LOADING later".to_owned()));
        assert!(check_answers("", "").1.is_err());
    }
}

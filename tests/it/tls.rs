//! TLS and the other ways in: what a client needs for it, and what becomes of one that stops half-way.

use crate::{client::Client, instance::Server, tree::Tree};
use flagstone::command::Protocol;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use std::{
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tempfile::TempDir;

/// A certificate and its key.
struct Identity {
    certificate: String,
    key: String,
}

/// Someone who signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Authority(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    fn sign(&self, name: &str) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A server with a port for TLS, and a plain client that was there before.
struct Secure {
    admin: Client,
    authority: Authority,
    port: u16,
    files: TempDir,
    server: Server,
}

impl Secure {
    fn start(auth_clients: &str) -> Secure {
        let server = Server::start();
        let admin = server.connect(Protocol::Resp2);
        let (authority, files) = (Authority::new(), tempfile::tempdir().expect("a folder"));
        let mut secure = Secure { admin, authority, port: 0, files, server };
        let ca = secure.file("ca.pem", &secure.authority.0.pem());
        let server = secure.authority.sign("server");
        let certificate = secure.file("server.pem", &server.certificate);
        let key = secure.file("server.key", &server.key);
        for _ in 0..20 {
            secure.port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
            // The plain port of a test's server is not the configured one: it goes.
            let reply = secure.admin.line(&format!(
                "CONFIG SET port 0 tls-port {} tls-cert-file {certificate} tls-key-file {key} tls-ca-cert-file {ca} \
                 tls-auth-clients {auth_clients} bind 127.0.0.1",
                secure.port
            ));
            if reply == Tree::Simple("OK".into()) {
                return secure;
            }
        }
        panic!("no port for TLS: {}", secure.admin.line("PING"));
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.files.path().join(name);
        fs::write(&path, text).expect("the file is written");
        path.display().to_string()
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the port is open");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        stream
    }

    fn connect(&self, identity: Option<&Identity>) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.0.der().clone()).expect("an authority");
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => builder
                .with_client_auth_cert(vec![der(&identity.certificate)], secret(&identity.key))
                .expect("a client's certificate"),
        };
        let name = ServerName::try_from("localhost").expect("a name");
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), self.stream())
    }

    /// What PING is answered over TLS.
    fn ping(&self, identity: Option<&Identity>) -> io::Result<String> {
        ask(&mut self.connect(identity), b"PING\r\n", 7)
    }

    fn set(&mut self, words: &str) -> String {
        self.admin.line(&format!("CONFIG SET {words}")).to_string()
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

fn secret(pem: &str) -> PrivateKeyDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).expect("a key")
}

fn ask(stream: &mut (impl Read + Write), request: &[u8], len: usize) -> io::Result<String> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut answer = vec![0; len];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

const PONG: &str = "+PONG\r\n";
const REFUSED: &str = "Unable to update TLS configuration. Check server logs.";

#[test]
fn commands_over_tls() {
    let secure = Secure::start("no");
    let mut client = secure.connect(None);
    assert_eq!(ask(&mut client, b"PING\r\n", 7).unwrap(), PONG);
    // More than a record and more than the socket takes at once, both ways.
    let value = vec![b'x'; 3 << 20];
    let request = [format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat();
    assert_eq!(ask(&mut client, &request, 5).unwrap(), "+OK\r\n");
    let answer = ask(&mut client, b"GET k\r\nGET k\r\nPING\r\n", 2 * (value.len() + 12) + 7).unwrap();
    assert!(answer.ends_with(PONG) && answer.starts_with("$3145728\r\nxxx"));
    // The end is said, not only made.
    assert_eq!(ask(&mut client, b"QUIT\r\n", 5).unwrap(), "+OK\r\n");
    assert_eq!(client.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn certificates_of_clients() {
    let mut secure = Secure::start("yes");
    let (known, foreign) = (secure.authority.sign("ann"), Authority::new().sign("eve"));
    assert_eq!(secure.ping(Some(&known)).unwrap(), PONG);
    secure.ping(None).unwrap_err();
    secure.ping(Some(&foreign)).unwrap_err();
    assert_eq!(secure.set("tls-auth-clients optional"), "OK");
    assert_eq!(secure.ping(None).unwrap(), PONG);
    secure.ping(Some(&foreign)).unwrap_err();
    assert_eq!(secure.set("tls-auth-clients no"), "OK");
    assert_eq!(secure.ping(Some(&foreign)).unwrap(), PONG);
}

#[test]
fn a_certificate_says_who_a_client_is() {
    let mut secure = Secure::start("optional");
    let known = secure.authority.sign("ann");
    let who = |secure: &Secure, identity: Option<&Identity>, answer: &str| {
        let answer = format!("${}\r\n{answer}\r\n", answer.len());
        assert_eq!(ask(&mut secure.connect(identity), b"ACL WHOAMI\r\n", answer.len()).unwrap(), answer);
    };
    assert_eq!(secure.admin.line("ACL SETUSER ann on >secret ~* +@all"), Tree::Simple("OK".into()));
    who(&secure, Some(&known), "default");
    assert_eq!(secure.set("tls-auth-clients-user cn"), "OK");
    who(&secure, Some(&known), "ann");
    who(&secure, None, "default");
    // One who must not log in, or whom nobody knows, is not let in by this, and it is noted.
    secure.admin.line("ACL SETUSER ann off");
    who(&secure, Some(&known), "default");
    secure.admin.line("CONFIG SET requirepass secret");
    let refused = "-NOAUTH Authentication required.\r\n";
    let bob = secure.authority.sign("bob");
    assert_eq!(ask(&mut secure.connect(Some(&bob)), b"PING\r\n", refused.len()).unwrap(), refused);
    let log = secure.admin.line("ACL LOG").to_string();
    assert!(log.contains("tls-cert") && log.contains("ann") && log.contains("bob"), "{log}");
    assert!(secure.admin.line("INFO stats").to_string().contains("acl_access_denied_tls_cert:2"));
}

#[test]
fn a_bad_certificate_leaves_the_old_one() {
    let mut secure = Secure::start("no");
    let mut before = secure.connect(None);
    assert_eq!(ask(&mut before, b"PING\r\n", 7).unwrap(), PONG);
    let bad = secure.file("bad.pem", "no certificate");
    let other = secure.authority.sign("other");
    let (certificate, key) = (secure.file("other.pem", &other.certificate), secure.file("other.key", &other.key));
    let encrypted = secure.file("encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n");
    for words in [
        format!("tls-cert-file {bad}"),
        "tls-cert-file /nowhere".to_owned(),
        // Not the key of this certificate.
        format!("tls-key-file {key}"),
        format!("tls-key-file {encrypted}"),
        "tls-ciphers RC4".to_owned(),
        "tls-protocols TLSv1".to_owned(),
        "tls-ca-cert-file \"\" tls-auth-clients yes".to_owned(),
    ] {
        let reply = secure.set(&words);
        assert!(reply.contains(REFUSED), "{words}: {reply}");
        assert_eq!(secure.ping(None).unwrap(), PONG, "{words}");
    }
    assert_eq!(secure.set(&format!("tls-cert-file {certificate} tls-key-file {key}")), "OK");
    let mut after = secure.connect(None);
    assert_eq!(ask(&mut after, b"PING\r\n", 7).unwrap(), PONG);
    assert_eq!(after.conn.peer_certificates(), Some(&[der(&other.certificate)][..]));
    // The same names with other contents: set again, they are read again.
    fs::write(&certificate, "spoiled").unwrap();
    assert!(secure.set(&format!("tls-cert-file {certificate}")).contains("'tls-cert-file') - Unable"));
    assert_eq!(secure.ping(None).unwrap(), PONG);
    assert_eq!(ask(&mut before, b"PING\r\n", 7).unwrap(), PONG);
}

#[test]
fn versions_and_suites() {
    let mut secure = Secure::start("no");
    for (words, version, suite) in [
        (
            "tls-protocols TLSv1.3 tls-ciphersuites TLS_CHACHA20_POLY1305_SHA256",
            "TLSv1_3",
            "TLS13_CHACHA20_POLY1305_SHA256",
        ),
        ("tls-protocols TLSv1.2 tls-ciphers AES128", "TLSv1_2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ] {
        assert_eq!(secure.set(words), "OK");
        let mut client = secure.connect(None);
        assert_eq!(ask(&mut client, b"PING\r\n", 7).unwrap(), PONG);
        assert_eq!(format!("{:?}", client.conn.protocol_version().unwrap()), version);
        assert_eq!(format!("{:?}", client.conn.negotiated_cipher_suite().unwrap().suite()), suite);
    }
}

#[test]
fn a_handshake_that_stops_half_way_holds_up_nobody_and_has_its_place() {
    let mut secure = Secure::start("no");
    let mut half = secure.stream();
    half.write_all(&[22, 3, 1]).unwrap();
    for _ in 0..8 {
        assert_eq!(secure.ping(None).unwrap(), PONG);
    }
    // This one and the plain client take all there are: it counts.
    while secure.set("maxclients 2") == "OK" && secure.ping(None).is_ok() {}
    drop(half);
    while secure.ping(None).is_err() {}
    // Who speaks plainly there is not served.
    let mut plain = secure.stream();
    plain.write_all(b"PING\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert_eq!(answer, b"");
}

#[test]
fn ports_move() {
    let mut secure = Secure::start("no");
    let port = secure.port;
    assert_eq!(secure.set(&format!("tls-port 0 port {port}")), "OK");
    assert_eq!(ask(&mut secure.stream(), b"PING\r\n", 7).unwrap(), PONG);
    assert_eq!(secure.set(&format!("port 0 tls-port {port}")), "OK");
    assert_eq!(secure.ping(None).unwrap(), PONG);
    // A port that another has: the old one serves on.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    assert!(secure.set(&format!("tls-port {taken}")).contains("'tls-port') - Unable to listen on this port"));
    assert_eq!(secure.ping(None).unwrap(), PONG);
    drop(secure.server);
}

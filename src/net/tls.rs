//! TLS: from the directives to what a handshake is made with.
//!
//! Certificates and keys are read when the server starts and when CONFIG SET touches a directive of TLS. What cannot be
//! used is refused before anything changes; connections keep what they began with.

use super::ciphers;
use crate::config::{AuthClients, Settings, TlsSettings};
use parking_lot::RwLock;
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier},
    version,
};
use std::{fmt, fs, path::Path, sync::Arc};
use tokio_rustls::TlsAcceptor;

const SESSIONS_DEFAULT: usize = 20480;

/// Why there can be no TLS as the directives want it.
#[derive(Debug)]
pub struct TlsError(String);

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS: {}", self.0)
    }
}

impl std::error::Error for TlsError {}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        TlsError(error.to_string())
    }
}

fn fail<T>(reason: impl Into<String>) -> Result<T, TlsError> {
    Err(TlsError(reason.into()))
}

/// What handshakes are made with now.
#[derive(Default)]
pub struct Tls {
    acceptor: RwLock<Option<TlsAcceptor>>,
}

impl Tls {
    /// `None` while there is no TLS port.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.acceptor.read().clone()
    }

    /// Reads what the settings name; on an error everything stays as it was.
    pub fn load(&self, settings: &Settings) -> Result<(), TlsError> {
        let acceptor = match settings.tls_port {
            0 => None,
            _ => Some(TlsAcceptor::from(Arc::new(server_config(settings)?))),
        };
        self.put(acceptor);
        Ok(())
    }

    /// Goes back to what was.
    pub fn put(&self, acceptor: Option<TlsAcceptor>) {
        *self.acceptor.write() = acceptor;
    }
}

fn server_config(settings: &Settings) -> Result<ServerConfig, TlsError> {
    let tls = &settings.tls;
    let provider = Arc::new(CryptoProvider {
        cipher_suites: ciphers::choose(&tls.ciphers, &tls.cipher_suites).map_err(TlsError)?,
        ..ring::default_provider()
    });
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&versions(tls)?)?;
    let builder = match tls.auth_clients {
        AuthClients::No => builder.with_no_client_auth(),
        required => {
            let roots = Arc::new(roots(settings)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            let verifier = if required == AuthClients::Optional { verifier.allow_unauthenticated() } else { verifier };
            let verifier = verifier.build().map_err(|error| TlsError(format!("trusted certificates: {error}")))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain(settings)?, key(settings)?)?;
    config.ignore_client_order = tls.prefer_server_ciphers;
    if tls.session_caching {
        let size = if tls.session_cache_size == 0 { SESSIONS_DEFAULT } else { tls.session_cache_size as usize };
        config.session_storage = ServerSessionMemoryCache::new(size);
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(config)
}

fn versions(tls: &TlsSettings) -> Result<Vec<&'static SupportedProtocolVersion>, TlsError> {
    let mut versions = Vec::new();
    for (name, version) in [("TLSv1.3", &version::TLS13), ("TLSv1.2", &version::TLS12)] {
        if tls.protocols.allows(name) {
            versions.push(version);
        }
    }
    if versions.is_empty() { fail("'tls-protocols' has neither TLSv1.2 nor TLSv1.3") } else { Ok(versions) }
}

fn chain(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    if settings.tls.cert_file.is_empty() {
        return fail("no 'tls-cert-file'");
    }
    certificates(&settings.resolve(Path::new(&settings.tls.cert_file)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |error: &dyn fmt::Display| TlsError(format!("{}: {error}", path.display()));
    let text = fs::read(path).map_err(|error| refuse(&error))?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| refuse(&error))?;
    if found.is_empty() { Err(refuse(&"no certificate in it")) } else { Ok(found) }
}

fn key(settings: &Settings) -> Result<PrivateKeyDer<'static>, TlsError> {
    if settings.tls.key_file.is_empty() {
        return fail("no 'tls-key-file'");
    }
    let path = settings.resolve(Path::new(&settings.tls.key_file));
    let refuse = |error: &dyn fmt::Display| TlsError(format!("{}: {error}", path.display()));
    let text = fs::read(&path).map_err(|error| refuse(&error))?;
    let encrypted = [b"BEGIN ENCRYPTED PRIVATE KEY".as_slice(), b"Proc-Type: 4,ENCRYPTED"];
    if encrypted.iter().any(|mark| memchr::memmem::find(&text, mark).is_some()) {
        return Err(refuse(&"keys with a password cannot be read: store the key without one"));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| refuse(&error))
}

/// Whom clients' certificates have to be signed by.
fn roots(settings: &Settings) -> Result<RootCertStore, TlsError> {
    let (file, folder) = (&settings.tls.ca_cert_file, &settings.tls.ca_cert_dir);
    if file.is_empty() && folder.is_empty() {
        return fail("'tls-auth-clients' needs 'tls-ca-cert-file' or 'tls-ca-cert-dir'");
    }
    let mut roots = RootCertStore::empty();
    if !file.is_empty() {
        let path = settings.resolve(Path::new(file));
        for certificate in certificates(&path)? {
            roots.add(certificate).map_err(|error| TlsError(format!("{}: {error}", path.display())))?;
        }
    }
    if !folder.is_empty() {
        let path = settings.resolve(Path::new(folder));
        let refuse = |error: std::io::Error| TlsError(format!("{}: {error}", path.display()));
        for entry in fs::read_dir(&path).map_err(refuse)? {
            let entry = entry.map_err(refuse)?.path();
            // Such a folder may hold other things as well.
            if entry.is_file()
                && let Ok(found) = certificates(&entry)
            {
                roots.add_parsable_certificates(found);
            }
        }
    }
    if roots.is_empty() { fail("no certificate to trust was found") } else { Ok(roots) }
}

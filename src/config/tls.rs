//! What the directives of TLS say.

use super::{directive, directive::Kind, reason::Reason, value::Value};

#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct TlsSettings {
    pub cert_file: String,
    pub key_file: String,
    /// Not needed: keys with a password are refused.
    pub key_file_pass: String,
    pub ca_cert_file: String,
    pub ca_cert_dir: String,
    pub auth_clients: AuthClients,
    pub auth_clients_user: AuthClientsUser,
    /// Empty: all there are.
    pub protocols: Protocols,
    /// Of TLS 1.2, as OpenSSL names them. Empty: all there are.
    pub ciphers: String,
    /// Of TLS 1.3. Empty: all there are.
    pub cipher_suites: String,
    pub prefer_server_ciphers: bool,
    pub session_caching: bool,
    /// 0: as many as the default.
    pub session_cache_size: u32,
    /// The server's own connections are to be encrypted.
    pub replication: bool,
    /// Counts how often one of them was set, and says which was last: what a file holds may be new although its name is
    /// the old one.
    pub touched: (u64, &'static str),
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AuthClients {
    No,
    #[default]
    Yes,
    Optional,
}

impl AuthClients {
    pub const NAMES: &'static [&'static str] = &["no", "yes", "optional"];
}

impl Value for AuthClients {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        Ok(match directive::choice(Self::NAMES, words)?.as_slice() {
            ["no"] => AuthClients::No,
            ["optional"] => AuthClients::Optional,
            _ => AuthClients::Yes,
        })
    }
    fn show(&self) -> String {
        match self {
            AuthClients::No => "no",
            AuthClients::Yes => "yes",
            AuthClients::Optional => "optional",
        }
        .to_owned()
    }
}

/// What of a client's certificate says which user it is.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum AuthClientsUser {
    #[default]
    Off,
    CommonName,
}

impl AuthClientsUser {
    pub const NAMES: &'static [&'static str] = &["CN", "off"];
}

impl Value for AuthClientsUser {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        Ok(match directive::choice(Self::NAMES, words)?.as_slice() {
            ["CN"] => AuthClientsUser::CommonName,
            _ => AuthClientsUser::Off,
        })
    }
    fn show(&self) -> String {
        match self {
            AuthClientsUser::Off => "off",
            AuthClientsUser::CommonName => "CN",
        }
        .to_owned()
    }
}

/// The versions of TLS that may be spoken, as they were written.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Protocols(String);

impl Protocols {
    const NAMES: [&'static str; 4] = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

    pub fn allows(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case(name))
    }
}

impl Value for Protocols {
    fn read(_: Kind, words: &[String]) -> Result<Self, Reason> {
        let text = words.join(" ");
        let known = |word: &str| Self::NAMES.iter().any(|name| name.eq_ignore_ascii_case(word));
        if !text.split_ascii_whitespace().all(known) {
            return Err("Invalid tls-protocols: it is a list of TLSv1.2 and TLSv1.3".into());
        }
        Ok(Protocols(text))
    }
    fn show(&self) -> String {
        self.0.clone()
    }
}

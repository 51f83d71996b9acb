//! TLS: certificates, whom to trust, and what is spoken.

use super::{Section, field};
use crate::config::{
    directive::{Flags, Getter, Kind, Setter, directive, inert},
    tls::{AuthClients, AuthClientsUser},
};
use Kind::*;

const INT: i64 = i32::MAX as i64;

/// A field of `Settings::tls`. That it was set counts even when it was set to what it is: the file may have changed.
macro_rules! tls {
    ($field:ident) => {
        (
            (|settings, _| $crate::config::value::Value::show(&settings.tls.$field)) as Getter,
            (|settings, directive, words| {
                settings.tls.$field = $crate::config::value::Value::read(directive.kind, words)?;
                settings.tls.touched = (settings.tls.touched.0.wrapping_add(1), directive.name);
                Ok(())
            }) as Setter,
        )
    };
}

const OUTWARD: &str = "Of connections that the server makes: it makes none.";

pub static TLS: Section = Section {
    title: "TLS",
    about: "Clients that connect to 'tls-port' speak TLS 1.2 or 1.3. Setting any of these while the server runs reads the files again; what cannot be used is refused, and the old certificate stays.",
    rows: &[
        directive("tls-port", Integer(0, 65535), "0", "TCP port for TLS; 0 listens on none.", field!(tls_port)),
        directive(
            "tls-cert-file",
            Text,
            "",
            "The server's certificate and those between it and the root, in PEM.",
            tls!(cert_file),
        ),
        directive("tls-key-file", Text, "", "The key of the certificate, in PEM, not encrypted.", tls!(key_file)),
        directive(
            "tls-key-file-pass",
            Text,
            "",
            "Kept, but keys with a password cannot be read: they are refused.",
            tls!(key_file_pass),
        )
        .with(Flags::SENSITIVE),
        directive(
            "tls-ca-cert-file",
            Text,
            "",
            "Who signs the certificates of clients: a bundle in PEM.",
            tls!(ca_cert_file),
        ),
        directive("tls-ca-cert-dir", Text, "", "The same, as a folder of PEM files.", tls!(ca_cert_dir)),
        directive(
            "tls-auth-clients",
            Choice(AuthClients::NAMES),
            "yes",
            "Whether clients have to show a certificate; 'optional' checks it if there is one.",
            tls!(auth_clients),
        ),
        directive(
            "tls-auth-clients-user",
            Choice(AuthClientsUser::NAMES),
            "off",
            "With 'CN', a client is the user whom its certificate names, if there is one.",
            tls!(auth_clients_user),
        ),
        directive(
            "tls-protocols",
            Text,
            "",
            "Versions that may be spoken: \"TLSv1.2 TLSv1.3\", or one of them.",
            tls!(protocols),
        ),
        directive(
            "tls-ciphers",
            Text,
            "",
            "Cipher suites of TLS 1.2 as OpenSSL names them, with ':' between; '!' and '-' take one away.",
            tls!(ciphers),
        ),
        directive("tls-ciphersuites", Text, "", "Cipher suites of TLS 1.3, with ':' between.", tls!(cipher_suites)),
        directive(
            "tls-prefer-server-ciphers",
            YesNo,
            "no",
            "Choose by the server's order of cipher suites instead of the client's.",
            tls!(prefer_server_ciphers),
        ),
        directive(
            "tls-session-caching",
            YesNo,
            "yes",
            "Remember sessions, so that clients that come back need no whole handshake.",
            tls!(session_caching),
        ),
        directive(
            "tls-session-cache-size",
            Integer(0, INT),
            "20480",
            "How many sessions are remembered; 0 is the default.",
            tls!(session_cache_size),
        ),
        inert("tls-session-cache-timeout", Integer(0, INT), "300", "The oldest sessions give way to new ones."),
        inert("tls-dh-params-file", Text, "", "Keys are exchanged on elliptic curves."),
        inert("tls-client-cert-file", Text, "", OUTWARD),
        inert("tls-client-key-file", Text, "", OUTWARD),
        inert("tls-client-key-file-pass", Text, "", OUTWARD).with(Flags::SENSITIVE),
        directive(
            "tls-replication",
            YesNo,
            "no",
            "Links to other servers are to be encrypted. There is no replication yet, and MIGRATE, which cannot do it, is refused.",
            tls!(replication),
        ),
        inert("tls-cluster", YesNo, "no", "Of cluster mode, which is not here yet."),
    ],
};

//! Section `[operators]`: the second listener, for people and monitoring.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

use crate::config::keys::doc::ShownValue;
use crate::config::keys::hidden::Kind;
use crate::config::keys::reader::{Reader, default_of};
use crate::config::keys::secrets::is_visible;
use crate::config::source::key::Key;

/// Minimum length of the token that protects the operators' listener.
const TOKEN_MIN_CHARS: usize = 16;

/// Section `[operators]`: the second listener, for people and monitoring.
#[derive(Clone, Debug)]
pub struct Operators {
    /// Address of the operators' listener.
    pub listen: SocketAddr,
    /// Bearer token that operators' requests must have. This one or one of `[[tokens]]` is always set, unless `listen` is
    /// a loopback address.
    pub token: Option<SecretString>,
}

impl Default for Operators {
    fn default() -> Operators {
        default_of(Operators::read)
    }
}

/// Keys of the section `[operators]`, before the token is checked.
struct OperatorsKeys {
    listen: SocketAddr,
    token: Option<SecretString>,
    token_file: Option<PathBuf>,
}

impl Operators {
    /// Reads the section `[operators]` for the service.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Operators {
        let has_tokens = reader.has_tables("tokens");
        read_section(reader, |reader, keys| {
            let is_protected = keys.token.is_some() || keys.token_file.is_some() || has_tokens;
            let operators = Operators::check(reader, keys);
            let listen = operators.listen;
            if !is_protected && !listen.ip().to_canonical().is_loopback() {
                let what = format!(
                    "needed, as other machines can reach {listen}; set one, or listen on 127.0.0.1"
                );
                reader.fault(&reader.at("token"), &what);
            }
            operators
        })
    }

    /// Reads the section `[operators]` for a command that calls the service. The token is optional.
    pub(crate) fn read_for_calls(reader: &mut Reader<'_>) -> Operators {
        read_section(reader, Operators::check)
    }

    /// Reads the address of the operators' listener alone, for a command that needs no token.
    pub(crate) fn read_address(reader: &mut Reader<'_>) -> SocketAddr {
        read_section(reader, |_, keys| keys.listen)
    }

    fn check(reader: &mut Reader<'_>, keys: OperatorsKeys) -> Operators {
        let token = reader.secret(
            Kind::Other,
            (reader.at("token"), keys.token),
            (reader.at("token_file"), keys.token_file),
        );
        if let Some((key, token)) = &token {
            check_token(reader, key, token);
        }
        Operators {
            listen: keys.listen,
            token: token.map(|(_, token)| token),
        }
    }
}

/// Checks that a token keeps people out, and that a header can carry it.
pub(super) fn check_token(reader: &mut Reader<'_>, key: &Key, token: &SecretString) {
    let token = token.expose_secret();
    if token.chars().count() < TOKEN_MIN_CHARS {
        let what =
            format!("too short to keep people out; take at least {TOKEN_MIN_CHARS} characters");
        reader.fault(key, &what);
    } else if !is_visible(token) {
        let what = "no header can carry it; use visible ASCII characters only";
        reader.fault(key, what);
    }
}

fn read_section<T>(
    reader: &mut Reader<'_>,
    check: impl FnOnce(&mut Reader<'_>, OperatorsKeys) -> T,
) -> T {
    let text = "The second listener, for people and monitoring.";
    reader.section("operators", text, |reader| {
        let keys = OperatorsKeys {
            listen: reader
                .doc("Address and port.")
                .address("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
            token: reader
                .doc(
                    "Token that a request must carry (\"Authorization: Bearer ...\"), at least 16 \
                     characters. This or [[tokens]] is needed as soon as the listener can be reached from other \
                     machines. The commands that call the service send it.",
                )
                .optional_secret("token", ShownValue::Example("\"...\"")),
            token_file: reader
                .doc("File that holds the token, instead of token.")
                .optional_path(
                    "token_file",
                    ShownValue::Example("\"/run/secrets/operators-token\""),
                ),
        };
        check(reader, keys)
    })
}

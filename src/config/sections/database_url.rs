//! Address of a database of a PostgreSQL server.

use std::fmt;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Example of an address, for faults.
const EXAMPLE: &str = "postgres://user:password@db.example.com/sinch";
/// Parameters of an address that are understood.
const PARAMETERS: [&str; 7] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "port",
    "dbname",
];
/// Parameters of an address that name a file.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// Modes of TLS that do what they say. The others fall back to no encryption where the server has none.
const TLS_MODES: [&str; 4] = ["verify-full", "verify-ca", "require", "disable"];

/// Address of a database of a PostgreSQL server. It may hold a password, so it is shown without what is secret.
#[derive(Clone, Debug)]
pub struct DatabaseUrl {
    url: SecretString,
    /// Host and name of the database, for people.
    shown: String,
    tls: TlsMode,
    is_local: bool,
}

/// What is verified about the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TlsMode {
    /// The server's certificate, and that it names the server.
    Verified,
    /// The server's certificate, whatever host it names.
    AnyHost,
    /// Nothing: an attacker on the way can read everything.
    Unverified,
    /// Nothing is encrypted.
    Off,
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &DatabaseUrl) -> bool {
        self.url.expose_secret() == other.url.expose_secret()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl DatabaseUrl {
    /// Reads an address. Without `sslmode`, the server's certificate is verified, unless the server is reached through a
    /// Unix socket.
    ///
    /// # Errors
    ///
    /// The fault of the address, without anything of it that is secret.
    pub fn parse(text: &SecretString) -> Result<DatabaseUrl, String> {
        let not_an_address = || format!("not an address; write one such as {EXAMPLE}");
        let mut url = Url::parse(text.expose_secret()).map_err(|_| not_an_address())?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(not_an_address());
        }
        if url.fragment().is_some() {
            let what = "holds a #; write %23 for it where it belongs to the password";
            return Err(what.to_owned());
        }
        check_parameters(&url)?;
        let parameter = |name: &str| {
            let found = url.query_pairs().filter(|(key, _)| key == name).last();
            found.map(|(_, value)| value.into_owned())
        };
        let authority = url.host_str().filter(|host| !host.is_empty());
        let host = parameter("host").or_else(|| authority.map(decoded));
        let host = host.ok_or_else(|| format!("no host; write an address such as {EXAMPLE}"))?;
        let name = url.path().trim_start_matches('/');
        let name = parameter("dbname").unwrap_or_else(|| decoded(name));
        if name.is_empty() {
            return Err(format!(
                "no name of a database; write an address such as {EXAMPLE}"
            ));
        }
        let is_socket = host.starts_with('/');
        let tls = match parameter("sslmode").as_deref() {
            None if is_socket => TlsMode::Off,
            None => {
                url.query_pairs_mut().append_pair("sslmode", TLS_MODES[0]);
                TlsMode::Verified
            }
            Some("verify-full") => TlsMode::Verified,
            Some("verify-ca") => TlsMode::AnyHost,
            Some("require") => TlsMode::Unverified,
            Some("disable") => TlsMode::Off,
            Some(_) => {
                return Err(format!(
                    "sslmode is not one of {}; write one of these",
                    TLS_MODES.join(", ")
                ));
            }
        };
        Ok(DatabaseUrl {
            shown: format!("{name} on {host}"),
            is_local: is_socket || is_loopback(&host),
            url: SecretString::from(String::from(url)),
            tls,
        })
    }

    /// Returns the whole address, password included.
    pub fn secret(&self) -> &SecretString {
        &self.url
    }

    /// Makes sure that the files that the address names can be read.
    ///
    /// # Errors
    ///
    /// The fault of the address.
    pub fn check_files(&self) -> Result<(), String> {
        let url = Url::parse(self.url.expose_secret()).map_err(|error| error.to_string())?;
        for (name, path) in url.query_pairs() {
            if FILES.contains(&name.as_ref())
                && let Err(error) = std::fs::read(&*path)
            {
                return Err(format!(
                    "{name} names a file that cannot be read ({path}: {error}); write the path of one that can"
                ));
            }
        }
        Ok(())
    }

    /// Returns what is unwise about the address, with the remedy.
    pub fn doubt(&self) -> Option<&'static str> {
        match self.tls {
            TlsMode::Unverified => Some(
                "sslmode=require encrypts, but anybody may pretend to be the server; take sslmode=verify-full",
            ),
            TlsMode::AnyHost => Some(
                "sslmode=verify-ca takes the certificate of any host by any authority that this machine trusts; take sslmode=verify-full",
            ),
            TlsMode::Off if !self.is_local => Some(
                "sslmode=disable sends callbacks and the password in the clear; take sslmode=verify-full",
            ),
            TlsMode::Verified | TlsMode::Off => None,
        }
    }
}

fn check_parameters(url: &Url) -> Result<(), String> {
    for (name, _) in url.query_pairs() {
        if !PARAMETERS.contains(&name.as_ref()) {
            return Err(format!(
                "holds a parameter that is not known here; of those behind the ? leave only {}",
                PARAMETERS.join(", ")
            ));
        }
    }
    Ok(())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DatabaseUrl, String> {
        DatabaseUrl::parse(&SecretString::from(text))
    }

    #[test]
    fn an_address_is_verified_unless_it_says_otherwise() {
        let given_and_kept = [
            (
                "postgres://u:p@db.example.com/sinch",
                "postgres://u:p@db.example.com/sinch?sslmode=verify-full",
                "sinch on db.example.com",
            ),
            (
                "postgresql://u@db.example.com:6432/sinch?sslrootcert=/ca.pem",
                "postgresql://u@db.example.com:6432/sinch?sslrootcert=/ca.pem&sslmode=verify-full",
                "sinch on db.example.com",
            ),
            (
                "postgres://u@[::1]/sinch?sslmode=disable",
                "postgres://u@[::1]/sinch?sslmode=disable",
                "sinch on [::1]",
            ),
            (
                "postgres:///sinch?host=/run/postgresql",
                "postgres:///sinch?host=/run/postgresql",
                "sinch on /run/postgresql",
            ),
            (
                "postgres://%2Frun%2Fpostgresql/a%20b",
                "postgres://%2Frun%2Fpostgresql/a%20b",
                "a b on /run/postgresql",
            ),
        ];
        for (given, kept, shown) in given_and_kept {
            let url = parse(given).expect(given);
            assert_eq!(url.secret().expose_secret(), kept, "{given}");
            assert_eq!(url.to_string(), shown, "{given}");
            assert_eq!(url.doubt(), None, "{given}");
        }
    }

    #[test]
    fn an_address_without_verification_is_doubted() {
        for (given, doubt) in [
            ("postgres://u@db/s?sslmode=require", "anybody may pretend"),
            ("postgres://u@db/s?sslmode=verify-ca", "of any host"),
            ("postgres://u@db/s?sslmode=disable", "in the clear"),
            (
                "postgres://u@127.0.0.1/s?sslmode=require",
                "anybody may pretend",
            ),
        ] {
            let url = parse(given).expect(given);
            let said = url.doubt();
            assert!(said.is_some_and(|said| said.contains(doubt)), "{said:?}");
        }
    }

    #[test]
    fn a_fault_shows_nothing_of_the_address() {
        for (given, what) in [
            ("marker", "not an address"),
            ("mysql://u:marker@db/s", "not an address"),
            ("host=db password=marker", "not an address"),
            ("postgres://u:marker@/s", "not an address"),
            ("postgres:///s?dbname=marker", "no host"),
            ("postgres://u:marker@db", "no name of a database"),
            ("postgres://u:marker@db/", "no name of a database"),
            ("postgres://u:marker@db/s#x", "holds a #"),
            (
                "postgres://u:marker@db/s?sslmode=prefer",
                "sslmode is not one of",
            ),
            (
                "postgres://u:marker@db/s?sslmode=marker",
                "sslmode is not one of",
            ),
            (
                "postgres://u:marker@db/s?password=marker",
                "a parameter that is not known",
            ),
            (
                "postgres://u:marker@db/s?options=marker",
                "a parameter that is not known",
            ),
        ] {
            let fault = parse(given).expect_err(given);
            assert!(fault.contains(what), "{given}: {fault}");
            assert!(!fault.contains("marker"), "{fault}");
        }
    }
}

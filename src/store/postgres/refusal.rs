//! Faults that keep a program from starting, each with the cure.

use super::error::{Class, Fault, is_tls};

/// What an operator is told of a fault that kept the program from starting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The cure, if one is known.
    pub cure: Option<&'static str>,
    /// `true` if the fault stays until the operator changes something.
    pub is_lasting: bool,
}

/// Returns what an operator is told of a fault.
pub(super) fn refusal(fault: &Fault) -> Refusal {
    let cure = match (fault.sqlstate(), fault) {
        (Some(state), _) => cure_of_state(state),
        (None, Fault::Database(error)) if is_tls(error) => Some(cure_of_tls(&error.to_string())),
        (None, Fault::Database(sqlx::Error::Io(_))) => {
            Some("is the server running, and is it reached at this address?")
        }
        (None, _) => None,
    };
    let is_admitted = !fault
        .sqlstate()
        .is_some_and(|state| state.starts_with("28"));
    let is_tls = matches!(fault, Fault::Database(error) if is_tls(error));
    Refusal {
        cure,
        is_lasting: !is_admitted || is_tls || fault.class() == Class::Stop,
    }
}

/// Cure where the user lacks a right.
pub(super) const OWN: &str = "let the user of database.url own the database and its tables (ALTER DATABASE ... OWNER TO ...)";

fn cure_of_state(state: &str) -> Option<&'static str> {
    Some(match state {
        "28P01" | "28000" => {
            "give the user and the password in database.url that pg_hba.conf admits"
        }
        "3D000" => "create it (CREATE DATABASE ... OWNER ...), or correct its name in database.url",
        "42501" => OWN,
        "3F000" => "let the search_path of the user name a schema that is there",
        "53300" => "raise max_connections, each replica needs ten",
        "55P03" | "57014" | "40P01" | "40001" => "another program holds a lock for too long",
        _ => return None,
    })
}

fn cure_of_tls(said: &str) -> &'static str {
    if said.contains("does not support TLS") {
        "give the server a certificate (ssl = on), or write sslmode=disable where nobody can listen"
    } else {
        "name the certificate of the authority that signed the server's by sslrootcert, and the server by the name in its certificate"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_is_told_from_what_may_pass() {
        let io = || sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        let tls = |what: &str| sqlx::Error::Tls(what.to_owned().into());
        for (fault, is_lasting, cure) in [
            (Fault::Late(2), false, None),
            (io().into(), false, Some("is the server running")),
            (
                tls("server does not support TLS").into(),
                true,
                Some("ssl = on"),
            ),
            (
                tls("invalid peer certificate").into(),
                true,
                Some("sslrootcert"),
            ),
        ] {
            let told = refusal(&fault);
            assert_eq!(told.is_lasting, is_lasting, "{fault}");
            let says = |part| told.cure.is_some_and(|cure| cure.contains(part));
            assert!(cure.is_none_or(says), "{fault}: {told:?}");
            assert_eq!(told.cure.is_some(), cure.is_some(), "{fault}");
        }
    }
}

//! Errors of PostgreSQL, by what the caller does next.

use std::io::ErrorKind;

use sqlx::postgres::PgDatabaseError;

use crate::store::StoreError;

/// What went wrong while the database was asked for something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The database or the connection to it failed.
    #[error("{}", words(.0))]
    Database(#[from] sqlx::Error),
    /// The program gave up waiting: what was under way has perhaps taken effect.
    #[error("there was no answer within {0} s")]
    Late(u64),
    /// The server is not one that this program may write to now.
    #[error("{0}")]
    Unfit(String),
    /// The store itself refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Class of a fault: what the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing has changed, and the same may be tried again on the same connection.
    Retry,
    /// The disk is full. Nothing has changed; the same may be tried again when there is space.
    Full,
    /// The server lacks something that it will have again, such as memory.
    Short,
    /// The connection is of no more use, and what was under way has perhaps taken effect.
    Reconnect,
    /// The database refuses these values.
    Refuse,
    /// A row cannot be read, or a statement does not fit the rows.
    Unread,
    /// The schema, the rights or the files are not as this program needs them. The process must stop.
    Stop,
}

impl Fault {
    /// Returns what the caller does next.
    pub(super) fn class(&self) -> Class {
        match self {
            Fault::Database(error) => class_of(error),
            Fault::Late(_) | Fault::Unfit(_) => Class::Reconnect,
            Fault::Store(StoreError::Broken(_) | StoreError::Closed) => Class::Stop,
            Fault::Store(_) => Class::Refuse,
        }
    }

    /// Returns the code by which the server classifies the fault; `None`: the server did not send it.
    pub(super) fn sqlstate(&self) -> Option<&str> {
        match self {
            Fault::Database(error) => sqlstate(error),
            Fault::Late(_) | Fault::Unfit(_) | Fault::Store(_) => None,
        }
    }
}

/// Returns an error in words. Of what the server says, its details are left out: they hold values of rows.
fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(said) => match said.code() {
            Some(code) => format!("{} ({code})", said.message()),
            None => said.message().to_owned(),
        },
        sqlx::Error::Tls(said) => format!("TLS: {said}"),
        sqlx::Error::Io(said) if is_tls(error) => format!("TLS: {said}"),
        sqlx::Error::Io(said) => said.to_string(),
        other => other.to_string(),
    }
}

/// Returns `true` if an error is one of TLS. What rustls finds in a handshake comes as an error of the socket.
pub(super) fn is_tls(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Tls(_) => true,
        sqlx::Error::Io(error) => error.kind() == ErrorKind::InvalidData,
        _ => false,
    }
}

/// Returns the code by which the server classifies an error; `None`: the server did not send it.
fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    let error = error.as_database_error()?;
    Some(error.try_downcast_ref::<PgDatabaseError>()?.code())
}

fn class_of(error: &sqlx::Error) -> Class {
    let Some(state) = sqlstate(error) else {
        return match error {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::RowNotFound => Class::Unread,
            sqlx::Error::Encode(_) => Class::Refuse,
            _ => Class::Reconnect,
        };
    };
    class_of_state(state)
}

/// Returns the class of one of PostgreSQL's codes. A code that is not listed is one that the caller can do nothing about
/// but to connect again.
fn class_of_state(state: &str) -> Class {
    match state {
        // Serialization failure, deadlock, lock_timeout, statement_timeout.
        "40001" | "40P01" | "55P03" | "57014" => Class::Retry,
        "53100" => Class::Full,
        // Out of memory, a limit of the configuration, an I/O error.
        "53200" | "53400" | "58030" => Class::Short,
        "0A000" | "XX001" | "XX002" => Class::Stop,
        _ => match state.get(..2) {
            // Data exceptions, violated constraints, limits of the program such as a row that is too long.
            Some("22" | "23" | "54") => Class::Refuse,
            Some("3D" | "3F" | "42") => Class::Stop,
            // Among these is 28: whom the server admits may change while the program runs. A password is rotated, a rule is
            // mended.
            _ => Class::Reconnect,
        },
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> StoreError {
        let reason = fault.to_string();
        match (fault.class(), fault) {
            (_, Fault::Store(error)) => error,
            (Class::Retry, _) => StoreError::Locked,
            (Class::Full, _) => StoreError::Full,
            (Class::Short | Class::Reconnect, _) => StoreError::Unreachable(reason),
            (Class::Refuse, _) => StoreError::Rejected(reason),
            (Class::Unread, _) => StoreError::Unread(reason),
            (Class::Stop, _) => StoreError::Broken(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_what_to_do_next() {
        for (state, class) in [
            ("40P01", Class::Retry),
            ("55P03", Class::Retry),
            ("53100", Class::Full),
            ("53200", Class::Short),
            ("53300", Class::Reconnect),
            ("57P01", Class::Reconnect),
            ("25006", Class::Reconnect),
            ("08006", Class::Reconnect),
            ("28P01", Class::Reconnect),
            ("28000", Class::Reconnect),
            ("23505", Class::Refuse),
            ("22P05", Class::Refuse),
            ("54000", Class::Refuse),
            ("42P01", Class::Stop),
            ("XX001", Class::Stop),
        ] {
            assert_eq!(class_of_state(state), class, "{state}");
        }
    }

    #[test]
    fn what_the_server_did_not_say_is_the_connections_fault() {
        let cut = Fault::from(sqlx::Error::Io(std::io::ErrorKind::BrokenPipe.into()));
        assert_eq!(cut.class(), Class::Reconnect);
        let error = StoreError::from(Fault::Late(5));
        let words = "the database cannot be reached: there was no answer within 5 s";
        assert_eq!(error.to_string(), words);
    }
}

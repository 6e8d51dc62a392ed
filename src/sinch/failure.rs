//! Failed fetches, and fetches with an answer that is not believed, by what the fetcher does next.

use std::fmt;
use std::time::Duration;

use number_order::{Endpoint, Flaw, Id, NoAnswer};
use sinch_numbers::api::{self, BodyFault, Failure, RequestError};

/// Error of a fetch that brought no answer that is believed. No body, address, key or token is quoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchError {
    /// Reason why there is no answer that is believed.
    pub reason: NoAnswer,
    /// Time for which Sinch asks that no more requests be sent.
    pub retry_after: Option<Duration>,
}

impl std::error::Error for FetchError {}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl From<NoAnswer> for FetchError {
    fn from(reason: NoAnswer) -> FetchError {
        FetchError {
            reason,
            retry_after: None,
        }
    }
}

impl FetchError {
    /// Returns the error for an answer that shows an order or a number and is not believed.
    pub(super) fn not_believed(endpoint: Endpoint, flaw: Flaw) -> FetchError {
        unusable(endpoint, 200, flaw).into()
    }

    /// Returns `true` if the order or number seems to be at fault: then only its own next attempt waits. Otherwise the provider or
    /// the access key is at fault, and fetches of other orders are expected to fail as well, until one succeeds.
    pub fn is_of_order(&self) -> bool {
        match &self.reason {
            NoAnswer::UnusableAnswer { endpoint, .. } => *endpoint != Endpoint::Token,
            NoAnswer::KeyRefused { .. }
            | NoAnswer::Unreachable { .. }
            | NoAnswer::TimedOut { .. }
            | NoAnswer::BrokenOff { .. }
            | NoAnswer::NotNow { .. }
            | NoAnswer::NoneKnown { .. } => false,
        }
    }

    /// Returns `true` if the access key was refused, whatever it was used for. A fetch may be refused because of its
    /// order alone. Otherwise only an operator can remove the cause.
    pub fn is_refused(&self) -> bool {
        matches!(self.reason, NoAnswer::KeyRefused { .. })
    }

    /// Returns the endpoint that answered, or that should have.
    pub fn endpoint(&self) -> Endpoint {
        match self.reason {
            NoAnswer::KeyRefused { endpoint, .. }
            | NoAnswer::Unreachable { endpoint, .. }
            | NoAnswer::TimedOut { endpoint }
            | NoAnswer::BrokenOff { endpoint, .. }
            | NoAnswer::NotNow { endpoint, .. }
            | NoAnswer::UnusableAnswer { endpoint, .. } => endpoint,
            NoAnswer::NoneKnown { .. } => Endpoint::Orders,
        }
    }
}

/// Returns what a failed request to `api` for an order or a number of `project` means: `Ok` if Sinch does not know
/// it, or else that there is no answer that is believed.
pub(super) fn meaning(error: RequestError, api: Endpoint, project: &Id) -> Result<(), FetchError> {
    let endpoint = match error.endpoint {
        api::Endpoint::Api => api,
        api::Endpoint::Token => Endpoint::Token,
    };
    let mut wait = None;
    let reason = match error.failure {
        Failure::NotFound => return Ok(()),
        Failure::Unreachable { cause } => NoAnswer::Unreachable { endpoint, cause },
        Failure::TimedOut => NoAnswer::TimedOut { endpoint },
        Failure::BrokenOff { cause } => NoAnswer::BrokenOff { endpoint, cause },
        Failure::Unreadable { status, fault } => unusable(endpoint, status, flaw_of(fault)),
        Failure::Status {
            status,
            retry_after,
        } => {
            let reason = reason_by_status(endpoint, status, project);
            // With any other status, the wait says nothing about the API as a whole.
            if let NoAnswer::NotNow { .. } = reason {
                wait = retry_after;
            }
            reason
        }
    };
    Err(FetchError {
        reason,
        retry_after: wait,
    })
}

fn unusable(endpoint: Endpoint, status: u16, flaw: Flaw) -> NoAnswer {
    NoAnswer::UnusableAnswer {
        endpoint,
        status,
        flaw,
    }
}

/// Returns the reason why there is no answer to believe, from a status that is not the expected one.
fn reason_by_status(endpoint: Endpoint, status: u16, project: &Id) -> NoAnswer {
    let flaw = match (endpoint, status) {
        // RFC 6749, section 5.2: a wrong key may be a 400.
        (_, 401 | 403) | (Endpoint::Token, 400) => {
            return NoAnswer::KeyRefused {
                endpoint,
                status,
                project: project.clone(),
            };
        }
        // Sinch documents 500 as an answer to a fetch, so the failure may last for a single order.
        (Endpoint::Orders | Endpoint::Numbers, 500) => Flaw::ServerFailed,
        // 407 comes from a proxy between the service and Sinch.
        (_, 407 | 408 | 429 | 500..) => return NoAnswer::NotNow { endpoint, status },
        (_, 300..400) => Flaw::Redirect,
        (_, 400..) => Flaw::RequestNotAccepted,
        (_, ..300) => Flaw::OtherStatus,
    };
    unusable(endpoint, status, flaw)
}

fn flaw_of(fault: BodyFault) -> Flaw {
    match fault {
        BodyFault::TooLarge => Flaw::TooLarge,
        BodyFault::NotAnObject => Flaw::NotAnObject,
        BodyFault::Compressed => Flaw::Compressed,
        BodyFault::Html => Flaw::Html,
        BodyFault::ByteOrderMark => Flaw::ByteOrderMark,
        BodyFault::NotJson => Flaw::NotJson,
        BodyFault::NotAnError => Flaw::ForeignNotFound,
        BodyFault::NoToken => Flaw::NoToken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(endpoint: api::Endpoint, failure: Failure) -> FetchError {
        let project = Id::new("p1").expect("an id");
        meaning(
            RequestError { endpoint, failure },
            Endpoint::Orders,
            &project,
        )
        .expect_err("no answer")
    }

    fn of_status(endpoint: api::Endpoint, status: u16) -> FetchError {
        let retry_after = Some(Duration::from_secs(17));
        let failure = Failure::Status {
            status,
            retry_after,
        };
        error(endpoint, failure)
    }

    #[test]
    fn every_status_has_its_fault_and_only_some_are_heeded_in_their_wait() {
        for (status, of_order, code, waits) in [
            (401, false, "key-refused", false),
            (403, false, "key-refused", false),
            (407, false, "not-now", true),
            (408, false, "not-now", true),
            (429, false, "not-now", true),
            (502, false, "not-now", true),
            (503, false, "not-now", true),
            (504, false, "not-now", true),
            (500, true, "server-failed", false),
            (400, true, "request-not-accepted", false),
            (409, true, "request-not-accepted", false),
            (307, true, "redirect", false),
            (204, true, "other-status", false),
            (203, true, "other-status", false),
        ] {
            let error = of_status(api::Endpoint::Api, status);
            let found = match &error.reason {
                NoAnswer::UnusableAnswer { flaw, .. } => flaw.code(),
                reason => reason.code(),
            };
            assert_eq!((error.is_of_order(), found), (of_order, code), "{status}");
            assert_eq!(error.retry_after.is_some(), waits, "{status}");
            assert_eq!(error.is_refused(), code == "key-refused", "{status}");
            assert_eq!(error.endpoint(), Endpoint::Orders);
        }
        let refused = of_status(api::Endpoint::Api, 401).to_string();
        assert_eq!(
            refused,
            "the Number Order API answered 401: check key_id and key_secret of project p1"
        );
    }

    #[test]
    fn a_token_endpoint_that_fails_is_the_providers_fault() {
        for status in [204, 302, 400, 401, 403, 404, 429, 500, 503] {
            let error = of_status(api::Endpoint::Token, status);
            assert!(!error.is_of_order(), "{status}");
            assert_eq!(error.is_refused(), matches!(status, 400 | 401 | 403));
            assert_eq!(error.endpoint(), Endpoint::Token);
            assert!(error.to_string().starts_with("the token endpoint "));
        }
        for fault in [BodyFault::NoToken, BodyFault::TooLarge] {
            let failure = Failure::Unreadable { status: 200, fault };
            let error = error(api::Endpoint::Token, failure);
            assert!(!error.is_of_order());
            assert!(error.to_string().starts_with("the token endpoint "));
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_is_the_orders_fault() {
        for (fault, expected) in [
            (BodyFault::TooLarge, Flaw::TooLarge),
            (BodyFault::NotAnObject, Flaw::NotAnObject),
            (BodyFault::Compressed, Flaw::Compressed),
            (BodyFault::Html, Flaw::Html),
            (BodyFault::ByteOrderMark, Flaw::ByteOrderMark),
            (BodyFault::NotJson, Flaw::NotJson),
            (BodyFault::NotAnError, Flaw::ForeignNotFound),
        ] {
            let failure = Failure::Unreadable { status: 404, fault };
            let error = error(api::Endpoint::Api, failure);
            assert_eq!(error.reason, unusable(Endpoint::Orders, 404, expected));
            assert!(error.is_of_order());
        }
    }

    #[test]
    fn only_the_apis_own_404_is_an_answer() {
        let not_found = RequestError {
            endpoint: api::Endpoint::Api,
            failure: Failure::NotFound,
        };
        let project = Id::new("p1").expect("an id");
        assert_eq!(meaning(not_found, Endpoint::Numbers, &project), Ok(()));
        let other = of_status(api::Endpoint::Api, 404);
        assert!(other.is_of_order());
    }

    #[test]
    fn a_connection_that_fails_is_the_providers_fault() {
        let cause = || "reset".to_owned();
        for (failure, code) in [
            (Failure::Unreachable { cause: cause() }, "unreachable"),
            (Failure::TimedOut, "timed-out"),
            (Failure::BrokenOff { cause: cause() }, "broken-off"),
        ] {
            for endpoint in [api::Endpoint::Api, api::Endpoint::Token] {
                let error = error(endpoint, failure.clone());
                assert_eq!(error.reason.code(), code);
                assert!(!error.is_of_order());
            }
        }
    }
}

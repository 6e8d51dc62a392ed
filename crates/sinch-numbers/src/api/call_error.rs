//! Failures of calls, in words that say what to do.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::body_fault::BodyFault;
use super::call::{Call, Repeat};
use super::error::{Endpoint, Failure, RequestError};
use super::refusal::Refusal;

/// Maximum length of one of Sinch's texts that is shown, in characters.
const TEXT_MAX_CHARS: usize = 1000;

/// Maximum number of violations of a refusal that are shown.
const VIOLATIONS_MAX: usize = 100;

/// Failure of a call.
///
/// `Display` says what happened and what to do, and quotes nothing of what was sent or received, so it may be logged.
/// [`CallError::told`] adds Sinch's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The call that failed.
    pub call: Call,
    /// Kind of the failure, and the endpoint that failed.
    pub request: RequestError,
    /// Body of the API's refusal; `None` if there was none, or it is no JSON object.
    pub refusal: Option<Box<Refusal>>,
}

impl CallError {
    /// Returns what the failure means for sending the same request again.
    pub fn repeat(&self) -> Repeat {
        self.call.repeat(&self.request)
    }

    /// Returns the time for which Sinch asks for no more requests; `None` if it names none.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.request.failure {
            Failure::Status { retry_after, .. } => retry_after,
            Failure::Unreachable { .. }
            | Failure::TimedOut
            | Failure::BrokenOff { .. }
            | Failure::NotFound
            | Failure::Unreadable { .. } => None,
        }
    }

    /// Returns the whole story for the person who made the call, with Sinch's words and the fields that it does not
    /// accept. Those words can repeat what was sent: they are for a terminal, and for no log.
    pub fn told(&self) -> Told<'_> {
        Told(self)
    }

    /// Returns what to do about the call's failure.
    fn cure(&self) -> String {
        match self.repeat() {
            Repeat::Allowed => match self.retry_after() {
                Some(wait) => format!("try again in {} s", wait.as_secs()),
                None => self.again_advice().to_owned(),
            },
            Repeat::FindOutFirst => {
                format!(
                    "it may have taken effect, so do not repeat it: {}",
                    find_out_advice(self.call)
                )
            }
            Repeat::Forbidden => self.change_advice().to_owned(),
        }
    }

    /// Returns what to do about a failure after which the same request may be sent again.
    fn again_advice(&self) -> &'static str {
        match (&self.request.failure, self.call) {
            (Failure::NotFound, _) => {
                "it is not active, or not yet: try again later, or check the number"
            }
            (Failure::Unreadable { .. }, _) => {
                "try again; if that fails, check the address and the proxies on the way"
            }
            (_, Call::UploadAttachment) => "try again, then look for the file in the registration",
            (_, _) => "try again later",
        }
    }

    /// Returns what must change before a refused request makes sense again.
    fn change_advice(&self) -> &'static str {
        let status = match &self.request.failure {
            Failure::NotFound => return not_found_advice(self.call),
            Failure::Unreadable {
                fault: BodyFault::NotAnError | BodyFault::Html,
                status: 404,
            } => return "this 404 is not Sinch's: check the API's address",
            Failure::Status { status, .. } | Failure::Unreadable { status, .. } => *status,
            // After these a request is never forbidden.
            Failure::Unreachable { .. } | Failure::TimedOut | Failure::BrokenOff { .. } => 0,
        };
        match (self.request.endpoint, status) {
            (Endpoint::Token, 400 | 401 | 403) | (_, 401) => {
                "check the access key's id and secret: they are wrong, or the key was revoked"
            }
            (Endpoint::Token, _) => "check the token endpoint's address",
            (_, 400) => "correct what Sinch names before you send it again",
            (_, 403) => {
                "check that the access key has a right to this project and this call; a trial account may not rent numbers"
            }
            (_, 404) => "check the API's address",
            (_, 407) => "check the access to the proxy",
            (_, 413) if self.call == Call::UploadAttachment => {
                "the file is too large; Sinch does not say what is allowed: make it smaller"
            }
            (_, 413) => "the request is too large: make it smaller",
            (_, 300..400) => "check the API's address: it leads to another one",
            _ => "Sinch does not document this answer: see how things stand before you go on",
        }
    }
}

/// Returns how to find out if a call took effect.
fn find_out_advice(call: Call) -> &'static str {
    match call {
        Call::CreateOrder => {
            "see if the number is still available, and wait for a callback that names an order; no call lists orders"
        }
        Call::SubmitOrder => "fetch the order; any state but CREATED means that it was submitted",
        Call::RentNumber => "fetch the active number",
        Call::RentAnyNumber => "list the active numbers",
        Call::UpdateActiveNumber => "fetch the active number and compare",
        Call::ReleaseActiveNumber => {
            "fetch the active number; its expireAt is set if it was released"
        }
        Call::UpdateCallbackConfiguration => {
            "fetch the callback configuration and compare the secret"
        }
        Call::LookUpRequirements
        | Call::GetOrder
        | Call::PutRegistration
        | Call::GetRegistration
        | Call::UploadAttachment
        | Call::ListRegions
        | Call::SearchAvailableNumbers
        | Call::GetAvailableNumber
        | Call::ListActiveNumbers
        | Call::GetActiveNumber
        | Call::GetCallbackConfiguration => "see how things stand",
    }
}

/// Returns what to do about Sinch's own 404 to a call.
fn not_found_advice(call: Call) -> &'static str {
    match call {
        Call::GetOrder | Call::PutRegistration | Call::GetRegistration | Call::SubmitOrder => {
            "the order has expired and is forgotten, or is another project's: check its id and the project"
        }
        Call::UploadAttachment => {
            "check the ids of order and attachment; the order may have expired"
        }
        Call::GetAvailableNumber | Call::RentNumber => {
            "the number cannot be had, or there is no such number: choose another"
        }
        Call::CreateOrder => "the number cannot be had: choose another; or check the project's id",
        Call::UpdateActiveNumber | Call::ReleaseActiveNumber | Call::GetActiveNumber => {
            "the number is not active, or not yet: check it"
        }
        Call::LookUpRequirements
        | Call::ListRegions
        | Call::SearchAvailableNumbers
        | Call::RentAnyNumber
        | Call::ListActiveNumbers
        | Call::GetCallbackConfiguration
        | Call::UpdateCallbackConfiguration => "check the project's id",
    }
}

impl Error for CallError {}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}; {}", self.call, self.request, self.cure())
    }
}

/// Failure of a call with Sinch's words, on several lines.
#[derive(Clone, Copy)]
pub struct Told<'a>(&'a CallError);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)?;
        let is_refused = matches!(
            self.0.request.failure,
            Failure::Status { .. } | Failure::NotFound
        );
        let of_api = self.0.request.endpoint == Endpoint::Api;
        let refusal = self.0.refusal.as_deref();
        let message = refusal.and_then(Refusal::message);
        let violations = refusal.map(Refusal::violations).unwrap_or_default();
        if let Some(message) = &message {
            write!(f, "\n  Sinch says: {}", on_one_line(message))?;
        } else if violations.is_empty() && is_refused && of_api {
            f.write_str("\n  Sinch gave no reason")?;
        }
        for violation in violations.iter().take(VIOLATIONS_MAX) {
            let (field, why) = (violation.field(), violation.description());
            let field = field.text().unwrap_or("the request");
            let why = why.text().unwrap_or("is not accepted, without a reason");
            write!(f, "\n  {}: {}", on_one_line(field), on_one_line(why))?;
        }
        match violations.len().saturating_sub(VIOLATIONS_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// Returns a text of Sinch's as it can be shown on a terminal: on one line, without control characters, cut off where
/// it is very long.
fn on_one_line(text: &str) -> String {
    let visible = |char: char| if char.is_control() { ' ' } else { char };
    let mut shown: String = text.chars().take(TEXT_MAX_CHARS).map(visible).collect();
    if text.chars().nth(TEXT_MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

//! What a failed request means: the failure's code, and its cause without the URL.

use std::error::Error;
use std::io;

use super::resolver::NoAddress;
use crate::worker::notify::cause::cause;
use notifications::{Awaited, DeliveryFailure};

/// Returns why a request has failed.
pub(super) fn failure(error: &reqwest::Error) -> DeliveryFailure {
    if let Some(failure) = causes(error).find_map(known) {
        return failure;
    }
    if error.is_timeout() {
        let awaited = if error.is_connect() {
            Awaited::Connection
        } else {
            Awaited::Answer
        };
        return DeliveryFailure::TimedOut { awaited };
    }
    let cause = innermost(error);
    if error.is_connect() {
        DeliveryFailure::Unreachable { cause }
    } else {
        DeliveryFailure::BrokenOff { cause }
    }
}

/// Returns the failure of an attempt that has nowhere to go.
pub(super) fn no_address(no_address: &NoAddress) -> DeliveryFailure {
    match no_address {
        NoAddress::NotResolved(error) => DeliveryFailure::NameNotResolved {
            cause: cause(error),
        },
        NoAddress::NotAllowed(address, class) => DeliveryFailure::AddressNotAllowed {
            address: *address,
            class: *class,
        },
    }
}

/// Returns the failure that a cause alone shows.
fn known(error: &(dyn Error + 'static)) -> Option<DeliveryFailure> {
    if let Some(found) = error.downcast_ref::<NoAddress>() {
        return Some(no_address(found));
    }
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(DeliveryFailure::Tls { cause: cause(tls) });
    }
    let http = error.downcast_ref::<hyper::Error>()?;
    if http.is_parse_too_large() {
        return Some(DeliveryFailure::TooLongAnswer);
    }
    http.is_parse()
        .then(|| DeliveryFailure::NotHttp { cause: cause(http) })
}

/// Returns the causes of an error, from the outermost on. What an error of the system carries is one too.
fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    std::iter::successors(Some(error), |error| cause_of(*error))
}

fn cause_of<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    let carried = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    match carried {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

/// Returns the innermost cause in words. The outer causes name the request, with its URL.
fn innermost(error: &reqwest::Error) -> String {
    let innermost = causes(error).skip(1).last();
    innermost.map_or_else(|| "for no known cause".to_owned(), cause)
}

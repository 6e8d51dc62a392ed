//! Section `[sinch]`: addresses, limits and timeouts of Sinch's API.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::keys::reader::{Reader, default_of};
use crate::config::keys::values::TIMEOUT_SECS;

/// Interval that can be configured between two comparisons of a callback secret.
const SECRET_CHECK_SECS: RangeInclusive<f64> = 10.0..=604_800.0;

/// Section `[sinch]`: addresses, limits and timeouts of Sinch's API.
#[derive(Clone, Debug, PartialEq)]
pub struct Sinch {
    /// URL of Sinch's API, without a slash at its end. Encrypted unless it is a loopback address.
    pub api_url: String,
    /// URL of Sinch's token endpoint, without a slash at its end. Encrypted unless it is a loopback address.
    pub token_url: String,
    /// Maximum number of fetches in flight per project, not counting those that hang.
    pub max_in_flight: usize,
    /// Maximum number of fetches per second for each project. More than zero.
    pub requests_per_second: f64,
    /// Maximum time for a request to Sinch with its answer.
    pub request_timeout: Duration,
    /// Maximum time to connect to Sinch.
    pub connect_timeout: Duration,
    /// Interval between two comparisons of a project's callback secrets with the one that Sinch has.
    pub secret_check: Duration,
    /// `true` if `HTTPS_PROXY` and similar variables apply.
    pub proxy_from_environment: bool,
}

impl Default for Sinch {
    fn default() -> Sinch {
        default_of(Sinch::read)
    }
}

impl Sinch {
    /// Reads the section `[sinch]`.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Sinch {
        let text = "Addresses and limits of Sinch's API. http:// is refused except for this machine, since the key \
                    is sent there.";
        reader.section("sinch", text, read_keys)
    }
}

fn read_keys(keys: &mut Reader<'_>) -> Sinch {
    let sinch = Sinch {
        api_url: keys
            .doc("URL of the API, without /v1/projects/….")
            .url("api_url", "https://numbers.api.sinch.com"),
        token_url: keys
            .doc("URL at which the key is exchanged for a token.")
            .url("token_url", "https://auth.sinch.com/oauth2/token"),
        max_in_flight: keys
            .doc(
                "Maximum number of fetches in flight (slots), for each project. A fetch without \
                 an answer after 2 s releases its slot to another; up to twice as many as there \
                 are slots may hang in this way.",
            )
            .whole("max_in_flight", 4, 1..=1024),
        requests_per_second: keys
            .doc("Maximum number of fetches started per second, for each project.")
            .number("requests_per_second", 5.0, 0.001..=100_000.0),
        request_timeout: keys
            .doc("Maximum time for a request with its answer.")
            .seconds("request_timeout_secs", 10.0, TIMEOUT_SECS),
        connect_timeout: keys.doc("Maximum time to connect.").seconds(
            "connect_timeout_secs",
            5.0,
            TIMEOUT_SECS,
        ),
        secret_check: keys
            .doc(
                "Interval at which the secret that Sinch has for callbacks is compared with those \
                 of the project. It is compared at the start too, and soon after a wrong signature.",
            )
            .seconds("secret_check_secs", 3600.0, SECRET_CHECK_SECS),
        proxy_from_environment: keys
            .doc("true: HTTPS_PROXY and the like count.")
            .flag("proxy_from_environment", false),
    };
    if has_path(&sinch.api_url) {
        let what = "has a path, and /v1/projects/… is put behind it; leave it out, or every order is \
                    unknown there, unless a gateway wants it";
        keys.warn(&keys.at("api_url"), what);
    }
    if !has_path(&sinch.token_url) {
        let what = "has no path; Sinch's is https://auth.sinch.com/oauth2/token";
        keys.warn(&keys.at("token_url"), what);
    }
    sinch
}

/// Returns `true` if the URL contains more than scheme and host.
fn has_path(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    host.contains('/')
}

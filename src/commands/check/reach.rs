//! Where the URL leads that Sinch calls: to the service, or to something in between.

use std::error::Error;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, redirect};

use super::Verdict;

/// Maximum time for the request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Media type of the service's refusals.
const PROBLEM: &str = "application/problem+json";

/// Asks for the URL by GET, which is no callback, and says what the answer means.
pub(super) async fn examine(url: &str) -> Verdict {
    match ask(url).await {
        Ok((status, is_of_service)) => match meaning(status, is_of_service) {
            Ok(words) => Verdict::Seen(format!("{url} leads to the service: {words}")),
            Err(words) => Verdict::Faulty(format!("{url} answered {status}: {words}")),
        },
        Err(reason) => Verdict::Faulty(format!("{url}: {reason}")),
    }
}

/// Returns the status of the answer, and `true` if it has the form of the service's refusals.
async fn ask(url: &str) -> Result<(u16, bool), String> {
    // Any client needs a TLS provider, even one that will not encrypt.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()
        .map_err(|error| error.to_string())?;
    let answer = client
        .get(url)
        .send()
        .await
        .map_err(|error| no_answer(&error))?;
    let is_of_service = answer
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(PROBLEM.as_bytes()));
    Ok((answer.status().as_u16(), is_of_service))
}

/// Returns why there was no answer, with what to do.
fn no_answer(error: &reqwest::Error) -> String {
    let cause = innermost(error);
    let is_of_certificate = cause.to_ascii_lowercase().contains("certificate");
    if error.is_timeout() {
        "no answer came in time; is the port open to the internet?".to_owned()
    } else if is_of_certificate {
        format!("TLS failed: {cause}; Sinch would not connect either: mend the proxy's certificate")
    } else if error.is_connect() {
        format!(
            "cannot be reached: {cause}; check the name, the port, and that the proxy listens there"
        )
    } else {
        format!("the connection broke: {cause}; check what listens there")
    }
}

fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Returns what the status of an answer means: that the service was reached, or what is wrong.
fn meaning(status: u16, is_of_service: bool) -> Result<&'static str, &'static str> {
    match (status, is_of_service) {
        (405, true) => Ok("it takes callbacks at this path"),
        (403, true) => Ok(
            "it refuses this machine, which is not in callbacks.allow, so its path could not be tried",
        ),
        (503, true) => Ok("it has no connection or no room left now"),
        (404, true) => Err(
            "the service was reached, and has no project at this path: compare callbacks.public_url and projects.path, and what \
             the proxy makes of a path",
        ),
        (502..=504, _) => Err(
            "a proxy answers, and does not reach the service: does it run, and does the proxy have its address?",
        ),
        (300..400, _) => Err(
            "it leads elsewhere, and Sinch does not say that it follows: write the address to which it leads, mostly https://",
        ),
        (401 | 407, false) => {
            Err("a proxy wants a password, which Sinch has not: let callbacks pass")
        }
        (403, false) => Err(
            "a proxy or a firewall refuses it: let Sinch's addresses pass, and run this from a machine that may pass",
        ),
        (404 | 405, false) => Err(
            "another server answers: check the name of callbacks.public_url, and where the proxy leads this path",
        ),
        (200..300, _) => Err(
            "another server answers, which would lose callbacks: the service never answers so to a GET",
        ),
        (400, true) => {
            Err("the proxy does not speak plain HTTP/1.1 to the service: see docs/deploy.md")
        }
        (_, _) => Err("the service answers otherwise: look what stands between"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_what_was_reached() {
        for (status, is_of_service, words) in [
            (405, true, Ok("takes callbacks")),
            (403, true, Ok("callbacks.allow")),
            (503, true, Ok("no room")),
            (404, true, Err("projects.path")),
            (404, false, Err("another server")),
            (405, false, Err("another server")),
            (403, false, Err("firewall")),
            (401, false, Err("password")),
            (301, false, Err("https://")),
            (200, false, Err("another server")),
            (200, true, Err("another server")),
            (502, false, Err("does not reach the service")),
            (503, false, Err("does not reach the service")),
            (504, false, Err("does not reach the service")),
            (400, true, Err("HTTP/1.1")),
            (418, false, Err("otherwise")),
        ] {
            let found = meaning(status, is_of_service);
            assert_eq!(found.is_ok(), words.is_ok(), "{status} {is_of_service}");
            let (Ok(found) | Err(found)) = found;
            let (Ok(words) | Err(words)) = words;
            assert!(found.contains(words), "{status} {is_of_service}: {found}");
        }
    }
}

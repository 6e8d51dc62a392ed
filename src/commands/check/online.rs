//! What only calls show: if Sinch takes the key of a project, knows the project, and signs with a secret that is configured; and
//! where the service's public URL leads.

use secrecy::SecretString;

use super::{Verdict, reach};
use crate::app;
use crate::config::{Api, Config, Credentials, Project, Signature};
use crate::sinch;
use sinch_numbers::api::{Client, Endpoint, Failure, RequestError};

/// Makes the calls for each project, and returns what they show.
pub(super) async fn verdicts(config: &Config) -> Vec<(String, Verdict)> {
    let mut verdicts = Vec::new();
    for (index, project) in config.projects.iter().enumerate() {
        if let Api::On(credentials) = &project.api {
            verdicts.extend(of_api(config, index, project, credentials).await);
        }
    }
    for project in &config.projects {
        let what = format!("callback URL of project {}", project.id);
        let verdict = match &config.callbacks.public_url {
            Some(url) => reach::examine(&format!("{url}{}", project.path)).await,
            None => Verdict::LeftOut("callbacks.public_url is not set".to_owned()),
        };
        verdicts.push((what, verdict));
    }
    verdicts
}

/// Returns what Sinch says about the key and the project, and then about the secret of callbacks. A client that cannot be
/// built has been reported.
async fn of_api(
    config: &Config,
    index: usize,
    project: &Project,
    credentials: &Credentials,
) -> Vec<(String, Verdict)> {
    let Ok(client) = app::client(&project.id, credentials, &config.sinch) else {
        return Vec::new();
    };
    let access = match client.list_regions(&[]).await {
        Ok(_) => Verdict::Seen("Sinch takes the key, and knows the project".to_owned()),
        Err(error) => Verdict::Faulty(in_words(&error.request, index)),
    };
    let is_open = matches!(access, Verdict::Seen(_));
    let mut verdicts = vec![(format!("access to project {}", project.id), access)];
    let what = format!("callback secret of project {}", project.id);
    let verdict = match &project.signature {
        Signature::Off => Verdict::LeftOut("signature = \"off\"".to_owned()),
        Signature::Required(_) if !is_open => {
            Verdict::LeftOut("there is no access to the project".to_owned())
        }
        Signature::Required(secrets) => {
            let places: Vec<&str> = secrets.iter().map(|one| one.place.as_str()).collect();
            let secrets = secrets.iter().map(|one| &one.secret);
            secret(&client, secrets, &places, index).await
        }
    };
    verdicts.push((what, verdict));
    verdicts
}

async fn secret(
    client: &Client,
    secrets: impl Iterator<Item = &SecretString>,
    places: &[&str],
    index: usize,
) -> Verdict {
    let project = client.project();
    let cure = format!(
        "run `sinch-callbacks rotate-secret {project}`, or put the right secret into the configuration"
    );
    match sinch::fetch_secret(client).await {
        Ok(None) => Verdict::Faulty(format!(
            "Sinch has no secret to sign callbacks with, so they would be refused; {cure}"
        )),
        Ok(Some(secret)) => {
            let found = sinch::compare_secrets(secrets, &secret);
            match found.and_then(|place| places.get(place)) {
                Some(place) => Verdict::Seen(format!("Sinch signs with the one at {place}")),
                None => Verdict::Faulty(format!(
                    "Sinch signs with another secret, so callbacks would be refused; {cure}"
                )),
            }
        }
        Err(error) => Verdict::Faulty(format!(
            "it cannot be compared: {error}; check that the key may read the callback configuration (projects[{index}])"
        )),
    }
}

/// Returns what failed, with the keys of the configuration that may be wrong.
fn in_words(error: &RequestError, index: usize) -> String {
    let key = format!("projects[{index}].key_id and key_secret");
    let id = format!("projects[{index}].id");
    let address = match error.endpoint {
        Endpoint::Token => "sinch.token_url",
        Endpoint::Api => "sinch.api_url",
    };
    let cure = match (error.endpoint, &error.failure) {
        (
            Endpoint::Token,
            Failure::Status {
                status: 400 | 401, ..
            },
        )
        | (_, Failure::Status { status: 401, .. }) => {
            format!("the access key is wrong, or was revoked: check {key}")
        }
        (Endpoint::Token, Failure::Status { status: 403, .. }) => {
            format!("the access key may not be used: check {key}")
        }
        (Endpoint::Api, Failure::Status { status: 403, .. }) => {
            format!(
                "the access key has no right to this project: check {id}, and the key's rights at Sinch"
            )
        }
        (Endpoint::Api, Failure::NotFound) => {
            format!("Sinch does not know the project: check {id}")
        }
        (_, Failure::Status { status: 407, .. }) => {
            "the proxy on the way wants a password: check HTTPS_PROXY".to_owned()
        }
        (
            _,
            Failure::Status {
                status: 429 | 500..,
                ..
            },
        ) => "Sinch is not available now: try again later".to_owned(),
        (_, Failure::Unreachable { .. } | Failure::TimedOut | Failure::BrokenOff { .. }) => {
            format!(
                "check {address}, the name server, the firewall, and sinch.proxy_from_environment if there is a proxy on the way"
            )
        }
        (_, Failure::NotFound | Failure::Status { .. } | Failure::Unreadable { .. }) => {
            format!("another server answers: check {address} and what stands between")
        }
    };
    format!("{error}; {cure}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinch_numbers::api::BodyFault;

    #[test]
    fn each_failure_names_the_key_that_may_be_wrong() {
        let status = |status| Failure::Status {
            status,
            retry_after: None,
        };
        let html = || Failure::Unreadable {
            status: 404,
            fault: BodyFault::Html,
        };
        let unreachable = || Failure::Unreachable {
            cause: "no such host".to_owned(),
        };
        for (endpoint, failure, named) in [
            (
                Endpoint::Token,
                status(400),
                "projects[3].key_id and key_secret",
            ),
            (
                Endpoint::Token,
                status(401),
                "projects[3].key_id and key_secret",
            ),
            (
                Endpoint::Token,
                status(403),
                "projects[3].key_id and key_secret",
            ),
            (Endpoint::Token, status(404), "sinch.token_url"),
            (Endpoint::Token, html(), "sinch.token_url"),
            (Endpoint::Token, unreachable(), "sinch.token_url"),
            (Endpoint::Token, status(503), "later"),
            (
                Endpoint::Api,
                status(401),
                "projects[3].key_id and key_secret",
            ),
            (Endpoint::Api, status(403), "projects[3].id"),
            (Endpoint::Api, Failure::NotFound, "projects[3].id"),
            (Endpoint::Api, html(), "sinch.api_url"),
            (Endpoint::Api, status(302), "sinch.api_url"),
            (Endpoint::Api, Failure::TimedOut, "sinch.api_url"),
            (Endpoint::Api, status(407), "HTTPS_PROXY"),
            (Endpoint::Api, status(429), "later"),
            (Endpoint::Api, status(500), "later"),
        ] {
            let error = RequestError { endpoint, failure };
            let words = in_words(&error, 3);
            assert!(words.contains(named), "{error:?}: {words}");
        }
    }
}

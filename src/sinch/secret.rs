//! The secret with which Sinch signs a project's callbacks: fetched, and compared with those that are configured.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use super::failure::{self, FetchError};
use number_order::{Endpoint, Flaw, Id, NoAnswer};
use sinch_numbers::api::{CallbackConfiguration, Client};

/// Fetches the secret with which Sinch signs callbacks of the client's project; `None` if Sinch has none.
///
/// # Errors
///
/// Fails if there is no answer, or none that is believed: see [`FetchError`].
pub async fn fetch_secret(client: &Client) -> Result<Option<SecretString>, FetchError> {
    let (project, endpoint) = (client.project(), Endpoint::CallbackConfiguration);
    match client.get_callback_configuration().await {
        Ok(answer) => believed(&answer.content, project)
            .map_err(|flaw| FetchError::not_believed(endpoint, flaw)),
        Err(error) => {
            failure::meaning(error.request, endpoint, project)?;
            // Sinch does not know the project, or this address is not its own.
            Err(FetchError::from(NoAnswer::UnusableAnswer {
                endpoint,
                status: 404,
                flaw: Flaw::RequestNotAccepted,
            }))
        }
    }
}

/// Returns the secret that an answer shows, or the flaw because of which the answer is not believed.
fn believed(shown: &CallbackConfiguration, project: &Id) -> Result<Option<SecretString>, Flaw> {
    let owner = shown.project_id();
    if owner.text().is_some_and(|owner| !project.is_named(owner)) {
        return Err(Flaw::OtherProject);
    }
    // Absent, null and empty mean the same.
    let secret = shown.hmac_secret();
    Ok(secret.filter(|secret| !secret.expose_secret().is_empty()))
}

/// Returns the index of the secret in the list. It takes the same time for any secret, wherever in the list it is: it
/// compares digests, each with all.
pub fn compare_secrets<'a>(
    configured: impl IntoIterator<Item = &'a SecretString>,
    secret: &SecretString,
) -> Option<usize> {
    let digest = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes());
    let wanted = digest(secret);
    let (mut place, mut found) = (0_u64, Choice::from(0));
    for (index, secret) in (0_u64..).zip(configured) {
        let is_same = digest(secret).as_slice().ct_eq(wanted.as_slice());
        place.conditional_assign(&index, is_same & !found);
        found |= is_same;
    }
    bool::from(found).then(|| usize::try_from(place).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sinch_numbers::api::Object;

    use super::*;

    #[test]
    fn a_secret_is_found_at_its_place() {
        let secrets = |texts: &[&str]| {
            let secrets = texts.iter().map(|text| SecretString::from(*text));
            secrets.collect::<Vec<_>>()
        };
        for (configured, secret, place) in [
            (&["a"][..], "a", Some(0)),
            (&["a", "b", "c"], "c", Some(2)),
            (&["a", "b", "b"], "b", Some(1)),
            (&["a", "b"], "", None),
            (&["a", "b"], "A", None),
            (&["a", "b"], "ab", None),
            (&[], "a", None),
        ] {
            let found = compare_secrets(&secrets(configured), &SecretString::from(secret));
            assert_eq!(found, place, "{configured:?} {secret:?}");
        }
    }

    #[test]
    fn only_an_answer_about_this_project_is_believed() {
        let own = Id::new("p1").expect("an id");
        let believed = |body: &Value| {
            let object = Object::read(body.to_string().as_bytes()).expect("an object");
            let found = believed(&CallbackConfiguration::from(object), &own)?;
            Ok(found.map(|secret| secret.expose_secret().to_owned()))
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        for (body, expected) in [
            (json!({"projectId": "p1", "hmacSecret": "s"}), some("s")),
            (json!({"hmacSecret": "s"}), some("s")),
            (json!({"projectId": "p1"}), Ok(None)),
            (json!({"projectId": "p1", "hmacSecret": null}), Ok(None)),
            (json!({"projectId": "p1", "hmacSecret": ""}), Ok(None)),
            (
                json!({"projectId": "p2", "hmacSecret": "s"}),
                Err(Flaw::OtherProject),
            ),
        ] {
            assert_eq!(believed(&body), expected, "{body}");
        }
    }
}

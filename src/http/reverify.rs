//! Second judgement of callbacks that were refused, by the configuration as it is now.

use sinch_numbers::signature;

use secrecy::ExposeSecret;

use super::callback_checks::Settings;
use super::delivery;
use crate::store::{NewDelivery, Quarantined};

/// Why a callback is still refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its project is not configured.
    NotConfigured,
    /// Its source is not allowed.
    UnknownSource,
    /// Its signature is missing, or by none of the project's secrets.
    WrongSignature,
}

/// Returns a callback as it goes into the inbox if it passes both checks now: those of the normal door.
pub(super) fn judge(settings: &Settings, callback: Quarantined) -> Result<NewDelivery, Refused> {
    let Quarantined {
        project,
        callback_key,
        origin,
        signature,
        received_at,
        body,
        ..
    } = callback;
    let mut routes = settings.routes.values();
    let route = routes.find(|route| route.project == project);
    let route = route.ok_or(Refused::NotConfigured)?;
    let sources = &settings.sources;
    if !sources.allows(sources.source_said(origin.peer, origin.forwarded_for.as_deref())) {
        return Err(Refused::UnknownSource);
    }
    let is_signed = |secrets| {
        let signature = signature
            .as_ref()
            .map(|text| text.expose_secret().as_bytes());
        signature.is_some_and(|signature| signature::verify(secrets, &body, signature))
    };
    // Without secrets the operator has switched the check off.
    if !route.secrets.as_deref().is_none_or(is_signed) {
        return Err(Refused::WrongSignature);
    }
    Ok(delivery::read(project, callback_key, received_at, body).delivery)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use secrecy::SecretString;

    use super::*;
    use crate::http::callback_checks::CallbackRoute;
    use crate::http::source::Sources;
    use crate::store::Origin;
    use number_order::{Id, Time};

    const BODY: &[u8] =
        br#"{"resourceType":"NUMBER_ORDER","resourceId":"o1","status":"IN_REVIEW"}"#;

    fn settings(secrets: Option<&[&str]>) -> Settings {
        let nets = |text: &str| vec![text.parse().expect("a net")];
        let secrets = secrets.map(|all| all.iter().map(|text| SecretString::from(*text)).collect());
        let project = Id::new("p1").expect("an id");
        Settings {
            sources: Sources {
                allow: nets("192.0.2.0/24"),
                trusted_proxies: nets("10.0.0.1/32"),
            },
            routes: HashMap::from([("/callbacks".to_owned(), CallbackRoute { project, secrets })]),
            body_max_bytes: 1000,
            body_timeout: Duration::from_secs(1),
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_passes_both_checks_now_is_admitted() {
        let allowed = ("192.0.2.7", None);
        let other = ("198.51.100.7", None);
        let both: Option<&[&str]> = Some(&["old", "new"]);
        for (project, (peer, said), by, secrets, expected) in [
            ("p1", allowed, Some("new"), both, Ok(())),
            ("p1", allowed, Some("old"), both, Ok(())),
            (
                "p1",
                allowed,
                Some("third"),
                both,
                Err(Refused::WrongSignature),
            ),
            ("p1", allowed, None, both, Err(Refused::WrongSignature)),
            ("p1", allowed, None, None, Ok(())),
            ("p1", other, Some("new"), both, Err(Refused::UnknownSource)),
            (
                "p1",
                other,
                Some("third"),
                both,
                Err(Refused::UnknownSource),
            ),
            ("p1", other, None, None, Err(Refused::UnknownSource)),
            (
                "p1",
                ("10.0.0.1", Some("192.0.2.7")),
                Some("new"),
                both,
                Ok(()),
            ),
            (
                "p1",
                ("10.0.0.1", Some("192.0.2.7, 198.51.100.7")),
                Some("new"),
                both,
                Err(Refused::UnknownSource),
            ),
            (
                "p1",
                ("198.51.100.7", Some("192.0.2.7")),
                Some("new"),
                both,
                Err(Refused::UnknownSource),
            ),
            (
                "p2",
                allowed,
                Some("new"),
                both,
                Err(Refused::NotConfigured),
            ),
        ] {
            let peer = peer.parse().expect("an address");
            let sign = |secret: &str| signature::sign(&SecretString::from(secret), BODY);
            let callback = Quarantined {
                id: 1,
                project: Id::new(project).expect("an id"),
                callback_key: None,
                origin: Origin {
                    source: peer,
                    peer,
                    forwarded_for: said.map(str::to_owned),
                },
                signature: by.map(|secret| SecretString::from(sign(secret))),
                received_at: Time(7),
                body: BODY.into(),
            };
            let judged = judge(&settings(secrets), callback);
            let judged = judged.map(|delivery| assert_eq!(delivery.received_at, Time(7)));
            assert_eq!(judged, expected, "{project} {peer} {said:?} {by:?}");
        }
    }
}

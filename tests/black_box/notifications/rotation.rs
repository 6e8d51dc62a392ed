//! A secret that is changed: a receiver that knows the old one or the new one takes every request, and none takes a tampered one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use notifications::{SignedHeaders, SigningKey, VerifyingKey, verify};
use serde_json::json;
use standardwebhooks::Webhook;
use testkit::target::{Reply, Told};
use testkit::{Service, TARGET_SECRET, Target, folder};

use super::receivers::{takes_what_is_genuine, write_block};
use super::told::now_secs;
use super::{Played, crm};
use crate::python;

/// The secret after the change.
const NEW_SECRET: &str = "whsec_bmV3LXNlY3JldC1vZi10aGUtdGFyZ2V0LXYydzN4NHk1";

/// A pair of keys that comes with the change.
const PAIR: &str = "whsk_ZWQyNTUxOS1zZWVkLW9mLXRoZS10YXJnZXQtcTh6N3k=";

/// Release of the reference implementation in Python.
const PACKAGE: &str = "standardwebhooks==1.1.0";

/// A request that a target was sent.
struct Sent {
    told: Told,
    /// Symmetric secrets that it is signed with.
    by: Vec<&'static str>,
    /// Symmetric secrets that it is not signed with.
    not_by: Vec<&'static str>,
    /// Whether it is signed with the pair, too.
    by_pair: bool,
}

impl Played {
    /// Starts the service again with other secrets of its target.
    async fn change_secrets(mut self, secrets: &[&str]) -> Played {
        self.service.stop_well().await;
        self.settings = self.settings.set_target("secrets", json!(secrets));
        self.service = Service::start(&self.settings).await;
        self
    }
}

/// Returns what a target is sent while its secret is changed: before, in the middle and afterwards. An event is told before
/// and in the middle, since it is refused at first.
#[expect(
    clippy::too_many_lines,
    reason = "a story from before the change to its end"
)]
async fn sent_while_secrets_change() -> Vec<Sent> {
    let takes = Arc::new(AtomicBool::new(true));
    let taken = takes.clone();
    // A refusal of the one event: the circuit stays closed.
    let target = Target::start(move |_, _| {
        if taken.load(Ordering::SeqCst) {
            Reply::status(204)
        } else {
            Reply::status(422)
        }
    })
    .await;
    let url = target.url();
    let played = Played::with(&["o1", "o2", "o3"], |settings| {
        crm(settings, &url).set_target("retry_waits_secs", json!(vec![0.3; 100]))
    })
    .await;
    played.enter("o1", "IN_REVIEW", 1).await;
    target.told_when(1).await;
    takes.store(false, Ordering::SeqCst);
    played.enter("o1", "COMPLETED", 2).await;
    target.told_when(3).await;
    let played = played
        .change_secrets(&[TARGET_SECRET, NEW_SECRET, PAIR])
        .await;
    let before = target.told().len();
    target.told_when(before + 2).await;
    takes.store(true, Ordering::SeqCst);
    played.enter("o2", "COMPLETED", 2).await;
    let is_told = |order: &'static str| {
        let target = &target;
        testkit::until("the order to be told", async move || {
            let told = target.told();
            told.iter()
                .any(|told| told.json()["data"]["order"] == order)
                .then_some(())
        })
    };
    is_told("o2").await;
    let played = played.change_secrets(&[NEW_SECRET, PAIR]).await;
    played.enter("o3", "COMPLETED", 2).await;
    is_told("o3").await;
    played.service.stop_well().await;

    let told = target.told();
    let sent = told.into_iter().map(|told| {
        let signatures = told.header("webhook-signature");
        let schemes: Vec<&str> = signatures
            .split(' ')
            .filter_map(|one| Some(one.split_once(',')?.0))
            .collect();
        let (by, not_by) = match schemes.as_slice() {
            ["v1"] => (vec![TARGET_SECRET], vec![NEW_SECRET]),
            ["v1", "v1", "v1a"] => (vec![TARGET_SECRET, NEW_SECRET], vec![]),
            ["v1", "v1a"] => (vec![NEW_SECRET], vec![TARGET_SECRET]),
            _ => panic!("signed otherwise: {told:?}"),
        };
        let by_pair = schemes.contains(&"v1a");
        Sent {
            told,
            by,
            not_by,
            by_pair,
        }
    });
    let sent: Vec<Sent> = sent.collect();
    for (by, by_pair) in [(1, false), (2, true), (1, true)] {
        assert!(
            sent.iter()
                .any(|sent| sent.by.len() == by && sent.by_pair == by_pair)
        );
    }
    let completed = sent_of(&sent, "o1").told.id();
    let mut attempts = sent.iter().filter(|sent| sent.told.id() == completed);
    let first = attempts.next().expect("an attempt");
    assert!(
        attempts.clone().any(|attempt| attempt.by.len() == 2),
        "told before and in the middle"
    );
    assert!(attempts.all(|attempt| attempt.told.body == first.told.body));
    sent
}

/// Returns the first attempt to tell that an order is completed.
fn sent_of<'a>(sent: &'a [Sent], order: &str) -> &'a Sent {
    let found = sent.iter().find(|sent| {
        let event = sent.told.json();
        event["type"] == "order.completed" && event["data"]["order"] == order
    });
    found.expect("it was told")
}

/// Returns the header, and copies of the request that were changed on the way.
fn tampered(told: &Told) -> Vec<([String; 3], Vec<u8>)> {
    let [id, at, signature] = signed_headers(told);
    let mut body = told.body.clone();
    body[10] ^= 1;
    let later = (at.parse::<i64>().expect("a number") + 1).to_string();
    let swapped = signature.replace("v1,", "v0,").replace("v1a,", "v1,");
    vec![
        ([id.clone(), at.clone(), signature.clone()], body),
        (
            [format!("{id}x"), at.clone(), signature.clone()],
            told.body.clone(),
        ),
        ([id.clone(), later, signature], told.body.clone()),
        ([id.clone(), at.clone(), swapped], told.body.clone()),
        ([id, at, String::new()], told.body.clone()),
    ]
}

fn signed_headers(told: &Told) -> [String; 3] {
    ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .map(|name| told.header(name).to_owned())
}

/// Returns `true` if the crate's verification and this project's own both take the request as genuine, `false` if neither
/// does.
fn is_genuine(secret: &str, headers: &[String; 3], body: &[u8]) -> bool {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let received: HeaderMap = names
        .into_iter()
        .zip(headers)
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).expect("a value"),
            )
        })
        .collect();
    let reference = Webhook::new(secret)
        .expect("a secret")
        .verify(body, &received)
        .is_ok();
    assert_eq!(
        is_genuine_here(secret, headers, body),
        reference,
        "{headers:?}"
    );
    reference
}

fn is_genuine_here(key: &str, [id, at, signature]: &[String; 3], body: &[u8]) -> bool {
    let keys = [VerifyingKey::new(key).expect("a key")];
    let headers = SignedHeaders {
        id: Some(id),
        timestamp: Some(at),
        signature: Some(signature),
    };
    verify(&keys, &headers, body, now_secs(), Duration::from_secs(300)).is_ok()
}

#[tokio::test]
async fn while_a_secret_is_changed_each_receiver_takes_every_request() {
    let public = SigningKey::new(PAIR)
        .expect("a key")
        .public_key()
        .expect("a pair");
    for sent in sent_while_secrets_change().await {
        let (headers, body) = (signed_headers(&sent.told), &sent.told.body);
        assert!(
            sent.by
                .iter()
                .all(|secret| is_genuine(secret, &headers, body)),
            "{:?}",
            sent.told
        );
        assert!(
            !sent
                .not_by
                .iter()
                .any(|secret| is_genuine(secret, &headers, body))
        );
        assert_eq!(is_genuine_here(&public, &headers, body), sent.by_pair);
        for (headers, body) in tampered(&sent.told) {
            let mut secrets = [TARGET_SECRET, NEW_SECRET].into_iter();
            assert!(
                !secrets.any(|secret| is_genuine(secret, &headers, &body)),
                "{headers:?}"
            );
            assert!(!is_genuine_here(&public, &headers, &body));
        }
    }
}

/// Makes an environment of Python with the package; `None`: it cannot be had here.
fn python_with_package(folder: &Path) -> Option<PathBuf> {
    let what = "the reference implementation in Python";
    let programs = python::with_package(folder, PACKAGE, what)?;
    Some(programs.join("python"))
}

#[tokio::test]
#[ignore = "installs a package of Python in a folder of its own"]
async fn a_receiver_with_the_python_package() {
    let folder = folder();
    let Some(python) = python_with_package(folder.path()) else {
        return;
    };
    let mut command = Command::new(python);
    command.arg(write_block(folder.path(), "receiver_with_package.py"));
    takes_what_is_genuine(command).await;
}

/// The package verifies `v1` alone: it passes over the signatures of the pair, and refuses a request that has no others.
#[tokio::test]
#[ignore = "installs a package of Python in a folder of its own"]
#[expect(clippy::too_many_lines, reason = "half of it is in Python")]
async fn while_a_secret_is_changed_the_python_package_takes_every_request() {
    let folder = folder();
    let Some(python) = python_with_package(folder.path()) else {
        return;
    };
    let mut trials = Vec::new();
    let mut add = |secret: &str, headers: &[String; 3], body: &[u8], is_genuine: bool| {
        let body = String::from_utf8_lossy(body);
        trials.push(
            json!({"secret": secret, "headers": headers, "body": body, "genuine": is_genuine}),
        );
    };
    for sent in sent_while_secrets_change().await {
        let headers = signed_headers(&sent.told);
        for secret in &sent.by {
            add(secret, &headers, &sent.told.body, true);
        }
        for secret in &sent.not_by {
            add(secret, &headers, &sent.told.body, false);
        }
        let tampered = tampered(&sent.told);
        let of_pair = headers[2].split(' ').find(|one| one.starts_with("v1a,"));
        let of_pair = of_pair.map(|one| {
            (
                [headers[0].clone(), headers[1].clone(), one.to_owned()],
                sent.told.body.clone(),
            )
        });
        for (headers, body) in tampered.into_iter().chain(of_pair) {
            for secret in [TARGET_SECRET, NEW_SECRET] {
                add(secret, &headers, &body, false);
            }
        }
    }
    let file = folder.path().join("trials.json");
    fs::write(&file, json!(trials).to_string()).expect("written");
    let script = "
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
taken = refused = 0
for trial in json.load(open(sys.argv[1])):
    headers = dict(zip(('webhook-id', 'webhook-timestamp', 'webhook-signature'), trial['headers']))
    try:
        Webhook(trial['secret']).verify(trial['body'].encode(), headers)
        is_genuine = True
    except WebhookVerificationError:
        is_genuine = False
    assert is_genuine == trial['genuine'], trial
    taken, refused = taken + is_genuine, refused + (not is_genuine)
print('taken', taken, 'refused', refused)
";
    let run = Command::new(python)
        .arg("-c")
        .arg(script)
        .arg(&file)
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(
        run.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let genuine = trials
        .iter()
        .filter(|trial| trial["genuine"] == true)
        .count();
    assert_eq!(
        said.trim(),
        format!("taken {genuine} refused {}", trials.len() - genuine)
    );
    println!("{said}");
}

//! `events key`: what signs is made, and what verifies it is printed, as the document says.

use std::fs;
use std::path::Path;
use std::time::Duration;

use notifications::{Scheme, SignedHeaders, SigningKey, VerifyingKey, verify};
use serde_json::json;
use sinch_callbacks::clock;
use testkit::{Ended, Settings, TARGET_SECRET, Target, folder, run};

use super::Played;

async fn key(arguments: &[&str]) -> String {
    let ended = run([&["events", "key"], arguments].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.out.trim_end().to_owned()
}

async fn public(settings: &Settings, target: &str) -> Ended {
    let config = settings.write();
    let words = ["events", "key", "public", target].map(Path::new);
    run([&[Path::new("--config"), &config], &words[..]].concat()).await
}

#[tokio::test]
async fn a_target_is_told_with_a_new_pair_and_its_receiver_needs_the_public_key_alone() {
    let folder = folder();
    let secret = key(&["new", "--pair"]).await;
    let file = folder.path().join("crm-secrets");
    fs::write(&file, format!("{secret}\n")).expect("written");
    let target = Target::willing().await;
    let url = target.url();
    let played = Played::with(&["o1"], |settings| {
        let settings = settings.add_target("crm", &url);
        let settings = settings.unset_target("secrets");
        settings.set_target("secrets_file", file.display().to_string())
    })
    .await;
    let ended = public(&played.settings, "crm").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let public = ended.out.trim_end();
    let verifying = VerifyingKey::new(public).expect("a key");
    assert_eq!(verifying.scheme(), Scheme::V1a);
    assert!(!ended.out.contains(&secret["whsk_".len()..]), "{ended:?}");
    played.enter("o1", "COMPLETED", 2).await;
    let told = target.told_when(1).await;
    let headers = SignedHeaders {
        id: Some(told[0].id()),
        timestamp: Some(told[0].header("webhook-timestamp")),
        signature: Some(told[0].header("webhook-signature")),
    };
    let (now_secs, tolerance) = (clock::now().0 / 1_000_000, Duration::from_secs(300));
    let verified = verify(&[verifying], &headers, &told[0].body, now_secs, tolerance);
    assert_eq!(verified, Ok(0), "{told:?}");
    played.service.stop_well().await;
}

#[tokio::test]
async fn new_secrets_differ_and_only_their_own_command_prints_them() {
    let secrets = [key(&["new"]).await, key(&["new"]).await];
    assert_ne!(secrets[0], secrets[1]);
    for secret in secrets {
        let signing = SigningKey::new(&secret).expect("a key");
        assert_eq!(signing.scheme(), Scheme::V1);
        assert_eq!(signing.public_key(), None);
    }
    let folder = folder();
    let settings = Settings::new(folder.path())
        .add_target("crm", "https://crm.example.com/hooks")
        .add_target("chat", "https://chat.example.com/hooks")
        .unset_target("secrets")
        .set_target("signature", "off")
        .add_target("both", "https://both.example.com/hooks")
        .set_target(
            "secrets",
            json!([TARGET_SECRET, key(&["new", "--pair"]).await]),
        );
    for (target, code, words) in [
        (
            "crm",
            78,
            "crm has secrets (whsec_), of which there is no public part",
        ),
        ("chat", 78, "chat has no key"),
        (
            "nobody",
            2,
            "no target nobody is configured; there are crm, chat, both",
        ),
        ("both", 0, "whpk_"),
    ] {
        let ended = public(&settings, target).await;
        assert_eq!(ended.code, Some(code), "{target}: {ended:?}");
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains(words), "{target}: {said}");
        assert!(!said.contains(TARGET_SECRET), "{target}: {said}");
    }
}

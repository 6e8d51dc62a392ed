//! `check --online`: what only calls show, each with what may be wrong.

use secrecy::SecretString;
use sinch_simulator::{Outage, Simulator, World};
use tempfile::TempDir;
use testkit::{Ended, PATH, PROJECT, Service, Settings, folder, free_address, id, play, run};

struct Place {
    simulator: Simulator,
    settings: Settings,
    service: Service,
    _folder: TempDir,
}

impl Place {
    async fn new() -> Place {
        let folder = folder();
        let settings = Settings::new(folder.path()).fix_addresses();
        let [callbacks, _] = settings.addresses();
        let settings = settings.set("callbacks.public_url", format!("http://{callbacks}"));
        let world = World::from_orders(id(PROJECT), []);
        let (simulator, settings) = play(world, settings).await;
        let service = Service::start(&settings).await;
        Place {
            simulator,
            settings,
            service,
            _folder: folder,
        }
    }

    /// Checks a changed configuration, which the service does not take over.
    async fn check(&self, change: impl FnOnce(Settings) -> Settings) -> Ended {
        let config = change(self.settings.clone()).write().display().to_string();
        run(["--config", &config, "check", "--online"]).await
    }

    /// Asserts that the check ends so, with these words on a line that begins so.
    async fn says(&self, change: impl FnOnce(Settings) -> Settings, begins: &str, words: &str) {
        let ended = self.check(change).await;
        let mut lines = ended.out.lines();
        let line = lines.find(|line| line.starts_with(begins) && line.contains(words));
        assert!(line.is_some(), "{begins}: {words}: {ended:?}");
        let code = i32::from(begins.starts_with("FAILED"));
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn each_finding_names_what_may_be_wrong() {
    let place = Place::new().await;
    let same = |settings: Settings| settings;
    let access = format!("access to project {PROJECT}: ");
    let secret = format!("callback secret of project {PROJECT}: ");
    let url = format!("callback URL of project {PROJECT}: ");
    let (ok, failed) = (
        |what: &str| format!("ok      {what}"),
        |what: &str| format!("FAILED  {what}"),
    );
    place.says(same, &ok(&access), "knows the project").await;
    place
        .says(same, &ok(&secret), "projects[0].secrets[0]")
        .await;
    place.says(same, &ok(&url), "takes callbacks").await;

    let wrong_key = |settings: Settings| settings.set_project("key_secret", "wrong-key-secret-x1");
    place
        .says(
            wrong_key,
            &failed(&access),
            "projects[0].key_id and key_secret",
        )
        .await;
    place
        .says(wrong_key, "FAILED", "the token endpoint answered 401")
        .await;
    let no_token = |settings: Settings| {
        let address = free_address();
        settings.set("sinch.token_url", format!("http://{address}/token"))
    };
    place
        .says(no_token, &failed(&access), "check sinch.token_url")
        .await;
    let no_api = |settings: Settings| {
        let address = free_address();
        settings.set("sinch.api_url", format!("http://{address}"))
    };
    place
        .says(no_api, &failed(&access), "check sinch.api_url")
        .await;
    let other_project = |settings: Settings| settings.set_project("id", "somebody-elses");
    let of_other = "FAILED  access to project somebody-elses: ";
    place.says(other_project, of_other, "projects[0].id").await;

    let no_url = |settings: Settings| {
        let address = free_address();
        settings.set("callbacks.public_url", format!("http://{address}"))
    };
    place.says(no_url, &failed(&url), "cannot be reached").await;
    let wrong_path =
        |settings: Settings| settings.set_project("path", format!("{PATH}/elsewhere/x"));
    place
        .says(wrong_path, &failed(&url), "compare callbacks.public_url")
        .await;
    let other_server = {
        let api = place.simulator.api_url();
        move |settings: Settings| settings.set("callbacks.public_url", api.clone())
    };
    place
        .says(other_server, &failed(&url), "another server answers")
        .await;

    let other = "another-secret-that-nobody-told-us-of-7kq";
    place.simulator.set_secret(SecretString::from(other));
    place.says(same, &failed(&secret), "rotate-secret").await;
    let ended = place.check(same).await;
    assert!(!ended.out.contains(other), "{ended:?}");
    place
        .simulator
        .set_outage(Outage::Unavailable { retry_after: None });
    place.says(same, &failed(&access), "try again later").await;
    place.service.stop_well().await;
}

/// Without the option nothing is called.
#[tokio::test]
async fn nobody_is_called_unasked() {
    let place = Place::new().await;
    let config = place.settings.write().display().to_string();
    place
        .simulator
        .set_outage(Outage::Unavailable { retry_after: None });
    let ended = run(["--config", &config, "check"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.out.contains("access to project"), "{ended:?}");
    place.service.stop_well().await;
}

//! `check` looks at each target without telling it anything.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use testkit::{Ended, Settings, Target, folder, run};

async fn check(settings: &Settings) -> Ended {
    let config = settings.write();
    run([Path::new("--config"), &config, Path::new("check")]).await
}

#[tokio::test]
async fn a_target_that_can_be_told_is_good_and_is_told_nothing() {
    let folder = folder();
    let target = Target::willing().await;
    let settings = Settings::new(folder.path())
        .add_target("crm", &target.url())
        .add_command("mail", &["/bin/sh", "-c", "exit 1"]);
    let ended = check(&settings).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for line in [
        "ok      target crm: it leads to 127.0.0.1 (an address of this machine, which allow names)",
        "ok      target mail",
    ] {
        assert!(
            ended.out.lines().any(|found| found == line),
            "{line}: {ended:?}"
        );
    }
    assert_eq!(target.connections(), 0, "nothing is sent");
}

#[tokio::test]
async fn each_fault_of_a_target_has_its_place_and_cure() {
    let folder = folder();
    let text = folder.path().join("text");
    fs::write(&text, "no program").expect("written");
    fs::set_permissions(&text, fs::Permissions::from_mode(0o600)).expect("set");
    let (text, absent) = (text.display().to_string(), "/nowhere/notify");
    let settings = Settings::new(folder.path())
        .add_target("lost", "https://no-such-name.invalid/hooks/token-kq83")
        .add_command("absent", &[absent, "secret-argument-kq83"])
        .add_command("text", &[&text]);
    let ended = check(&settings).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failed = |target: &str| {
        let begin = format!("FAILED  target {target}: ");
        let mut lines = ended.out.lines();
        let line = lines.find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_else(|| panic!("{target}: {ended:?}"))
    };
    // The name server of a machine without a network may say nothing.
    let lost = failed("lost");
    let is_said = ["has no address: ", "nobody has said in 5 s"];
    assert!(lost.starts_with("targets[0].url: "), "{lost}");
    assert!(is_said.iter().any(|words| lost.contains(words)), "{lost}");
    let expected = format!(
        "targets[1].command: {absent} is not there: No such file or directory (os error 2); install it, or correct the path"
    );
    assert_eq!(failed("absent"), expected);
    let expected = format!("targets[2].command: {text} cannot be executed: Permission denied");
    assert!(failed("text").starts_with(&expected), "{}", failed("text"));
    assert!(
        !format!("{ended:?}").contains("kq83"),
        "a secret is shown: {ended:?}"
    );
    // What a URL says by itself is a fault of the configuration, and so is a secret that is none.
    let settings = Settings::new(folder.path())
        .add_target("inside", "http://10.0.0.1/hooks/token-kq83")
        .add_target("crm", "https://no-such-name.invalid/hooks")
        .set_target("secrets", serde_json::json!(["whsec_kq83"]));
    let ended = check(&settings).await;
    assert_eq!(ended.code, Some(78), "{ended:?}");
    for words in [
        "targets[0].url = (hidden): an address of a private network; if it is meant, name it in allow",
        "targets[1].secrets[0] = (hidden): what follows whsec_ is",
    ] {
        assert!(ended.out.contains(words), "{words}: {ended:?}");
    }
    assert!(
        !format!("{ended:?}").contains("kq83"),
        "a secret is shown: {ended:?}"
    );
}

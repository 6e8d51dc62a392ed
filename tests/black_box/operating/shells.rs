//! What shells and `man` are given: completions and pages of the manual.

use std::process::Command;

use testkit::{folder, run};

#[tokio::test]
async fn every_shell_has_completions() {
    for (shell, words) in [
        ("bash", "complete -F _sinch-callbacks"),
        ("zsh", "#compdef sinch-callbacks"),
        ("fish", "complete -c sinch-callbacks"),
    ] {
        let ended = run(["completions", shell]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for words in [words, "readiness", "status"] {
            assert!(ended.out.contains(words), "{shell}: {words}");
        }
    }
    let ended = run(["completions", "cmd"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
}

#[tokio::test]
async fn bash_takes_its_completions() {
    let folder = folder();
    let script = folder.path().join("completions");
    std::fs::write(&script, run(["completions", "bash"]).await.out).expect("is written");
    let line = "COMP_WORDS=(sinch-callbacks orders --sta); COMP_CWORD=2; _sinch-callbacks sinch-callbacks --sta orders; \
                echo \"${COMPREPLY[@]}\"";
    let told = Command::new("bash")
        .args(["-c", &format!(". {}\n{line}", script.display())])
        .output();
    let told = told.expect("bash can be run");
    assert_eq!(
        String::from_utf8_lossy(&told.stdout).trim(),
        "--state",
        "{told:?}"
    );
}

#[tokio::test]
async fn every_command_has_a_page_of_the_manual() {
    let folder = folder();
    let pages = folder.path().join("man1");
    let named = pages.display().to_string();
    let ended = run(["man-pages", &named]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for (page, words) in [
        ("sinch-callbacks.1", "order"),
        ("sinch-callbacks-status.1", "needs attention"),
        (
            "sinch-callbacks-order-show.1",
            "any part of one of its numbers",
        ),
        ("sinch-callbacks-events-redrive.1", "Examples"),
    ] {
        let text = std::fs::read_to_string(pages.join(page)).expect(page);
        assert!(text.contains(words), "{page}: {text}");
    }
    let ended = run(["man-pages", "/dev/null/man1"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
}

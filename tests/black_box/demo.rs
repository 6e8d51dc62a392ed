//! The demo needs nothing, and succeeds.

use crate::testkit::{HOME, Line, PATIENCE, Process, Request, Signal, run, within};

#[tokio::test]
async fn the_demo_ends_in_agreement() {
    let seeds = [1, fastrand::u32(..)];
    println!("seeds {seeds:?}");
    let [one, other] = seeds.map(|seed| async move {
        let seed = seed.to_string();
        let ended = run(["demo", "--exit", "--seed", &seed]).await;
        assert_eq!(
            ended.code,
            Some(0),
            "seed {seed}: {}{}",
            ended.out,
            ended.err
        );
        let last = ended.out.lines().last().unwrap_or_default();
        assert_eq!(last, "40 of 40 orders agree with Sinch", "seed {seed}");
        assert_eq!(ended.err, "", "seed {seed}");
        // Output that goes to no terminal is wrapped for a usual one.
        let long = ended.out.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "seed {seed}");
    });
    tokio::join!(one, other);
}

#[tokio::test]
async fn what_the_demo_says_to_try_shows_something() {
    let demo = Process::start(["demo"]);
    let invites = async || {
        demo.lines()
            .contains(&"Ctrl-C ends.".to_owned())
            .then_some(())
    };
    let invited = within(PATIENCE * 3, invites).await;
    assert!(invited.is_some(), "{}", demo.said());
    let lines = demo.lines();
    let invited: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("  curl 'http://")?.strip_suffix('\''))
        .collect();
    assert_eq!(invited.len(), 4, "{lines:?}");
    for url in invited {
        let (address, path) = url.split_once('/').expect("a path");
        let address = address.parse().expect("an address");
        let mut line = Line::open(HOME, address).await.expect("connects");
        let path = format!("/{path}");
        line.send(Request::new("GET", &path).bytes()).await;
        let answer = line.answer().await.expect("an answer");
        assert_eq!(answer.status, 200, "{url}");
        let shown = answer.json();
        if let Some(items) = shown.get("items") {
            assert_ne!(items.as_array().map(Vec::len), Some(0), "{url}");
        }
        let text = String::from_utf8_lossy(&answer.body);
        let long = text.lines().find(|line| line.chars().count() > 160);
        assert_eq!(long, None, "{url}");
    }
    demo.signal(Signal::INT);
    assert_eq!(demo.ended().await.code, Some(0));
}

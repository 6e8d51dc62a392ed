//! The demo needs nothing, and succeeds.

use crate::instrument::run;

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
        // What no terminal shows is wrapped for a usual one.
        let long = ended.out.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "seed {seed}");
    });
    tokio::join!(one, other);
}

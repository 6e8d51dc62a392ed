//! Orders that a command acts upon are named by a whole number as well as by their id.

use number_order::State::{Created, InReview};
use sinch_simulator::{Region, World};
use testkit::{PROJECT, Service, Settings, folder, id, order_history, play};

use super::Place;

/// Starts a service and a Sinch with orders in review, each with the number of this place in its range.
async fn place(orders: &[(&str, u16)]) -> Place {
    let folder = folder();
    let histories = orders.iter().map(|(order, n)| {
        let mut history = order_history(order, &[(0, Created), (1, InReview)]);
        history.numbers = vec![number(*n)];
        history
    });
    let world = World::from_orders(id(PROJECT), histories);
    let (simulator, settings) = play(world, Settings::new(folder.path())).await;
    let place = Place {
        service: Service::start(&settings).await,
        simulator,
        settings,
        _folder: folder,
    };
    for (order, _) in orders {
        place.say(order, "IN_REVIEW").await;
        place.service.settles(order, "IN_REVIEW").await;
    }
    place
}

fn number(n: u16) -> String {
    Region::ALL[0].number(n)
}

#[tokio::test]
async fn a_command_acts_upon_the_one_order_that_has_the_number() {
    let place = place(&[("o1", 1), ("o2", 2)]).await;
    let whole = number(1);
    let spaced = format!("{} {}", &whole[..4], &whole[4..]);
    for named in [&whole, &spaced] {
        let ended = place.ended(&["fetch", named]).await;
        assert_eq!(ended.code, Some(0), "{named}: {ended:?}");
        assert!(ended.out.starts_with("1 order is fetched"), "{ended:?}");
        assert!(ended.err.contains("is of order o1"), "{ended:?}");
    }
    // A part of a number, or a longer one, could mean an order that was not meant.
    let part = &whole[..whole.len() - 1];
    let bare = &whole[1..];
    let longer = format!("{whole}0");
    for (named, code, words) in [
        (part, 1, "no order has such a number"),
        (longer.as_str(), 1, "no order has such a number"),
        (bare, 1, "does not know this order; write a number whole"),
        ("a/b", 2, "neither an id nor a whole number"),
    ] {
        for command in [&["fetch"][..], &["forget", "--yes"], &["dismiss", "orders"]] {
            let ended = place.ended(&[command, &[named]].concat()).await;
            assert_eq!(ended.code, Some(code), "{command:?} {named}: {ended:?}");
            assert!(ended.err.contains(words), "{command:?} {named}: {ended:?}");
        }
    }
    place.run(0, &["forget", &whole, "--yes"]).await;
    let left = place.json(0, &["orders"]).await;
    assert_eq!(left["items"][0]["order"], "o2", "{left}");
    assert_eq!(left["items"].as_array().map(Vec::len), Some(1), "{left}");
    assert!(
        !place.service.said().contains(&whole[1..]),
        "no number in the log"
    );
}

#[tokio::test]
async fn a_number_of_several_orders_is_refused_with_their_names() {
    let place = place(&[("o1", 7), ("o2", 7), ("o3", 8)]).await;
    let shared = number(7);
    let shared = shared.as_str();
    for command in [
        &["fetch"][..],
        &["forget", "--yes"],
        &["dismiss", "orders"],
        &["order", "wait"],
    ] {
        let ended = place.ended(&[command, &[shared]].concat()).await;
        assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
        for named in ["o1 (IN_REVIEW)", "o2 (IN_REVIEW)"] {
            assert!(ended.err.contains(named), "{command:?}: {ended:?}");
        }
        assert!(!ended.err.contains("o3 ("), "{command:?}: {ended:?}");
    }
    let ended = place.ended(&["unwatch", shared]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.err.contains("o2 (IN_REVIEW)"), "{ended:?}");
    assert_eq!(place.service.list("/api/v1/orders").await.len(), 3);
}

#[tokio::test]
async fn an_id_that_looks_like_a_number_names_its_order() {
    let (odd, other) = ("+61491570156", "o1");
    let place = place(&[(odd, 1), (other, 2)]).await;
    let ended = place.ended(&["fetch", odd]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("1 order is fetched"), "{ended:?}");
    // These are refused, but for what the order is.
    for (command, words) in [
        (&["dismiss", "orders"][..], "not dismissed"),
        (&["unwatch"], "Sinch has shown it"),
    ] {
        let ended = place.ended(&[command, &[odd]].concat()).await;
        assert_eq!(ended.code, Some(1), "{command:?}: {ended:?}");
        assert!(ended.err.contains(words), "{command:?}: {ended:?}");
        let is_unknown = ended.err.contains("no order has such a number");
        assert!(!is_unknown, "{command:?}: {ended:?}");
    }
    place.run(0, &["forget", odd, "--yes"]).await;
    let left = place.service.list("/api/v1/orders").await;
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["order"], other);
}

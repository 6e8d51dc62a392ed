//! What a form registers stands in the form and nowhere else: in no file, output, answer, argument or variable.

use std::fs;

use sinch_simulator::ordering::{Script, ViolationText};
use testkit::{Ended, PROJECT, Process, event, now, until};

use crate::placed::{NUMBER, Placed};
use crate::places::{Places, REGISTERED};

/// Runs a command of a form, and looks at what of it anybody on the machine can see while it runs.
async fn watched(placed: &Placed, arguments: &[&str], places: &mut Places) -> Ended {
    let mut process = Process::start(placed.arguments(arguments));
    until("the command's end", async || {
        places.add_children();
        (!process.is_running()).then_some(())
    })
    .await;
    let ended = process.ended().await;
    places.add_output(&ended);
    ended
}

#[tokio::test]
async fn what_is_registered_stays_in_the_form() {
    let mut script = Script::by_seed(12);
    script.readings.violation_text = ViolationText::Plain;
    let placed = Placed::with(script, |settings| settings.set("log.filter", "trace")).await;
    let form = placed.form.to_str().expect("a path").to_owned();
    let mut places = Places::default();
    placed.replace("\"2000\"", "\"ZQX-CODE\"");
    let refused = watched(&placed, &["order", "place", &form], &mut places).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    placed.replace("\"ZQX-CODE\"", "\"2000\"");
    placed.replace("ZQX-PURPOSE", "ZQX-PURPOSE BLOCK-ONCE");
    let blocked = watched(&placed, &["order", "place", &form], &mut places).await;
    assert_eq!(blocked.code, Some(11), "{blocked:?}");
    placed.replace(" BLOCK-ONCE", "");
    // Sinch refuses the registration, and says so.
    let order = placed.only_order().id.to_string();
    placed.replace("\"2000\"", "\"ZQX-CODE\"");
    let register = ["order", "register", &order, "--form", &form];
    let refused = watched(&placed, &register, &mut places).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("postalCode"), "{refused:?}");
    placed.replace("\"ZQX-CODE\"", "\"2000\"");
    // The reasons name the contact, and are left out of the JSON of this command.
    let fix = ["order", "fix", &order, "--form", &form, "--json"];
    let fixed = watched(&placed, &fix, &mut places).await;
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    let service = &placed.service;
    let journal = service
        .get(&format!(
            "/api/v1/placements/{PROJECT}/{}",
            reference(&form)
        ))
        .await;
    assert_eq!(journal.status, 200);
    places.add("answers", journal.body);
    places.add_answers(service, &[&order]).await;
    places.add_files(placed.folder.path());
    places.add("log", service.said());
    assert_eq!(places.with(REGISTERED), ["form.toml"]);
    // The number is part of the order, so it is kept; it is in no log.
    let kept = places.with(NUMBER);
    assert!(kept.iter().any(|place| place.contains(".db")), "{kept:?}");
    assert!(!kept.contains(&"log"), "{kept:?}");

    what_is_let_out_is_found(&placed, places).await;
}

/// The control: what is let out is found in each place.
async fn what_is_let_out_is_found(placed: &Placed, mut places: Places) {
    let service = &placed.service;
    let planted = "ZQX-PLANTED";
    service
        .deliver(event("e-planted", planted, "IN_REVIEW", now()))
        .await;
    service.order_with(planted, 1).await;
    let simulate = ["simulate", "--listen", "127.0.0.1:0", "--project", planted];
    let simulator = Process::start_in(&[("PLANTED", planted.to_owned())], simulate);
    until("the planted argument", async || {
        places.add_children();
        (places.with(planted).contains(&"arguments")).then_some(())
    })
    .await;
    until("a line of the log", async || {
        service.said().contains(planted).then_some(())
    })
    .await;
    simulator.signal(testkit::Signal::TERM);
    places.add_output(&simulator.ended().await);
    places.add_answers(service, &[planted]).await;
    places.add_files(placed.folder.path());
    places.add("log", service.said());
    let found = places.with(planted);
    for place in ["answers", "arguments", "log", "output"] {
        assert!(found.contains(&place), "{place}: {found:?}");
    }
    assert!(found.iter().any(|place| place.contains(".db")), "{found:?}");
}

/// Returns the reference of a form.
fn reference(form: &str) -> String {
    let text = fs::read_to_string(form).expect("a form");
    let reference = text
        .lines()
        .find_map(|line| line.strip_prefix("reference = "));
    reference.expect("a reference").trim_matches('"').to_owned()
}

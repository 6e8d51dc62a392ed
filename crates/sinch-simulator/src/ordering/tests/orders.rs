//! Orders from their creation to their end, and each question that is open on the way.

use super::*;

fn announced(play: &mut Play) -> String {
    play.announced().join(" ")
}

#[test]
fn the_words_of_a_form_decide_its_review() {
    for (purpose, announced_states) in [
        ("codes", "IN_REVIEW COMPLETED"),
        ("REJECT this", "IN_REVIEW REJECTED"),
        ("NO-REVIEW", "IN_REVIEW"),
        ("BLOCK-ONCE", "IN_REVIEW BLOCKED"),
    ] {
        let mut play = Play::new(|_| {});
        let id = play.place_au(purpose);
        assert_eq!(play.state(&id), State::InReview, "{purpose}");
        play.settle();
        let states = announced(&mut play).replace(" SMS_PLATFORM", "");
        assert_eq!(states, announced_states, "{purpose}");
    }
}

#[test]
fn a_block_is_undone_by_a_new_registration_or_by_another_submit() {
    for (unblocking, purpose, put, submit) in [
        (
            Unblocking::PutAlone,
            "BLOCK-ONCE",
            State::Completed,
            State::Completed,
        ),
        (
            Unblocking::PutAndSubmit,
            "BLOCK-ONCE",
            State::Blocked,
            State::Completed,
        ),
        (
            Unblocking::PutAlone,
            "BLOCK-ALWAYS",
            State::Blocked,
            State::Blocked,
        ),
        (
            Unblocking::PutAndSubmit,
            "BLOCK-ALWAYS",
            State::Blocked,
            State::Blocked,
        ),
    ] {
        let context = format!("{unblocking:?} {purpose}");
        let mut play = Play::reading(|readings| readings.unblocking = unblocking);
        let id = play.place_au(purpose);
        play.settle();
        assert_eq!(play.state(&id), State::Blocked, "{context}");
        let logs = &play.model.orders[&id].registration.logs;
        assert!(logs[0].message.0.contains("Nora Nameless"), "{context}");
        // Time alone, and a submit of what is blocked as before, change nothing.
        if unblocking == Unblocking::PutAlone {
            assert_eq!(play.submit(&id), Ok(State::Blocked), "{context}");
        }
        play.settle();
        assert_eq!(play.state(&id), State::Blocked, "{context}");
        play.register(&id, purpose)
            .expect("a blocked order takes one");
        play.settle();
        assert_eq!(play.state(&id), put, "{context}");
        play.submit(&id).expect("complete");
        play.settle();
        assert_eq!(play.state(&id), submit, "{context}");
    }
}

#[test]
fn a_submit_shows_the_state_at_once_or_later() {
    for (submitted, at_once) in [
        (Submitted::InReview, State::InReview),
        (Submitted::Unchanged, State::Created),
    ] {
        let mut play = Play::reading(|readings| readings.submitted = submitted);
        let id = play.place_au("codes");
        assert_eq!(play.state(&id), at_once);
        // A second submit is the first one, and the reservation has no end any more.
        assert_eq!(play.submit(&id), Ok(at_once));
        play.wait(play.model.script.pace.pickup);
        assert_eq!(play.state(&id), State::InReview);
        play.settle();
        let states = "IN_REVIEW COMPLETED SMS_PLATFORM";
        assert_eq!(announced(&mut play), states, "{submitted:?}");
    }
}

#[test]
fn an_order_that_needs_no_form_completes_in_four_ways() {
    for (without_form, created, submitted, first_announced) in [
        (
            WithoutForm::AtOnce,
            State::Created,
            State::Completed,
            "COMPLETED",
        ),
        (
            WithoutForm::Later,
            State::Created,
            State::InReview,
            "IN_REVIEW",
        ),
        (
            WithoutForm::CallbackFirst,
            State::Created,
            State::Created,
            "COMPLETED",
        ),
        (
            WithoutForm::WithoutSubmit,
            State::Completed,
            State::Completed,
            "COMPLETED",
        ),
    ] {
        let mut play = Play::reading(|readings| readings.without_form = without_form);
        let id = play.create_us();
        play.settle();
        assert_eq!(play.state(&id), created, "{without_form:?}");
        assert_eq!(play.submit(&id), Ok(submitted), "{without_form:?}");
        let mut states = play.announced();
        assert_eq!(states[0], first_announced, "{without_form:?}");
        play.settle();
        assert_eq!(play.state(&id), State::Completed, "{without_form:?}");
        states.extend(play.announced());
        let completions = states.iter().filter(|word| *word == "COMPLETED");
        assert_eq!(completions.count(), 1, "{without_form:?}: {states:?}");
    }
}

#[test]
fn a_reservation_ends_and_frees_its_number() {
    let hour = Duration::from_secs(3600);
    for (expired, is_shown) in [(Expired::Shown, true), (Expired::Forgotten, false)] {
        let mut play = Play::reading(|readings| readings.expired = expired);
        let id = play.create_au();
        play.register(&id, "codes").expect("a good form");
        assert!(!play.model.stock.has("+61491571000"));
        let moment = Duration::from_micros(1);
        play.wait(hour.saturating_sub(moment));
        assert_eq!(play.state(&id), State::Created);
        play.wait(moment);
        assert_eq!(play.state(&id), State::Expired);
        assert_eq!(announced(&mut play), "EXPIRED");
        assert!(play.model.stock.has("+61491571000"));
        assert_eq!(play.model.shown(id.as_str()).is_some(), is_shown);
        assert_eq!(play.submit(&id).is_ok(), is_shown);
        assert!(play.register(&id, "codes").is_err(), "it is final");
    }
    for (expiring, end) in [
        (Expiring::Unsubmitted, State::Blocked),
        (Expiring::BlockedToo, State::Expired),
    ] {
        let mut play = Play::reading(|readings| readings.expiring = expiring);
        let id = play.place_au("BLOCK-ALWAYS");
        play.wait(hour);
        assert_eq!(play.state(&id), end, "{expiring:?}");
    }
}

#[test]
fn a_submitted_order_does_not_expire() {
    let mut play = Play::new(|script| {
        script.readings.submitted = Submitted::Unchanged;
        script.readings.reservation = Duration::from_secs(61);
        script.pace.pickup = Duration::from_secs(5);
    });
    play.place_au("codes");
    play.settle();
    assert_eq!(announced(&mut play), "IN_REVIEW COMPLETED SMS_PLATFORM");
}

#[test]
fn an_incomplete_registration_is_refused_or_blocked() {
    for incomplete in [Incomplete::Refused, Incomplete::Blocked] {
        for upload in [Upload::AtOnce, Upload::Waits, Upload::FailsOnce] {
            let context = format!("{incomplete:?} {upload:?}");
            let mut play = Play::reading(|readings| {
                (readings.incomplete, readings.upload) = (incomplete, upload);
            });
            let id = play.create_au();
            play.register(&id, "codes").expect("a good form");
            // Its upload is not done yet, unless it is at once.
            play.upload(&id).expect("a good file");
            let submitted = play.submit(&id);
            play.settle();
            match (incomplete, upload) {
                (_, Upload::AtOnce) | (Incomplete::Blocked, Upload::Waits) => {
                    assert_eq!(play.state(&id), State::Completed, "{context}");
                }
                (Incomplete::Refused, _) => {
                    assert!(submitted.is_err(), "{context}");
                    assert_eq!(play.state(&id), State::Created, "{context}");
                }
                (Incomplete::Blocked, Upload::FailsOnce) => {
                    assert_eq!(play.state(&id), State::Blocked, "{context}");
                }
            }
        }
    }
}

#[test]
fn a_failed_upload_is_repaired_by_another() {
    let mut play = Play::reading(|readings| readings.upload = Upload::FailsOnce);
    let id = play.create_au();
    let status = |play: &Play| {
        let attachments = &play.model.orders[&id].registration.attachments;
        assert_eq!(attachments.len(), 1);
        attachments[0].status.as_str()
    };
    for expected in ["FAILED", "COMPLETED"] {
        play.upload(&id).expect("a good file");
        assert_eq!(status(&play), "WAITING");
        play.settle();
        assert_eq!(status(&play), expected);
    }
}

#[test]
fn a_taken_number_is_refused_in_two_ways() {
    for (taken_number, is_missing) in [
        (TakenNumber::BadRequest, false),
        (TakenNumber::NotFound, true),
    ] {
        let mut play = Play::reading(|readings| readings.taken_number = taken_number);
        play.create_au();
        let again = play.create(&au("+61491571000")).expect_err("it is taken");
        assert_eq!(matches!(again, Refusal::Missing { .. }), is_missing);
        assert_eq!(play.model.orders.len(), 1);
    }
}

#[test]
fn a_quantity_order_has_all_its_numbers_or_one_less() {
    for (quantity, asked, got) in [
        (Quantity::All, 3, 3),
        (Quantity::Fewer, 3, 2),
        (Quantity::Fewer, 1, 1),
        (Quantity::All, 100, 100),
    ] {
        let mut play = Play::reading(|readings| readings.quantity = quantity);
        let body = json!({
            "regionCode": "US",
            "numberType": "LOCAL",
            "quantityOrderOption": {"requestedQuantity": asked},
        });
        let id = play.create(&body).expect("numbers are there");
        let numbers = &play.model.orders[&id].numbers;
        assert_eq!(numbers.len(), got, "{quantity:?} {asked}");
        assert!(!numbers.iter().any(|number| play.model.stock.has(number)));
    }
}

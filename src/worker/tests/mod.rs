//! All workers together: if they are alive, and what they log.

mod alive;

use super::*;
use number_order::Id;

#[test]
fn telephone_numbers_stay_out_of_the_log() {
    let logged_id = |order: &str| {
        let [project, order] = ["p", order].map(|id| Id::new(id).expect("an id"));
        logged_id(&OrderKey { project, order }).into_owned()
    };
    assert_eq!(logged_id("tel:+46-700-000-000"), "tel:(a number)");
    assert_eq!(
        logged_id("01k0000000000000000000000a"),
        "01k0000000000000000000000a"
    );
}

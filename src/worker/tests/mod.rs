//! The workers' rules, and their asking played in simulated time on a real database.

mod alive;
mod asking;
mod deaf;
mod hostile;
mod outage;
mod played;
mod refused;

use super::*;
use crate::order::Id;

#[test]
fn telephone_numbers_stay_out_of_the_log() {
    let logged = |order: &str| {
        let [project, order] = ["p", order].map(|id| Id::new(id).expect("an id"));
        logged(&OrderKey { project, order }).into_owned()
    };
    assert_eq!(logged("tel:+46-700-000-000"), "tel:(a number)");
    assert_eq!(
        logged("01k0000000000000000000000a"),
        "01k0000000000000000000000a"
    );
}

//! Where a request may go: the address that is connected to decides, whatever an answer says. The URLs and names of bad
//! receivers are in their table.

use std::time::Duration;

use notifications::{AddressClass, Attempt, DeliveryFailure};
use testkit::Target;
use testkit::target::Reply;

use super::post;

const PATIENCE: Duration = Duration::from_secs(60);

fn not_allowed(attempt: &Attempt) -> Option<AddressClass> {
    match attempt {
        Attempt::Failed {
            failure: DeliveryFailure::AddressNotAllowed { class, .. },
            ..
        } => Some(*class),
        _ => None,
    }
}

/// The system resolves the name, as it would one whose address has changed since the configuration was checked.
#[tokio::test]
async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let target = Target::willing().await;
    let url = format!("http://localhost:{}/hooks", target.address.port());
    let attempt = post(&url, &[], PATIENCE).await;
    assert_eq!(
        not_allowed(&attempt),
        Some(AddressClass::Loopback),
        "{attempt:?}"
    );
    let attempt = post(&url, &["10.0.0.0/8"], PATIENCE).await;
    assert_eq!(
        not_allowed(&attempt),
        Some(AddressClass::Loopback),
        "{attempt:?}"
    );
    assert_eq!(target.connections(), 0);
    // The control: it is the check alone that has kept it off.
    let attempt = post(&url, &["127.0.0.1/32"], PATIENCE).await;
    assert_eq!(attempt, Attempt::Delivered);
}

#[tokio::test]
async fn a_name_without_an_address_is_named() {
    let attempt = post("http://no-such-name.invalid/marker", &[], PATIENCE).await;
    assert_eq!(attempt.code(), "name-not-resolved");
    assert!(!format!("{attempt:?}").contains("marker"));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let inside = Target::willing().await;
    let location = format!("Location: {}\r\n", inside.url());
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let target = Target::start(move |_, _| Reply::with(status, &location, "")).await;
        let attempt = post(&target.url(), &["127.0.0.1/32"], PATIENCE).await;
        assert_eq!(attempt, DeliveryFailure::Redirected { status }.into());
    }
    assert_eq!(inside.connections(), 0);
}

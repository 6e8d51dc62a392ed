//! Traces of replicas on one PostgreSQL database.

use testkit::postgres::{Server, ServerOptions};
use testkit::{Service, Settings};

use super::{Fixture, RECEIVE, Seen};

/// Attribute by which the replicas are told apart.
const INSTANCE: &str = "service.instance.id";

/// Returns the settings of a replica. The test's server does not wait for its disk.
fn replica(settings: &Settings, url: &str, instance: &str) -> Settings {
    settings
        .clone()
        .set("database.url", url)
        .set("database.lossy_commits", true)
        .set_environment("OTEL_RESOURCE_ATTRIBUTES", format!("{INSTANCE}={instance}"))
}

#[tokio::test]
async fn spans_of_two_replicas_are_one_trace() {
    let Some(server) = Server::start(ServerOptions::default()) else {
        return;
    };
    let fixture = Fixture::new().await;
    let url = server.url(&server.database());
    let first = Service::start(&replica(&fixture.settings, &url, "first")).await;
    // The file of the configuration has been read by now.
    let second = Service::start(&replica(&fixture.settings, &url, "second")).await;
    first.deliver(fixture.completed()).await;
    second.deliver(fixture.completed()).await;
    let fetch = fixture.confirmed().await;
    let root = fixture.span(RECEIVE).await;
    let is_again = |span: &Seen| span.has("sinch.accepted", "duplicate");
    let again = fixture.collector.span("a duplicate", is_again).await;
    assert_eq!(root.resource[INSTANCE], "first");
    assert_eq!(again.resource[INSTANCE], "second");
    for span in [&again, &fetch] {
        assert_eq!((&span.trace, &span.parent), (&root.trace, &root.id));
    }
    first.stop_well().await;
    second.stop_well().await;
}

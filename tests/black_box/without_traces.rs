//! The program as it is built without the feature `otel`, where the environment asks for traces.

use testkit::{Process, Service, Settings, folder};

#[tokio::test]
async fn the_service_says_that_it_was_built_without_traces() {
    let folder = folder();
    let settings = Settings::new(folder.path());
    // What could not be used does not matter either.
    let settings = settings.set_environment("OTEL_EXPORTER_OTLP_ENDPOINT", "nowhere");
    let service = Service::start(&settings).await;
    let said = "the program was built without the feature otel";
    assert_eq!(
        service.said().matches(said).count(),
        1,
        "{}",
        service.said()
    );
    service.stop_well().await;

    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), "check".as_ref()];
    let checked = Process::spawn(settings.command(), arguments, settings.output());
    let checked = checked.ended().await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked
            .out
            .contains("left out  traces: the environment asks"),
        "{checked:?}"
    );
}

//! What systemd is told: that the service is ready, reloads, is alive and stops.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testkit::{PATIENCE, Service, Settings, Signal, folder, not_tried};

/// Socket of a service manager.
struct Manager(UnixDatagram);

impl Manager {
    fn bind(path: &Path) -> Manager {
        let socket = UnixDatagram::bind(path).expect("the socket is bound");
        let poll = Some(PATIENCE);
        socket.set_read_timeout(poll).expect("a time-out");
        Manager(socket)
    }

    /// Returns the next message that is not about the watchdog.
    fn next(&self) -> String {
        loop {
            let message = self.any();
            if message != "WATCHDOG=1\n" {
                return message;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 1024];
        let length = self.0.recv(&mut bytes).expect("a message in time");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_of_start_reload_watchdog_and_stop() {
    let folder = folder();
    let socket = folder.path().join("notify");
    let manager = Manager::bind(&socket);
    let every = Duration::from_millis(200);
    let settings = Settings::new(folder.path())
        .set_environment("NOTIFY_SOCKET", socket.display().to_string())
        .set_environment("WATCHDOG_USEC", every.as_micros().to_string());
    let service = Service::start(&settings).await;
    assert_eq!(manager.next(), "READY=1\n");
    while manager.any() != "WATCHDOG=1\n" {}

    service.signal(Signal::HUP);
    let reloading = manager.next();
    assert!(
        reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="),
        "{reloading}"
    );
    assert_eq!(manager.next(), "READY=1\n");

    service.stop_well().await;
    assert_eq!(manager.next(), "STOPPING=1\n");
}

#[test]
fn the_unit_leaves_the_service_little_to_do_harm_with() {
    let unit = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/systemd/sinch-callbacks.service"
    );
    // The threshold is ten times the rating.
    let arguments = ["security", "--offline=true", "--threshold=20", unit];
    match Command::new("systemd-analyze").args(arguments).output() {
        Ok(ended) => assert!(ended.status.success(), "{ended:?}"),
        Err(_) => not_tried("the rating of the systemd unit: systemd-analyze is not installed"),
    }
}

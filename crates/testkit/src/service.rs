//! The running service, as Sinch, an operator and a source that is not allowed meet it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Ended, Output};
use crate::wait::poll;
use crate::{
    ALLOWED, Answer, Connection, PATH, PATIENCE, Process, Request, SECRET, Settings, Signal,
    UNALLOWED, until,
};

/// Interval of the readiness probes: short, since benches measure the time until the service is ready.
const READY_POLL: Duration = Duration::from_millis(2);

/// A running service that is ready.
pub struct Service {
    process: Process,
    /// Address of the service's callback listener.
    pub callbacks: SocketAddr,
    /// Address of the service's operators' listener.
    pub operators: SocketAddr,
}

impl Deref for Service {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl Service {
    /// Starts the service and waits until it is ready.
    pub async fn start(settings: &Settings) -> Service {
        Service::start_by(settings.command(), settings).await
    }

    /// Starts the service by a command that takes its arguments, and waits until it is ready.
    pub async fn start_by(command: Command, settings: &Settings) -> Service {
        let process = Service::spawn_by(command, settings);
        let mut service = Service::until_listening(process, settings).await;
        until_ready(&mut service.process, service.operators).await;
        service
    }

    /// Starts the service, whose addresses must be fixed, and waits until it is ready. It is started again whenever it
    /// ends before, as a supervisor would: its database may be down for a moment.
    pub async fn supervised(settings: &Settings) -> Service {
        let [callbacks, operators] = settings.addresses();
        let mut process = Service::spawn(settings);
        until("the service to be ready", async || {
            if !process.is_running() {
                process = Service::spawn(settings);
            }
            is_ready(operators).await.then_some(())
        })
        .await;
        Service {
            process,
            callbacks,
            operators,
        }
    }

    /// Waits until the service is ready. On a busy machine the write that proves it can take longer than `/readyz`
    /// waits.
    pub async fn is_ready(&self) {
        until("readiness", async || {
            (self.get("/readyz").await.status == 200).then_some(())
        })
        .await;
    }

    /// Starts the service and waits until it listens: it need not become ready.
    pub async fn listening(settings: &Settings) -> Service {
        Service::until_listening(Service::spawn(settings), settings).await
    }

    /// Starts the service and waits for nothing: it may refuse to run.
    pub fn spawn(settings: &Settings) -> Process {
        Service::spawn_by(settings.command(), settings)
    }

    fn spawn_by(command: Command, settings: &Settings) -> Process {
        let config = settings.write();
        let arguments = ["--config".as_ref(), config.as_os_str(), "serve".as_ref()];
        Process::spawn(command, arguments, settings.output())
    }

    async fn until_listening(mut process: Process, settings: &Settings) -> Service {
        let [callbacks, operators] = match settings.output() {
            Output::Discarded => settings.addresses(),
            Output::Kept => {
                until("the line that says where it listens", async || {
                    assert!(process.is_running(), "not started: {}", process.said());
                    process
                        .lines()
                        .iter()
                        .find_map(|line| listener_addresses(line))
                })
                .await
            }
        };
        Service {
            process,
            callbacks,
            operators,
        }
    }

    /// Returns the callback URL of the first project, which Sinch calls.
    pub fn callback_url(&self) -> String {
        format!("http://{}{PATH}", self.callbacks)
    }

    /// Sends a request to the callback listener.
    pub async fn send(&self, request: &Request) -> Answer {
        self.send_from(ALLOWED, request).await
    }

    /// Sends a request to the callback listener from another address.
    pub async fn send_from(&self, from: Ipv4Addr, request: &Request) -> Answer {
        send_and_receive(from, self.callbacks, request)
            .await
            .unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Sends a request to the callback listener and returns the answer, if there is one: a peer that is not served has
    /// one second for its first byte, and the service may have ended.
    pub async fn try_send_from(&self, from: Ipv4Addr, request: &Request) -> Option<Answer> {
        send_and_receive(from, self.callbacks, request).await.ok()
    }

    /// Returns the answer to these bytes from a source that is not allowed; the service must hang up after it. Such a
    /// source has one second for its first byte. On a busy machine that can run out, and then this tries again.
    pub async fn send_unallowed(&self, bytes: impl AsRef<[u8]>) -> Answer {
        until("a first byte in time", async || {
            let mut connection = Connection::open(UNALLOWED, self.callbacks).await.ok()?;
            connection.send(bytes.as_ref()).await;
            let answer = connection.answer().await.ok()?;
            assert!(connection.hangs_up_within(PATIENCE).await, "{answer:?}");
            Some(answer)
        })
        .await
    }

    /// Sends a callback of the first project with a good signature. It must be answered 200.
    pub async fn deliver(&self, body: impl Into<Vec<u8>>) {
        let answer = self.send(&Request::signed(PATH, SECRET, body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Sends what tells of no order, as [`Service::deliver`] does, and waits until it is parked: an acknowledgement does not
    /// wait for that.
    pub async fn deliver_to_be_parked(&self, body: impl Into<Vec<u8>>) {
        let parked = async || self.status().await["deliveries_parked"].as_u64();
        let before = parked().await;
        self.deliver(body).await;
        until("one more parked delivery", async || {
            (parked().await > before).then_some(())
        })
        .await;
    }

    /// Sends a GET request as an operator.
    pub async fn get(&self, path: &str) -> Answer {
        self.send_to_operators(&Request::new("GET", path)).await
    }

    /// Sends any request as an operator.
    pub async fn send_to_operators(&self, request: &Request) -> Answer {
        send_and_receive(ALLOWED, self.operators, request)
            .await
            .unwrap_or_else(|error| panic!("{request:?}: {error}"))
    }

    /// Returns the JSON of `/status`.
    pub async fn status(&self) -> Value {
        self.get("/status").await.json()
    }

    /// Returns the number of requests that the service refused for the given reason.
    pub async fn refused(&self, why: &str) -> i64 {
        let status = self.status().await;
        status["callbacks_refused"][why]["count"]
            .as_i64()
            .expect("a count")
    }

    /// Returns an order as the service shows it, with its history; `null` if the service does not know it.
    pub async fn order(&self, order: &str) -> Value {
        let answer = self.get(&format!("/api/v1/orders/{order}")).await;
        match answer.status {
            200 => answer.json(),
            404 => Value::Null,
            _ => panic!("{answer:?}"),
        }
    }

    /// Waits until an order meets the condition, and returns the order.
    pub async fn order_when(
        &self,
        order: &str,
        what: &str,
        wished: impl Fn(&Value) -> bool,
    ) -> Value {
        let what = format!("{order}: {what}");
        until(&what, async || {
            Some(self.order(order).await).filter(|found| wished(found))
        })
        .await
    }

    /// Waits until at least the given number of deliveries about an order were processed: an acknowledgement does not
    /// wait for that.
    pub async fn order_with(&self, order: &str, deliveries: usize) -> Value {
        self.order_when(order, "deliveries", |found| {
            let known = found["deliveries"].as_array();
            known.is_some_and(|known| {
                known.len() >= deliveries && known.iter().all(|row| row["phase"] != "waiting")
            })
        })
        .await
    }

    /// Waits until Sinch has confirmed the given state of an order and nothing is open.
    pub async fn settles(&self, order: &str, state: &str) -> Value {
        self.order_when(order, state, |found| {
            found["confirmed"] == state && found["state"] == state && found["settled"] == true
        })
        .await
    }

    /// Returns the raw body of a delivery that a list has shown.
    pub async fn body(&self, delivery: &Value) -> Answer {
        let path = format!("/api/v1/deliveries/{}/body", delivery["id"]);
        self.get(&path).await
    }

    /// Returns every item on the first page of a list.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        match self.get(path).await.json()["items"].take() {
            Value::Array(items) => items,
            other => panic!("{path} has {other}"),
        }
    }

    /// Kills the service by SIGKILL, so that it can finish nothing, and waits until it is gone.
    pub async fn kill(self) -> Ended {
        self.process.signal(Signal::KILL);
        self.process.ended().await
    }

    /// Sends the service SIGTERM, and waits until it has stopped.
    pub async fn stop(self) -> Ended {
        self.process.stop().await
    }

    /// Stops the service as [`Service::stop`] does; it must end well.
    pub async fn stop_well(self) {
        self.process.stop_well().await;
    }

    /// Waits until the service ends by itself.
    pub async fn ended(self) -> Ended {
        self.process.ended().await
    }
}

/// Waits until a process answers 200 to `/readyz` at the given address.
pub async fn until_ready(process: &mut Process, address: SocketAddr) {
    let ready = poll(PATIENCE, READY_POLL, READY_POLL, async || {
        assert!(
            process.is_running(),
            "the process ended: {}",
            process.said()
        );
        is_ready(address).await.then_some(())
    });
    ready.await.expect("the service becomes ready");
}

/// Returns `true` if `/readyz` at the given address is answered 200.
async fn is_ready(address: SocketAddr) -> bool {
    let answer = send_and_receive(ALLOWED, address, &Request::new("GET", "/readyz")).await;
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Sends a request over a connection of its own, and returns the answer.
///
/// # Errors
///
/// Returns the system's error if the connection is refused, or ends before the answer.
pub async fn send_and_receive(
    from: Ipv4Addr,
    to: SocketAddr,
    request: &Request,
) -> io::Result<Answer> {
    let mut connection = Connection::open(from, to).await?;
    connection.exchange(request.bytes()).await
}

/// Returns the addresses of the two listeners, if the line is the one in which the service names them.
fn listener_addresses(line: &str) -> Option<[SocketAddr; 2]> {
    let line: Value = serde_json::from_str(line).ok()?;
    if line["message"] != "started" {
        return None;
    }
    let address = |name: &str| line[name].as_str()?.parse().ok();
    Some([address("callbacks")?, address("operators")?])
}

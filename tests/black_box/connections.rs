//! Connections: no caller can hold one without using it, or keep others from being served.

use std::time::{Duration, Instant};

use sinch_callbacks::clock;

use testkit::{
    ALLOWED, Connection, PATH, PATIENCE, Process, Request, SECRET, Service, Settings, UNALLOWED,
    event, folder, until,
};

/// Length of the one time-out that a test is about.
const LIMIT: Duration = Duration::from_secs(2);
/// Length of every other time-out, in seconds: no test outlasts it, however busy the machine is.
const NEVER_SECS: u32 = 600;

const HEADER_TIMEOUT: &str = "callbacks.header_timeout_secs";
const BODY_TIMEOUT: &str = "callbacks.body_timeout_secs";
const IDLE_TIMEOUT: &str = "callbacks.idle_timeout_secs";

/// Settings with one short time-out at most.
fn settings(folder: &tempfile::TempDir, short: Option<&str>) -> Settings {
    [HEADER_TIMEOUT, BODY_TIMEOUT, IDLE_TIMEOUT]
        .into_iter()
        .fold(Settings::new(folder.path()), |settings, timeout| {
            if short == Some(timeout) {
                settings.set(timeout, LIMIT.as_secs_f64())
            } else {
                settings.set(timeout, NEVER_SECS)
            }
        })
}

fn good(event_id: &str) -> Request {
    let body = event(event_id, "o1", "IN_REVIEW", clock::now());
    Request::signed(PATH, SECRET, body)
}

async fn open(service: &Service) -> Connection {
    Connection::open(ALLOWED, service.callbacks)
        .await
        .expect("connects")
}

#[tokio::test]
async fn a_peer_that_takes_no_response_is_cut_off() {
    let home = folder();
    let service = Service::start(&settings(&home, Some(IDLE_TIMEOUT))).await;
    let connection = Connection::open(ALLOWED, service.operators).await;
    let mut connection = connection.expect("connects");
    // Without an end: once the buffers of both sides are full, the service can neither write nor read on.
    let requests = Request::new("GET", "/metrics").bytes().repeat(100);
    let since = Instant::now();
    let cut_off = async { while connection.send(&requests).await {} };
    let cut_off = tokio::time::timeout(PATIENCE, cut_off).await;
    assert!(cut_off.is_ok(), "its connection is kept");
    assert!(since.elapsed() > LIMIT / 2, "{:?}", since.elapsed());
}

/// Asserts that the connection is cut off, but not before its time.
async fn assert_cut_off(connection: &mut Connection, since: Instant, what: &str) {
    assert!(connection.hangs_up_within(PATIENCE).await, "{what}");
    assert!(since.elapsed() > LIMIT / 2, "{what}: {:?}", since.elapsed());
}

#[tokio::test]
async fn silence_is_cut_off() {
    let home = folder();
    let service = Service::start(&settings(&home, Some(HEADER_TIMEOUT))).await;
    let since = Instant::now();
    let mut line = open(&service).await;
    assert_cut_off(&mut line, since, "a silent connection").await;

    let home = folder();
    let service = Service::start(&settings(&home, Some(IDLE_TIMEOUT))).await;
    // On a busy machine the caller's time can run out before it has sent anything.
    let (since, mut line) = until("a caller in time", async || {
        let since = Instant::now();
        let mut line = open(&service).await;
        line.send(good("e1").bytes()).await;
        let answer = line.answer().await.ok()?;
        (answer.status == 200).then_some((since, line))
    })
    .await;
    assert_cut_off(&mut line, since, "a connection that fell silent").await;
}

#[tokio::test]
async fn headers_that_trickle_are_cut_off() {
    let folder = folder();
    let service = Service::start(&settings(&folder, Some(HEADER_TIMEOUT))).await;
    let mut callers = 0;
    // On a busy machine the time can run out before the first byte, and then the service counts no incomplete head.
    until("the half of a head to be counted", async || {
        callers += 1;
        let since = Instant::now();
        let mut line = open(&service).await;
        line.send("POST /callbacks HTTP/1.1\r\nHost: here\r\n")
            .await;
        let mut n = 0;
        // Each header line arrives well within the limit, but the whole head never does.
        while !line.hangs_up_within(LIMIT / 7).await {
            assert!(since.elapsed() < PATIENCE, "{n} headers were waited for");
            n += 1;
            line.send(format!("X-Header-{n}: x\r\n")).await;
        }
        assert!(since.elapsed() > LIMIT / 2, "{:?}", since.elapsed());
        let counted = service.refused("http").await;
        assert!(counted <= callers, "{counted} of {callers}");
        (counted > 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off() {
    let folder = folder();
    let service = Service::start(&settings(&folder, Some(BODY_TIMEOUT))).await;
    let since = Instant::now();
    let mut line = open(&service).await;
    line.send(good("e1").head()).await;
    line.send("{").await;
    let answer = line.answer().await.expect("an answer");
    answer.assert_refusal(408, "a slow body");
    assert!(since.elapsed() > LIMIT / 2, "{:?}", since.elapsed());
    assert!(line.hangs_up_within(PATIENCE).await);
    assert_eq!(service.refused("body").await, 1);

    // If a caller hangs up in the middle of a body, no caller is left to answer, and the callback is not accepted.
    let mut line = open(&service).await;
    line.send(good("e2").head()).await;
    line.send("{").await;
    drop(line);
    until("the broken body to be counted", async || {
        (service.refused("body").await == 2).then_some(())
    })
    .await;
    assert_eq!(service.refused("http").await, 0, "its head was in order");
    assert!(service.list("/api/v1/orders").await.is_empty());
}

#[tokio::test]
async fn others_are_served_meanwhile() {
    let folder = folder();
    let service = Service::start(&settings(&folder, None)).await;
    let mut idlers = Vec::new();
    for n in 0..30 {
        let mut line = open(&service).await;
        match n % 3 {
            0 => {}
            1 => assert!(line.send("POST /callbacks HT").await),
            _ => assert!(line.send(good("idle").head()).await),
        }
        idlers.push(line);
    }
    for n in 0..10 {
        assert_eq!(service.send(&good(&format!("e{n}"))).await.status, 200);
    }
}

#[tokio::test]
async fn no_more_connections_than_allowed() {
    const MAX: usize = 4;
    let folder = folder();
    let settings = settings(&folder, None).set("callbacks.connections_max", MAX);
    let service = Service::start(&settings).await;
    let mut taken = Vec::new();
    for n in 0..MAX {
        let mut connection = open(&service).await;
        // The answer shows that the connection is served.
        connection.send(good(&format!("e{n}")).bytes()).await;
        assert_eq!(connection.answer().await.expect("an answer").status, 200);
        taken.push(connection);
    }
    // The caller has one second for its first byte. On a busy machine that can run out, and then the test tries again.
    let (mut one_more, answer) = until("one more to be in time", async || {
        let mut connection = open(&service).await;
        connection.send(good("late").bytes()).await;
        let answer = connection.answer().await.ok()?;
        Some((connection, answer))
    })
    .await;
    answer.assert_refusal(503, "one more");
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert!(
        one_more.hangs_up_within(PATIENCE).await,
        "the caller is hung up on"
    );
    assert!(service.refused("connections").await > 0);
    assert_eq!(
        service.get("/livez").await.status,
        200,
        "operators have places of their own"
    );

    taken.pop();
    until("the place to be free again", async || {
        let mut connection = Connection::open(ALLOWED, service.callbacks).await.ok()?;
        connection.send(good("late").bytes()).await;
        connection
            .answer()
            .await
            .ok()
            .filter(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test]
async fn few_open_files_are_shared_so_that_operators_are_answered() {
    let folder = folder();
    let settings = settings(&folder, None).limit_files(110);
    let service = Service::start(&settings).await;
    let warned = |line: &String| {
        line.contains("WARN") && line.contains("connections_max = 512") && line.contains("110")
    };
    until("a warning", async || {
        service.lines().iter().any(warned).then_some(())
    })
    .await;
    let mut silent = Vec::new();
    for n in 0..150 {
        let from = if n % 3 == 0 { UNALLOWED } else { ALLOWED };
        silent.push(Connection::open(from, service.callbacks).await);
    }
    for _ in 0..5 {
        service.is_ready().await;
    }
    assert_eq!(service.refused("system").await, 0, "none was wanting");
    drop(silent);
    until("a place", async || {
        let mut line = Connection::open(ALLOWED, service.callbacks).await.ok()?;
        line.send(good("e1").bytes()).await;
        let answer = line.answer().await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;

    let config = settings.write();
    let arguments = ["--config".as_ref(), config.as_os_str(), "check".as_ref()];
    let checked = Process::start_limited(110, arguments).ended().await;
    assert!(checked.out.contains("unwise  open files: "), "{checked:?}");
}

#[tokio::test]
async fn running_out_of_open_files_is_logged_and_passes() {
    let folder = folder();
    let service = Service::start(&settings(&folder, None)).await;
    let mut kept = open(&service).await;
    kept.send(good("e1").bytes()).await;
    assert_eq!(kept.answer().await.expect("an answer").status, 200);

    service.limit_files(4);
    let mut waiting = open(&service).await;
    waiting.send(good("e2").bytes()).await;
    until("the log's line", async || {
        let reports = |line: &String| line.contains("ERROR") && line.contains("has to wait");
        service.lines().iter().any(reports).then_some(())
    })
    .await;
    // A connected caller is served, and then a waiting one as soon as possible.
    kept.send(good("e3").bytes()).await;
    assert_eq!(kept.answer().await.expect("an answer").status, 200);
    service.limit_files(1000);
    assert_eq!(waiting.answer().await.expect("an answer").status, 200);
    assert!(service.refused("system").await > 0);
}

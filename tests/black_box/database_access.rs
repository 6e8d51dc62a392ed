//! The way to a PostgreSQL server: who the server is, is verified; who we are, is nobody else's business; and both may
//! change while the service runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sinch_callbacks::clock;
use testkit::postgres::{Server, ServerOptions};
use testkit::{PATH, Request, SECRET, Service, Settings, event, folder, not_tried, run, until};

const OK: Option<i32> = Some(0);
const CONFIG: Option<i32> = Some(78);
/// Password of the database's user. It occurs nowhere else.
const PASSWORD: &str = "password-hq52wz";

/// Starts a server that waits for connections on loopback; `None`: none is installed.
fn server() -> Option<Server> {
    Server::start(ServerOptions {
        tcp: true,
        ..ServerOptions::default()
    })
}

/// Returns the settings of a service on the given database. The test's server does not wait for its disk.
fn settings(folder: &Path, url: &str) -> Settings {
    Settings::new(folder)
        .set("database.url", url)
        .set("database.lossy_commits", true)
        .set("log.filter", "trace")
        .set_project("api", "off")
}

/// Runs `check`, and returns its exit code and what it said.
async fn check(settings: &Settings) -> (Option<i32>, String) {
    let config = settings.write();
    let ended = run(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).await;
    (ended.code, ended.out + &ended.err)
}

/// Two authorities, and a server's certificate by the first that names `localhost`.
struct Certificates {
    right: PathBuf,
    wrong: PathBuf,
    server: Vec<u8>,
    key: Vec<u8>,
}

/// Makes certificates; `None`: openssl is not installed.
fn certificates(folder: &Path) -> Option<Certificates> {
    let openssl = |arguments: &str| {
        let mut openssl = Command::new("openssl");
        let made = openssl
            .args(arguments.split(' '))
            .current_dir(folder)
            .output();
        made.map(|made| {
            let said = String::from_utf8_lossy(&made.stderr).into_owned();
            assert!(made.status.success(), "{arguments}: {said}");
        })
    };
    for name in ["right", "wrong"] {
        let authority = format!(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
        );
        openssl(&authority).ok()?;
    }
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost").expect("can be written");
    for step in [
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
        "x509 -req -in server.csr -CA right.pem -CAkey right.key -CAcreateserial -days 2 -extfile names -out server.pem",
    ] {
        openssl(step).ok()?;
    }
    let read = |name: &str| fs::read(folder.join(name)).expect("openssl has written it");
    Some(Certificates {
        right: folder.join("right.pem"),
        wrong: folder.join("wrong.pem"),
        server: read("server.pem"),
        key: read("server.key"),
    })
}

#[tokio::test]
async fn a_server_is_verified_unless_the_address_says_otherwise() {
    let home = folder();
    let Some(made) = certificates(home.path()) else {
        return not_tried("TLS to PostgreSQL: openssl is not installed");
    };
    let Some(server) = server() else { return };
    let database = server.database();
    let address = |host: &str, rest: &str| {
        format!(
            "postgres://tester@{host}:{}/{database}{rest}",
            server.port()
        )
    };
    let by = |authority: &Path| format!("?sslrootcert={}", authority.display());
    let right = settings(home.path(), &address("localhost", &by(&made.right)));
    let refused = async |url: String, cure: &str| {
        let (code, said) = check(&settings(home.path(), &url)).await;
        assert_eq!(code, CONFIG, "{url}: {said}");
        assert!(said.contains(cure), "{url}: {said}");
    };
    refused(address("localhost", &by(&made.right)), "ssl = on").await;
    let missing = home.path().join("missing.pem");
    refused(address("localhost", &by(&missing)), "cannot be read").await;
    server.put("server.crt", &made.server);
    server.put("server.key", &made.key);
    server.sql("postgres", "ALTER SYSTEM SET ssl = on");
    server.restart();
    refused(address("localhost", ""), "by sslrootcert").await;
    refused(address("localhost", &by(&made.wrong)), "by sslrootcert").await;
    refused(
        address("127.0.0.1", &by(&made.right)),
        "by the name in its certificate",
    )
    .await;
    let (code, said) = check(&right).await;
    assert_eq!(code, OK, "{said}");
    let service = Service::start(&right).await;
    service
        .deliver(event("e1", "o1", "CREATED", clock::now()))
        .await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE datname = '{}'";
    let encrypted = encrypted.replace("{}", &database);
    assert_eq!(server.sql("postgres", &encrypted), "t");
    service.stop_well().await;
}

/// Makes a database of a user who is admitted by password, and returns its name.
fn admit_by_password(server: &Server) -> String {
    let database = server.database();
    server.put(
        "pg_hba.conf",
        b"local all all trust\nhost all secretive all scram-sha-256\n",
    );
    let user = format!(
        "CREATE ROLE secretive LOGIN PASSWORD '{PASSWORD}'; ALTER DATABASE {database} OWNER TO secretive;
         SELECT pg_reload_conf()"
    );
    server.sql("postgres", &user);
    database
}

#[tokio::test]
async fn a_password_is_never_shown_and_may_be_rotated() {
    let Some(server) = server() else { return };
    let home = folder();
    let database = admit_by_password(&server);
    let url = server
        .tcp_url(&database)
        .replacen("tester", &format!("secretive:{PASSWORD}"), 1);
    let settings = settings(home.path(), &(url + "?sslmode=disable"));
    let mut shown = Vec::new();
    let service = Service::start(&settings).await;
    service
        .deliver(event("e1", "o1", "CREATED", clock::now()))
        .await;
    let rotate = |password: &str| {
        let sql = format!(
            "ALTER ROLE secretive PASSWORD '{password}';
             SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'secretive'"
        );
        server.sql("postgres", &sql);
    };
    rotate("another");
    until("a reason that names the password", async || {
        let ready = service.get("/readyz").await.timeless();
        let says_so = ready.contains("password authentication failed");
        shown.push(ready);
        says_so.then_some(())
    })
    .await;
    let body = event("e2", "o1", "IN_REVIEW", clock::now());
    let refused = service
        .send(&Request::signed(PATH, SECRET, body.clone()))
        .await;
    assert_eq!(refused.status, 503, "{refused:?}");
    let (code, said) = check(&settings).await;
    assert_eq!(code, CONFIG, "{said}");
    assert!(
        said.contains("(28P01): give the user and the password"),
        "{said}"
    );
    shown.push(said);
    rotate(PASSWORD);
    service.is_ready().await;
    service.deliver(body).await;
    shown.push(service.get("/status").await.timeless());
    shown.push(service.get("/metrics").await.timeless());
    let arguments = fs::read(format!("/proc/{}/cmdline", service.id())).expect("it runs");
    shown.push(String::from_utf8_lossy(&arguments).into_owned());
    let ended = service.stop().await;
    assert_eq!(ended.code, OK, "{}", ended.err);
    shown.extend([ended.out, ended.err]);
    for text in shown {
        assert!(!text.contains(PASSWORD), "{text}");
    }
}

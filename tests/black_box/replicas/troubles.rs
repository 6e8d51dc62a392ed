//! Troubles of replicas and of their server, in a random order by seed.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use testkit::Service;
use testkit::postgres::Server;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::cluster::Cluster;

/// Trouble of the server, which all replicas meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// The server is killed, and started again.
    Kill,
    /// The server is stopped in order, and started again.
    Restart,
    /// The server is paused for a while.
    Pause(Duration),
    /// Some of the connections are cut.
    Cut,
}

/// Callbacks that are answered 200 between two troubles.
const BETWEEN: std::ops::Range<usize> = 50..250;

/// Ends some of the connections of the replicas at whatever they do.
const CUT: &str = "
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.7";

impl Trouble {
    fn random(random: &mut Rng, pause_max: Duration) -> Trouble {
        match random.u8(0..6) {
            0 | 1 => Trouble::Kill,
            2 => Trouble::Restart,
            3 => Trouble::Pause(pause_max.mul_f64(random.f64())),
            _ => Trouble::Cut,
        }
    }

    /// Brings the trouble over the server, and takes it away again.
    async fn meet(self, server: &Arc<Server>, database: &str) {
        let (blocked, database) = (server.clone(), database.to_owned());
        match self {
            Trouble::Pause(span) => {
                server.pause();
                sleep(span).await;
                server.go_on();
            }
            Trouble::Kill | Trouble::Restart | Trouble::Cut => {
                let met = spawn_blocking(move || match self {
                    Trouble::Kill => {
                        blocked.kill();
                        blocked.start_again();
                    }
                    Trouble::Restart => blocked.restart(),
                    Trouble::Cut | Trouble::Pause(_) => {
                        blocked.sql(&database, CUT);
                    }
                });
                met.await.expect("the server goes on");
            }
        }
    }
}

/// Number and kind of the troubles.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of troubles of the server.
    pub of_server: usize,
    /// Number of replicas that are killed.
    pub of_replicas: usize,
    /// Maximum duration of a pause of the server.
    pub pause_max: Duration,
}

/// Brings troubles over the server and the replicas, both at the same time. Returns the replicas that run then.
pub async fn meet(
    plan: Plan,
    (server, database): (&Arc<Server>, &str),
    cluster: &Cluster,
    mut replicas: Vec<Service>,
    random: &mut Rng,
) -> Vec<Service> {
    let mut of_replicas = random.fork();
    let server_troubles = async {
        for _ in 0..plan.of_server {
            cluster.acknowledges(random.usize(BETWEEN)).await;
            let trouble = Trouble::random(random, plan.pause_max);
            println!("{trouble:?}");
            trouble.meet(server, database).await;
        }
    };
    let kills = async {
        for _ in 0..plan.of_replicas {
            cluster.acknowledges(of_replicas.usize(BETWEEN)).await;
            let replica = of_replicas.usize(..replicas.len());
            println!("replica {replica} is killed");
            let ended = replicas.remove(replica).kill().await;
            assert_eq!(ended.code, None, "it ended by itself: {ended:?}");
            let again = Service::supervised(&cluster.settings[replica]).await;
            replicas.insert(replica, again);
        }
    };
    tokio::join!(server_troubles, kills);
    replicas
}

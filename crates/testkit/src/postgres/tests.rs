//! What is left of a killed server keeps the next one from starting, until it is gone.

use super::*;

#[test]
fn a_start_that_fails_is_tried_again() {
    let Some(server) = Server::start(ServerOptions::default()) else {
        return;
    };
    let pid = server.server_pid().expect("the server runs");
    let left = children_of(pid);
    for process in &left {
        let _ = kill_process(*process, Signal::STOP);
    }
    server.signal_server(Signal::KILL);
    server.end_keeper();
    std::thread::scope(|scope| {
        let again = scope.spawn(|| server.start_again());
        let deadline = Instant::now() + PATIENCE;
        while !server.log().contains("is still in use") {
            assert!(Instant::now() < deadline, "{}", server.log());
            pause();
        }
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
        again.join().expect("the server starts again");
    });
    assert_eq!(server.sql("postgres", "SELECT 1"), "1");
}

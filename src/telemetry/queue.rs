//! Queue of the log's lines to standard output. A thread of its own writes them, and it alone waits for the reader.
//!
//! A full pipe without a reader stops its writer. Here it stops the thread: the queue fills, and further lines are
//! dropped and counted, while the service goes on. (The appender of `tracing` would write to standard output itself as
//! it ends, and so wait forever.)

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

use crate::redact;

/// Maximum number of the log's lines that wait to be written.
const LINES_MAX: usize = 4096;

/// Number of bytes from which a batch of waiting lines is written out.
const BATCH_BYTES: usize = 64 * 1024;

/// Minimum time between two log lines about dropped lines.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Interval between attempts to put a flush into the queue, while the queue is full.
const FLUSH_RETRY: Duration = Duration::from_millis(10);

/// Item in the queue of the log: a line, or a request about the lines before it.
enum Item {
    Line(Vec<u8>),
    /// Asks the writing thread for a signal as soon as all earlier lines are written.
    Flush(SyncSender<()>),
}

/// Sending end of the queue of log lines.
#[derive(Clone)]
pub(super) struct Queue {
    items: SyncSender<Item>,
}

impl Queue {
    /// Starts a thread that writes to `into` all lines that come through the queue.
    ///
    /// # Errors
    ///
    /// Returns the system's error if there is no thread left.
    pub fn start(into: impl Write + Send + 'static) -> io::Result<Queue> {
        let (items, waiting) = sync_channel(LINES_MAX);
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(move || write_all(&waiting, into))?;
        Ok(Queue { items })
    }

    /// Waits until all earlier lines of the log are written, but no longer than `within`.
    pub fn flush(&self, within: Duration) {
        let deadline = Instant::now() + within;
        let (written, all_is_written) = sync_channel(1);
        let mut item = Item::Flush(written);
        while let Err(TrySendError::Full(back)) = self.items.try_send(item) {
            if Instant::now() >= deadline {
                return;
            }
            item = back;
            thread::park_timeout(FLUSH_RETRY);
        }
        // Without a reader, the remaining lines are lost with the process.
        let _ = all_is_written.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
}

impl Write for &Queue {
    /// Puts a whole line into the queue, and never waits for room.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.items.try_send(Item::Line(line.to_vec())).is_err() {
            redact::drop_lines(1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Queue;

    fn make_writer(&'a self) -> &'a Queue {
        self
    }
}

/// Writes the log's lines as they arrive, until the last sender is dropped.
fn write_all(waiting: &Receiver<Item>, mut into: impl Write) {
    let mut told = (0, None::<Instant>);
    while let Ok(first) = waiting.recv() {
        let mut batch = Vec::new();
        let mut lines = 0;
        let mut flush = None;
        let mut next = Some(first);
        while let Some(item) = next.take() {
            match item {
                Item::Line(line) => {
                    lines += 1;
                    batch.extend_from_slice(&line);
                }
                Item::Flush(written) => flush = Some(written),
            }
            if flush.is_none() && batch.len() < BATCH_BYTES {
                next = waiting.try_recv().ok();
            }
        }
        // If the output is closed or full, only the count of dropped lines can show it.
        if into.write_all(&batch).and_then(|()| into.flush()).is_err() {
            redact::drop_lines(lines);
        }
        if let Some(written) = flush {
            let _ = written.send(());
        }
        log_drops(&mut told);
    }
}

/// Logs that lines of the log were dropped, now that lines can be written again.
fn log_drops((known, logged_at): &mut (u64, Option<Instant>)) {
    let dropped = redact::lines_dropped();
    let is_due = logged_at.is_none_or(|at| at.elapsed() >= LOG_INTERVAL);
    if dropped > *known && is_due {
        let left_out = dropped - *known;
        tracing::warn!(
            left_out,
            "lines of the log were dropped: they were not read in time"
        );
        *known = dropped;
        *logged_at = Some(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Condvar, Mutex};

    use super::*;

    /// Maximum time that a test waits for what must happen, on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(180);

    /// An output without a reader, until `read` is called.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Reader>);

    #[derive(Default)]
    struct Reader {
        is_there: Mutex<bool>,
        came: Condvar,
        text: Mutex<String>,
    }

    impl Pipe {
        fn read(&self) {
            *self.0.is_there.lock().expect("nobody panics") = true;
            self.0.came.notify_all();
        }

        fn text(&self) -> String {
            self.0.text.lock().expect("nobody panics").clone()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let is_there = self.0.is_there.lock().expect("nobody panics");
            let waited = self.0.came.wait_while(is_there, |is_there| !*is_there);
            drop(waited.expect("nobody panics"));
            let text = String::from_utf8_lossy(bytes);
            self.0.text.lock().expect("nobody panics").push_str(&text);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_pipe_that_is_not_read_and_drops_are_counted() {
        let pipe = Pipe::default();
        let queue = Queue::start(pipe.clone()).expect("a thread");
        let before = redact::lines_dropped();
        let lines = LINES_MAX * 3;
        for nth in 0..lines {
            let line = format!("{nth}\n");
            (&queue)
                .write_all(line.as_bytes())
                .expect("a line is taken or dropped");
        }
        let dropped = redact::lines_dropped() - before;
        assert!(dropped > 0, "the queue is bounded");
        let began = Instant::now();
        queue.flush(Duration::from_millis(50));
        assert!(
            began.elapsed() < PATIENCE,
            "a stop does not wait for a reader"
        );
        pipe.read();
        queue.flush(PATIENCE);
        let text = pipe.text();
        let written: Vec<usize> = text
            .lines()
            .map(|line| line.parse().expect("whole lines"))
            .collect();
        assert_eq!(written.len() + dropped as usize, lines);
        assert!(written.is_sorted(), "in their order");
    }
}

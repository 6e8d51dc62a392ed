//! Histograms of how long things take, since the start of the service.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// Upper bounds of spans that a disk or a database decides, in seconds.
const SHORT: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Upper bounds of spans that another party decides, or a queue, in seconds.
const LONG: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0,
];

/// Upper bounds of spans that last until the next callback or fetch of an order, in seconds.
const LASTING: [f64; 12] = [
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0,
];

/// A histogram of spans.
#[derive(Debug)]
pub struct Spans {
    /// Name of the histogram, without the program's prefix.
    pub name: &'static str,
    /// Description that can be understood without the other figures.
    pub help: &'static str,
    histogram: Histogram,
}

impl Spans {
    fn new(name: &'static str, help: &'static str, bounds: &[f64]) -> Spans {
        Spans {
            name,
            help,
            histogram: Histogram::new(bounds.iter().copied()),
        }
    }

    /// Counts a span.
    pub fn observe(&self, span: Duration) {
        self.histogram.observe(span.as_secs_f64());
    }

    /// Returns the histogram, which goes on counting.
    pub fn histogram(&self) -> Histogram {
        self.histogram.clone()
    }
}

/// The histograms of the service.
#[derive(Debug)]
pub struct AllSpans {
    /// From the head of a callback to its answer 200.
    pub acknowledgement: Spans,
    /// From the receipt of a delivery to the end of its processing.
    pub processing: Spans,
    /// A step in which deliveries are processed, with its commit.
    pub processing_step: Spans,
    /// From the request of a fetch to its answer, or to the failure of the attempt.
    pub fetch: Spans,
    /// From Sinch's own change of an order's state, or from when the order was first heard of, to its confirmation.
    pub convergence: Spans,
    /// From the sending of a notification to the answer of its target, or to the failure of the attempt.
    pub notification: Spans,
}

impl AllSpans {
    /// Returns all histograms, in the order in which `/metrics` has them.
    pub fn all(&self) -> [&Spans; 6] {
        [
            &self.acknowledgement,
            &self.processing,
            &self.processing_step,
            &self.fetch,
            &self.convergence,
            &self.notification,
        ]
    }
}

impl Default for AllSpans {
    fn default() -> AllSpans {
        AllSpans {
            acknowledgement: Spans::new(
                "acknowledgement_seconds",
                "Time from the head of a callback to its answer 200",
                &SHORT,
            ),
            processing: Spans::new(
                "processing_seconds",
                "Time from the receipt of a callback until it is processed",
                &LONG,
            ),
            processing_step: Spans::new(
                "processing_step_seconds",
                "Time of a step in which callbacks are processed, with its commit",
                &SHORT,
            ),
            fetch: Spans::new(
                "fetch_seconds",
                "Time of an attempt to fetch an order from Sinch",
                &LONG,
            ),
            convergence: Spans::new(
                "convergence_seconds",
                "Time from Sinch's own change of an order's state to its confirmation",
                &LASTING,
            ),
            notification: Spans::new(
                "notification_seconds",
                "Time of an attempt to send a notification to its target",
                &LONG,
            ),
        }
    }
}

//! The program from outside: the real binary, its sockets, its file, its log and its exit codes.
//!
//! Each test has its own folder, database and ports, so all of them can run at once. No test waits for
//! a time to pass: each polls for what it expects, until a deadline.

mod access;
mod answers;
mod backup_trials;
mod backups;
mod check_online;
mod clock;
mod commands;
mod connections;
mod cores;
#[cfg(feature = "postgres")]
mod database_access;
mod demo;
mod disk;
mod durability;
mod early_answers;
mod events_commands;
mod feed;
mod feed_consumer;
mod fetched_backups;
mod figures;
mod file_lengths;
mod files;
mod files_in_use;
mod foreign_answers;
mod forwarded_addresses;
mod haproxy;
mod installation;
mod interposer;
mod kills;
mod meanwhile;
mod metrics_readers;
mod monitoring;
mod not_http;
mod notifications;
mod number_readiness;
mod numbers;
mod one_busy_order;
mod openapi;
mod operating;
mod operators;
mod ordering;
mod orders;
mod outages;
mod output;
mod placed;
mod placements;
mod places;
mod placing;
mod placing_secrecy;
mod placing_words;
mod played;
mod players;
mod python;
mod quarantine;
mod queries;
mod reading_seeds;
mod readings;
mod records;
mod refusal_log;
mod refusals;
mod reloading;
mod removal;
#[cfg(feature = "postgres")]
mod replicas;
mod restores;
mod retention;
mod secrecy;
mod secret_drift;
mod secret_rotation;
mod service_manager;
mod simulating;
mod snapshots;
mod start;
#[cfg(feature = "postgres")]
mod store_copies;
#[cfg(feature = "otel")]
mod traces;
mod unallowed_sources;
mod waiting;
mod watch;
#[cfg(not(feature = "otel"))]
mod without_traces;

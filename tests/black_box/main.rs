//! The program from outside: the real binary, its sockets, its file, its log and its exit codes.
//!
//! Each test has its own folder, database and ports, so all of them can run at once. No test waits for
//! a time to pass: each polls for what it expects, until a deadline.

mod answers;
mod backups;
mod clock;
mod commands;
mod connections;
mod demo;
mod disk;
mod durability;
mod early;
mod figures;
mod files;
mod foreign;
mod judgement;
mod leaving;
mod operators;
mod orders;
mod outages;
mod output;
mod refusals;
mod retention;
mod secrecy;
mod snapshots;
mod sources;
mod start;
mod storms;
mod strangers;
mod watch;

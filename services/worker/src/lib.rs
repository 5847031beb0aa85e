//! Serve one worker enclave: its HTTP, its disk, its fetches.
//!
//! No rule lives here. What arrives is handed to `phala-enclave-worker`, what it answers is sent back; what it
//! needs from the operating system is given to it through its ports.
//!
//! | file | gives |
//! |---|---|
//! | `http`, `metrics` | the worker to the world |
//! | `disk` | programs' sealed entries on a disk |
//! | `outbound` | fetches for programs, public addresses only |
//!
//! What any enclave's host gives is in `phala-host`.

pub mod disk;
pub mod http;
pub mod metrics;
pub mod outbound;

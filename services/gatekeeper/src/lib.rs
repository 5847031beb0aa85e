//! Serve one gatekeeper enclave.
//!
//! No rule lives here. `http` hands what arrives to `phala-enclave-gatekeeper` and sends back what it answers; the rest an
//! enclave's host gives (`phala-host`).

pub mod http;

//! Run one component under a meter.
//!
//! A program is a WebAssembly component that answers HTTP requests. The engine compiles it once, loads the
//! compiled form from private memory, and gives each call an instance of its own:
//!
//! ```text
//!  component ──compile──▶ Artifact ──load──▶ Program ──call(Call)──▶ Answer { response, outcome }
//!   (bytes)    audit,      (sealed    link      │                        │        │
//!              validate     on disk)            │ one store and          │ body streams while the
//!                                               │ instance per call      │ program still runs
//!                                               ▼                        ▼
//!                  ports: Snapshot, Outbound, LogSink, ProgramKeys, Attester
//! ```
//!
//! Host functions lie in one file per family ([`mod@config`], `keyvalue`, `outbound` …). What they need from
//! outside arrives through the traits of [`ports`]; there is no file, environment variable, argument or socket
//! that a program could reach.
//!
//! # Words
//! *Query*, *command*: see [`Mode`]. *Fuel*: about one per WebAssembly instruction, plus host work by its bytes.
//! *Artifact*: a component compiled for this engine and processor.
//!
//! # Properties
//! - A call that crashes, loops, or asks for too much fails alone, with an error of its own.
//! - Two engines that run the same artifact with the same command and snapshot give the same bytes, fuel and
//!   changes: the clock is the block's, randomness comes from the command, nothing outside is asked, and waiting
//!   for what cannot come is an error, not a hang.
//! - A query leaves nothing behind. A command leaves [`Outcome::changes`] behind and nothing else.
//! - A program sees only its own request, state, settings and keys; instances are not shared between callers
//!   unless the program asks for it ([`phala_messages::program::Manifest::reuse`]).
//! - Artifacts are never mapped from disk; what is loaded cannot be changed by the machine's owner.

mod artifact;
pub mod attestation;
mod audit;
pub mod benchmark;
mod call;
mod clocks;
pub mod config;
mod context;
pub mod danger;
mod engine;
mod host;
mod http;
mod keys;
mod keyvalue;
mod limits;
mod logging;
mod meter;
mod outbound;
pub mod ports;
mod program;
mod random;
mod run;

pub use artifact::{Artifact, CompileError, Nans};
pub use call::{Answer, Body, BodyError, Call, CallError, Changes, Context, Mode, Outcome, Settings, whole_body};
pub use engine::{Engine, EngineConfig, EngineError};
pub use limits::HANDLES_MAX;
pub use ports::{Attester, LogLevel, LogSink, Outbound, OutboundError, ProgramKeys, Snapshot};
pub use program::{LoadError, Program};

//! One file per verb.

pub mod account;
pub mod build;
pub mod call;
pub mod completions;
pub mod credit;
pub mod demo;
pub mod deploy;
pub mod doctor;
pub mod down;
pub mod gatekeeper;
pub mod gov;
pub mod logs;
pub mod new;
pub mod pool;
pub mod programs;
pub mod recovery;
pub mod send;
pub mod stake;
pub mod status;
pub mod up;
pub mod upgrade;
pub mod vault;
pub mod verify;
pub mod worker;

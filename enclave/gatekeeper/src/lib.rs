//! Be a gatekeeper: key generation, refresh, share release.
//!
//! # The problem
//! Some machines together hold the key from which the keys of all programs follow, and none of them may ever hold it alone.
//! They must make it, hand it on while machines come, go, crash and lie, and give a program's key to the workers that the
//! chain has assigned, to nobody else and to nobody too late. Everything outside, the disk, the clock, the network, the
//! node, is a port that may lie, stall or die.
//!
//! # The journeys, and where they pass
//! ```text
//! a round     observer ─► view ─► rounds ─► dealing ─► peers ─► (another) playing ─► (chain) ─► shares
//! recovery    shares ─► backup ─► (chain)      (custodians) ─► recover ─► seats ─► (chain) ─► shares
//! a key       (worker) ─► release ─► deliveries ─► (worker), and batch by batch to the chain
//! ```
//! | file | knows |
//! |---|---|
//! | `peers` | how gatekeepers are reached and what they say to each other |
//! | `view`, `observer` | what this gatekeeper sees of the chain, by proof |
//! | `rounds`, `orders` | one round after the other, from dealing to a key share; what it wants done |
//! | `doubt` | why a gatekeeper stops |
//! | `dealing`, `playing`, `shares` | the dealer's part, the player's part, what stays |
//! | `release` | who may have a part of a key |
//! | `deliveries` | what was given out, and the proof of it |
//! | `backup` | its own key share in pieces for custodians |
//! | `recover`, `seats` | the place of a member that is lost: piece by piece, then whole |
//! | `danger` | what a thief would have, for drills |
//! | `gatekeeper`, `problem` | all of it in motion; what it says instead of an answer |
//!
//! # Properties
//! - A gatekeeper holds at most one key share of a root. It erases the older one before it uses the newer one.
//! - It deals one polynomial in a round, whatever crashes. Its seed is sealed on disk before the first dealing leaves.
//! - It acknowledges a dealing only when it lies sealed on disk.
//! - A key share counts only while the chain names its output as the root's current epoch.
//! - It takes a lost seat only where the finalised chain binds it to one, after the delay, from as many custodians as it takes.
//! - No part of a key leaves unless a finalised block, not older than 20 blocks, says that the worker runs the program; nor
//!   before the delivery was noted down.
//! - Of two processes with one identity at most one goes on. What doubts itself stops and forgets.
//! - No input panics it; every refusal has a name that stays.

mod backup;
pub mod danger;
pub mod dealing;
pub mod deliveries;
mod doubt;
pub mod gatekeeper;
pub mod observer;
mod orders;
pub mod peers;
pub mod playing;
pub mod problem;
mod recover;
pub mod release;
pub mod rounds;
mod seats;
pub mod shares;
pub mod view;

pub use gatekeeper::{Config, Gatekeeper, Status};
pub use peers::{PeerError, Peers};
pub use problem::Problem;

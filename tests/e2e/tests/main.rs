//! Journeys with real processes. One binary, so that two networks run side by side.

// What only tests may compute.
#[path = "../../../wire/threshold/tests/threshold/group_secret.rs"]
#[allow(dead_code)]
mod group_secret;

mod canary;
mod components;
mod copies;
mod crashes;
mod economy;
mod economy_guides;
mod gatekeepers;
mod handover;
mod hostile;
mod journeys;
mod lying_hosts;
mod memory;
mod moves;
mod paying;
mod recovery;

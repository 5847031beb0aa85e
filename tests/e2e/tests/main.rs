//! Journeys with real processes. One binary, so that two networks run side by side.

mod canary;
mod components;
mod copies;
mod crashes;
mod gatekeepers;
mod handover;
mod hostile;
mod journeys;
mod lying_hosts;
mod moves;
mod recovery;

//! The whole protocol, seen from outside: one binary, a file for each subject.

mod backups;
mod cheats;
mod crashes;
mod encodings;
mod group_secret;
mod keys;
mod network;
mod rounds;
mod secret;
mod simulation;

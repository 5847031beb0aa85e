//! Orders: what rounds want done. Requests go to other gatekeepers, messages to the chain.

use crate::peers::PeerRequest;
use phala_messages::{
    WorkerId,
    custody::{Complaint, Confirmation, LogCommitment, OutputReport, RootGeneration},
    recovery::{EpochOutput, Objection, SeatBackup, SeatTaken},
};

/// A request to another gatekeeper.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whom.
    pub to: WorkerId,
    /// What.
    pub request: PeerRequest,
}

/// A message to the chain, not signed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// See [`LogCommitment`].
    Log(LogCommitment),
    /// See [`Confirmation`].
    Confirm(Confirmation),
    /// See [`OutputReport`].
    Report(OutputReport),
    /// See [`Complaint`].
    Complain(Complaint),
    /// See [`SeatBackup`].
    Backup(Box<SeatBackup>),
    /// What an epoch came to.
    Output(RootGeneration, EpochOutput),
    /// See [`Objection`].
    Object(Objection),
    /// See [`SeatTaken`].
    Take(SeatTaken),
}

//! What people with PHA ask of the chain: stake, vote, serve on a body, vest, let others act for them.
//!
//! Types of the pallets' own, encoded as they encode them; the runtime's tests hold each against the runtime.

use crate::{
    calls::{Address, Call},
    ids::{Account, Hash},
};
use alloc::{boxed::Box, vec::Vec};
use codec::{Decode, Encode};

/// Calls of `frame-system`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum System {
    /// Root lets code with this hash replace the chain's.
    #[codec(index = 9)]
    AuthorizeUpgrade {
        /// Blake2b-256 of the code.
        code_hash: Hash,
    },
    /// Anyone brings the code that was authorised.
    #[codec(index = 11)]
    ApplyAuthorizedUpgrade {
        /// The code.
        code: Vec<u8>,
    },
}

/// Where rewards go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Payee {
    /// To the stake, which grows.
    #[codec(index = 0)]
    Staked,
    /// To the account, free.
    #[codec(index = 1)]
    Stash,
    /// To another account.
    #[codec(index = 3)]
    Account(Account),
    /// Nowhere.
    #[codec(index = 4)]
    None,
}

/// Calls of `pallet-staking`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Staking {
    /// Bonds PHA.
    #[codec(index = 0)]
    Bond {
        /// Planck.
        #[codec(compact)]
        amount: u128,
        /// Where rewards go.
        payee: Payee,
    },
    /// Bonds more.
    #[codec(index = 1)]
    BondExtra {
        /// Planck.
        #[codec(compact)]
        amount: u128,
    },
    /// Wants PHA back, which takes some eras.
    #[codec(index = 2)]
    Unbond {
        /// Planck.
        #[codec(compact)]
        amount: u128,
    },
    /// Takes back what has waited long enough.
    #[codec(index = 3)]
    WithdrawUnbonded {
        /// How often the account was slashed; 0 for most.
        slashing_spans: u32,
    },
    /// Is ready to validate.
    #[codec(index = 4)]
    Validate {
        /// Parts per thousand million that the validator keeps of its nominators' rewards.
        #[codec(compact)]
        commission_ppb: u32,
        /// Whether nobody may nominate it.
        blocked: bool,
    },
    /// Stakes behind validators.
    #[codec(index = 5)]
    Nominate {
        /// Which.
        validators: Vec<Address>,
    },
    /// Neither validates nor nominates from the next era on.
    #[codec(index = 6)]
    Chill,
    /// Changes where rewards go.
    #[codec(index = 7)]
    SetPayee {
        /// Where to.
        payee: Payee,
    },
    /// Pays out what a validator and a page of its nominators earned in an era. Anyone may.
    #[codec(index = 18)]
    PayoutStakers {
        /// Whose.
        validator: Account,
        /// In which.
        era: u32,
    },
}

/// A call as referenda name it.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Proposal {
    /// By its hash; its bytes are noted as a preimage.
    #[codec(index = 2)]
    Lookup {
        /// Blake2b-256.
        hash: Hash,
        /// Its length.
        bytes: u32,
    },
}

/// How a vote weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// For or against.
    pub aye: bool,
    /// 0: a tenth, without a lock; 1 to 6: so many times, locked for 1, 2, 4, 8, 16, 32 enactment periods after a won vote.
    pub conviction: u8,
}

impl Encode for Vote {
    fn encode_to<O: codec::Output + ?Sized>(&self, out: &mut O) {
        out.push_byte(self.conviction.min(6) | if self.aye { 0x80 } else { 0 });
    }
}

/// A vote in a referendum.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum AccountVote {
    /// With one amount, one way.
    #[codec(index = 0)]
    Standard {
        /// Which way, and how heavy.
        vote: Vote,
        /// Planck.
        balance: u128,
    },
}

/// Calls of `pallet-democracy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Democracy {
    /// Proposes a referendum.
    #[codec(index = 0)]
    Propose {
        /// What.
        proposal: Proposal,
        /// The deposit, in Planck: the proposal with most deposits is voted on next.
        #[codec(compact)]
        deposit: u128,
    },
    /// Puts the same deposit behind somebody else's proposal.
    #[codec(index = 1)]
    Second {
        /// Its number.
        #[codec(compact)]
        proposal: u32,
    },
    /// Votes.
    #[codec(index = 2)]
    Vote {
        /// In which.
        #[codec(compact)]
        referendum: u32,
        /// How.
        vote: AccountVote,
    },
    /// The council proposes: more than half of it.
    #[codec(index = 4)]
    ExternalPropose {
        /// What.
        proposal: Proposal,
    },
    /// The same, three quarters: a plain majority of votes then decides.
    #[codec(index = 5)]
    ExternalProposeMajority {
        /// What.
        proposal: Proposal,
    },
    /// The committee opens the council's proposal now.
    #[codec(index = 7)]
    FastTrack {
        /// The proposal.
        hash: Hash,
        /// How long the vote is open.
        voting_blocks: u32,
        /// From the vote's end to the effect.
        delay_blocks: u32,
    },
    /// One of the committee vetoes the council's proposal.
    #[codec(index = 8)]
    VetoExternal {
        /// The proposal.
        hash: Hash,
    },
    /// Two thirds of the council stop a vote.
    #[codec(index = 9)]
    CancelReferendum {
        /// Which.
        #[codec(compact)]
        referendum: u32,
    },
    /// Lets somebody else vote with the caller's PHA.
    #[codec(index = 10)]
    Delegate {
        /// Whom.
        to: Address,
        /// How heavy: as in [`Vote::conviction`].
        conviction: u8,
        /// Planck.
        balance: u128,
    },
    /// Votes by itself again.
    #[codec(index = 11)]
    Undelegate,
    /// Frees what was locked by votes whose time is over.
    #[codec(index = 13)]
    Unlock {
        /// Whose.
        target: Address,
    },
    /// Takes a vote back, or forgets one in a referendum that is over.
    #[codec(index = 14)]
    RemoveVote {
        /// In which.
        referendum: u32,
    },
}

/// Calls of `pallet-collective`: the council and the technical committee.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Body {
    /// Moves that something be done.
    #[codec(index = 2)]
    Propose {
        /// How many must agree.
        #[codec(compact)]
        threshold: u32,
        /// What.
        call: Box<Call>,
        /// Its length.
        #[codec(compact)]
        bytes: u32,
    },
    /// Votes on a motion.
    #[codec(index = 3)]
    Vote {
        /// Hash of what is to be done.
        motion: Hash,
        /// The motion's number.
        #[codec(compact)]
        number: u32,
        /// For or against.
        approve: bool,
    },
    /// Closes a motion that enough agreed to or refused, or whose time is over.
    #[codec(index = 6)]
    Close {
        /// Hash of what is to be done.
        motion: Hash,
        /// The motion's number.
        #[codec(compact)]
        number: u32,
        /// At least the computation that it takes, in picoseconds.
        #[codec(compact)]
        ref_time: u64,
        /// At least the bytes of proof that it takes.
        #[codec(compact)]
        proof_size: u64,
        /// At least its length.
        #[codec(compact)]
        bytes: u32,
    },
}

/// What somebody gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub enum Renouncing {
    /// A seat.
    #[codec(index = 0)]
    Member,
    /// The next seat.
    #[codec(index = 1)]
    RunnerUp,
    /// A candidacy; how many candidates there are.
    #[codec(index = 2)]
    Candidate(#[codec(compact)] u32),
}

/// Calls of `pallet-elections-phragmen`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Elections {
    /// Votes for a council.
    #[codec(index = 0)]
    Vote {
        /// For whom.
        candidates: Vec<Account>,
        /// With how much, in Planck.
        #[codec(compact)]
        amount: u128,
    },
    /// Takes the vote back.
    #[codec(index = 1)]
    RemoveVoter,
    /// Is a candidate.
    #[codec(index = 2)]
    SubmitCandidacy {
        /// How many there are already.
        #[codec(compact)]
        candidates: u32,
    },
    /// Gives something up.
    #[codec(index = 3)]
    RenounceCandidacy {
        /// What.
        renouncing: Renouncing,
    },
}

/// Calls of `pallet-preimage`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Preimage {
    /// Shows what a hash stands for.
    #[codec(index = 0)]
    Note {
        /// An encoded call.
        bytes: Vec<u8>,
    },
}

/// Calls of `pallet-treasury`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Treasury {
    /// Spends, when the treasury pays next.
    #[codec(index = 3)]
    SpendLocal {
        /// Planck.
        #[codec(compact)]
        amount: u128,
        /// To whom.
        beneficiary: Address,
    },
}

/// Calls of `pallet-vesting`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Vesting {
    /// Frees what is due.
    #[codec(index = 0)]
    Vest,
    /// The same for somebody else.
    #[codec(index = 1)]
    VestOther {
        /// For whom.
        target: Address,
    },
}

/// What a proxy may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ProxyType {
    /// Everything.
    #[codec(index = 0)]
    Any,
    /// Everything that moves no PHA.
    #[codec(index = 1)]
    NonTransfer,
    /// Stop another proxy's delayed call.
    #[codec(index = 2)]
    CancelProxy,
    /// Vote and propose.
    #[codec(index = 3)]
    Governance,
    /// Stake.
    #[codec(index = 4)]
    Staking,
    /// Run a stake pool's workers.
    #[codec(index = 5)]
    StakePoolManager,
}

/// Calls of `pallet-proxy`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Proxy {
    /// Acts for another account.
    #[codec(index = 0)]
    Proxy {
        /// For whom.
        real: Address,
        /// As what; as whatever fits, if none.
        kind: Option<ProxyType>,
        /// What is done.
        call: Box<Call>,
    },
    /// Lets another account act for the caller.
    #[codec(index = 1)]
    Add {
        /// Which.
        delegate: Address,
        /// As what.
        kind: ProxyType,
        /// Blocks between announcing and doing.
        delay_blocks: u32,
    },
    /// No longer lets it.
    #[codec(index = 2)]
    Remove {
        /// Which.
        delegate: Address,
        /// As what.
        kind: ProxyType,
        /// The delay it had.
        delay_blocks: u32,
    },
}

/// When a multisig's call was first made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub struct Timepoint {
    /// Block.
    pub height: u32,
    /// Extrinsic in it.
    pub index: u32,
}

/// Calls of `pallet-multisig`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Multisig {
    /// Makes a call, or agrees to one; the last to agree makes it happen.
    #[codec(index = 1)]
    AsMulti {
        /// How many must agree.
        threshold: u16,
        /// The others, in the order of their bytes.
        others: Vec<Account>,
        /// When it was first made; none for whoever is first.
        first: Option<Timepoint>,
        /// What is done.
        call: Box<Call>,
        /// At least the computation that it takes, in picoseconds.
        #[codec(compact)]
        ref_time: u64,
        /// At least the bytes of proof that it takes.
        #[codec(compact)]
        proof_size: u64,
    },
    /// Whoever was first gives it up, and has the deposit back.
    #[codec(index = 3)]
    Cancel {
        /// How many had to agree.
        threshold: u16,
        /// The others, in the order of their bytes.
        others: Vec<Account>,
        /// When it was first made.
        first: Timepoint,
        /// Blake2b-256 of the call.
        call_hash: Hash,
    },
}

/// A line that somebody says of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<u8>);

/// Bytes of a [`Line`].
pub const LINE_BYTES_MAX: usize = 32;

impl Line {
    /// A line of UTF-8 text; none if it is longer than [`LINE_BYTES_MAX`]. An empty one says nothing.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() <= LINE_BYTES_MAX).then(|| Self(text.as_bytes().to_vec()))
    }
}

impl Encode for Line {
    /// `0` for none; else the length and one, and the bytes.
    fn encode_to<O: codec::Output + ?Sized>(&self, out: &mut O) {
        if self.0.is_empty() {
            return out.push_byte(0);
        }
        out.push_byte((self.0.len().min(LINE_BYTES_MAX) as u8).saturating_add(1));
        out.write(self.0.get(..LINE_BYTES_MAX).unwrap_or(&self.0));
    }
}

impl Decode for Line {
    /// What is only a hash of something says nothing here.
    fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
        match input.read_byte()? {
            0 => Ok(Self::default()),
            tag @ 1..=33 => {
                let mut bytes = alloc::vec![0; usize::from(tag).saturating_sub(1)];
                input.read(&mut bytes)?;
                Ok(Self(bytes))
            }
            34..=37 => {
                input.read(&mut [0; 32])?;
                Ok(Self::default())
            }
            _ => Err("no such line".into()),
        }
    }
}

impl core::fmt::Display for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&alloc::string::String::from_utf8_lossy(&self.0))
    }
}

/// What somebody says of themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Person {
    /// Whatever else, by name.
    pub additional: Vec<(Line, Line)>,
    /// A name to be called by.
    pub display: Line,
    /// The name in law.
    pub legal: Line,
    /// A web site.
    pub web: Line,
    /// A Matrix handle.
    pub matrix: Line,
    /// An address for mail.
    pub email: Line,
    /// Of a PGP key.
    pub pgp_fingerprint: Option<[u8; 20]>,
    /// A picture.
    pub image: Line,
    /// A handle there.
    pub twitter: Line,
}

/// Calls of `pallet-identity`.
#[derive(Clone, Debug, PartialEq, Eq, Encode)]
pub enum Identity {
    /// Says who the caller is.
    #[codec(index = 1)]
    Set {
        /// Who.
        person: Box<Person>,
    },
    /// Says it no more, and has the deposit back.
    #[codec(index = 3)]
    Clear,
}

/// Calls of `pallet-safe-mode`: money stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub enum SafeMode {
    /// From now on, for some hours.
    #[codec(index = 1)]
    ForceEnter,
    /// Longer.
    #[codec(index = 3)]
    ForceExtend,
    /// No more.
    #[codec(index = 4)]
    ForceExit,
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::DecodeAll;

    #[test]
    fn the_longest_line_is_one_and_a_longer_one_is_none() {
        let longest = "x".repeat(LINE_BYTES_MAX);
        let line = Line::new(&longest).unwrap();
        assert_eq!(Line::decode_all(&mut &line.encode()[..]), Ok(line));
        assert_eq!(Line::new(&(longest + "x")), None);
    }

    #[test]
    fn a_line_survives_being_written_and_read() {
        for text in ["", "Ada", "ünïcode"] {
            let line = Line::new(text).unwrap();
            assert_eq!(Line::decode_all(&mut &line.encode()[..]), Ok(line.clone()));
            assert_eq!(alloc::format!("{line}"), text);
        }
        let hashed = [[35].as_slice(), &[7; 32]].concat();
        assert_eq!(Line::decode_all(&mut &hashed[..]), Ok(Line::default()));
        assert!(Line::decode_all(&mut &[38][..]).is_err());
    }
}

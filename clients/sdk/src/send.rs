//! Commands: an HTTP request, sealed to a program, ordered by the chain, answered once.
//!
//! ```text
//! seal to the program's key ──programs.command──► finalised: index n
//! ask the worker for result n ──► open with the key that sealing exported ──► receipt, anchored on chain
//! ```
//! The result is opened with a secret that only whoever sealed the command shares with the program, and its
//! receipt leads to the anchor that the chain has finalised.
//!
//! What a command costs is known before it is sent, to the Planck, and the chain is told that it may cost no more.
//!
//! # Properties
//! - A command that is finalised is answered once; waiting for its answer can be repeated, sending cannot.
//! - An answer is believed when the receipt's whole chain of proof holds, from this client's root of trust on.

use crate::{
    Client, Hint, KeyPair, Query,
    call::{CallError, Problem, ReceiptError, parse_receipt, request_transcript, response_transcript},
    client::{ChainError, POLL, decode},
    credit::CommandCost,
    fee::Estimate,
    submit::SubmitError,
};
use http::Response;
use phala_crypto::{
    SealKey,
    channel::{ChannelError, framing},
    hpke::{self, Exports},
};
use phala_follow::{ProveError, ReceiptBundle, Refusal, VerifiedReceipt, verify_receipt};
use phala_messages::{
    Account, CommandRecord, Hash, ProgramId, ProgramRecord, Subject,
    calls::{Call, Programs},
    command::{EXPORT_BLIND, EXPORT_RESULT_KEY, SealedCommand, seal_info},
    credit::Payer,
    limits::SEALED_COMMAND_BYTES_MAX,
    query::{ERROR_FIELD, result_place},
    storage,
};
use phala_units::Planck;
use std::time::{Duration, Instant};

/// How long the worker may hold one question for a result.
const WAIT_MS: u64 = 10_000;

/// Why a command has no verified result.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The program cannot be reached, or its answer cannot be believed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The chain did not take the command.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Larger than a block takes.
    #[error("the sealed command has {bytes} bytes; at most {SEALED_COMMAND_BYTES_MAX} are allowed")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// It costs the caller more than was agreed to.
    #[error("the command costs you {price}, more than the {agreed} that you agreed to")]
    TooDear {
        /// What it costs.
        price: Planck,
        /// What was agreed to.
        agreed: Planck,
    },
    /// The program's key is not usable.
    #[error("the command cannot be sealed to the program's key")]
    Seal,
    /// The command is finalised, but its index is not found.
    #[error("the command is on chain, but its place there is not found")]
    Lost,
    /// Ordered, and not answered in time.
    #[error("command {index} was ordered and is not answered after {seconds} s")]
    Timeout {
        /// Its index.
        index: u64,
        /// How long the client waited.
        seconds: u64,
    },
    /// The chain's proof for the receipt cannot be had.
    #[error("proving the receipt")]
    Prove(#[from] ProveError),
    /// The receipt does not hold.
    #[error("the result cannot be believed: {0}")]
    Receipt(#[from] Refusal),
}

impl Hint for SendError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Call(error) => error.hint(),
            Self::Submit(error) => error.hint(),
            Self::TooLarge { .. } => Some("send it in several commands".into()),
            Self::TooDear { .. } => Some(
                "agree to more, or ask the program's owner to top its credit up: `phala credit show PROGRAM`".into(),
            ),
            Self::Seal => Some("update `phala`: the program's key has a form that it does not know".into()),
            Self::Lost => Some("`phala programs` shows whether the program's version has moved".into()),
            Self::Timeout { .. } => {
                Some("it stays ordered and will be answered once; `phala status` shows whether its worker runs".into())
            }
            Self::Prove(_) => Some("the node could not show the blocks; ask another node".into()),
            Self::Receipt(_) => Some("do not use the result: the worker or the node altered it".into()),
        }
    }
}

/// A request that may change a program's state.
pub struct Command {
    /// The request; who signs it signs the extrinsic.
    pub query: Query,
    /// How long to wait for the result once the command is finalised.
    pub timeout: Duration,
    /// What it may cost the signer, beside the fee and the deposit. None: what it costs when it is sent, and no more.
    pub pay_at_most: Option<Planck>,
}

/// What a command would cost whoever sends it.
#[derive(Clone, Debug)]
pub struct CommandEstimate {
    /// Its price, and who pays that.
    pub cost: CommandCost,
    /// The fee for its place in a block: the node's word.
    pub fee: Estimate,
    /// How large it is, sealed.
    pub sealed_bytes: u32,
}

/// A command's verified result.
pub struct Sent {
    /// Its place among the program's commands.
    pub index: u64,
    /// What was laid aside for it, and whose that was.
    pub cost: CommandCost,
    /// What the program, or the worker in its place, said.
    pub response: Response<Vec<u8>>,
    /// Set when the worker answered in the program's place: the command changed nothing.
    pub problem: Option<Problem>,
    /// The receipt with its proof, for `phala verify`.
    pub bundle: ReceiptBundle,
    /// What it proves.
    pub verified: VerifiedReceipt,
}

/// A command on its way.
struct Ordered {
    program: ProgramId,
    record: ProgramRecord,
    sealed: SealedCommand,
    request: Hash,
    exports: Exports,
}

impl Ordered {
    fn call(&self, price_max: Planck) -> Call {
        Call::Programs(Programs::CommandWithin { program: self.program, sealed: self.sealed.clone(), price_max })
    }

    fn sealed_bytes(&self) -> u32 {
        u32::try_from(self.sealed.len()).unwrap_or(u32::MAX)
    }
}

impl Client {
    /// Sends a command signed by `signer` and waits for its verified result.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn send(&self, signer: &KeyPair, program: &ProgramId, command: &Command) -> Result<Sent, SendError> {
        let ordered = self.seal_command(&signer.account(), program, &command.query).await?;
        let own = self.cost_of(&ordered).await?.own();
        let price_max = command.pay_at_most.unwrap_or(own);
        if own > price_max {
            return Err(SendError::TooDear { price: own, agreed: price_max });
        }
        let pending = self.submit(signer, &ordered.call(price_max)).await?;
        let applied = self.finalised(&pending).await?;
        let index = self.index_of(&ordered, signer, applied.block).await?;
        let laid_aside = self.reservation(program, index, applied.block).await?;
        let cost = laid_aside.as_ref().map_or(CommandCost { price: Planck(0), payer: Payer::Owner }, CommandCost::from);
        self.result(&ordered, signer, index, cost, command.timeout).await
    }

    /// What a command would cost `signer` now. Nothing is sent, and no key is needed.
    ///
    /// # Errors
    /// [`SendError`].
    pub async fn estimate_command(
        &self,
        signer: &Account,
        program: &ProgramId,
        query: &Query,
    ) -> Result<CommandEstimate, SendError> {
        let ordered = self.seal_command(signer, program, query).await?;
        let cost = self.cost_of(&ordered).await?;
        let fee = self.estimate(signer, &ordered.call(cost.own())).await?;
        Ok(CommandEstimate { cost, fee, sealed_bytes: ordered.sealed_bytes() })
    }

    async fn cost_of(&self, ordered: &Ordered) -> Result<CommandCost, SendError> {
        let credit = self.program_credit(&ordered.program).await?;
        Ok(credit.cost(ordered.sealed_bytes(), &ordered.record.manifest.limits))
    }

    async fn seal_command(&self, signer: &Account, program: &ProgramId, query: &Query) -> Result<Ordered, SendError> {
        self.head().await?;
        let record = self.program(program).await?.ok_or(CallError::Unknown(*program))?;
        let key = record.transport.ok_or(CallError::NotLive(*program))?;
        let request = query.to_request(program).map_err(CallError::from)?;
        let plain = framing::encode_request(&request);
        let (parts, body) = request.into_parts();
        let info = seal_info(&self.genesis(), program, signer);
        let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
        let (sealed, exports) = hpke::seal(&mut rng, &key.0, &info, &plain).map_err(|_| SendError::Seal)?;
        let bytes = sealed.len();
        let sealed = SealedCommand::try_from(sealed).map_err(|_| SendError::TooLarge { bytes })?;
        Ok(Ordered { program: *program, record, sealed, request: request_transcript(&parts, &body), exports })
    }

    /// The index under which the chain ordered the command, read in the state of the block that ordered it.
    async fn index_of(
        &self,
        ordered: &Ordered,
        signer: &KeyPair,
        block: phala_messages::BlockRef,
    ) -> Result<u64, SendError> {
        let values = self.read_raw_at(block, &[storage::program(&ordered.program)]).await?;
        let after: ProgramRecord = decode(&values, 0, "a program")?.ok_or(CallError::Unknown(ordered.program))?;
        // The newest commands of the block first: usually it is the last one.
        let indices: Vec<u64> = (ordered.record.commands..after.commands).rev().collect();
        for indices in indices.chunks(16) {
            let keys: Vec<_> = indices.iter().map(|index| storage::command(&ordered.program, *index)).collect();
            let values = self.read_raw_at(block, &keys).await?;
            for (at, index) in indices.iter().enumerate() {
                if let Some(record) = decode::<CommandRecord>(&values, at, "a command")?
                    && record.caller == signer.account()
                    && record.sealed == ordered.sealed
                {
                    return Ok(*index);
                }
            }
        }
        Err(SendError::Lost)
    }

    async fn result(
        &self,
        ordered: &Ordered,
        signer: &KeyPair,
        index: u64,
        cost: CommandCost,
        timeout: Duration,
    ) -> Result<Sent, SendError> {
        let deadline = Instant::now() + timeout;
        let late = || SendError::Timeout { index, seconds: timeout.as_secs() };
        let sealed = loop {
            match self.ask_for_result(ordered, index).await {
                Ok(Some(sealed)) => break sealed,
                // A worker that restarts, or takes another's place, answers again what was answered before.
                Ok(None) | Err(SendError::Call(CallError::Unreachable { .. } | CallError::NoWorker(_))) => {}
                Err(error) => return Err(error),
            }
            if Instant::now() > deadline {
                return Err(late());
            }
            tokio::time::sleep(POLL).await;
        };
        let key = SealKey::new(ordered.exports.export(EXPORT_RESULT_KEY));
        let place = result_place(&self.genesis(), &ordered.program, index);
        let plain = key.open(&place, &sealed).map_err(|_| CallError::Channel(ChannelError::Sealed))?;
        let (response, trailers) =
            framing::decode_response(&plain).map_err(|e| CallError::Channel(ChannelError::Framing(e)))?;
        let receipt = parse_receipt(&trailers).map_err(CallError::from)?;
        self.check_result(&receipt.receipt, ordered, signer, index, &response)?;
        let bundle = self.prove(receipt).await?;
        let verified = verify_receipt(&bundle, &self.trust())?;
        let problem = response.headers().contains_key(ERROR_FIELD);
        let problem = problem.then(|| Problem::parse(response.status().as_u16(), response.body()));
        Ok(Sent { index, cost, response, problem, bundle, verified })
    }

    /// Whether the receipt is for this command and this answer. That it holds at all is verified after.
    fn check_result(
        &self,
        receipt: &phala_messages::Receipt,
        ordered: &Ordered,
        signer: &KeyPair,
        index: u64,
        response: &Response<Vec<u8>>,
    ) -> Result<(), CallError> {
        let other = |what| Err(CallError::Receipt(ReceiptError::Other(what)));
        if receipt.genesis != self.genesis() {
            return other("network");
        }
        if receipt.program != ordered.program {
            return other("program");
        }
        if receipt.code != ordered.record.code {
            return other("code");
        }
        let Subject::Command(proof) = &receipt.subject else { return other("kind of request") };
        if proof.index != index || proof.caller != signer.account() {
            return other("command");
        }
        if proof.blind.0 != *ordered.exports.export(EXPORT_BLIND).expose() {
            return other("sealing");
        }
        if receipt.request != ordered.request {
            return other("request");
        }
        if receipt.response != response_transcript(response) { other("answer") } else { Ok(()) }
    }

    /// The sealed result, if the worker has it.
    async fn ask_for_result(&self, ordered: &Ordered, index: u64) -> Result<Option<Vec<u8>>, SendError> {
        let head = self.head().await?;
        let worker = self.admitted_worker(&ordered.record, head.time).await?;
        let worker = worker.ok_or(CallError::NoWorker(ordered.program))?;
        let endpoint = String::from_utf8_lossy(&worker.registration.endpoint).into_owned();
        let unreachable = |error: reqwest::Error| CallError::Unreachable {
            endpoint: endpoint.clone(),
            reason: crate::chain_of(&error.without_url()),
        };
        let url = format!("{endpoint}/v1/result/{}/{index}?wait_ms={WAIT_MS}", ordered.program);
        let timeout = Duration::from_millis(WAIT_MS + 10_000);
        let response = self.http.get(url).timeout(timeout).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(unreachable)?;
        match status {
            200 => Ok(Some(body.to_vec())),
            202 | 404 | 503 => Ok(None),
            _ => Err(CallError::Refused(Problem::parse(status, &body)).into()),
        }
    }
}

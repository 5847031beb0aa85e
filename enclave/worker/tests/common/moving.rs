//! What moves need: a pretended custody that gives keys as gatekeepers do, the pretended runtime's rules of moves, other code.

use super::{
    PROBE,
    chain::State,
    runtime::{Inner, Network, get, refuse},
};
use codec::Encode;
use futures::future::BoxFuture;
use phala_crypto::{Secret, verify_ed25519};
use phala_enclave_worker::custody::{Custody, CustodyError};
use phala_follow::{Finalized, Head, RpcError};
use phala_messages::{
    AnchorRecord, CodeHash, GenesisHash, Keep, KeyName, KeyRecord, ProgramId, ProgramRecord, ProgramStatus, Refusal,
    anchor::EMPTY_ROOT,
    custody::RootGeneration,
    moves::{MoveRecord, SignedMoved, UpgradeRecord},
    storage,
    transcript::sha256,
};
use phala_units::BlockNumber;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// The probe with a few bytes more that mean nothing: other code that does the same.
pub fn other_probe() -> Vec<u8> {
    [&PROBE[..], &[0, 6, 5], b"other"].concat()
}

pub fn hash_of(component: &[u8]) -> CodeHash {
    CodeHash(sha256(component).0)
}

/// Gives keys by the rules of gatekeepers, from what is final.
pub struct LabCustody {
    pub network: Arc<Network>,
    /// Gives nothing out.
    pub silent: AtomicBool,
}

impl LabCustody {
    pub fn silence(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }

    /// The key, if a gatekeeper would give it.
    pub fn ask(&self, program: &ProgramId, name: &KeyName) -> Result<Secret<32>, CustodyError> {
        let keys = self.network.key_record(program);
        let (own, open) = (self.network.root_of(program), self.network.open_root());
        let root = name.root == own || name.root == open;
        let code = name.code == keys.epoch || keys.upgrade.is_some_and(|upgrade| upgrade.epoch == name.code);
        if self.silent.load(Ordering::SeqCst) || !root || !code || name.root.is_none() {
            return Err(CustodyError(format!("{name:?} is not given out")));
        }
        Ok(Secret::new(sha256(&(b"lab", program, name).encode()).0))
    }
}

impl Custody for LabCustody {
    fn program_key<'a>(
        &'a self,
        program: &'a ProgramId,
        _: &'a ProgramRecord,
        name: &'a KeyName,
    ) -> BoxFuture<'a, Result<Secret<32>, CustodyError>> {
        Box::pin(std::future::ready(self.ask(program, name)))
    }

    fn see(&self, _: &Finalized<Head>) {}
}

fn root_wanted(state: &State, program: &ProgramId) -> Option<RootGeneration> {
    let own: RootGeneration = get(state, &storage::program_root(program))?;
    Some(get(state, &storage::open_root()).unwrap_or(own))
}

impl Network {
    /// Another root takes programs from now on.
    pub fn rotate(&self, root: u32) {
        self.lock().next.insert(storage::open_root(), RootGeneration(root).encode());
    }

    pub fn open_root(&self) -> Option<RootGeneration> {
        get(&self.lock().node.chain.head().state, &storage::open_root())
    }

    pub fn root_of(&self, program: &ProgramId) -> Option<RootGeneration> {
        get(&self.lock().node.chain.head().state, &storage::program_root(program))
    }

    pub fn key_record(&self, program: &ProgramId) -> KeyRecord {
        get(&self.lock().node.chain.head().state, &storage::key_record(program)).unwrap_or_default()
    }

    pub fn moves(&self) -> u32 {
        self.lock().moves
    }

    /// The owner orders other code.
    pub fn upgrade(&self, program: &ProgramId, component: &[u8], keep: Keep) {
        let mut inner = self.lock();
        let record: ProgramRecord = get(&inner.next, &storage::program(program)).unwrap();
        let mut keys: KeyRecord = get(&inner.next, &storage::key_record(program)).unwrap_or_default();
        keys.newest = keys.newest.next();
        keys.upgrade = Some(UpgradeRecord {
            epoch: keys.newest,
            code: hash_of(component),
            code_bytes: component.len() as u32,
            manifest: record.manifest,
            keep,
            commands: record.commands,
            ordered: BlockNumber(inner.node.chain.head().header.number + 1),
        });
        inner.next.insert(storage::key_record(program), keys.encode());
        inner.change_cluster(|_| {});
    }
}

impl Inner {
    pub(super) fn moved(&mut self, signed: SignedMoved, genesis: &GenesisHash) -> Result<(), RpcError> {
        let moved = &signed.moved;
        let hash = moved.signing_hash(genesis);
        if !verify_ed25519(&self.instance(&moved.worker), &hash.0, &signed.signature) {
            return Err(refuse(Refusal::InstanceSignature));
        }
        let program = moved.program;
        let mut record: ProgramRecord =
            get(&self.next, &storage::program(&program)).ok_or(refuse(Refusal::ProgramUnknown))?;
        let anchor: AnchorRecord = get(&self.next, &storage::anchor(&program)).unwrap();
        let mut keys: KeyRecord = get(&self.next, &storage::key_record(&program)).unwrap_or_default();
        let from = KeyName { root: get(&self.next, &storage::program_root(&program)), code: keys.epoch };
        let ordered = keys.upgrade.clone().filter(|upgrade| upgrade.epoch == moved.to.code);
        if moved.to == from
            || moved.to.root != root_wanted(&self.next, &program)
            || (ordered.is_none() && moved.to.code != from.code)
        {
            return Err(refuse(Refusal::MoveElsewhere));
        }
        // What a worker of ours never does is a mistake of ours.
        assert_eq!(moved.version, anchor.version, "a move keeps the version");
        let mut keep = Keep::StateAndKeys;
        if let Some(upgrade) = &ordered {
            assert!(moved.version >= upgrade.commands, "the old code answers what was ordered before");
            assert!(upgrade.keep != Keep::Nothing || moved.root == EMPTY_ROOT, "nothing is kept");
            keep = upgrade.keep;
            record.code = upgrade.code;
            record.code_bytes = upgrade.code_bytes;
            record.manifest = upgrade.manifest.clone();
            keys.epoch = upgrade.epoch;
            keys.upgrade = None;
        }
        if self.faults.lose_moves {
            return Ok(());
        }
        if record.status == ProgramStatus::Live {
            assert_ne!(record.transport, Some(moved.transport));
            record.transport = Some(moved.transport);
        }
        let block = BlockNumber(self.node.chain.head().header.number + 1);
        let (version, commands, code) = (moved.version, record.commands, record.code);
        keys.moved = Some(MoveRecord { from, to: moved.to, code, keep, version, commands, block });
        self.next.insert(storage::anchor(&program), moved.anchor(anchor, block).encode());
        self.next.insert(storage::key_record(&program), keys.encode());
        self.next.insert(storage::program(&program), record.encode());
        if let Some(root) = moved.to.root {
            self.next.insert(storage::program_root(&program), root.encode());
        }
        self.moves += 1;
        self.change_cluster(|_| {});
        Ok(())
    }
}

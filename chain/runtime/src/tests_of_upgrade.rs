//! Other code for the chain, by referendum: proposed, voted, authorised, applied, migrated.

use crate::{lab::*, *};
use codec::{Decode, Encode};
use frame_support::traits::{GetStorageVersion, OnRuntimeUpgrade as _};
use sp_core::{storage::well_known_keys::CODE, traits::ReadRuntimeVersionExt};
use sp_runtime::traits::{BlakeTwo256, Hash as _};

type Executor = sc_executor::WasmExecutor<sp_io::SubstrateHostFunctions>;

/// This runtime as WebAssembly, one version on.
fn newer() -> Vec<u8> {
    let code = WASM_BINARY_BLOATY.expect("the runtime's WebAssembly is built beside it");
    let old = RuntimeVersion { apis: Default::default(), ..VERSION };
    // Name and numbers come first and have fixed lengths; what the code offers follows.
    let head = |spec_version| (&old.spec_name, &old.impl_name, old.authoring_version, spec_version).encode();
    let (from, to) = (head(VERSION.spec_version), head(VERSION.spec_version + 1));
    let at = code.windows(from.len()).position(|bytes| bytes == from).expect("the version stands in a section");
    let mut code = code.to_vec();
    code[at..at + to.len()].copy_from_slice(&to);
    code
}

fn upgradable() -> sp_io::TestExternalities {
    let mut externalities = network();
    externalities.register_extension(ReadRuntimeVersionExt::new(Executor::builder().build()));
    externalities
}

fn version_of(code: &[u8]) -> Option<u32> {
    let version = sp_io::misc::runtime_version(code)?;
    RuntimeVersion::decode(&mut &version[..]).ok().map(|version| version.spec_version)
}

#[test]
fn a_referendum_replaces_the_code_and_nobody_else_does() {
    upgradable().execute_with(|| {
        let code = newer();
        assert_eq!(version_of(&code), Some(VERSION.spec_version + 1));
        let code_hash = BlakeTwo256::hash(&code);
        let authorize = frame_system::Call::authorize_upgrade { code_hash };
        let apply = |code: Vec<u8>| frame_system::Call::apply_authorized_upgrade { code };
        for origin in [signed(Alice), council(8, 8), committee(3, 3)] {
            assert!(dispatch(authorize.clone(), origin.clone()).is_err());
            assert!(dispatch(frame_system::Call::set_code { code: code.clone() }, origin).is_err());
        }
        assert!(dispatch(apply(code.clone()), signed(Eve)).is_err(), "not authorised");

        by_referendum(authorize);

        // Whoever brings the code applies it; other code is refused.
        let mut other = code.clone();
        other.push(0);
        assert!(dispatch(apply(other), signed(Eve)).is_err());
        dispatch(apply(code.clone()), signed(Eve)).expect("applied");
        assert!(happened(|event| matches!(event, RuntimeEvent::System(frame_system::Event::CodeUpdated { .. }))));
        let stands = sp_io::storage::get(CODE).expect("code stands");
        assert_eq!(version_of(&stands), Some(VERSION.spec_version + 1));
        assert_eq!(BlakeTwo256::hash(&stands), code_hash);
        assert!(dispatch(apply(code), signed(Eve)).is_err(), "an authorisation is used once");
    });
}

#[test]
fn older_code_is_refused_even_by_referendum() {
    upgradable().execute_with(|| {
        let code = WASM_BINARY_BLOATY.expect("the runtime's WebAssembly is built beside it").to_vec();
        let stood = sp_io::storage::get(CODE);
        force(frame_system::Call::authorize_upgrade { code_hash: BlakeTwo256::hash(&code) });
        dispatch(frame_system::Call::apply_authorized_upgrade { code }, signed(Eve)).expect("judged");
        assert!(happened(|event| {
            matches!(event, RuntimeEvent::System(frame_system::Event::RejectedInvalidAuthorizedUpgrade { .. }))
        }));
        assert_eq!(sp_io::storage::get(CODE), stood, "nothing was written");
    });
}

#[test]
fn the_first_block_of_new_code_migrates_once() {
    network().execute_with(|| {
        let run = || frame_system::LastRuntimeUpgrade::<Runtime>::get().map(|last| last.spec_version.0);
        // As the code before this one left it.
        frame_system::LastRuntimeUpgrade::<Runtime>::put(frame_system::LastRuntimeUpgradeInfo {
            spec_version: (VERSION.spec_version - 1).into(),
            spec_name: VERSION.spec_name,
        });
        let number = System::block_number() + 1;
        let pre = sp_consensus_babe::digests::PreDigest::SecondaryPlain(
            sp_consensus_babe::digests::SecondaryPlainPreDigest { authority_index: 0, slot: 5_000.into() },
        );
        let logs = Vec::from([sp_runtime::DigestItem::PreRuntime(sp_consensus_babe::BABE_ENGINE_ID, pre.encode())]);
        let digest = sp_runtime::Digest { logs };
        let header = Header {
            parent_hash: Default::default(),
            number,
            state_root: Default::default(),
            extrinsics_root: Default::default(),
            digest,
        };
        let mode = Executive::initialize_block(&header);
        assert_eq!(run(), Some(VERSION.spec_version));
        // Only inherents fit beside a migration.
        assert!(matches!(mode, sp_runtime::ExtrinsicInclusionMode::AllExtrinsics));
        let before = Balances::total_issuance();
        AllPalletsWithSystem::on_runtime_upgrade();
        assert_eq!(Balances::total_issuance(), before, "a second run changes nothing");
    });
}

/// What try-runtime looks at first: each pallet's storage is written in the version that its code reads.
#[test]
fn storage_of_a_new_network_is_in_the_versions_that_the_code_reads() {
    network().execute_with(|| {
        macro_rules! same {
            ($($pallet:ty),* $(,)?) => {$(
                assert_eq!(
                    <$pallet>::in_code_storage_version(),
                    <$pallet>::on_chain_storage_version(),
                    stringify!($pallet)
                );
            )*};
        }
        same!(
            Balances,
            Staking,
            Session,
            Offences,
            Grandpa,
            Democracy,
            Council,
            TechnicalCommittee,
            Elections,
            TechnicalMembership,
            Bounties,
            ChildBounties,
            Tips,
            Preimage,
            Scheduler,
            Identity,
        );
    });
}

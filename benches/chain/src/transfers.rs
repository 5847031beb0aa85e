//! Transfers per second.

use crate::{row, template};
use codec::Encode;
use serde_json::Value;
use sp_core::{H256, Pair, sr25519};
use sp_runtime::{BuildStorage, MultiAddress, MultiSignature, generic::Era};
use std::time::{Duration, Instant};

const PHA: u128 = 1_000_000_000_000;
/// How often each runtime is measured.
const ROUNDS: usize = 5;

fn senders() -> Vec<sr25519::Pair> {
    (0..50u8).map(|n| sr25519::Pair::from_seed(&[n + 1; 32])).collect()
}

/// Signs, and applies, so many transfers with this runtime; how long the applying took. Everything but the runtime is the same.
macro_rules! transfers {
    ($runtime:path, $count:expr) => {{
        use $runtime as runtime;
        let storage =
            frame_system::GenesisConfig::<runtime::Runtime>::default().build_storage().expect("an empty genesis");
        let mut chain = sp_io::TestExternalities::new(storage);
        let senders = senders();
        chain.execute_with(|| {
            use frame_support::traits::fungible::Mutate;
            frame_system::BlockHash::<runtime::Runtime>::insert(0, H256([7; 32]));
            for sender in &senders {
                let who = runtime::AccountId::from(sender.public().0);
                runtime::Balances::mint_into(&who, 1_000_000 * PHA).expect("there is room for it");
            }
        });
        chain.commit_all().expect("changes can be written");
        chain.execute_with(|| {
            type R = runtime::Runtime;
            let extrinsics: Vec<_> = (0..$count)
                .map(|n| {
                    let sender = &senders[n % senders.len()];
                    let to = &senders[(n * 7 + 1) % senders.len()];
                    let who = runtime::AccountId::from(sender.public().0);
                    let call = runtime::RuntimeCall::Balances(pallet_balances::Call::transfer_keep_alive {
                        dest: MultiAddress::Id(runtime::AccountId::from(to.public().0)),
                        value: PHA / 1_000 + n as u128,
                    });
                    let nonce = (n / senders.len()) as u32;
                    let extension = (
                        frame_system::AuthorizeCall::<R>::new(),
                        frame_system::CheckNonZeroSender::<R>::new(),
                        frame_system::CheckSpecVersion::<R>::new(),
                        frame_system::CheckTxVersion::<R>::new(),
                        frame_system::CheckGenesis::<R>::new(),
                        frame_system::CheckEra::<R>::from(Era::Immortal),
                        frame_system::CheckNonce::<R>::from(nonce),
                        frame_system::CheckWeight::<R>::new(),
                        pallet_transaction_payment::ChargeTransactionPayment::<R>::from(0),
                        frame_metadata_hash_extension::CheckMetadataHash::<R>::new(false),
                        frame_system::WeightReclaim::<R>::new(),
                    );
                    let payload = sp_runtime::generic::SignedPayload::new(call, extension).expect("it can be signed");
                    let signature = payload.using_encoded(|bytes| sender.sign(bytes));
                    let (call, extension, _) = payload.deconstruct();
                    runtime::UncheckedExtrinsic::new_signed(
                        call,
                        MultiAddress::Id(who),
                        MultiSignature::Sr25519(signature),
                        extension,
                    )
                })
                .collect();
            let mut took = Duration::ZERO;
            // So many fit into any block's weight.
            for (number, block) in (1u32..).zip(extrinsics.chunks(200)) {
                frame_system::Pallet::<R>::reset_events();
                frame_system::Pallet::<R>::set_block_number(number);
                frame_system::BlockSize::<R>::kill();
                frame_system::BlockWeight::<R>::kill();
                let began = Instant::now();
                for extrinsic in block {
                    let applied = runtime::Executive::apply_extrinsic(extrinsic.clone());
                    assert!(matches!(applied, Ok(Ok(()))), "{applied:?}");
                }
                took += began.elapsed();
            }
            $count as f64 / took.as_secs_f64()
        })
    }};
}

/// Measures both, in turns: the best of each is what the machine lets it do.
pub fn measure(count: usize) -> Vec<Value> {
    let (mut ours, mut theirs) = (0.0f64, 0.0f64);
    for _ in 0..ROUNDS {
        ours = ours.max(transfers!(phala_runtime, count));
        theirs = theirs.max(transfers!(template, count));
    }
    vec![row("transfers", "per_second", ours, Some((theirs, "template runtime")))]
}

//! What people do with accounts: vest, name themselves, let others act for them, act together.

use crate::{constants::*, origins::*, *};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    parameter_types,
    traits::{ConstU32, ConstU128, InstanceFilter, LinearStoragePrice, WithdrawReasons, fungible::HoldConsideration},
};
use phala_units::PHA;
use scale_info::TypeInfo;
use sp_runtime::traits::{BlakeTwo256, ConvertInto};

parameter_types! {
    pub const PreimageBase: Balance = PHA;
    pub const PreimageByte: Balance = DEPOSIT_BYTE;
    pub const PreimageHold: RuntimeHoldReason = RuntimeHoldReason::Preimage(pallet_preimage::HoldReason::Preimage);
    /// What is vested may pay fees and vote, but not leave.
    pub UnvestedMay: WithdrawReasons = WithdrawReasons::except(WithdrawReasons::TRANSFER | WithdrawReasons::RESERVE);
}

impl pallet_vesting::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Currency = Balances;
    type BlockNumberToBalance = ConvertInto;
    type MinVestedTransfer = ConstU128<EXISTENTIAL_DEPOSIT>;
    type WeightInfo = pallet_vesting::weights::SubstrateWeight<Runtime>;
    type UnvestedFundsAllowedWithdrawReasons = UnvestedMay;
    type BlockNumberProvider = System;
    const MAX_VESTING_SCHEDULES: u32 = 28;
}

impl pallet_preimage::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type WeightInfo = pallet_preimage::weights::SubstrateWeight<Runtime>;
    type Currency = Balances;
    type ManagerOrigin = Referendum;
    type Consideration =
        HoldConsideration<AccountId, Balances, PreimageHold, LinearStoragePrice<PreimageBase, PreimageByte, Balance>>;
}

impl pallet_identity::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type Currency = Balances;
    type BasicDeposit = ConstU128<{ 10 * PHA }>;
    type ByteDeposit = ConstU128<DEPOSIT_BYTE>;
    type UsernameDeposit = ConstU128<{ deposit(1, 32) }>;
    type SubAccountDeposit = ConstU128<{ 2 * PHA }>;
    type MaxSubAccounts = ConstU32<100>;
    type IdentityInformation = pallet_identity::legacy::IdentityInfo<ConstU32<100>>;
    type MaxRegistrars = ConstU32<20>;
    type Slashed = Treasury;
    type ForceOrigin = CouncilMajority;
    type RegistrarOrigin = CouncilMajority;
    type OffchainSignature = Signature;
    type SigningPublicKey = <Signature as sp_runtime::traits::Verify>::Signer;
    type UsernameAuthorityOrigin = CouncilMajority;
    type PendingUsernameExpiration = ConstU32<{ by_network(7 * DAYS, HOURS) }>;
    type UsernameGracePeriod = ConstU32<{ by_network(30 * DAYS, HOURS) }>;
    type MaxSuffixLength = ConstU32<7>;
    type MaxUsernameLength = ConstU32<32>;
    #[cfg(feature = "runtime-benchmarks")]
    type BenchmarkHelper = ();
    type WeightInfo = pallet_identity::weights::SubstrateWeight<Runtime>;
}

impl pallet_multisig::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type DepositBase = ConstU128<{ deposit(1, 88) }>;
    type DepositFactor = ConstU128<{ deposit(0, 32) }>;
    type MaxSignatories = ConstU32<100>;
    type WeightInfo = pallet_multisig::weights::SubstrateWeight<Runtime>;
    type BlockNumberProvider = System;
}

/// What a proxy may do for the account it stands for. The numbers are part of the wire format.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub enum ProxyType {
    /// Everything.
    #[default]
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
    /// Stake: bond, nominate, validate, set keys.
    #[codec(index = 4)]
    Staking,
    /// Run a stake pool: its workers and their sessions.
    #[codec(index = 5)]
    StakePoolManager,
}

/// Calls that run a pool and its workers. Those that take PHA out of the owner's hands, and those that end a pool, the owner makes itself.
fn runs_a_pool(call: &RuntimeCall) -> bool {
    use pallet_computation::Call as Work;
    use pallet_pools::Call as Pools;
    match call {
        RuntimeCall::Registry(_) => true,
        RuntimeCall::Computation(call) => matches!(
            call,
            Work::bind { .. }
                | Work::unbind { .. }
                | Work::start { .. }
                | Work::stop { .. }
                | Work::restart { .. }
                | Work::reclaim { .. }
        ),
        RuntimeCall::Pools(call) => matches!(
            call,
            Pools::create_stake_pool { .. }
                | Pools::set_commission { .. }
                | Pools::set_cap { .. }
                | Pools::set_description { .. }
                | Pools::add_to_list { .. }
                | Pools::remove_from_list { .. }
                | Pools::settle_vault { .. }
        ),
        _ => false,
    }
}

impl InstanceFilter<RuntimeCall> for ProxyType {
    fn filter(&self, call: &RuntimeCall) -> bool {
        match self {
            Self::Any => true,
            Self::NonTransfer => {
                governs(call)
                    || matches!(
                        call,
                        RuntimeCall::System(_)
                            | RuntimeCall::Session(_)
                            | RuntimeCall::Registry(_)
                            | RuntimeCall::Utility(_)
                            | RuntimeCall::Identity(_)
                            | RuntimeCall::Proxy(pallet_proxy::Call::reject_announcement { .. })
                            | RuntimeCall::Multisig(_)
                            | RuntimeCall::Staking(_)
                            | RuntimeCall::Vesting(
                                pallet_vesting::Call::vest { .. } | pallet_vesting::Call::vest_other { .. }
                            )
                    )
                    || runs_a_pool(call)
            }
            Self::CancelProxy => matches!(call, RuntimeCall::Proxy(pallet_proxy::Call::reject_announcement { .. })),
            Self::Governance => governs(call) || matches!(call, RuntimeCall::Utility(_)),
            Self::Staking => {
                matches!(call, RuntimeCall::Staking(_) | RuntimeCall::Session(_) | RuntimeCall::Utility(_))
            }
            Self::StakePoolManager => runs_a_pool(call) || matches!(call, RuntimeCall::Utility(_)),
        }
    }

    fn is_superset(&self, other: &Self) -> bool {
        self == other || *self == Self::Any || *self == Self::NonTransfer && *other != Self::Any
    }
}

fn governs(call: &RuntimeCall) -> bool {
    matches!(
        call,
        RuntimeCall::Democracy(_)
            | RuntimeCall::Council(_)
            | RuntimeCall::TechnicalCommittee(_)
            | RuntimeCall::Elections(_)
            | RuntimeCall::Preimage(_)
            | RuntimeCall::Treasury(_)
            | RuntimeCall::Bounties(_)
            | RuntimeCall::ChildBounties(_)
            | RuntimeCall::Tips(_)
    )
}

impl pallet_proxy::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type Currency = Balances;
    type ProxyType = ProxyType;
    type ProxyDepositBase = ConstU128<{ deposit(1, 40) }>;
    type ProxyDepositFactor = ConstU128<{ deposit(0, 33) }>;
    type MaxProxies = ConstU32<32>;
    type WeightInfo = pallet_proxy::weights::SubstrateWeight<Runtime>;
    type MaxPending = ConstU32<32>;
    type CallHasher = BlakeTwo256;
    type AnnouncementDepositBase = ConstU128<{ deposit(1, 48) }>;
    type AnnouncementDepositFactor = ConstU128<{ deposit(0, 66) }>;
    type BlockNumberProvider = System;
}

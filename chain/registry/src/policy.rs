//! Policy: which root vouches, and which root never may.
//!
//! A label and a certificate travel together, so that a receipt can say whether hardware or a simulation
//! vouches. The label must be true: *Intel* stands for Intel's own certificate, byte for byte, and for nothing
//! else. So a network that refuses the development root refuses every root but Intel's, and no other encoding of
//! the development certificate, or of its key, gets past it.

use crate::{COLLATERAL_PIECES_MAX, Collateral, Config, Error, Event, EvidenceRoot, Pallet, Refusal, WeightInfo as _};
use alloc::vec::Vec;
use frame_support::{dispatch::PostDispatchInfo, pallet_prelude::*};
use phala_evidence::{INTEL_ROOT_DER, TrustedRoot};
use phala_messages::Root;
use serde::{Deserialize, Serialize};

/// The trusted root in a chain specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenesisRoot {
    /// Whose it is.
    pub root: Root,
    /// The certificate: X.509, DER, as hexadecimal digits.
    #[serde(with = "hex::serde")]
    pub certificate: Vec<u8>,
}

impl From<TrustedRoot> for GenesisRoot {
    fn from(TrustedRoot { root, certificate }: TrustedRoot) -> Self {
        Self { root, certificate }
    }
}

impl From<GenesisRoot> for TrustedRoot {
    fn from(GenesisRoot { root, certificate }: GenesisRoot) -> Self {
        Self { root, certificate }
    }
}

impl<T: Config> Pallet<T> {
    /// Whether this network may trust `root` at all. Asked when it is set, and again whenever it is used.
    ///
    /// # Errors
    /// [`Refusal::RootMislabelled`], [`Refusal::DevelopmentRoot`].
    pub(crate) fn check_root(root: &TrustedRoot) -> Result<(), Refusal> {
        match root.root {
            Root::Intel => ensure!(root.certificate == INTEL_ROOT_DER, Refusal::RootMislabelled),
            Root::Development => ensure!(T::AllowDevelopmentRoot::get(), Refusal::DevelopmentRoot),
        }
        Ok(())
    }

    pub(crate) fn do_set_root(trusted: TrustedRoot) -> DispatchResultWithPostInfo {
        Self::check_root(&trusted).map_err(|refusal| match refusal {
            Refusal::DevelopmentRoot => Error::<T>::DevelopmentRoot,
            _ => Error::<T>::RootMislabelled,
        })?;
        let forgotten = Collateral::<T>::count();
        // What the old root vouched for is worth nothing under the new one.
        let cleared = Collateral::<T>::clear(COLLATERAL_PIECES_MAX, None);
        if cleared.maybe_cursor.is_some() {
            frame_support::defensive!("no more pieces are stored than may be");
        }
        let root = trusted.root;
        EvidenceRoot::<T>::put(trusted);
        Self::deposit_event(Event::RootSet { root });
        Ok(PostDispatchInfo { actual_weight: Some(T::WeightInfo::set_root(forgotten)), pays_fee: Pays::Yes })
    }
}

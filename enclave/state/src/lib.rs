//! Keep a program's state: encrypted, merkleised, versioned.
//!
//! # The problem
//! The disk belongs to an adversary. He may read it, alter it, drop parts of it, bring back yesterday's copy,
//! or give copies to two machines. The power may fail at any moment. And a program's queries must go on
//! reading the state that the chain has anchored while its commands already make the next one.
//!
//! # The idea
//! The plaintext of a program's state lives whole in the enclave's memory, in a persistent ordered map, so
//! that a [`Snapshot`] is free. The disk is only its memory over restarts, and holds nothing but sealed
//! entries under keyed-hash names:
//!
//! ```text
//!              name on disk                        sealed: nonce ‖ XChaCha20-Poly1305, bound to (program, name)
//! state        HMAC(names, bucket, key)            bucket, key, value          ┐ enter the state root
//! setting      HMAC(names, key)                    key, value                  │
//! carried      HMAC(names)                         secrets that outlive a key  ┘
//! undo         HMAC(names, version after)          what a commit replaced, and the caller's pending message ┐ enter the
//! attachment   HMAC(names, number)                 bytes of the caller's (sealed results of commands)       ┘ local root
//! meta         HMAC(names)                         format, version, both roots, how many entries
//! ```
//! The *state root* is a Merkle root (Substrate's trie, Blake2b-256) over `name → HMAC(leaves, name, value)`,
//! kept incrementally. It stands on chain, hides the contents, and is equal on all replicas, which share
//! the program's key. The *local root* is such a root over `name → nonce` of what one machine keeps beside it.
//! A commit is one atomic batch: entries, undo, attachments, meta. When the program's key changes, the state is sealed anew
//! under the next one beside the old ([`ProgramState::rekey`]), on a [`Shelf`] of its own, until the chain says which counts.
//!
//! # The words
//! *Version*: how many commands the program has answered. *Anchored*: a version whose root the chain has
//! finalised. *Retire*: forget versions older than the anchored one. *Undo*: what leads from a version back
//! to the one before, kept until that is retired.
//!
//! # Properties
//! - Nothing on disk shows a bit of a key, a value, a setting or a bucket's name; the adversary learns sizes, numbers and
//!   times of entries.
//! - Whatever is altered, exchanged, dropped, added or rolled back on disk, [`ProgramState::open`] refuses, each
//!   with its own [`OpenError`]; except a rollback of everything together (or its erasure), which shows as an older
//!   version: [`ProgramState::at_anchor`] refuses that.
//! - A kill at any moment leaves the old version or the new one, with their attachments, never a mixture.
//! - Equal contents under the same key have equal roots on every machine, whatever their history; under another key
//!   the roots differ. The root of nothing is [`phala_messages::anchor::EMPTY_ROOT`].
//! - A [`Snapshot`] never changes. Taking one costs the same for any size of state.
//! - Every version that is not retired can be had after a restart, byte for byte.
//! - A nonce never serves two different plaintexts, even on a machine whose entropy repeats.
//! - Limits ([`phala_messages::limits`]) are checked before anything is changed; a refused commit changes nothing.
//! - After a disk error nobody knows whether the batch has landed: the state refuses further commits until it
//!   is opened again.

mod commit;
mod disk;
mod entry;
mod keys;
mod open;
mod program;
mod rekey;
mod shelf;
mod snapshot;
mod tree;

pub use commit::{ATTACHMENT_BYTES_MAX, Changes, Commit, CommitError, PENDING_BYTES_MAX, VERSIONS_KEPT_MAX};
pub use disk::{Batch, Disk, DiskError, MemoryDisk};
pub use keys::{Entropy, StateKeys};
pub use open::OpenError;
pub use program::{AnchorError, AttachmentError, ProgramState};
pub use rekey::{CARRIED_BYTES_MAX, Rekey, RekeyError};
pub use shelf::{SHELF_LABEL_BYTES, Shelf, ShelfLabel};
pub use snapshot::Snapshot;

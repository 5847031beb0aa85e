//! Shelves: a program's disk holds its state under one key, and beside it, while the program moves, under the next.
//!
//! ```text
//! the bare shelf          name               a program that has never moved
//! a shelf with a label    label ‖ name       16 bytes ‖ 32 bytes; one label for each key that the program ever had
//! ```
//! Everything still lies under the program's own id and goes through [`Disk::commit`].
//!
//! # Properties
//! - A shelf shows its own entries only, and whatever has not the form of a labelled entry lies on the bare one.
//! - What an adversary puts on another shelf changes nothing on this one.

use crate::{Batch, Disk, DiskError, keys::Name};
use phala_messages::ProgramId;
use std::sync::Arc;

/// Bytes of a label.
pub const SHELF_LABEL_BYTES: usize = 16;
/// Names that one batch of a clearing deletes.
const CLEARED_AT_ONCE: usize = 4_096;

/// What a shelf is called.
pub type ShelfLabel = [u8; SHELF_LABEL_BYTES];

/// One shelf of a disk.
#[derive(Clone)]
pub struct Shelf {
    disk: Arc<dyn Disk>,
    label: Option<ShelfLabel>,
}

/// The shelf and the name there of what lies under `name` on the disk.
fn place(name: &[u8]) -> (Option<ShelfLabel>, &[u8]) {
    match name.split_first_chunk::<SHELF_LABEL_BYTES>() {
        Some((label, rest)) if rest.len() == size_of::<Name>() => (Some(*label), rest),
        _ => (None, name),
    }
}

impl Shelf {
    /// The shelf `label` of `disk`; none names the bare one.
    pub const fn new(disk: Arc<dyn Disk>, label: Option<ShelfLabel>) -> Self {
        Self { disk, label }
    }

    fn name(&self, name: &[u8]) -> Vec<u8> {
        [self.label.as_ref().map_or(&[][..], |label| label), name].concat()
    }

    /// Takes everything of `program` off this shelf. Cut short, it leaves some of it.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn clear(&self, program: &ProgramId) -> Result<(), DiskError> {
        delete(&*self.disk, program, |label| label == self.label)
    }

    /// Takes everything of `program` off every other shelf. Cut short, it leaves some of it.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn clear_others(&self, program: &ProgramId) -> Result<(), DiskError> {
        delete(&*self.disk, program, |label| label != self.label)
    }
}

fn delete(disk: &dyn Disk, program: &ProgramId, is_in: impl Fn(Option<ShelfLabel>) -> bool) -> Result<(), DiskError> {
    let mut names = Vec::new();
    disk.load(program, &mut |name, _| {
        if is_in(place(&name).0) {
            names.push(name);
        }
    })?;
    for names in names.chunks(CLEARED_AT_ONCE) {
        disk.commit(program, names.iter().map(|name| (name.clone(), None)).collect())?;
    }
    Ok(())
}

impl Disk for Shelf {
    fn load(&self, program: &ProgramId, visit: &mut dyn FnMut(Vec<u8>, Vec<u8>)) -> Result<(), DiskError> {
        self.disk.load(program, &mut |name, bytes| {
            let (label, name) = place(&name);
            if label == self.label {
                visit(name.to_vec(), bytes);
            }
        })
    }

    fn get(&self, program: &ProgramId, name: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        self.disk.get(program, &self.name(name))
    }

    fn commit(&self, program: &ProgramId, batch: Batch) -> Result<(), DiskError> {
        self.disk.commit(program, batch.into_iter().map(|(name, bytes)| (self.name(&name), bytes)).collect())
    }

    fn erase(&self, program: &ProgramId) -> Result<(), DiskError> {
        self.clear(program)
    }

    fn programs(&self) -> Result<Vec<ProgramId>, DiskError> {
        self.disk.programs()
    }
}

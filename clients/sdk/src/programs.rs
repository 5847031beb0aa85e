//! Finding programs: by id, by the beginning of an id, or by name.

use crate::{
    Client, Hint,
    client::{ChainError, decode},
};
use phala_messages::{AnchorRecord, ClusterId, ProgramId, ProgramRecord, storage};

/// How many records are asked for at once.
const BATCH: usize = 64;

/// Why a text names no program.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The chain cannot be followed.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Nothing fits.
    #[error("no program is called `{0}`, and no id begins so")]
    Unknown(String),
    /// More than one fits.
    #[error("`{text}` fits {} programs: {}", fitting.len(), fitting.join(", "))]
    Ambiguous {
        /// What was given.
        text: String,
        /// Ids that fit.
        fitting: Vec<String>,
    },
}

impl Hint for ResolveError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Chain(error) => error.hint(),
            Self::Unknown(_) => Some("`phala programs` lists them; `phala deploy FILE` makes one".into()),
            Self::Ambiguous { .. } => Some("give more digits of the id".into()),
        }
    }
}

/// A program with its newest anchor.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: ProgramId,
    /// What the chain keeps of it.
    pub record: ProgramRecord,
    /// Its state.
    pub anchor: Option<AnchorRecord>,
}

impl Listed {
    /// Its name, as text.
    pub fn name(&self) -> String {
        name_of(&self.record)
    }
}

/// A program's name, as text.
pub(crate) fn name_of(record: &ProgramRecord) -> String {
    String::from_utf8_lossy(&record.name).into_owned()
}

impl Client {
    /// All programs of all clusters, by proof.
    ///
    /// # Errors
    /// [`ChainError`].
    pub async fn programs(&self) -> Result<Vec<Listed>, ChainError> {
        self.advance().await?;
        let mut all = Vec::new();
        for (cluster, record) in self.clusters().await? {
            all.extend(self.programs_of(cluster, record.slots).await?);
        }
        Ok(all)
    }

    /// The programs in the first `slots` slots of a cluster.
    pub(crate) async fn programs_of(&self, cluster: ClusterId, slots: u32) -> Result<Vec<Listed>, ChainError> {
        let mut ids: Vec<ProgramId> = Vec::new();
        let slots: Vec<u32> = (0..slots).collect();
        for slots in slots.chunks(BATCH) {
            let keys: Vec<_> = slots.iter().map(|slot| storage::cluster_program(cluster, *slot)).collect();
            let (_, values) = self.read_raw(&keys).await?;
            for index in 0..keys.len() {
                ids.extend(decode::<ProgramId>(&values, index, "a cluster's program")?);
            }
        }
        let mut found = Vec::new();
        for ids in ids.chunks(BATCH) {
            let keys: Vec<_> = ids.iter().flat_map(|id| [storage::program(id), storage::anchor(id)]).collect();
            let (_, values) = self.read_raw(&keys).await?;
            for (index, id) in ids.iter().enumerate() {
                // Between two reads a program may have been removed.
                if let Some(record) = decode(&values, 2 * index, "a program")? {
                    let anchor = decode(&values, 2 * index + 1, "an anchor")?;
                    found.push(Listed { id: *id, record, anchor });
                }
            }
        }
        Ok(found)
    }

    /// The program that `text` names: an id, the unique beginning of one, or a name.
    ///
    /// # Errors
    /// [`ResolveError`].
    pub async fn resolve(&self, text: &str) -> Result<ProgramId, ResolveError> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let programs = self.programs().await?;
        let named = programs.iter().map(|listed| (listed.id, listed.name()));
        choose(text, &named.collect::<Vec<_>>())
    }
}

/// Picks the one program that `text` names. A name wins over the beginning of an id.
fn choose(text: &str, programs: &[(ProgramId, String)]) -> Result<ProgramId, ResolveError> {
    let digits = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    let by_name: Vec<_> = programs.iter().filter(|(_, name)| name == text).collect();
    let begins = |id: &ProgramId| !digits.is_empty() && id.to_string()[2..].starts_with(&digits);
    let fitting = match by_name.is_empty() {
        false => by_name,
        true => programs.iter().filter(|(id, _)| begins(id)).collect(),
    };
    match fitting.as_slice() {
        [] => Err(ResolveError::Unknown(text.into())),
        [(id, _)] => Ok(*id),
        _ => Err(ResolveError::Ambiguous {
            text: text.into(),
            fitting: fitting.iter().map(|(id, _)| id.to_string()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_its_name_and_by_the_unique_beginning_of_its_id() {
        let (a, b) = (ProgramId([0xab; 32]), ProgramId([0xac; 32]));
        let programs = [(a, "hello".to_string()), (b, "other".to_string())];
        assert_eq!(choose("hello", &programs).unwrap(), a);
        assert_eq!(choose("0xac", &programs).unwrap(), b);
        assert_eq!(choose("AC", &programs).unwrap(), b);
        assert!(matches!(choose("0xa", &programs), Err(ResolveError::Ambiguous { fitting, .. }) if fitting.len() == 2));
        for text in ["", "0x", "hell", "0xf"] {
            assert!(matches!(choose(text, &programs), Err(ResolveError::Unknown(_))), "{text}");
        }
    }

    #[test]
    fn a_name_that_looks_like_an_id_is_a_name() {
        let (a, b) = (ProgramId([0xab; 32]), ProgramId([0xac; 32]));
        let programs = [(a, "ac".to_string()), (b, "other".to_string())];
        assert_eq!(choose("ac", &programs).unwrap(), a);
        let twice = [(a, "same".to_string()), (b, "same".to_string())];
        assert!(matches!(choose("same", &twice), Err(ResolveError::Ambiguous { .. })));
    }
}

//! States to run on: the dev network's genesis, or one from a file.

use crate::wasm::Wasm;
use anyhow::{Context, Result, anyhow, bail};
use codec::{Decode, Encode};
use serde_json::Value;
use sp_runtime::Storage;
use sp_state_machine::BasicExternalities;
use std::{fs, path::Path};

/// The preset that benchmarks run on.
const PRESET: &str = "dev";

/// What a dev network starts with.
pub fn genesis(wasm: &Wasm) -> Result<Storage> {
    let mut storage = BasicExternalities::new_empty();
    let mut preset = |id: Option<&str>| -> Result<Value> {
        let answer = wasm.change(&mut storage, "GenesisBuilder_get_preset", &id.encode())?;
        let json = Option::<Vec<u8>>::decode(&mut answer.as_slice())?;
        Ok(serde_json::from_slice(&json.with_context(|| format!("the runtime has no preset {id:?}"))?)?)
    };
    let mut config = preset(None)?;
    patch(&mut config, preset(Some(PRESET))?);
    let answer = wasm.change(&mut storage, "GenesisBuilder_build_state", &config.to_string().into_bytes().encode())?;
    Result::<(), String>::decode(&mut answer.as_slice())?.map_err(|error| anyhow!("no genesis: {error}"))?;
    Ok(storage.into_storages())
}

/// What a raw chain specification holds.
pub fn from_file(path: &Path) -> Result<Storage> {
    let text = fs::read(path).with_context(|| format!("{} is not to be read", path.display()))?;
    parse(&text).with_context(|| format!("{} is no raw chain specification", path.display()))
}

fn parse(text: &[u8]) -> Result<Storage> {
    let specification: Value = serde_json::from_slice(text)?;
    let raw = specification.pointer("/genesis/raw").context("it has no `genesis.raw`")?;
    let children = raw.get("childrenDefault").and_then(Value::as_object);
    if children.is_some_and(|children| !children.is_empty()) {
        bail!("it has child tries, which this chain has not");
    }
    let top = raw.get("top").and_then(Value::as_object).context("it has no `genesis.raw.top`")?;
    let entry = |(key, value): (&String, &Value)| -> Result<_> {
        Ok((bytes(key)?, bytes(value.as_str().context("a value is no text")?)?))
    };
    let top = top.into_iter().map(entry).collect::<Result<_>>()?;
    Ok(Storage { top, ..Storage::default() })
}

fn bytes(digits: &str) -> Result<Vec<u8>> {
    let digits = digits.strip_prefix("0x").with_context(|| format!("{digits} does not start with 0x"))?;
    Ok(hex::decode(digits)?)
}

/// Lays a preset over a whole configuration.
fn patch(config: &mut Value, preset: Value) {
    match (config, preset) {
        (Value::Object(config), Value::Object(preset)) => {
            for (key, value) in preset {
                patch(config.entry(key).or_insert(Value::Null), value);
            }
        }
        (config, preset) => *config = preset,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_specification_is_read_and_anything_else_is_refused() {
        let storage = parse(br#"{"genesis":{"raw":{"top":{"0x01":"0x0203"},"childrenDefault":{}}}}"#).unwrap();
        assert_eq!(storage.top.into_iter().collect::<Vec<_>>(), [(vec![1], vec![2, 3])]);
        for bad in [
            &br#"{"genesis":{"runtimeGenesis":{}}}"#[..],
            br#"{"genesis":{"raw":{"top":{"01":"0x02"}}}}"#,
            br#"{"genesis":{"raw":{"top":{"0x01":2}}}}"#,
            br#"{"genesis":{"raw":{"top":{},"childrenDefault":{"0x01":{}}}}}"#,
            b"nothing",
        ] {
            assert!(parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_preset_changes_what_it_names() {
        let mut config = serde_json::json!({ "a": { "b": 1, "c": 2 }, "d": [1, 2] });
        patch(&mut config, serde_json::json!({ "a": { "c": 3 }, "d": [] }));
        assert_eq!(config, serde_json::json!({ "a": { "b": 1, "c": 3 }, "d": [] }));
    }
}

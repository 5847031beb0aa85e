//! Inputs to start from.

use std::{fs, path::Path};

/// Where run.sh wants the seeds of a target.
const FOLDER_VARIABLE: &str = "PHALA_FUZZ_SEEDS";

/// With `PHALA_FUZZ_SEEDS=FOLDER`, writes the seeds there and ends the process.
pub fn write(seeds: impl FnOnce() -> Vec<(String, Vec<u8>)>) {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return };
    fs::create_dir_all(&folder).expect("the folder for seeds can be made");
    for (name, bytes) in seeds() {
        fs::write(Path::new(&folder).join(name), bytes).expect("a seed can be written");
    }
    std::process::exit(0);
}

//! Repository chores. `cargo run -p xtask` checks what no compiler checks: the walls of the house and its manners.
//!
//! - **Walls** (invariant A1): a crate depends on its own ring or lower ones; `chain` and `enclave` meet only in `wire`; pallets do
//!   not name each other (A5).
//! - **Manners**: no source line leaves work undone, no file is a heap of everything, links in pages lead somewhere.

use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A file longer than this needs a reason; none has one so far.
const LINES_MAX: usize = 800;
/// Words that stand for work not done. Split, so that this file does not find itself.
const UNDONE: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimplemented", "!("), concat!("todo", "!(")];

fn main() -> Result<()> {
    let root = root();
    let mut complaints = walls(&root)?;
    complaints.extend(manners(&root)?);
    complaints.extend(links(&root)?);
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    if complaints.is_empty() {
        println!("tidy: walls stand, manners are kept");
        return Ok(());
    }
    bail!("{} complaints", complaints.len())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Which folder of the house each crate of ours lives in.
fn crates(root: &Path) -> Result<BTreeMap<String, (String, toml::Table)>> {
    let mut found = BTreeMap::new();
    for ring in ["wire", "chain", "enclave", "services", "clients"] {
        for entry in fs::read_dir(root.join(ring))? {
            let manifest = entry?.path().join("Cargo.toml");
            if !manifest.exists() {
                continue;
            }
            let table: toml::Table = fs::read_to_string(&manifest)?.parse()?;
            let name = table["package"]["name"].as_str().context("a package has a name")?.to_owned();
            found.insert(name, (ring.to_owned(), table));
        }
    }
    Ok(found)
}

/// What a crate in `ring` may depend on.
fn allowed(ring: &str) -> &'static [&'static str] {
    match ring {
        "wire" => &["wire"],
        "chain" => &["wire", "chain"],
        "enclave" => &["wire", "enclave"],
        "services" => &["wire", "chain", "enclave", "services"],
        _ => &["wire", "clients"],
    }
}

fn walls(root: &Path) -> Result<Vec<String>> {
    let crates = crates(root)?;
    let mut complaints = Vec::new();
    for (name, (ring, table)) in &crates {
        let Some(dependencies) = table.get("dependencies").and_then(toml::Value::as_table) else { continue };
        for dependency in dependencies.keys() {
            let Some((theirs, _)) = crates.get(dependency) else { continue };
            if !allowed(ring).contains(&theirs.as_str()) {
                complaints.push(format!("{name} ({ring}/) depends on {dependency} ({theirs}/): dependencies point down only"));
            }
            let both_pallets = name.starts_with("pallet-") && dependency.starts_with("pallet-");
            if both_pallets && theirs == "chain" {
                complaints.push(format!("{name} names {dependency}: pallets meet in the runtime only"));
            }
        }
    }
    Ok(complaints)
}

/// Files of the checkout that we wrote, by extension.
fn files(root: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let foreign = ["target", "node_modules", "deps", "vendor", "bin", "out"].contains(&name.as_str());
            if path.is_dir() && !foreign && !name.starts_with('.') {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn manners(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in files(root, "rs")? {
        let text = fs::read_to_string(&path)?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        if text.lines().count() > LINES_MAX {
            complaints.push(format!("{shown} has {} lines; a noun in it wants a file of its own", text.lines().count()));
        }
        for word in UNDONE {
            if text.contains(word) {
                complaints.push(format!("{shown} says {word}"));
            }
        }
        let reasoned = shown.contains("/danger.rs") || shown.starts_with("services/platform");
        if text.contains(concat!("unsafe", " {")) && !reasoned {
            complaints.push(format!("{shown} has unsafe code"));
        }
    }
    Ok(complaints)
}

/// Relative links of pages that lead nowhere.
fn links(root: &Path) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for path in files(root, "md")? {
        let text = fs::read_to_string(&path)?;
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = target.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            let leads_to = path.parent().unwrap_or(root).join(target);
            if !leads_to.exists() {
                complaints.push(format!("{} links to {target}, which is not there", path.display()));
            }
        }
    }
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walls_stand() {
        assert_eq!(walls(&root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn manners_are_kept() {
        assert_eq!(manners(&root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn links_lead_somewhere() {
        assert_eq!(links(&root()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_that_points_up_is_seen() {
        assert!(!allowed("wire").contains(&"chain"));
        assert!(!allowed("chain").contains(&"enclave") && !allowed("enclave").contains(&"chain"));
        assert!(!allowed("clients").contains(&"services"));
    }
}

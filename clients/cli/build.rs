//! Embeds the templates of `phala new`, the Rust guest SDK and the program of `phala demo`, so that one binary
//! makes whole projects anywhere.

use std::{
    env,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// Folders and files that building leaves behind.
const LEFT_OUT: [&str; 8] = ["target", "node_modules", "__pycache__", "dist", "generate", ".venv", "vendor", ".git"];

fn files(dir: &Path, below: &Path, locks: bool, found: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(dir)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        let lock = matches!(text.as_ref(), "Cargo.lock" | "package-lock.json") && !locks;
        if LEFT_OUT.contains(&text.as_ref()) || text.ends_with(".wasm") || lock {
            continue;
        }
        let below = below.join(&name);
        if entry.file_type()?.is_dir() {
            files(&entry.path(), &below, locks, found)?;
        } else {
            found.push((below.to_string_lossy().into_owned(), entry.path()));
        }
    }
    Ok(())
}

fn list(out: &mut String, files: &[(String, PathBuf)]) {
    for (name, path) in files {
        let _ = writeln!(out, "    ({name:?}, include_bytes!({path:?})),");
    }
}

fn main() -> io::Result<()> {
    let programs = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../../programs");
    let mut out = String::from("pub static TEMPLATES: &[(&str, &[(&str, &[u8])])] = &[\n");
    let templates = programs.join("templates");
    println!("cargo::rerun-if-changed={}", programs.display());
    let mut names: Vec<_> = match fs::read_dir(&templates) {
        Ok(entries) => entries.collect::<Result<Vec<_>, _>>()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let mut found = Vec::new();
        files(&entry.path(), Path::new(""), false, &mut found)?;
        let _ = writeln!(out, "({:?}, &[", entry.file_name().to_string_lossy());
        list(&mut out, &found);
        out.push_str("]),\n");
    }
    out.push_str("];\npub static GUEST_SDK: &[(&str, &[u8])] = &[\n");
    let mut found = Vec::new();
    files(&programs.join("sdk"), Path::new(""), false, &mut found)?;
    list(&mut out, &found);
    out.push_str("];\n");
    out.push_str("pub static CLASSIFIER: &[(&str, &[u8])] = &[\n");
    let mut found = Vec::new();
    // The demo builds what was tested: with its lock file.
    files(&programs.join("classifier"), Path::new(""), true, &mut found)?;
    list(&mut out, &found);
    out.push_str("];\n");
    fs::write(Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("templates.rs"), out)
}

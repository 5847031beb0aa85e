//! What `phala new` writes: templates, embedded in this binary.
//!
//! `{{name}}` stands for the project's name, in files and in their names; `{{crate}}` for the same as a Rust
//! identifier. A Rust project gets the guest SDK into `vendor/`, so that it builds without asking anybody.

use crate::failure::{Explain, Failure, Outcome};
use std::{fs, path::Path};

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/templates.rs"));
}

/// Names of the templates.
pub fn names() -> Vec<&'static str> {
    embedded::TEMPLATES.iter().map(|(name, _)| *name).collect()
}

/// Whether a name fits a package in every language: lowercase letters, digits and dashes.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match name.chars().next() {
        None => Err("a project needs a name"),
        Some(first) if !first.is_ascii_lowercase() => Err("a name begins with a lowercase letter"),
        Some(_) if name.len() > 64 => Err("a name has at most 64 characters"),
        Some(_) if !name.chars().all(fits) || name.ends_with('-') => {
            Err("a name has lowercase letters, digits and dashes, like my-program")
        }
        Some(_) => Ok(()),
    }
}

/// Writes template `template` into `dir`, which must not exist yet, as a project called `name`.
pub fn write(template: &str, name: &str, dir: &Path) -> Outcome<Vec<String>> {
    let files = embedded::TEMPLATES.iter().find(|(known, _)| *known == template).map(|(_, files)| *files);
    let files = files.ok_or_else(|| {
        Failure::usage(format!("there is no template `{template}`"), format!("choose one of: {}", names().join(", ")))
    })?;
    if dir.exists() {
        return Err(Failure::new(format!("{} exists already", dir.display()), "choose another name"));
    }
    let fill = |text: &str| text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"));
    let mut written = Vec::new();
    for (path, content) in files {
        let path = fill(path);
        match std::str::from_utf8(content) {
            Ok(text) => put(dir, &path, fill(text).as_bytes())?,
            Err(_) => put(dir, &path, content)?,
        }
        written.push(path);
    }
    if written.iter().any(|path| path == "Cargo.toml") {
        for (path, content) in embedded::GUEST_SDK {
            put(dir, &format!("vendor/phala-program/{path}"), content)?;
        }
        written.push("vendor/phala-program".into());
    }
    Ok(written)
}

/// Writes the program of `phala demo`, beside the SDK that it is built with, and returns its folder.
pub fn write_classifier(dir: &Path) -> Outcome<std::path::PathBuf> {
    for (below, files) in [("sdk", embedded::GUEST_SDK), ("classifier", embedded::CLASSIFIER)] {
        for (path, content) in files {
            let path = format!("{below}/{path}");
            // What is there already stays as it is, so that building it again takes a moment.
            if fs::read(dir.join(&path)).ok().as_deref() != Some(*content) {
                put(dir, &path, content)?;
            }
        }
    }
    Ok(dir.join("classifier"))
}

/// A file of the program of `phala demo`.
pub fn classifier_file(name: &str) -> Option<&'static str> {
    let (_, content) = embedded::CLASSIFIER.iter().find(|(path, _)| *path == name)?;
    std::str::from_utf8(content).ok()
}

fn put(dir: &Path, path: &str, content: &[u8]) -> Outcome {
    let path = dir.join(path);
    let parent = path.parent().unwrap_or(dir);
    fs::create_dir_all(parent).doing(format!("making {}", parent.display()))?;
    fs::write(&path, content).doing(format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_every_language() {
        for name in ["a", "hello", "my-program-2"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", "2a", "-a", "a-", "A", "a_b", "a b", "../a", "é", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn every_template_becomes_a_project_without_a_place_left_open() {
        assert!(names().contains(&"rust"));
        for template in names() {
            let dir = tempfile::tempdir().unwrap();
            let project = dir.path().join("my-program");
            let written = write(template, "my-program", &project).unwrap();
            assert!(!written.is_empty());
            for path in written.iter().filter(|path| !path.starts_with("vendor/")) {
                assert!(!path.contains("{{"), "{template}: {path}");
                let text = fs::read(project.join(path)).unwrap();
                let text = String::from_utf8_lossy(&text);
                assert!(!text.contains("{{name}}") && !text.contains("{{crate}}"), "{template}: {path}");
            }
            assert!(write(template, "my-program", &project).unwrap_err().message().contains("exists already"));
        }
    }

    #[test]
    fn a_rust_project_brings_its_sdk() {
        let dir = tempfile::tempdir().unwrap();
        let project = dir.path().join("p");
        write("rust", "p", &project).unwrap();
        assert!(project.join("vendor/phala-program/src/lib.rs").is_file());
        assert!(project.join("vendor/phala-program/Cargo.toml").is_file());
    }

    #[test]
    fn the_demo_brings_its_program_its_data_and_the_sdk() {
        let dir = tempfile::tempdir().unwrap();
        let classifier = write_classifier(dir.path()).unwrap();
        assert!(classifier.join("src/lib.rs").is_file());
        assert!(dir.path().join("sdk/src/lib.rs").is_file());
        assert!(classifier_file("data/training.csv").is_some_and(|text| text.lines().count() > 300));
        assert!(classifier_file("data/nothing.csv").is_none());
    }

    #[test]
    fn an_unknown_template_is_refused_with_the_known_ones() {
        let failure = write("cobol", "p", Path::new("/nonexistent/p")).unwrap_err();
        assert!(failure.hint().is_some_and(|hint| hint.contains("rust")));
    }
}

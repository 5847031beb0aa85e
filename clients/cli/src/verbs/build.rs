//! `phala build`: a project becomes a component.

use crate::{
    Context,
    failure::{Explain, Failure, Outcome},
    local,
    output::{self, Progress, Report},
};
use phala_messages::transcript::sha256;
use serde_json::{Value, json};
use std::{
    env,
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The WebAssembly target of Rust programs.
pub const TARGET: &str = "wasm32-wasip2";
/// Where cargo looks for flags of that target; what a person set there stays.
const TARGET_FLAGS: &str = "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS";
/// Vectors of 128 bits are deterministic, every worker has them, and numeric loops take two thirds of the time.
const SIMD: &str = " -C target-feature=+simd128";
/// The version of componentize-py that the template is written for.
pub const COMPONENTIZE_PY: &str = "0.25.1";

/// Turn a project into a WebAssembly component
///
/// Knows a project by its files: Cargo.toml (Rust), package.json (JavaScript), app.py (Python). The component lies
/// beside them afterwards, as NAME.wasm. `phala doctor` shows which of the tools this machine has.
#[derive(clap::Args)]
pub struct Build {
    /// The project's folder
    #[arg(default_value = ".", value_name = "FOLDER")]
    folder: PathBuf,
    /// Where to put the component [default: FOLDER/NAME.wasm]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A language that programs are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Rust,
    JavaScript,
    Python,
}

/// A finished component.
pub struct Component {
    /// Where it lies.
    pub path: PathBuf,
    /// How large it is.
    pub bytes: u64,
    /// SHA-256 of it.
    pub code_hash: phala_messages::Hash,
}

impl Build {
    /// Builds and prints where the component is.
    pub fn run(self, context: &Context) -> Outcome {
        let component = build(&self.folder, self.output.as_deref(), &Progress::new())?;
        if context.json {
            output::object(&json!({
                "component": component.path,
                "bytes": component.bytes,
                "code_hash": component.code_hash,
            }));
        } else {
            output::line(format!("component {}", component.path.display()));
            output::line(format!("size      {}", output::bytes(component.bytes)));
            output::line(format!("code hash {}\n", component.code_hash));
            output::line(format!("next: phala deploy {}", component.path.display()));
        }
        Ok(())
    }
}

/// Builds the project in `folder`.
pub fn build(folder: &Path, to: Option<&Path>, report: &dyn Report) -> Outcome<Component> {
    let language = language(folder)?;
    let built = match language {
        Language::Rust => rust(folder, report)?,
        Language::JavaScript => javascript(folder, report)?,
        Language::Python => python(folder, report)?,
    };
    report.done();
    let bytes = fs::read(&built).doing(format!("reading {}", built.display()))?;
    if bytes.get(..8) != Some(b"\0asm\x0d\0\x01\0") {
        return Err(Failure::new(
            format!("{} is not a component", built.display()),
            "a program exports wasi:http/incoming-handler; start from `phala new`",
        ));
    }
    let beside = || folder.join(built.file_stem().unwrap_or_default()).with_extension("wasm");
    let path = to.map_or_else(beside, Path::to_path_buf);
    if path != built {
        fs::write(&path, &bytes).doing(format!("writing {}", path.display()))?;
    }
    Ok(Component { path, bytes: bytes.len() as u64, code_hash: sha256(&bytes) })
}

fn language(folder: &Path) -> Outcome<Language> {
    let has = |name| folder.join(name).is_file();
    if has("Cargo.toml") {
        Ok(Language::Rust)
    } else if has("package.json") {
        Ok(Language::JavaScript)
    } else if has("app.py") {
        Ok(Language::Python)
    } else {
        Err(Failure::usage(
            format!("{} has no Cargo.toml, package.json or app.py", folder.display()),
            "name the project's folder: phala build FOLDER; `phala new NAME` makes one",
        ))
    }
}

/// Where the standard library for WebAssembly is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// In the toolchain that `cargo` uses.
    Rustup,
    /// In a folder that `setup` built for Debian's compiler.
    Sysroot(PathBuf),
}

/// Finds the target's standard library.
pub fn target(folder: &Path) -> Option<Target> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).current_dir(folder).output().ok();
    let sysroot = sysroot.filter(|output| output.status.success());
    let sysroot = sysroot.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    if sysroot.is_some_and(|sysroot| sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()) {
        return Some(Target::Rustup);
    }
    let debian = cache()?.join("wasm-sysroot");
    let complete = debian.join("lib/rustlib").join(TARGET).join("lib").is_dir() && Path::new("/usr/bin/rustc").exists();
    complete.then_some(Target::Sysroot(debian))
}

/// The folder of things that `setup` made: `PHALA_CACHE`, else `~/.cache/phala`.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|dir| !dir.is_empty()).map(PathBuf::from);
    set("PHALA_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|dir| dir.join("phala")))
        .or_else(|| set("HOME").map(|dir| dir.join(".cache/phala")))
}

fn rust(folder: &Path, report: &dyn Report) -> Outcome<PathBuf> {
    report.step(&format!("building with cargo for {TARGET}"));
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    // Flags and compilers meant for this machine would break a build for WebAssembly.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC", "RUSTC_WORKSPACE_WRAPPER"] {
        cargo.env_remove(name);
    }
    let mut flags = env::var(TARGET_FLAGS).unwrap_or_default();
    flags.push_str(SIMD);
    match target(folder) {
        Some(Target::Rustup) => {}
        Some(Target::Sysroot(sysroot)) => {
            cargo.env("RUSTC", "/usr/bin/rustc");
            flags.push_str(&format!(" --sysroot {}", sysroot.display()));
        }
        None => {
            return Err(Failure::new(
                format!("Rust's standard library for {TARGET} is not on this machine"),
                format!(
                    "rustup target add {TARGET}; where rustup cannot download it, run ./setup in the Phala checkout"
                ),
            ));
        }
    }
    cargo.env(TARGET_FLAGS, flags.trim());
    let mut found = None;
    run(cargo.current_dir(folder), "cargo", "https://rustup.rs installs it", |line| {
        let artifact = serde_json::from_str::<Value>(line).ok();
        let artifact = artifact.filter(|message| message["reason"] == "compiler-artifact");
        let files = artifact.as_ref().and_then(|message| message["filenames"].as_array());
        let wasm = files.into_iter().flatten().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"));
        if let (Some(file), Some(artifact)) = (wasm, &artifact) {
            // The package's name keeps its dashes; the file's has underscores.
            found = Some((PathBuf::from(file), artifact["target"]["name"].as_str().unwrap_or_default().to_owned()));
        }
    })?;
    let (file, _) = found.ok_or_else(|| {
        Failure::new("cargo built no component", "Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`; see `phala new`")
    })?;
    let name = package_name(&folder.join("Cargo.toml"));
    match name {
        Some(name) if file.file_stem() != Some(OsStr::new(&name)) => {
            let named = folder.join(name).with_extension("wasm");
            fs::copy(&file, &named).doing(format!("writing {}", named.display()))?;
            Ok(named)
        }
        _ => Ok(file),
    }
}

fn package_name(manifest: &Path) -> Option<String> {
    let manifest: toml::Table = fs::read_to_string(manifest).ok()?.parse().ok()?;
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}

fn javascript(folder: &Path, report: &dyn Report) -> Outcome<PathBuf> {
    const HINT: &str = "install Node.js 20 or newer with npm";
    if !folder.join("node_modules").is_dir() {
        report.step("npm install");
        run(Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(folder), "npm", HINT, |_| {})?;
    }
    report.step("npm run build");
    run(Command::new("npm").args(["run", "build"]).current_dir(folder), "npm", HINT, |_| {})?;
    let package: Value =
        serde_json::from_slice(&fs::read(folder.join("package.json"))?).doing("reading package.json")?;
    let name = package["name"].as_str().unwrap_or("program").rsplit('/').next().unwrap_or("program").to_owned();
    existing(folder, &name)
}

fn python(folder: &Path, report: &dyn Report) -> Outcome<PathBuf> {
    let name = folder.canonicalize()?.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = pyproject_name(folder).unwrap_or(name);
    let hint = format!(
        "python3 -m venv .venv && .venv/bin/pip install componentize-py=={COMPONENTIZE_PY}, in the project's folder"
    );
    let Some(tool) = componentize_py(folder) else {
        return Err(Failure::new("componentize-py is not on this machine", hint));
    };
    report.step("building with componentize-py");
    let mut command = Command::new(tool);
    command.args(["-d", "wit", "-w", &world(folder), "componentize", "app", "-o"]).arg(format!("{name}.wasm"));
    run(command.current_dir(folder), "componentize-py", &hint, |_| {})?;
    existing(folder, &name)
}

fn pyproject_name(folder: &Path) -> Option<String> {
    let project: toml::Table = fs::read_to_string(folder.join("pyproject.toml")).ok()?.parse().ok()?;
    Some(project.get("project")?.get("name")?.as_str()?.to_owned())
}

/// The world that a Python program is written against: `[tool.phala] world` in pyproject.toml.
fn world(folder: &Path) -> String {
    let named = || {
        let project: toml::Table = fs::read_to_string(folder.join("pyproject.toml")).ok()?.parse().ok()?;
        Some(project.get("tool")?.get("phala")?.get("world")?.as_str()?.to_owned())
    };
    named().unwrap_or_else(|| "wasi:http/proxy@0.2.12".into())
}

/// componentize-py of the project, of `setup`, or on the search path.
pub fn componentize_py(folder: &Path) -> Option<PathBuf> {
    let near = [
        Some(folder.join(".venv")),
        cache().map(|cache| cache.join("python")),
        local::home().map(|home| home.join("python")),
    ];
    let near = near.into_iter().flatten().map(|dir| dir.join("bin/componentize-py"));
    near.chain(on_path("componentize-py")).find(|path| path.is_file())
}

/// A program on the search path.
pub fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

fn existing(folder: &Path, name: &str) -> Outcome<PathBuf> {
    for path in [folder.join(format!("{name}.wasm")), folder.join("dist").join(format!("{name}.wasm"))] {
        if path.is_file() {
            return Ok(path);
        }
    }
    Err(Failure::new(format!("the build made no {name}.wasm"), "see what it printed above"))
}

/// Runs a tool whose words go to stderr, line by line through `line`.
fn run(command: &mut Command, name: &str, install: &str, mut line: impl FnMut(&str)) -> Outcome {
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = spawned.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(format!("{name} is not on this machine"), install),
        _ => Failure::new(format!("{name} does not start: {error}"), install),
    })?;
    let mut last = Vec::new();
    for text in child.stdout.take().map(BufReader::new).into_iter().flat_map(BufReader::lines) {
        let text = text?;
        line(&text);
        last.push(text);
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(());
    }
    // Machine-readable lines help nobody here; a tool that talks to people on stdout is repeated.
    last.iter().filter(|text| !text.starts_with('{')).for_each(output::note);
    Err(Failure::new(format!("{name} ended with {status}"), "its messages stand above"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Quiet;
    impl Report for Quiet {
        fn step(&self, _: &str) {}
        fn bytes(&self, _: u64, _: u64) {}
        fn remark(&self, _: &str) {}
        fn done(&self) {}
    }

    #[test]
    fn a_project_is_known_by_its_files() {
        let dir = tempfile::tempdir().unwrap();
        assert!(language(dir.path()).unwrap_err().hint().is_some_and(|hint| hint.contains("phala new")));
        for (file, expected) in
            [("app.py", Language::Python), ("package.json", Language::JavaScript), ("Cargo.toml", Language::Rust)]
        {
            fs::write(dir.path().join(file), "").unwrap();
            assert_eq!(language(dir.path()).unwrap(), expected);
        }
    }

    #[test]
    fn a_missing_tool_is_named_with_how_to_get_it() {
        let failure = run(&mut Command::new("/nonexistent/tool"), "tool", "get it there", |_| {}).unwrap_err();
        assert_eq!((failure.message().as_str(), failure.hint()), ("tool is not on this machine", Some("get it there")));
    }

    #[test]
    fn a_tool_s_lines_are_read_and_its_failure_is_told() {
        let mut lines = Vec::new();
        let mut shell = Command::new("/bin/sh");
        run(shell.args(["-c", "echo a; echo b"]), "sh", "", |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["a", "b"]);
        let mut shell = Command::new("/bin/sh");
        assert!(run(shell.args(["-c", "exit 3"]), "sh", "", |_| {}).unwrap_err().message().contains('3'));
    }

    #[test]
    fn a_python_project_without_its_tool_says_how_to_get_it() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("app.py"), "").unwrap();
        if componentize_py(dir.path()).is_none() {
            let failure = build(dir.path(), None, &Quiet).err().unwrap();
            assert!(failure.hint().is_some_and(|hint| hint.contains(COMPONENTIZE_PY)));
        }
    }

    #[test]
    fn the_names_of_projects_are_read_from_their_manifests() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        fs::write(&manifest, "[package]\nname = \"my-program\"\n").unwrap();
        assert_eq!(package_name(&manifest).as_deref(), Some("my-program"));
        fs::write(dir.path().join("pyproject.toml"), "[project]\nname = \"py\"\n[tool.phala]\nworld = \"w\"\n")
            .unwrap();
        assert_eq!(pyproject_name(dir.path()).as_deref(), Some("py"));
        assert_eq!(world(dir.path()), "w");
    }
}

//! Looks at a component's imports and exports before anything expensive is done with it.

use wasmparser::{Encoding, Parser, Payload};

/// Which generation of `wasi:http` a component answers through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum World {
    /// `wasi:http/incoming-handler@0.2`
    P2,
    /// `wasi:http/handler@0.3`
    P3,
}

/// Why a component is not a program.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuditError {
    NotWebAssembly(String),
    NotComponent,
    UnknownImport(String),
    NoHandler,
}

/// Interfaces of WASI 0.2 that a program may import, any 0.2.x.
const WASI_0_2: [&str; 29] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/outgoing-handler",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

/// Interfaces of WASI 0.3 that a program may import, any 0.3.x.
const WASI_0_3: [&str; 23] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/types",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/system-clock",
    "wasi:clocks/types",
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:http/client",
    "wasi:http/types",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/types",
];

/// Interfaces that are matched to the letter: drafts have no compatible versions.
const EXACT: [&str; 12] = [
    "wasi:keyvalue/store@0.2.0-draft",
    "wasi:keyvalue/atomics@0.2.0-draft",
    "wasi:keyvalue/batch@0.2.0-draft",
    "wasi:keyvalue/store@0.2.0-draft2",
    "wasi:keyvalue/atomics@0.2.0-draft2",
    "wasi:keyvalue/batch@0.2.0-draft2",
    "wasi:config/store@0.2.0-rc.1",
    "wasi:config/store@0.2.0-draft-2024-09-27",
    "wasi:config/store@0.2.0-draft",
    "wasi:config/runtime@0.2.0-draft",
    "wasi:logging/logging@0.1.0-draft",
    "wasi:logging/logging",
];

/// Our own interfaces, any 1.x.
const PHALA_1: [&str; 3] = ["phala:program/attestation", "phala:program/context", "phala:program/keys"];

/// Finds the world of a component and refuses what it could not be linked to anyway.
pub(crate) fn audit(wasm: &[u8]) -> Result<World, AuditError> {
    let broken = |error: wasmparser::BinaryReaderError| AuditError::NotWebAssembly(error.to_string());
    let mut depth = 0_u32;
    let (mut p2, mut p3) = (false, false);
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.map_err(broken)? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(AuditError::NotComponent),
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    let name = import.map_err(broken)?.name.name;
                    if !is_known(name) {
                        return Err(AuditError::UnknownImport(name.to_owned()));
                    }
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    let name = export.map_err(broken)?.name.name;
                    p2 |= matches(name, &["wasi:http/incoming-handler"], "0.2");
                    p3 |= matches(name, &["wasi:http/handler"], "0.3");
                }
            }
            _ => {}
        }
    }
    match (p2, p3) {
        (_, true) => Ok(World::P3),
        (true, false) => Ok(World::P2),
        (false, false) => Err(AuditError::NoHandler),
    }
}

fn is_known(import: &str) -> bool {
    EXACT.contains(&import)
        || matches(import, &WASI_0_2, "0.2")
        || matches(import, &WASI_0_3, "0.3")
        || matches(import, &PHALA_1, "1")
}

/// Whether `name` is `interface@version`, with one of `interfaces` and a release compatible with `series`.
fn matches(name: &str, interfaces: &[&str], series: &str) -> bool {
    name.split_once('@').is_some_and(|(interface, version)| {
        interfaces.contains(&interface)
            && version.strip_prefix(series).is_some_and(|rest| {
                rest.starts_with('.') && rest.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit())
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component that imports one interface, without functions, and exports one.
    fn component(import: &str, export: &str) -> Vec<u8> {
        let text = format!("(component (import \"{import}\" (instance $i)) (export \"{export}\" (instance $i)))");
        wat::parse_str(text).expect("the text is a component")
    }

    const HANDLER: &str = "wasi:http/incoming-handler@0.2.3";

    #[test]
    fn every_release_of_a_known_interface_may_be_imported() {
        for version in ["0.2.0", "0.2.3", "0.2.12", "0.2.99"] {
            for interface in WASI_0_2 {
                assert_eq!(audit(&component(&format!("{interface}@{version}"), HANDLER)), Ok(World::P2));
            }
        }
        for interface in WASI_0_3 {
            assert_eq!(audit(&component(&format!("{interface}@0.3.0"), HANDLER)), Ok(World::P2));
        }
        for interface in EXACT.iter().map(ToString::to_string).chain(PHALA_1.map(|name| format!("{name}@1.0.0"))) {
            assert_eq!(audit(&component(&interface, HANDLER)), Ok(World::P2), "{interface}");
        }
    }

    #[test]
    fn an_unknown_import_is_refused_by_its_name() {
        for name in [
            "wasi:nn/graph@0.2.0",
            "wasi:http/types@0.3.0-rc-2026-01-06",
            "wasi:keyvalue/store@0.2.0",
            "wasi:io/poll@1.0.0",
        ] {
            assert_eq!(audit(&component(name, HANDLER)), Err(AuditError::UnknownImport(name.into())));
        }
    }

    #[test]
    fn the_handler_tells_the_world() {
        assert_eq!(audit(&component("wasi:io/poll@0.2.0", "wasi:http/handler@0.3.0")), Ok(World::P3));
        assert_eq!(audit(&component("wasi:io/poll@0.2.0", "wasi:cli/run@0.2.0")), Err(AuditError::NoHandler));
    }

    #[test]
    fn what_is_not_a_component_is_refused() {
        assert_eq!(audit(b"\0asm\x01\0\0\0"), Err(AuditError::NotComponent));
        assert!(matches!(audit(b""), Err(AuditError::NotWebAssembly(_))));
        assert!(matches!(audit(b"<html>"), Err(AuditError::NotWebAssembly(_))));
        let whole = component("wasi:io/poll@0.2.0", HANDLER);
        // The names at its end may be missing: a section more or less.
        let names = whole.windows(14).position(|bytes| bytes == b"component-name").unwrap() - 3;
        for length in (0..whole.len()).filter(|length| *length != names) {
            assert!(audit(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
}

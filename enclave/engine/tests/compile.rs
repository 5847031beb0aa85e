//! From bytes to a program: what is refused, by which name, and what survives a restart.

mod common;

use common::*;
use phala_engine::{CompileError, LoadError, Nans, danger::artifact_from_authenticated};
use phala_messages::{limits::CODE_BYTES_MAX, program::Manifest, transcript::sha256};

fn compile(wasm: &[u8]) -> CompileError {
    ENGINE.compile(wasm, Nans::Native).expect_err("it must be refused")
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}

/// The smallest handler: answers nothing.
const HANDLER: &str = r#"
    (import "wasi:http/types@0.2.0" (instance $types
        (export "incoming-request" (type (sub resource)))
        (export "response-outparam" (type (sub resource)))))
    (alias export $types "incoming-request" (type $request))
    (alias export $types "response-outparam" (type $out))
    (core module $m
        (func (export "handle") (param i32 i32)))
    (core instance $i (instantiate $m))
    (func $handle (param "request" (own $request)) (param "response-out" (own $out))
        (canon lift (core func $i "handle")))
    (component $exports
        (import "request" (type $request (sub resource)))
        (import "out" (type $out (sub resource)))
        (import "handle" (func $handle (param "request" (own $request)) (param "response-out" (own $out))))
        (export $r "incoming-request" (type $request))
        (export $o "response-outparam" (type $out))
        (export "handle" (func $handle) (func (param "request" (own $r)) (param "response-out" (own $o)))))
    (instance $handler (instantiate $exports
        (with "request" (type $request)) (with "out" (type $out)) (with "handle" (func $handle))))
    (export "wasi:http/incoming-handler@0.2.0" (instance $handler))
"#;

#[tokio::test]
async fn the_smallest_component_is_a_program() {
    let program = load(&ENGINE, &component(&format!("(component {HANDLER})")), &Manifest::default());
    assert_eq!(ask(&program, "/").await, Err(phala_engine::CallError::NoResponse));
}

#[test]
fn what_is_no_component_is_refused() {
    assert!(matches!(compile(b""), CompileError::NotWebAssembly(_)));
    assert!(matches!(compile(b"#!/bin/sh"), CompileError::NotWebAssembly(_)));
    assert_eq!(compile(&component("(module)")), CompileError::NotComponent);
    assert_eq!(compile(&component("(component)")), CompileError::NoHandler);
}

#[test]
fn a_truncated_component_is_refused() {
    for length in [8, 100, 1_000, PROBE.len() / 2, PROBE.len() - 1] {
        assert!(
            matches!(compile(&PROBE[..length]), CompileError::NotWebAssembly(_) | CompileError::NoHandler),
            "{length}"
        );
    }
}

#[test]
fn an_invalid_body_is_refused() {
    let invalid = component("(component (core module (func (result i32) unreachable)))");
    let spoiled: Vec<_> = invalid.iter().map(|byte| if *byte == 0x00 { 0x1b } else { *byte }).collect();
    assert!(matches!(compile(&spoiled), CompileError::NotWebAssembly(_)));
    let invalid = component(&format!("(component (core module (func (result i32) i64.const 1)) {HANDLER})"));
    let CompileError::NotWebAssembly(reason) = compile(&invalid) else { panic!("it is not valid") };
    assert!(reason.contains("type mismatch"), "{reason}");
}

#[test]
fn an_unknown_import_is_refused_by_its_name() {
    let nn = component(&format!(r#"(component (import "wasi:nn/graph@0.2.0-rc" (instance)) {HANDLER})"#));
    assert_eq!(compile(&nn), CompileError::UnknownImport("wasi:nn/graph@0.2.0-rc".into()));
    let bare = component(&format!(r#"(component (import "log" (func (param "text" string))) {HANDLER})"#));
    assert_eq!(compile(&bare), CompileError::UnknownImport("log".into()));
}

#[test]
fn an_import_of_another_shape_is_refused() {
    let wrong = component(&format!(
        r#"(component (import "wasi:random/random@0.2.0" (instance (export "get-random-u64" (func (result string))))) {HANDLER})"#
    ));
    let CompileError::Imports(reason) = compile(&wrong) else { panic!("it does not fit") };
    assert!(reason.contains("wasi:random/random@0.2.0"), "{reason}");
}

#[test]
fn a_component_fits_exactly_and_not_a_byte_more() {
    let mut wasm = component("(component)");
    wasm.resize(CODE_BYTES_MAX as usize, 0);
    assert!(!matches!(compile(&wasm), CompileError::TooLarge(_)));
    wasm.push(0);
    assert_eq!(compile(&wasm), CompileError::TooLarge(CODE_BYTES_MAX as usize + 1));
}

#[test]
fn too_many_memories_are_refused() {
    let memories = "(memory 1) ".repeat(33);
    let many =
        component(&format!("(component (core module $many {memories}) (core instance (instantiate $many)) {HANDLER})"));
    assert!(
        matches!(compile(&many), CompileError::Unsupported(_) | CompileError::NotWebAssembly(_)),
        "{}",
        compile(&many)
    );
}

#[tokio::test]
async fn an_artifact_survives_being_sealed_and_opened() {
    let artifact = ENGINE.compile(&PROBE, Nans::Native).unwrap();
    assert_eq!(artifact.wasm().0, sha256(&PROBE).0);
    let reopened = artifact_from_authenticated(&artifact.to_bytes()).unwrap();
    assert_eq!(reopened.compatibility(), artifact.compatibility());
    let program = engine().load(&reopened, &Manifest::default()).unwrap();
    assert_eq!(program.wasm(), artifact.wasm());
    assert_eq!(ask(&program, "/hello").await, Ok("hello, world".into()));
}

#[test]
fn bytes_of_another_shape_are_no_artifact() {
    let bytes = ENGINE.compile(&component(&format!("(component {HANDLER})")), Nans::Native).unwrap().to_bytes();
    assert!(artifact_from_authenticated(&bytes).is_ok());
    assert!(artifact_from_authenticated(&bytes[..bytes.len() - 1]).is_err());
    assert!(artifact_from_authenticated(&[bytes.as_slice(), &[0]].concat()).is_err());
    assert!(artifact_from_authenticated(b"").is_err());
}

#[test]
fn an_artifact_for_another_engine_asks_for_recompilation() {
    let artifact = ENGINE.compile(&component(&format!("(component {HANDLER})")), Nans::Native).unwrap();
    let canonical = Manifest { canonical_nans: true, ..Manifest::default() };
    assert_eq!(ENGINE.load(&artifact, &canonical).map(drop), Err(LoadError::Recompile));
    // The compatibility hash lies behind the component's hash and two flags.
    let mut bytes = artifact.to_bytes();
    bytes[34] ^= 1;
    let other = artifact_from_authenticated(&bytes).unwrap();
    assert_eq!(ENGINE.load(&other, &Manifest::default()).map(drop), Err(LoadError::Recompile));
}

#[test]
fn a_manifest_out_of_range_is_refused() {
    let artifact = ENGINE.compile(&component(&format!("(component {HANDLER})")), Nans::Native).unwrap();
    let mut manifest = Manifest::default();
    manifest.limits.query_ms_max = 0;
    assert!(matches!(ENGINE.load(&artifact, &manifest), Err(LoadError::Limit(_))));
    let mut manifest = Manifest::default();
    allow(&mut manifest, &["https://example.com"]);
    assert!(matches!(ENGINE.load(&artifact, &manifest), Err(LoadError::OutboundHost(_))));
}

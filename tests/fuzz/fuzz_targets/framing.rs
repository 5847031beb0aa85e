//! Binary HTTP: a message that is read survives being written and read again, and the bhttp library reads the same in it.
#![no_main]

mod seeds;

use bhttp::{Message, Mode};
use http::{HeaderMap, HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use phala_crypto::channel::framing::{decode_request, decode_response, encode_request, encode_response};
use std::io::Cursor;

fn theirs(bytes: &[u8]) -> Option<Message> {
    Message::read_bhttp(&mut Cursor::new(bytes)).ok()
}

fn compare(theirs: &Message, fields: &HeaderMap, content: &[u8]) {
    assert_eq!(theirs.content(), content);
    assert_eq!(theirs.header().iter().count(), fields.len());
    for (name, value) in fields {
        let mut named = theirs.header().iter().filter(|field| field.name() == name.as_str().as_bytes());
        assert!(named.any(|field| field.value() == value.as_bytes()), "{name}");
    }
}

fn request(bytes: &[u8]) {
    let Ok(ours) = decode_request(bytes) else { return };
    let written = encode_request(&ours);
    let back = decode_request(&written).expect("what we write is read");
    assert_eq!((back.method(), back.uri(), back.headers()), (ours.method(), ours.uri(), ours.headers()));
    assert_eq!(back.body(), ours.body());
    assert_eq!(encode_request(&back), written);
    let oracle = theirs(&written).expect("the oracle reads what we write");
    for oracle in [Some(oracle), theirs(bytes)].into_iter().flatten() {
        assert_eq!(oracle.control().method(), Some(ours.method().as_str().as_bytes()));
        compare(&oracle, ours.headers(), ours.body());
    }
}

fn response(bytes: &[u8]) {
    let Ok((ours, trailers)) = decode_response(bytes) else { return };
    let written = encode_response(&ours, &trailers);
    let (back, back_trailers) = decode_response(&written).expect("what we write is read");
    assert_eq!((back.status(), back.headers(), back_trailers), (ours.status(), ours.headers(), trailers));
    assert_eq!(back.body(), ours.body());
    let oracle = theirs(&written).expect("the oracle reads what we write");
    for oracle in [Some(oracle), theirs(bytes)].into_iter().flatten() {
        assert_eq!(oracle.control().status().map(|status| status.code()), Some(ours.status().as_u16()));
        compare(&oracle, ours.headers(), ours.body());
    }
}

/// A request and a response, in both forms.
fn messages() -> Vec<(String, Vec<u8>)> {
    let request = Request::put("https://p.phala/notes/1?x=y").header("content-type", "text/plain").header("a", "b");
    let response = Response::builder().status(201).header("location", "/notes/1").header("a", "b");
    let (request, response) = (request.body(vec![7; 300]), response.body(vec![8; 70]));
    let (request, response) = (request.expect("it is a request"), response.expect("it is a response"));
    let trailers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("\"1\""))]);
    let mut seeds = Vec::new();
    for (name, known) in [("request", encode_request(&request)), ("response", encode_response(&response, &trailers))] {
        let mut indeterminate = Vec::new();
        let message = theirs(&known).expect("the oracle reads what we write");
        message.write_bhttp(Mode::IndeterminateLength, &mut indeterminate).expect("memory takes it");
        seeds.push((format!("{name}-known"), known));
        seeds.push((format!("{name}-indeterminate"), indeterminate));
    }
    // RFC 9292 §5.2: a response after informational ones.
    seeds.push(("response-informational".into(), [&[1, 0x40, 0x66, 0][..], &seeds[2].1[1..]].concat()));
    seeds
}

fuzz_target!(
    init: seeds::write(messages),
    |input: &[u8]| {
        request(input);
        response(input);
    }
);

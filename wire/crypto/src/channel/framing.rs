//! Binary HTTP (RFC 9292): messages as bytes, with every length bounded before memory is taken for it.
//!
//! Whole messages are written with known lengths, streams with indeterminate length; both are read in either form.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request, response,
    uri::{Authority, PathAndQuery, Scheme},
};

/// Request line and headers together, and trailers: more is refused.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Fields in one section.
pub const FIELDS_MAX: usize = 128;

const REQUEST_KNOWN: u64 = 0;
const RESPONSE_KNOWN: u64 = 1;
const REQUEST_INDETERMINATE: u64 = 2;
const RESPONSE_INDETERMINATE: u64 = 3;

/// Why bytes are not an HTTP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The bytes end too early.
    #[error("it ends too early")]
    Truncated,
    /// Something follows the message that is not padding.
    #[error("something follows its end")]
    Trailing,
    /// A request where a response was expected, the other way round, or neither.
    #[error("it is not the kind of message expected here")]
    Kind,
    /// A method, target, status or field that HTTP does not allow.
    #[error("its {0} is not allowed in HTTP")]
    Malformed(&'static str),
    /// See [`HEAD_BYTES_MAX`] and [`FIELDS_MAX`].
    #[error("its head exceeds {HEAD_BYTES_MAX} bytes or {FIELDS_MAX} fields")]
    HeadTooLarge,
}

use FramingError::{HeadTooLarge, Kind, Malformed, Trailing, Truncated};

/// Appends a QUIC variable-length integer (RFC 9000 §16).
pub(super) fn put_varint(out: &mut Vec<u8>, n: u64) {
    match n {
        0..0x40 => out.push(n as u8),
        0x40..0x4000 => out.extend((n as u16 | 0x4000).to_be_bytes()),
        0x4000..0x4000_0000 => out.extend((n as u32 | 0x8000_0000).to_be_bytes()),
        _ => out.extend((n | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

fn put_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads front to back; every refusal leaves it where it was.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    /// What is left.
    pub bytes: &'a [u8],
    /// Whether more bytes may follow.
    part: bool,
    /// How many more bytes this head, or these trailers, may have.
    head_left: usize,
}

impl<'a> Reader<'a> {
    /// A message that is all here.
    pub(super) const fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes, part: false, head_left: HEAD_BYTES_MAX }
    }

    /// The beginning of a message.
    pub(super) const fn part(bytes: &'a [u8]) -> Self {
        Self { bytes, part: true, head_left: HEAD_BYTES_MAX }
    }

    /// Whether the message ends here, with its empty sections left out (RFC 9292 §3.8).
    const fn at_end(&self) -> bool {
        self.bytes.is_empty() && !self.part
    }

    pub(super) fn varint(&mut self) -> Result<u64, FramingError> {
        let first = *self.bytes.first().ok_or(Truncated)?;
        let length = 1usize << (first >> 6);
        let bytes = self.take(length)?;
        Ok(bytes[1..].iter().fold(u64::from(first & 0x3f), |n, byte| n << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], FramingError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn sized(&mut self) -> Result<&'a [u8], FramingError> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| Truncated)?)
    }

    /// A piece of the head: refused at once when the whole head would be too long with it.
    fn head_sized(&mut self) -> Result<&'a [u8], FramingError> {
        let before = self.bytes.len();
        let length = self.varint()?;
        let taken = (before - self.bytes.len()) as u64;
        if length.saturating_add(taken) > self.head_left as u64 {
            return Err(HeadTooLarge);
        }
        let piece = self.take(usize::try_from(length).map_err(|_| Truncated)?)?;
        self.head_left -= before - self.bytes.len();
        Ok(piece)
    }
}

fn field(name: &[u8], value: &[u8]) -> Result<(HeaderName, HeaderValue), FramingError> {
    // RFC 9292 §3.6: names are lowercase; pseudo-fields (":") are not fields.
    if name.iter().any(u8::is_ascii_uppercase) {
        return Err(Malformed("field name"));
    }
    let name = HeaderName::from_bytes(name).map_err(|_| Malformed("field name"))?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Malformed("field value"))?;
    Ok((name, value))
}

pub(super) fn read_fields(reader: &mut Reader<'_>, known: bool) -> Result<HeaderMap, FramingError> {
    let mut map = HeaderMap::new();
    let mut add = |name: &[u8], value: &[u8]| {
        if map.len() == FIELDS_MAX {
            return Err(HeadTooLarge);
        }
        let (name, value) = field(name, value)?;
        map.try_append(name, value).map_err(|_| HeadTooLarge)?;
        Ok(())
    };
    if known {
        // A message may end before an empty section (RFC 9292 §3.8).
        if reader.at_end() {
            return Ok(map);
        }
        let mut section = Reader::whole(reader.head_sized()?);
        while !section.bytes.is_empty() {
            let name = section.sized()?;
            let value = section.sized()?;
            add(name, value)?;
        }
    } else {
        if reader.at_end() {
            return Ok(map);
        }
        loop {
            let name = reader.head_sized()?;
            if name.is_empty() {
                break;
            }
            let value = reader.head_sized()?;
            add(name, value)?;
        }
    }
    Ok(map)
}

fn put_fields(out: &mut Vec<u8>, fields: &HeaderMap, known: bool) {
    let mut section = Vec::new();
    for (name, value) in fields {
        put_sized(&mut section, name.as_str().as_bytes());
        put_sized(&mut section, value.as_bytes());
    }
    if known {
        put_sized(out, &section);
    } else {
        out.extend(section);
        out.push(0);
    }
}

/// What stands before a body.
pub(super) enum Head {
    Request(request::Parts),
    Response(response::Parts),
}

fn read_request_line(reader: &mut Reader<'_>) -> Result<request::Parts, FramingError> {
    let method = Method::from_bytes(reader.head_sized()?).map_err(|_| Malformed("method"))?;
    let scheme = Scheme::try_from(reader.head_sized()?).map_err(|_| Malformed("scheme"))?;
    let authority = Authority::try_from(reader.head_sized()?).map_err(|_| Malformed("authority"))?;
    let path = PathAndQuery::try_from(reader.head_sized()?).map_err(|_| Malformed("path"))?;
    if !path.as_str().starts_with('/') && path.as_str() != "*" {
        return Err(Malformed("path"));
    }
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path)
        .build()
        .map_err(|_| Malformed("target"))?;
    let request = Request::builder().method(method).uri(uri).body(()).map_err(|_| Malformed("target"))?;
    Ok(request.into_parts().0)
}

/// Reads a head; the flag says whether the body's length is known.
pub(super) fn read_head(reader: &mut Reader<'_>) -> Result<(Head, bool), FramingError> {
    let kind = reader.varint()?;
    let known = matches!(kind, REQUEST_KNOWN | RESPONSE_KNOWN);
    let head = match kind {
        REQUEST_KNOWN | REQUEST_INDETERMINATE => {
            let mut parts = read_request_line(reader)?;
            parts.headers = read_fields(reader, known)?;
            Head::Request(parts)
        }
        RESPONSE_KNOWN | RESPONSE_INDETERMINATE => {
            let status = loop {
                let status = reader.varint()?;
                if !(100..200).contains(&status) {
                    break status;
                }
                // Informational responses say nothing to us.
                read_fields(reader, known)?;
            };
            let status = u16::try_from(status).ok().and_then(|code| StatusCode::from_u16(code).ok());
            let status = status.filter(|code| code.as_u16() < 600).ok_or(Malformed("status"))?;
            let response = Response::builder().status(status).body(()).map_err(|_| Malformed("status"))?;
            let mut parts = response.into_parts().0;
            parts.headers = read_fields(reader, known)?;
            Head::Response(parts)
        }
        _ => return Err(Kind),
    };
    Ok((head, known))
}

fn read_content(reader: &mut Reader<'_>, known: bool) -> Result<Vec<u8>, FramingError> {
    if reader.at_end() {
        return Ok(Vec::new());
    }
    if known {
        return Ok(reader.sized()?.to_vec());
    }
    let mut content = Vec::new();
    loop {
        let chunk = reader.sized()?;
        if chunk.is_empty() {
            return Ok(content);
        }
        content.extend_from_slice(chunk);
    }
}

fn read_message(bytes: &[u8]) -> Result<(Head, Vec<u8>, HeaderMap), FramingError> {
    let mut reader = Reader::whole(bytes);
    let (head, known) = read_head(&mut reader)?;
    let content = read_content(&mut reader, known)?;
    reader.head_left = HEAD_BYTES_MAX;
    let trailers = read_fields(&mut reader, known)?;
    // RFC 9292 §3.8: padding is zeros.
    if reader.bytes.iter().any(|byte| *byte != 0) {
        return Err(Trailing);
    }
    Ok((head, content, trailers))
}

/// Reads a whole request. Its trailers, if any, are dropped.
///
/// # Errors
/// [`FramingError`].
pub fn decode_request(bytes: &[u8]) -> Result<Request<Vec<u8>>, FramingError> {
    match read_message(bytes)? {
        (Head::Request(parts), content, _) => Ok(Request::from_parts(parts, content)),
        _ => Err(Kind),
    }
}

/// Reads a whole response and its trailers.
///
/// # Errors
/// [`FramingError`].
pub fn decode_response(bytes: &[u8]) -> Result<(Response<Vec<u8>>, HeaderMap), FramingError> {
    match read_message(bytes)? {
        (Head::Response(parts), content, trailers) => Ok((Response::from_parts(parts, content), trailers)),
        _ => Err(Kind),
    }
}

pub(super) fn put_request_head(out: &mut Vec<u8>, parts: &request::Parts, known: bool) {
    put_varint(out, if known { REQUEST_KNOWN } else { REQUEST_INDETERMINATE });
    put_sized(out, parts.method.as_str().as_bytes());
    put_sized(out, parts.uri.scheme_str().unwrap_or("https").as_bytes());
    let host = || parts.headers.get(header::HOST).map_or(&b""[..], HeaderValue::as_bytes);
    put_sized(out, parts.uri.authority().map_or_else(host, |authority| authority.as_str().as_bytes()));
    put_sized(out, parts.uri.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes());
    put_fields(out, &parts.headers, known);
}

pub(super) fn put_response_head(out: &mut Vec<u8>, parts: &response::Parts, known: bool) {
    put_varint(out, if known { RESPONSE_KNOWN } else { RESPONSE_INDETERMINATE });
    put_varint(out, parts.status.as_u16().into());
    put_fields(out, &parts.headers, known);
}

pub(super) fn put_chunk(out: &mut Vec<u8>, chunk: &[u8]) {
    put_sized(out, chunk);
}

pub(super) fn put_end(out: &mut Vec<u8>, trailers: &HeaderMap) {
    out.push(0);
    put_fields(out, trailers, false);
}

/// A whole request as bytes.
pub fn encode_request(request: &Request<impl AsRef<[u8]>>) -> Vec<u8> {
    let mut parts = Request::new(()).into_parts().0;
    parts.method = request.method().clone();
    parts.uri = request.uri().clone();
    parts.headers = request.headers().clone();
    let body = request.body().as_ref();
    let mut out = Vec::with_capacity(body.len() + 256);
    put_request_head(&mut out, &parts, true);
    put_sized(&mut out, body);
    put_fields(&mut out, &HeaderMap::new(), true);
    out
}

/// A whole response as bytes.
pub fn encode_response(response: &Response<impl AsRef<[u8]>>, trailers: &HeaderMap) -> Vec<u8> {
    let body = response.body().as_ref();
    let mut out = Vec::with_capacity(body.len() + 1024);
    put_varint(&mut out, RESPONSE_KNOWN);
    put_varint(&mut out, response.status().as_u16().into());
    put_fields(&mut out, response.headers(), true);
    put_sized(&mut out, body);
    put_fields(&mut out, trailers, true);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each piece fits; all of them together do not.
    #[test]
    fn a_head_is_limited_as_a_whole() {
        let fields = |values: usize| {
            let mut bytes = hex::decode("0203474554056874747073").unwrap();
            put_sized(&mut bytes, b"p.phala");
            put_sized(&mut bytes, b"/");
            for name in [b"a", b"b"] {
                put_sized(&mut bytes, name);
                put_sized(&mut bytes, &vec![b'x'; values]);
            }
            bytes.extend([0, 0, 0]);
            bytes
        };
        let read = |bytes: &[u8]| read_head(&mut Reader::whole(bytes)).map(|_| ());
        assert_eq!(read(&fields(30_000)), Ok(()));
        assert_eq!(read(&fields(40_000)), Err(HeadTooLarge));
        assert_eq!(decode_request(&fields(40_000)).unwrap_err(), HeadTooLarge);
        let request = decode_request(&fields(30_000)).unwrap();
        assert_eq!(decode_request(&encode_request(&request)).unwrap().headers(), request.headers());
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        // RFC 9292 §5.1, figures 10 and 11: the same request with indeterminate and known length.
        let indeterminate = hex::decode(concat!(
            "0203474554056874747073000a2f68656c6c6f2e747874400a757365722d6167656e7434",
            "6375726c2f372e31362e33206c69626375726c2f372e31362e33204f70656e53534c2f30",
            "2e392e376c207a6c69622f312e322e3304686f73740f7777772e6578616d706c652e636f",
            "6d0f6163636570742d6c616e677561676506656e2c206d690000"
        ));
        // The example has an empty authority, which we refuse: a program must be named.
        assert_eq!(decode_request(&indeterminate.unwrap_or_default()).map(|_| ()), Err(Malformed("authority")));
    }

    #[test]
    fn the_oracle_reads_what_we_write_and_we_read_what_it_writes() {
        let request = Request::put("https://p.phala/x?y").header("a", "b").body(vec![7; 300]).unwrap();
        let bytes = encode_request(&request);
        let theirs = bhttp::Message::read_bhttp(&mut std::io::Cursor::new(&bytes[..])).unwrap();
        assert_eq!(theirs.control().method(), Some(&b"PUT"[..]));
        assert_eq!(theirs.control().authority(), Some(&b"p.phala"[..]));
        assert_eq!(theirs.control().path(), Some(&b"/x?y"[..]));
        assert_eq!(theirs.header().get(b"a"), Some(&b"b"[..]));
        assert_eq!(theirs.content(), &[7; 300]);
        for mode in [bhttp::Mode::KnownLength, bhttp::Mode::IndeterminateLength] {
            let mut bytes = Vec::new();
            theirs.write_bhttp(mode, &mut bytes).unwrap();
            let ours = decode_request(&bytes).unwrap();
            assert_eq!(ours.uri(), request.uri());
            assert_eq!(ours.headers(), request.headers());
            assert_eq!(ours.body(), request.body());
        }
    }

    #[test]
    fn a_length_from_outside_takes_no_memory() {
        // method of 2^61 bytes
        let mut bytes = vec![0];
        put_varint(&mut bytes, 1 << 61);
        assert_eq!(decode_request(&bytes).map(|_| ()), Err(HeadTooLarge));
        let mut bytes = encode_request(&Request::new(Vec::new()));
        bytes.truncate(bytes.len() - 2);
        put_varint(&mut bytes, 1 << 61);
        assert!(decode_request(&bytes).is_err());
    }

    #[test]
    fn limits_hold_at_the_limit_and_one_past_it() {
        let with = |n: usize| {
            let mut request = Request::get("https://p.phala/").body(Vec::new()).unwrap();
            for i in 0..n {
                request.headers_mut().append("x", HeaderValue::from(i));
            }
            decode_request(&encode_request(&request)).map(|_| ())
        };
        assert_eq!(with(FIELDS_MAX), Ok(()));
        assert_eq!(with(FIELDS_MAX + 1), Err(HeadTooLarge));
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes: Vec<u8>) {
            let _ = decode_request(&bytes);
            let _ = decode_response(&bytes);
        }

        #[test]
        fn a_response_survives(status in 200u16..600, body: Vec<u8>, value in "[ -~]{0,40}") {
            let response = Response::builder().status(status).header("x-v", value.trim()).body(body).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("t", HeaderValue::from_static("u"));
            let (back, theirs) = decode_response(&encode_response(&response, &trailers)).unwrap();
            prop_assert_eq!(back.status(), response.status());
            prop_assert_eq!(back.headers(), response.headers());
            prop_assert_eq!(back.body(), response.body());
            prop_assert_eq!(theirs, trailers);
        }
    }
}

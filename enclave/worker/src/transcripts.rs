//! Hashing HTTP messages as they were seen on both ends.

use http::{request, response};
use phala_messages::{query::AUTHORIZATION_FIELD, transcript::Transcript};

/// The transcript of a request whose body is yet to come, as the program sees it: without the header that
/// says who asks.
pub fn request(parts: &request::Parts) -> Transcript {
    let uri = &parts.uri;
    Transcript::request(
        parts.method.as_str(),
        uri.scheme_str().unwrap_or("https"),
        uri.authority().map_or("", |authority| authority.as_str()),
        uri.path_and_query().map_or("/", |path| path.as_str()),
        parts
            .headers
            .iter()
            .filter(|(name, _)| name.as_str() != AUTHORIZATION_FIELD)
            .map(|(name, value)| (name.as_str(), value.as_bytes())),
    )
}

/// The transcript of a response whose body is yet to come.
pub fn response(parts: &response::Parts) -> Transcript {
    Transcript::response(
        parts.status.as_u16(),
        parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())),
    )
}

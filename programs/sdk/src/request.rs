//! What a handler asks of a request.

use crate::{BodyError, Request, router::Params};

/// Shortcuts on [`Request`].
pub trait RequestExt {
    /// What stood in the place of `{name}` in the route, decoded. Empty when the route has no such part.
    fn param(&self, name: &str) -> &str;
    /// The first value of `name` in the URL's query string, decoded.
    fn query(&self, name: &str) -> Option<String>;
    /// The value of a header, when it is there once and is text.
    fn header(&self, name: &str) -> Option<&str>;
    /// The whole body.
    fn bytes(self) -> Result<Vec<u8>, BodyError>;
    /// The whole body, as UTF-8.
    fn text(self) -> Result<String, BodyError>;
    /// The whole body, as JSON.
    #[cfg(feature = "json")]
    fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, BodyError>;
}

impl RequestExt for Request {
    fn param(&self, name: &str) -> &str {
        self.extensions().get::<Params>().and_then(|params| params.get(name)).unwrap_or_default()
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.uri().query()?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let form = |text: &str| decode(&text.replace('+', " "));
        pairs.into_iter().find(|(key, _)| form(key) == name).map(|(_, value)| form(value))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    fn bytes(self) -> Result<Vec<u8>, BodyError> {
        self.into_body().bytes()
    }

    fn text(self) -> Result<String, BodyError> {
        self.into_body().text()
    }

    #[cfg(feature = "json")]
    fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, BodyError> {
        self.into_body().json()
    }
}

/// Undoes percent-encoding. A `%` that is followed by no two hexadecimal digits stands for itself, and bytes
/// that are no UTF-8 become U+FFFD.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|b| (*b as char).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Body;

    #[test]
    fn percent_encoding_is_undone_once_and_never_panics() {
        assert_eq!(decode("a%20b%2Fc"), "a b/c");
        assert_eq!(decode("%2525"), "%25");
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%f"), "%f");
        assert_eq!(decode("%zz%é"), "%zz%é");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }

    #[test]
    fn the_query_string_is_read_by_name() {
        let request =
            http::Request::get("/?a=1&b=two+words&flag&b=again").body(Body::empty()).unwrap();
        assert_eq!(request.query("a").as_deref(), Some("1"));
        assert_eq!(request.query("b").as_deref(), Some("two words"));
        assert_eq!(request.query("flag").as_deref(), Some(""));
        assert_eq!(request.query("c"), None);
    }

    #[test]
    fn a_header_that_comes_twice_is_not_one_header() {
        let request = http::Request::get("/")
            .header("x-once", "1")
            .header("x-twice", "1")
            .header("x-twice", "2")
            .body(Body::empty())
            .unwrap();
        assert_eq!(request.header("X-Once"), Some("1"));
        assert_eq!(request.header("x-twice"), None);
    }
}

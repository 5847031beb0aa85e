//! Bodies of requests and answers: whole, or read and written as they flow.

use std::{
    fmt,
    io::{self, Cursor, Read, Write},
    string::FromUtf8Error,
};

/// Writes a body piece by piece.
type Producer = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()>>;

/// The body of a request or of an answer.
///
/// # Example
/// ```
/// use phala_program::Body;
/// use std::io::Write;
///
/// let whole = Body::from("hello");
/// assert_eq!(whole.text().unwrap(), "hello");
///
/// // Each flush reaches the caller while the program still runs.
/// let stream = Body::stream(|out| {
///     for n in 1..=3 {
///         writeln!(out, "data: {n}\n")?;
///         out.flush()?;
///     }
///     Ok(())
/// });
/// assert_eq!(stream.text().unwrap(), "data: 1\n\ndata: 2\n\ndata: 3\n\n");
/// ```
#[derive(Default)]
pub struct Body(Inner);

/// Where a body's bytes come from.
#[derive(Default)]
pub(crate) enum Inner {
    /// There are none.
    #[default]
    Empty,
    /// They are here.
    Whole(Vec<u8>),
    /// They arrive.
    Reader(Box<dyn Read>),
    /// They will be written.
    Stream(Producer),
}

impl Body {
    /// A body without bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A body that `produce` writes. It runs after the head was sent; [`Write::flush`] sends what was written so
    /// far. An error aborts the answer, and the caller sees that it is incomplete.
    pub fn stream(produce: impl FnOnce(&mut dyn Write) -> io::Result<()> + 'static) -> Self {
        Self(Inner::Stream(Box::new(produce)))
    }

    /// A body read from elsewhere, for example that of a fetched response.
    pub fn from_reader(reader: impl Read + 'static) -> Self {
        Self(Inner::Reader(Box::new(reader)))
    }

    /// All of it.
    pub fn bytes(self) -> Result<Vec<u8>, BodyError> {
        let mut bytes = Vec::new();
        match self.0 {
            Inner::Empty => {}
            Inner::Whole(whole) => bytes = whole,
            Inner::Reader(mut reader) => {
                reader.read_to_end(&mut bytes).map_err(BodyError::Read)?;
            }
            Inner::Stream(produce) => produce(&mut bytes).map_err(BodyError::Read)?,
        }
        Ok(bytes)
    }

    /// All of it, as UTF-8.
    pub fn text(self) -> Result<String, BodyError> {
        String::from_utf8(self.bytes()?).map_err(BodyError::Utf8)
    }

    /// All of it, as JSON.
    #[cfg(feature = "json")]
    pub fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, BodyError> {
        serde_json::from_slice(&self.bytes()?).map_err(BodyError::Json)
    }

    /// Reads it piece by piece.
    pub fn reader(self) -> Result<Box<dyn Read>, BodyError> {
        Ok(match self.0 {
            Inner::Reader(reader) => reader,
            other => Box::new(Cursor::new(Self(other).bytes()?)),
        })
    }

    /// Writes all of it to `out`, as it comes.
    #[cfg(any(target_os = "wasi", test))]
    pub(crate) fn write_to(self, out: &mut dyn Write) -> io::Result<()> {
        match self.0 {
            Inner::Empty => Ok(()),
            Inner::Whole(bytes) => out.write_all(&bytes),
            Inner::Reader(mut reader) => {
                let mut piece = vec![0; 16 * 1024];
                loop {
                    match reader.read(&mut piece)? {
                        0 => return Ok(()),
                        n => out.write_all(&piece[..n])?,
                    }
                    out.flush()?;
                }
            }
            Inner::Stream(produce) => produce(out),
        }
    }

    /// Whether there is certainly nothing in it.
    #[cfg(target_os = "wasi")]
    pub(crate) fn is_empty(&self) -> bool {
        match &self.0 {
            Inner::Empty => true,
            Inner::Whole(bytes) => bytes.is_empty(),
            Inner::Reader(_) | Inner::Stream(_) => false,
        }
    }
}

impl fmt::Debug for Body {
    /// Says what kind of body it is, never what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Empty => f.write_str("Body(empty)"),
            Inner::Whole(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Inner::Reader(_) => f.write_str("Body(incoming)"),
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::empty()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Inner::Whole(bytes))
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// Why a body cannot be used. `?` in a handler answers 400 with it.
#[derive(Debug)]
pub enum BodyError {
    /// It stopped before its end, or was larger than the worker allows.
    Read(io::Error),
    /// It is not UTF-8.
    Utf8(FromUtf8Error),
    /// It is not the JSON that was expected.
    #[cfg(feature = "json")]
    Json(serde_json::Error),
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(why) => write!(f, "the body cannot be read: {why}"),
            Self::Utf8(why) => write!(f, "the body is not UTF-8: {why}"),
            #[cfg(feature = "json")]
            Self::Json(why) => write!(f, "the body is not the JSON expected here: {why}"),
        }
    }
}

impl std::error::Error for BodyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_utf8_is_an_error() {
        assert!(matches!(Body::from(vec![0xff]).text(), Err(BodyError::Utf8(_))));
    }

    #[test]
    fn a_failing_source_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("cut off"))
            }
        }
        let why = Body::from_reader(Broken).bytes().unwrap_err();
        assert_eq!(why.to_string(), "the body cannot be read: cut off");
    }

    #[test]
    fn a_reader_is_copied_whole() {
        let bytes = vec![7; 100_000];
        let mut out = Vec::new();
        Body::from_reader(Cursor::new(bytes.clone())).write_to(&mut out).unwrap();
        assert_eq!(out, bytes);
    }

    #[test]
    fn debug_does_not_show_content() {
        assert_eq!(format!("{:?}", Body::from("secret")), "Body(6 bytes)");
    }
}

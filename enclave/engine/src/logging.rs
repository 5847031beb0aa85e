//! `wasi:logging`, standard output and standard error: words for the program's owner.

use crate::{
    host::{
        HasHost, Host,
        bindings::wasi::{logging as unversioned, logging0_1_0_draft as draft},
    },
    ports::{LogLevel, LogSink},
};
use bytes::Bytes;
use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};
use tokio::io::AsyncWrite;
use wasmtime::component::Linker;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

/// A longer message is cut, a longer line is broken.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// Where a message comes from, cut likewise.
const CONTEXT_BYTES_MAX: usize = 256;
/// What one write to standard output takes.
const WRITE_BYTES_MAX: usize = 4 * 1024;

impl Host {
    fn log(&mut self, level: LogLevel, context: &str, message: &str) -> wasmtime::Result<()> {
        self.meter.charge(context.len() + message.len())?;
        self.logs.log(level, cut(context, CONTEXT_BYTES_MAX), cut(message, MESSAGE_BYTES_MAX));
        Ok(())
    }
}

/// The first `bytes_max` bytes of `text`, or a little less: characters stay whole.
fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

macro_rules! logging {
    ($wasi:ident) => {
        impl $wasi::logging::Host for Host {
            fn log(&mut self, level: $wasi::logging::Level, context: String, message: String) -> wasmtime::Result<()> {
                use $wasi::logging::Level;
                let level = match level {
                    Level::Trace => LogLevel::Trace,
                    Level::Debug => LogLevel::Debug,
                    Level::Info => LogLevel::Info,
                    Level::Warn => LogLevel::Warn,
                    Level::Error => LogLevel::Error,
                    Level::Critical => LogLevel::Critical,
                };
                Host::log(self, level, &context, &message)
            }
        }
    };
}

logging!(draft);
logging!(unversioned);

pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    draft::logging::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    unversioned::logging::add_to_linker::<Host, HasHost>(linker, |host| host)
}

/// Standard output or error: each line is a message.
#[derive(Clone)]
pub(crate) struct Lines(Arc<Mutex<Line>>);

struct Line {
    sink: Arc<dyn LogSink>,
    level: LogLevel,
    context: &'static str,
    begun: Vec<u8>,
}

impl Lines {
    pub(crate) fn new(sink: Arc<dyn LogSink>, level: LogLevel, context: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Line { sink, level, context, begun: Vec::new() })))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            self.begun.extend_from_slice(text);
            if ended || self.begun.len() > MESSAGE_BYTES_MAX {
                self.emit();
            }
        }
    }

    fn emit(&mut self) {
        let text = String::from_utf8_lossy(&self.begun);
        let text = text.trim_end_matches('\r');
        if !text.is_empty() {
            self.sink.log(self.level, self.context, cut(text, MESSAGE_BYTES_MAX));
        }
        self.begun.clear();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.emit();
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.line().push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES_MAX)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.line().push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn log(&self, level: LogLevel, context: &str, message: &str) {
            self.0.lock().expect("no test panics here").push(format!("{} {context}: {message}", level.name()));
        }
    }

    #[test]
    fn lines_arrive_whole_however_they_are_written() {
        let kept = Arc::new(Kept::default());
        let lines = Lines::new(kept.clone(), LogLevel::Error, "stderr");
        for piece in ["he", "llo\nwor", "ld\r\n\n", "rest"] {
            lines.line().push(piece.as_bytes());
        }
        drop(lines);
        let kept = kept.0.lock().expect("no test panics here");
        assert_eq!(*kept, ["error stderr: hello", "error stderr: world", "error stderr: rest"]);
    }

    #[test]
    fn a_line_without_end_is_broken() {
        let kept = Arc::new(Kept::default());
        let lines = Lines::new(kept.clone(), LogLevel::Info, "stdout");
        for _ in 0..5 {
            lines.line().push(&[b'x'; WRITE_BYTES_MAX]);
        }
        assert!(lines.line().begun.len() <= MESSAGE_BYTES_MAX);
        assert_eq!(kept.0.lock().expect("no test panics here").len(), 1);
    }

    #[test]
    fn cutting_keeps_characters_whole() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
    }
}

//! What programs say: the newest lines of each, in memory only, for the owner's eyes only.
//!
//! # Properties
//! - A line is never written to a disk, nor to the worker's own log.
//! - A program that talks without end loses its oldest lines, and costs nobody else anything.

use phala_engine::{LogLevel, LogSink};
use phala_units::UnixMillis;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Notify;

use phala_machine::ports::Clock;

/// Lines kept of one program.
pub const LINES_MAX: usize = 4_096;
/// Bytes kept of one program's lines.
pub const BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one line; what is longer is cut.
pub const LINE_BYTES_MAX: usize = 16 * 1024;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counts the program's lines since this process started.
    pub seq: u64,
    /// When, by the worker's clock.
    pub time: UnixMillis,
    /// `trace` … `critical`.
    pub level: &'static str,
    /// `query`, or `command N`.
    #[serde(serialize_with = "as_text")]
    pub call: Arc<str>,
    /// What the program calls its context; `stdout` and `stderr` for those.
    pub context: String,
    /// The message.
    pub message: String,
}

fn as_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[derive(Default)]
struct Ring {
    next: u64,
    bytes: usize,
    lines: VecDeque<Line>,
}

/// The newest lines of one program.
pub struct Logs {
    ring: Mutex<Ring>,
    more: Notify,
    clock: Arc<dyn Clock>,
}

fn cut(text: &str, max: usize) -> &str {
    if text.len() <= max {
        return text;
    }
    let mut end = max;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Logs {
    /// No lines yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { ring: Mutex::default(), more: Notify::new(), clock }
    }

    /// Adds a line.
    pub fn add(&self, call: &Arc<str>, level: &'static str, context: &str, message: &str) {
        let context = cut(context, 256).to_owned();
        let message = cut(message, LINE_BYTES_MAX).to_owned();
        let time = self.clock.now();
        {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            let seq = ring.next;
            ring.next += 1;
            ring.bytes += context.len() + message.len();
            ring.lines.push_back(Line { seq, time, level, call: call.clone(), context, message });
            while ring.lines.len() > LINES_MAX || ring.bytes > BYTES_MAX {
                let Some(old) = ring.lines.pop_front() else { break };
                ring.bytes -= old.context.len() + old.message.len();
            }
        }
        self.more.notify_waiters();
    }

    /// The oldest kept lines from number `from` on, at most `limit`, and the number to ask for next.
    pub fn read(&self, from: u64, limit: usize) -> (Vec<Line>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<_> = ring.lines.iter().filter(|line| line.seq >= from).take(limit).cloned().collect();
        let next = lines.last().map_or(from.min(ring.next), |line| line.seq + 1);
        (lines, next)
    }

    /// As [`Logs::read`], but waits up to `wait_ms` for a line.
    pub async fn follow(&self, from: u64, limit: usize, wait_ms: u64) -> (Vec<Line>, u64) {
        let more = self.more.notified();
        tokio::pin!(more);
        more.as_mut().enable();
        let (lines, next) = self.read(from, limit);
        if !lines.is_empty() || wait_ms == 0 {
            return (lines, next);
        }
        futures::future::select(more, self.clock.sleep(wait_ms)).await;
        self.read(from, limit)
    }
}

/// The door through which one call's words come in.
pub struct CallLog {
    logs: Arc<Logs>,
    call: Arc<str>,
}

impl CallLog {
    /// The door for queries.
    pub fn query(logs: Arc<Logs>) -> Self {
        Self { logs, call: "query".into() }
    }

    /// The door for the command with this index.
    pub fn command(logs: Arc<Logs>, index: u64) -> Self {
        Self { logs, call: format!("command {index}").into() }
    }
}

impl LogSink for CallLog {
    fn log(&self, level: LogLevel, context: &str, message: &str) {
        self.logs.add(&self.call, level.name(), context, message);
    }
}

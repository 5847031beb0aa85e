//! Words for the program's owner, who reads them with `phala logs`. Nobody else can.
//!
//! ```
//! phala_program::info!("{} rows", 12);
//! ```

use crate::host;
use std::fmt;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever debugs the program.
    Debug,
    /// For whoever watches it.
    Info,
    /// Something may be wrong.
    Warn,
    /// Something is wrong.
    Error,
}

/// Logs at `level`. `context` says where it comes from.
pub fn log(level: Level, context: &str, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => host::log(level, context, text),
        None => host::log(level, context, &message.to_string()),
    }
}

/// Logs an error of the SDK itself.
pub(crate) fn error(message: fmt::Arguments<'_>) {
    log(Level::Error, "phala_program", message);
}

/// Logs for whoever debugs the program.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Debug, module_path!(), format_args!($($message)+)) };
}

/// Logs for whoever watches the program.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Info, module_path!(), format_args!($($message)+)) };
}

/// Logs that something may be wrong.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Warn, module_path!(), format_args!($($message)+)) };
}

/// Logs that something is wrong.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log::log($crate::log::Level::Error, module_path!(), format_args!($($message)+)) };
}

#[cfg(test)]
mod tests {
    use crate::testing::Worker;

    #[test]
    fn a_line_has_its_level_and_its_words() {
        let worker = Worker::new();
        worker.as_query(|| {
            crate::info!("plain");
            crate::warn!("n = {}", 3);
        });
        assert_eq!(
            worker.logs(),
            ["info phala_program::log::tests: plain", "warn phala_program::log::tests: n = 3"]
        );
    }
}

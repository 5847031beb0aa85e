//! What a verb prints: answers on stdout, progress on stderr.
//!
//! With `--json`, stdout carries exactly one object (or one a line where things stream). Progress is a spinner
//! on a terminal and one line a step anywhere else.

use indicatif::{ProgressBar, ProgressStyle};
use std::{
    fmt::Display,
    io::{IsTerminal, Write},
    sync::Mutex,
    time::{Duration, Instant},
};

/// Prints one JSON object, pretty for people on a terminal and in one line for programs.
pub fn object(value: &serde_json::Value) {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { format!("{value:#}") } else { value.to_string() };
    // A reader that has gone away is no reason to fail.
    let _ = writeln!(out, "{text}");
}

/// Prints a line of an answer.
pub fn line(text: impl Display) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Prints a note beside the answer.
pub fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Who is told what is being awaited.
pub trait Report: Send + Sync {
    /// A step begins; the one before it is done.
    fn step(&self, text: &str);
    /// How far the step is, of how much, in bytes.
    fn bytes(&self, done: u64, total: u64);
    /// A remark in between.
    fn remark(&self, text: &str);
    /// The last step is done.
    fn done(&self);
}

/// Progress for people.
pub struct Progress {
    bar: Option<ProgressBar>,
    step: Mutex<Option<(String, Instant)>>,
}

impl Progress {
    /// Progress on stderr.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.set_style(spinner());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, step: Mutex::new(None) }
    }

    /// On a terminal a finished step leaves a line with the time it took.
    fn finish_step(&self, next: Option<&str>) {
        let mut step = self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let (Some((text, began)), Some(bar)) = (step.take(), &self.bar) {
            bar.println(format!("  ✓ {text} ({})", seconds(began.elapsed())));
        }
        *step = next.map(|text| (text.into(), Instant::now()));
    }
}

impl Report for Progress {
    fn step(&self, text: &str) {
        self.finish_step(Some(text));
        match &self.bar {
            Some(bar) => {
                bar.set_style(spinner());
                bar.set_message(text.to_string());
            }
            None => note(format!("… {text}")),
        }
    }

    fn bytes(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {msg} {bytes}/{total_bytes}") {
                bar.set_style(style);
            }
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    fn remark(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("  {text}")),
            None => note(format!("  {text}")),
        }
    }

    fn done(&self) {
        self.finish_step(None);
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {msg} ({elapsed})").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// A duration as people read it.
pub fn seconds(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1_000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) }
}

/// A size as people read it.
pub fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{}.{} KiB", n / 1_024, n % 1_024 * 10 / 1_024),
        1_048_576..1_073_741_824 => format!("{}.{} MiB", n / 1_048_576, n % 1_048_576 * 10 / 1_048_576),
        _ => format!("{}.{} GiB", n / 1_073_741_824, n % 1_073_741_824 * 10 / 1_073_741_824),
    }
}

/// A moment in UTC: `2026-11-21T02:03:04.005Z`.
///
/// # Source
/// Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
pub fn moment(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1_000)
}

/// A table without lines, for people.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(head);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_string()).collect::<Vec<_>>().join("\n")
}

/// Names and values, one pair a line, the values below each other.
pub fn fields<N: AsRef<str>, V: Display>(rows: &[(N, V)]) {
    let width = rows.iter().map(|(name, _)| name.as_ref().chars().count()).max().unwrap_or_default();
    for (name, value) in rows {
        line(format!("{:width$}  {value}", name.as_ref()));
    }
}

/// Blocks of two seconds as people read them.
pub fn blocks(blocks: u32) -> String {
    let seconds = u64::from(blocks) * 2;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_a_time() {
        let told = [0, 59, 60, 3_600, 86_400, 302_400].map(blocks);
        assert_eq!(told, ["0 s", "118 s", "2 min", "2 h", "2 days", "7 days"]);
    }

    #[test]
    fn a_number_has_its_unit() {
        assert_eq!(seconds(Duration::from_millis(999)), "999 ms");
        assert_eq!(seconds(Duration::from_millis(61_250)), "61.2 s");
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(18 * 1_048_576), "18.0 MiB");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
    }

    #[test]
    fn a_moment_is_a_date_and_a_time_in_utc() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_794_276_184_005, "2026-11-10T02:03:04.005Z"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(moment(ms), text);
        }
    }

    #[test]
    fn a_table_has_a_line_for_each_row_below_its_head() {
        let text = table(["A", "B"], [["1".into(), "2".into()], ["3".into(), "4".into()]]);
        assert_eq!(text.lines().count(), 3);
        assert!(text.lines().next().unwrap().contains('A'));
    }
}

//! Rows, goals, verdicts, and how they are printed.

use serde::Serialize;
use std::{fmt, time::Duration};

/// What one side was measured at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "unit", content = "value", rename_all = "snake_case")]
pub enum Figure {
    /// Seconds of wall-clock time.
    Seconds(f64),
    /// Requests per second.
    RequestsPerSecond(f64),
    /// A part of a whole.
    Share(f64),
}

impl Figure {
    fn value(self) -> f64 {
        match self {
            Self::Seconds(value) | Self::RequestsPerSecond(value) | Self::Share(value) => value,
        }
    }
}

impl From<Duration> for Figure {
    fn from(duration: Duration) -> Self {
        Self::Seconds(duration.as_secs_f64())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RequestsPerSecond(value) => write!(f, "{value:.0}/s"),
            Self::Share(value) => write!(f, "{:.1} %", value * 100.0),
            Self::Seconds(value) if value >= 1.0 => write!(f, "{value:.2} s"),
            Self::Seconds(value) if value >= 1e-3 => write!(f, "{:.2} ms", value * 1e3),
            Self::Seconds(value) => write!(f, "{:.1} µs", value * 1e6),
        }
    }
}

/// What a row is measured against.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", content = "bound", rename_all = "snake_case")]
pub enum Goal {
    /// Ours divided by the peer's is at least this.
    RatioAtLeast(f64),
    /// Ours divided by the peer's is at most this.
    RatioAtMost(f64),
    /// Ours is at least this.
    AtLeast(Figure),
    /// Ours is at most this.
    AtMost(Figure),
    /// Shown for comparison.
    None,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(bound) => write!(f, "ratio ≥ {bound:.2}"),
            Self::RatioAtMost(bound) => write!(f, "ratio ≤ {bound:.2}"),
            Self::AtLeast(bound) => write!(f, "≥ {bound}"),
            Self::AtMost(bound) => write!(f, "≤ {bound}"),
            Self::None => f.write_str("–"),
        }
    }
}

/// Whether a goal was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was.
    Met,
    /// It was not.
    Missed,
    /// There is none, or there was too little work to tell.
    Open,
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Ours.
    pub ours: Figure,
    /// The peer's, and who that is.
    pub peer: Option<(&'static str, Figure)>,
    /// What we want.
    pub goal: Goal,
    /// What the reader should know.
    pub note: Option<String>,
}

impl Row {
    /// A row with a peer.
    pub fn beside(what: impl Into<String>, ours: impl Into<Figure>, peer: (&'static str, Figure), goal: Goal) -> Self {
        Self { what: what.into(), ours: ours.into(), peer: Some(peer), goal, note: None }
    }

    /// A row that stands alone.
    pub fn alone(what: impl Into<String>, ours: impl Into<Figure>, goal: Goal) -> Self {
        Self { what: what.into(), ours: ours.into(), peer: None, goal, note: None }
    }

    /// The row with a note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.peer.map(|(_, peer)| self.ours.value() / peer.value())
    }

    fn verdict(&self) -> Verdict {
        let ours = self.ours.value();
        let met = match (self.goal, self.ratio()) {
            (Goal::RatioAtLeast(bound), Some(ratio)) => ratio >= bound,
            (Goal::RatioAtMost(bound), Some(ratio)) => ratio <= bound,
            (Goal::AtLeast(bound), _) => ours >= bound.value(),
            (Goal::AtMost(bound), _) => ours <= bound.value(),
            (Goal::RatioAtLeast(_) | Goal::RatioAtMost(_), None) | (Goal::None, _) => return Verdict::Open,
        };
        if met { Verdict::Met } else { Verdict::Missed }
    }
}

/// Rows, or why there are none.
type Measured = anyhow::Result<Vec<Row>>;

/// The whole table.
pub struct Table {
    quick: bool,
    groups: Vec<(&'static str, Measured)>,
}

impl Table {
    /// An empty table.
    pub fn new(quick: bool) -> Self {
        Self { quick, groups: Vec::new() }
    }

    /// Adds a group; says so on standard error, where progress goes.
    pub fn add(&mut self, name: &'static str, measured: Measured) {
        match &measured {
            Ok(rows) => eprintln!("{name}: {} rows", rows.len()),
            Err(error) => eprintln!("{name}: not measured: {error:#}"),
        }
        self.groups.push((name, measured));
    }

    fn verdict(&self, row: &Row) -> Verdict {
        if self.quick { Verdict::Open } else { row.verdict() }
    }

    /// Prints it for people.
    pub fn print(&self) {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(["what", "ours", "peer", "ratio", "goal", ""]);
        let mut notes = Vec::new();
        for (name, measured) in &self.groups {
            let Ok(rows) = measured else {
                let reason = measured.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
                table.add_row([(*name).to_owned(), "not measured".into(), reason]);
                continue;
            };
            for row in rows {
                let peer = row.peer.map(|(who, figure)| format!("{figure} ({who})")).unwrap_or_else(|| "–".into());
                let ratio = row.ratio().map_or("–".into(), |ratio| format!("{ratio:.2}"));
                let verdict = match self.verdict(row) {
                    Verdict::Met => "met",
                    Verdict::Missed => "MISSED",
                    Verdict::Open => "",
                };
                let mut what = format!("{name}: {}", row.what);
                if let Some(note) = &row.note {
                    notes.push(note.clone());
                    what.push_str(&format!(" [{}]", notes.len()));
                }
                table.add_row([what, row.ours.to_string(), peer, ratio, row.goal.to_string(), verdict.into()]);
            }
        }
        println!("{table}");
        for (number, note) in notes.iter().enumerate() {
            println!("[{}] {note}", number + 1);
        }
        println!("{}", self.circumstances());
    }

    /// Prints it for programs.
    pub fn print_json(&self) {
        let groups: Vec<_> = self.groups.iter().map(|(name, measured)| self.group_json(name, measured)).collect();
        println!(
            "{}",
            serde_json::json!({ "quick": self.quick, "circumstances": self.circumstances(), "groups": groups })
        );
    }

    fn group_json(&self, name: &str, measured: &Measured) -> serde_json::Value {
        let rows = match measured {
            Ok(rows) => rows,
            Err(error) => return serde_json::json!({ "name": name, "not_measured": format!("{error:#}") }),
        };
        let rows: Vec<_> = rows
            .iter()
            .map(|row| serde_json::json!({ "row": row, "ratio": row.ratio(), "verdict": self.verdict(row) }))
            .collect();
        serde_json::json!({ "name": name, "rows": rows })
    }

    fn circumstances(&self) -> String {
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let profile = if cfg!(debug_assertions) { "dev profile: not for comparison" } else { "release profile" };
        let effort = if self.quick { ", quick: far too little work for a verdict" } else { "" };
        format!("{cores} cores, {profile}{effort}; both sides, the load and the chain share them")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Figure = Figure::Seconds(1e-3);

    #[test]
    fn a_goal_is_met_at_its_bound_and_missed_beyond() {
        let verdict = |ours, goal| Row::beside("x", ours, ("peer", MS), goal).verdict();
        assert_eq!(verdict(Figure::Seconds(1.15e-3), Goal::RatioAtMost(1.15)), Verdict::Met);
        assert_eq!(verdict(Figure::Seconds(1.16e-3), Goal::RatioAtMost(1.15)), Verdict::Missed);
        assert_eq!(verdict(Figure::Seconds(0.7e-3), Goal::RatioAtLeast(0.7)), Verdict::Met);
        assert_eq!(verdict(Figure::Seconds(0.6e-3), Goal::RatioAtLeast(0.7)), Verdict::Missed);
        assert_eq!(verdict(MS, Goal::AtMost(MS)), Verdict::Met);
        assert_eq!(verdict(Figure::Seconds(2e-3), Goal::AtMost(MS)), Verdict::Missed);
        assert_eq!(verdict(Figure::Seconds(0.5e-3), Goal::AtLeast(MS)), Verdict::Missed);
        assert_eq!(verdict(MS, Goal::None), Verdict::Open);
        assert_eq!(Row::alone("x", MS, Goal::RatioAtMost(2.0)).verdict(), Verdict::Open);
    }

    #[test]
    fn a_figure_never_appears_without_its_unit() {
        for (figure, text) in [
            (Figure::Seconds(2.5), "2.50 s"),
            (Figure::Seconds(2.5e-3), "2.50 ms"),
            (Figure::Seconds(2.5e-6), "2.5 µs"),
            (Figure::RequestsPerSecond(1234.4), "1234/s"),
        ] {
            assert_eq!(figure.to_string(), text);
        }
    }

    #[test]
    fn a_quick_run_gives_no_verdict() {
        let row = Row::beside("x", MS, ("peer", MS), Goal::RatioAtMost(1.0));
        assert_eq!(Table::new(true).verdict(&row), Verdict::Open);
        assert_eq!(Table::new(false).verdict(&row), Verdict::Met);
    }
}

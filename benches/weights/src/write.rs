//! Weights, written into the pallets: one function for each of the pallet's `WeightInfo`, in its order.

use crate::{fit::Line, measure::Measured};
use anyhow::{Context, Result, bail};
use std::{
    fmt::Write as _,
    fs,
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// The folder of a pallet's crate, in `chain`.
///
/// # Errors
/// When it is none of ours.
pub fn folder(pallet: &str) -> Result<&str> {
    match pallet.strip_prefix("pallet_") {
        Some("key_recovery") => Ok("recovery"),
        Some(name) => Ok(name),
        None => bail!("{pallet} is no pallet of ours"),
    }
}

/// A function of a pallet's `WeightInfo`.
#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    arguments: Vec<String>,
}

/// Writes `chain/<folder>/src/weights/measured.rs`.
///
/// # Errors
/// When the pallet has no such file to write, or a benchmark is of no function.
pub fn write(folder: &str, measured: &[Measured], steps: u32, repeats: u32) -> Result<()> {
    let source = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../chain")).join(folder).join("src");
    let declared = fs::read_to_string(source.join("weights.rs")).context("the pallet has no weights.rs")?;
    let functions = functions(&declared)?;
    for benchmark in measured {
        if !functions.iter().any(|function| function.name == benchmark.name) {
            bail!("{folder}: no function of `WeightInfo` is called `{}`", benchmark.name);
        }
    }
    let head = format!(
        "//! Weights of `{folder}`, measured. Written by `make weights`; whoever changes it by hand changes it until the next time.\n\
         //!\n\
         //! {}; {}; {steps} values of each component, of {repeats} runs each the quickest quarter's slowest; processor\n\
         //! time of the runtime {} in WebAssembly, with host functions as nodes are built (profile `dev`). Picoseconds, entries read,\n\
         //! entries written.\n\n",
        machine(),
        today(),
        phala_runtime::VERSION.spec_version,
    );
    let path = source.join("weights").join("measured.rs");
    fs::create_dir_all(source.join("weights"))?;
    fs::write(&path, head + &body(&functions, measured)?)?;
    let formatted = Command::new("rustfmt").args(["--edition", "2024"]).arg(&path).status()?;
    if !formatted.success() {
        bail!("rustfmt does not take {}", path.display());
    }
    println!("written: {}", path.display());
    Ok(())
}

/// The functions that `pub trait WeightInfo` declares.
fn functions(source: &str) -> Result<Vec<Function>> {
    let (_, rest) = source.split_once("pub trait WeightInfo {").context("weights.rs has no trait `WeightInfo`")?;
    let (declared, _) = rest.split_once("\n}").context("the trait has no end")?;
    let mut functions = Vec::new();
    for line in declared.lines().filter_map(|line| line.trim().strip_prefix("fn ")) {
        let (name, rest) = line.split_once('(').context("a function has arguments")?;
        let (arguments, _) = rest.split_once(')').context("arguments have an end")?;
        let names = arguments.split(',').filter_map(|argument| argument.split_once(':'));
        let arguments = names.map(|(name, _)| name.trim().to_owned()).collect();
        functions.push(Function { name: name.to_owned(), arguments });
    }
    Ok(functions)
}

fn body(functions: &[Function], measured: &[Measured]) -> Result<String> {
    let is_measured = |function: &Function| measured.iter().any(|one| one.name == function.name);
    let estimated = if functions.iter().all(is_measured) { "" } else { "estimated, " };
    let mut text = format!("use super::{{SubstrateWeight, WeightInfo, {estimated}priced}};\n");
    text += "use frame_support::weights::Weight;\n\n";
    text += "impl<T: frame_system::Config> WeightInfo for SubstrateWeight<T> {\n";
    for (place, Function { name, arguments }) in functions.iter().enumerate() {
        let typed: Vec<_> = arguments.iter().map(|argument| format!("{argument}: u32")).collect();
        let gap = if place == 0 { "" } else { "\n" };
        writeln!(text, "{gap}    fn {name}({}) -> Weight {{", typed.join(", "))?;
        match measured.iter().find(|one| one.name == *name) {
            Some(one) if one.largest.len() == arguments.len() => {
                let none = Line::default();
                let line = |line: &Line, place: usize| line.slopes.get(place).copied().unwrap_or(none.base);
                write!(
                    text,
                    "        priced::<T>({}, {}, {})",
                    digits(one.time.base),
                    one.reads.base,
                    one.writes.base
                )?;
                for (place, argument) in arguments.iter().enumerate() {
                    let time = digits(line(&one.time, place));
                    let (reads, writes) = (line(&one.reads, place), line(&one.writes, place));
                    write!(
                        text,
                        ".saturating_add(priced::<T>({time}, {reads}, {writes}).saturating_mul({argument}.into()))"
                    )?;
                }
                text += "\n";
            }
            Some(_) => bail!("`{name}` has as many arguments as its benchmark has components"),
            None => {
                writeln!(text, "        // Not measured.\n        estimated::{name}::<T>({})", arguments.join(", "))?
            }
        }
        text += "    }\n";
    }
    text += "}\n";
    Ok(text)
}

/// A number with its thousands set apart.
fn digits(number: u128) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && (plain.len() - place) % 3 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

/// The machine's processor and how many of them it has.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} × {}", model.unwrap_or("a processor without a name"))
}

/// The day, as YYYY-MM-DD, by the machine's clock (UTC).
fn today() -> String {
    let days = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    day(days)
}

/// The day so many days after 1970-01-01.
fn day(mut days: u64) -> String {
    let mut year = 1970u64;
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "pub trait WeightInfo {\n    /// `one`.\n    fn one() -> Weight;\n    /// `two`.\n    fn two(a: u32, b: u32) -> Weight;\n}\n";

    #[test]
    fn functions_are_read_in_their_order() {
        let functions = functions(SOURCE).unwrap();
        let wanted = [("one", vec![]), ("two", vec!["a", "b"])];
        let wanted = wanted.map(|(name, arguments)| Function {
            name: name.to_owned(),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
        });
        assert_eq!(functions, wanted);
    }

    #[test]
    fn what_is_measured_is_written_and_the_rest_is_called_an_estimate() {
        let time = Line { base: 1_234_567, slopes: vec![10, 0] };
        let reads = Line { base: 3, slopes: vec![1, 2] };
        let two = Measured { name: "two".into(), time, writes: reads.clone(), reads, largest: vec![9, 9] };
        let text = body(&functions(SOURCE).unwrap(), &[two.clone()]).unwrap();
        assert!(text.contains("estimated::one::<T>()"), "{text}");
        assert!(text.contains("priced::<T>(1_234_567, 3, 3).saturating_add(priced::<T>(10, 1, 1)"), "{text}");
        let other = Measured { largest: vec![9], ..two };
        assert!(body(&functions(SOURCE).unwrap(), &[other]).is_err());
    }

    #[test]
    fn days_and_thousands_are_as_people_write_them() {
        assert_eq!([0, 19_782, 20_778].map(day), ["1970-01-01", "2024-02-29", "2026-11-21"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(digits), ["0", "999", "1_000", "1_234_567"]);
    }
}

//! Values on the command line: sizes, durations, amounts, rates, settings, headers, bodies.

use crate::failure::{Explain, Failure, Outcome};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use phala_economics::Ppm;
use phala_units::Planck;
use std::{io::Read, time::Duration};

/// The largest call that is read: what fits a block.
const CALL_BYTES_MAX: usize = 5 * 1024 * 1024;

/// Reads `12.5PHA`, `12.5 PHA` or `1500 planck`. A bare number could be either, so it is neither.
pub fn amount(text: &str) -> Result<Planck, String> {
    let text = text.trim();
    if text.ends_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("an amount has its unit: write {text}PHA"));
    }
    text.parse().map_err(|error: phala_units::ParsePlanckError| error.to_string())
}

/// So much, or everything there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountOrAll {
    /// So much.
    Amount(Planck),
    /// Everything.
    All,
}

/// Reads an amount, or `all`.
pub fn amount_or_all(text: &str) -> Result<AmountOrAll, String> {
    match text.trim() {
        "all" => Ok(AmountOrAll::All),
        text => amount(text).map(AmountOrAll::Amount).map_err(|error| format!("{error}, or `all`")),
    }
}

/// Reads `5%` or `12.5%`: parts of a whole, to a ten-thousandth of a per cent.
pub fn rate(text: &str) -> Result<Ppm, String> {
    let form = || "a rate is written like 5% or 12.5%".to_string();
    let number = text.trim().strip_suffix('%').ok_or_else(form)?.trim_end();
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || part.len() > 4 || number.ends_with('.') || !digits(whole) || !digits(part) {
        return Err(form());
    }
    let parts: u32 = format!("{whole}{part:0<4}").parse().map_err(|_| form())?;
    Ppm::new(parts).map_err(|_| "a rate is at most 100%".into())
}

/// A rate as people read it.
pub fn percent(rate: Ppm) -> String {
    let (whole, part) = (rate.parts() / 10_000, rate.parts() % 10_000);
    match part {
        0 => format!("{whole}%"),
        _ => format!("{whole}.{}%", format!("{part:04}").trim_end_matches('0')),
    }
}

/// A call, encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallBytes(pub Vec<u8>);

/// Bytes of a call, as `--dry-run` shows them: `0x…`, or `@FILE` with such a text.
pub fn call(text: &str) -> Result<CallBytes, String> {
    let read = match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?,
        None => text.into(),
    };
    let digits = read.trim().strip_prefix("0x").unwrap_or(read.trim());
    if digits.len() < 4 || digits.len() > 2 * CALL_BYTES_MAX {
        return Err("a call is 0x and at least two bytes; any verb shows its own with --dry-run".into());
    }
    let bytes = hex::decode(digits).map(CallBytes);
    bytes.map_err(|_| "a call is 0x and hexadecimal digits; any verb shows its own with --dry-run".into())
}

/// Reads `64MiB`, `1 GiB`, `512KiB` or a number of bytes.
pub fn size(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1u64,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err("a size is written like 64MiB".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a size is written like 64MiB")?;
    let bytes = number.checked_mul(unit).and_then(|bytes| u32::try_from(bytes).ok());
    bytes.ok_or_else(|| "at most 4GiB can be asked for".into())
}

/// Reads `10s`, `500ms`, `2m` or a number of seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1u64,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        _ => return Err("a time is written like 10s, 500ms or 2m".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a time is written like 10s, 500ms or 2m")?;
    number.checked_mul(unit).map(Duration::from_millis).ok_or_else(|| "that is longer than anyone waits".into())
}

/// Reads `name=value`; the value may contain anything, also nothing.
pub fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("a setting is written like name=value".into()),
    }
}

/// Reads `name: value`, as curl does.
pub fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("a header is written like 'name: value'")?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| "a header's name has letters, digits and dashes")?;
    let value = HeaderValue::try_from(value.trim()).map_err(|_| "a header's value is text without line breaks")?;
    Ok((name, value))
}

/// The request that `-X`, `-d` and `-H` describe.
#[derive(clap::Args)]
pub struct RequestArguments {
    /// HTTP method [default: GET, with -d POST]
    #[arg(short = 'X', long = "request", value_name = "METHOD")]
    method: Option<Method>,
    /// Body: text, @FILE, or - for standard input
    #[arg(short, long, value_name = "BODY", allow_hyphen_values = true)]
    data: Option<String>,
    /// A header; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl RequestArguments {
    /// The request to `path`, signed by nobody yet.
    pub fn query(&self, path: &str) -> Outcome<phala_sdk::Query> {
        if !path.starts_with('/') {
            return Err(Failure::usage(format!("`{path}` is not a path"), format!("a path begins with /: /{path}")));
        }
        let body = self.data.as_deref().map(body).transpose()?;
        let usual = if body.is_some() { Method::POST } else { Method::GET };
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        Ok(phala_sdk::Query {
            method: self.method.clone().unwrap_or(usual),
            path: path.into(),
            headers,
            body: body.unwrap_or_default().into(),
            signer: None,
        })
    }
}

/// The bytes that `-d` means.
fn body(text: &str) -> Outcome<Vec<u8>> {
    match text {
        "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).doing("reading standard input")?;
            Ok(bytes)
        }
        text => match text.strip_prefix('@') {
            Some(path) => std::fs::read(path).doing(format!("reading {path}")).help("-d @FILE names a file to send"),
            None => Ok(text.as_bytes().to_vec()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("64MiB", 64 << 20), ("64 mib", 64 << 20), ("1G", 1 << 30), ("3k", 3 << 10)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5G", "-1", "1TiB", "4GiB", "1XB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_amount_has_its_unit_or_is_refused_with_the_way_out() {
        assert_eq!(amount("12.5 PHA"), Ok(Planck(12_500_000_000_000)));
        assert_eq!(amount("12.5PHA"), Ok(Planck(12_500_000_000_000)));
        assert_eq!(amount("7 planck"), Ok(Planck(7)));
        assert_eq!(amount("12.5"), Err("an amount has its unit: write 12.5PHA".into()));
        assert!(amount("PHA").is_err() && amount("-1PHA").is_err() && amount("").is_err());
        assert_eq!(amount_or_all("all"), Ok(AmountOrAll::All));
        assert!(amount_or_all("5").unwrap_err().contains("5PHA"));
    }

    #[test]
    fn a_rate_is_a_part_of_a_whole() {
        for (text, parts, told) in
            [("5%", 50_000, "5%"), ("12.5 %", 125_000, "12.5%"), ("0.0001%", 1, "0.0001%"), ("100%", 1_000_000, "100%")]
        {
            assert_eq!(rate(text).map(|rate| (rate.parts(), percent(rate))), Ok((parts, told.into())), "{text}");
        }
        for text in ["5", "%", "100.0001%", "1.%", ".5%", "-1%", "0.00001%", "99999999999%"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_is_bytes_or_a_file_with_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("call");
        std::fs::write(&path, "0x0a0b0c\n").unwrap();
        assert_eq!(call(&format!("@{}", path.display())), Ok(CallBytes(vec![10, 11, 12])));
        assert_eq!(call("0x0a0b"), Ok(CallBytes(vec![10, 11])));
        for text in ["", "0x", "0x0a", "0xzzzz", "@/nonexistent"] {
            assert!(call(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_or_is_in_seconds() {
        for (text, ms) in [("10", 10_000), ("10s", 10_000), ("500ms", 500), ("2m", 120_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "s", "1h30", "1.5s", "-1", "99999999999999999999m"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_setting_and_a_header_have_a_name() {
        assert_eq!(setting("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert_eq!(setting("a="), Ok(("a".into(), String::new())));
        assert!(setting("=b").is_err() && setting("a").is_err());
        assert_eq!(header("X-Y:  z ").unwrap(), (HeaderName::from_static("x-y"), HeaderValue::from_static("z")));
        assert!(header("x y: z").is_err() && header("x").is_err() && header("x: a\nb").is_err());
    }

    #[test]
    fn a_body_is_text_or_a_file_and_makes_a_post() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("body");
        std::fs::write(&path, b"\0\xff").unwrap();
        let arguments =
            |data: Option<&str>| RequestArguments { method: None, data: data.map(Into::into), headers: vec![] };
        let query = arguments(Some(&format!("@{}", path.display()))).query("/a").unwrap();
        assert_eq!((query.method, &query.body[..]), (Method::POST, &b"\0\xff"[..]));
        assert_eq!(arguments(Some("text")).query("/a").unwrap().body, "text");
        assert_eq!(arguments(None).query("/a").unwrap().method, Method::GET);
        assert!(arguments(Some("@/nonexistent")).query("/a").unwrap_err().hint().is_some());
        assert!(arguments(None).query("a").unwrap_err().hint().is_some_and(|hint| hint.contains("/a")));
    }
}

//! What a person reads when a verb cannot do its work: `error:`, the causes, `hint:`; and the exit codes.

use phala_sdk::Hint;
use std::{fmt, process::ExitCode};

/// Everything went well.
pub const SUCCESS: u8 = 0;
/// The verb could not do its work, or a receipt is not valid.
pub const FAILURE: u8 = 1;
/// The command line makes no sense.
pub const USAGE: u8 = 2;
/// The program answered with a status of 400 or more and `--fail` was given.
pub const ANSWER_FAILED: u8 = 22;

/// Why a verb ended, with what to do about it.
#[derive(Debug)]
pub struct Failure {
    error: anyhow::Error,
    hint: Option<String>,
    code: u8,
    silent: bool,
}

/// What verbs return.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure that begins here.
    pub fn new(text: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self { error: anyhow::anyhow!("{text}"), hint: Some(hint.to_string()), code: FAILURE, silent: false }
    }

    /// A command line that makes no sense.
    pub fn usage(text: impl fmt::Display, hint: impl fmt::Display) -> Self {
        Self { code: USAGE, ..Self::new(text, hint) }
    }

    /// Ends with `code` without another word: everything has been said.
    pub fn silent(code: u8) -> Self {
        Self { error: anyhow::anyhow!("exit code {code}"), hint: None, code, silent: true }
    }

    /// Something on top of the cause.
    pub fn context(self, text: impl fmt::Display) -> Self {
        Self { error: self.error.context(text.to_string()), ..self }
    }

    /// The error alone.
    pub fn message(&self) -> String {
        self.error.to_string()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The error of type `E` behind it.
    pub fn find<E: std::error::Error + Send + Sync + 'static>(&self) -> Option<&E> {
        self.error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// Its causes, outermost first, without those that repeat what was said.
    pub fn causes(&self) -> Vec<String> {
        let mut said = self.error.to_string();
        let mut causes = Vec::new();
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !said.contains(&cause) {
                said = format!("{said}\n{cause}");
                causes.push(cause);
            }
        }
        causes
    }

    /// Tells the failure: people read stderr, programs read one object on stdout.
    pub fn tell(&self, json: bool) -> ExitCode {
        if !self.silent {
            if json {
                println!("{}", self.to_json());
            }
            eprint!("{self}");
        }
        ExitCode::from(self.code)
    }

    /// `{"error", "causes", "hint"}`.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": self.message(), "causes": self.causes(), "hint": self.hint })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message())?;
        for cause in self.causes() {
            writeln!(f, "  caused by: {cause}")?;
        }
        match &self.hint {
            Some(hint) => writeln!(f, "hint: {hint}"),
            None => Ok(()),
        }
    }
}

/// The hint of the first error in the chain that has one.
fn hint_of(error: &anyhow::Error) -> Option<String> {
    fn ask<E: Hint + 'static>(error: &(dyn std::error::Error + 'static)) -> Option<String> {
        error.downcast_ref::<E>().and_then(Hint::hint)
    }
    error.chain().find_map(|error| {
        ask::<phala_sdk::AccountError>(error)
            .or_else(|| ask::<phala_sdk::CallError>(error))
            .or_else(|| ask::<phala_sdk::ChainError>(error))
            .or_else(|| ask::<phala_sdk::ClusterError>(error))
            .or_else(|| ask::<phala_sdk::CustodianError>(error))
            .or_else(|| ask::<phala_sdk::DeployError>(error))
            .or_else(|| ask::<phala_sdk::LogsError>(error))
            .or_else(|| ask::<phala_sdk::NetworkError>(error))
            .or_else(|| ask::<phala_sdk::RecoveryError>(error))
            .or_else(|| ask::<phala_sdk::ResolveError>(error))
            .or_else(|| ask::<phala_sdk::RotateError>(error))
            .or_else(|| ask::<phala_sdk::SendError>(error))
            .or_else(|| ask::<phala_sdk::SubmitError>(error))
            .or_else(|| ask::<phala_sdk::VerifyError>(error))
    })
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = anyhow::Error::from(error);
        let hint = hint_of(&error);
        Self { error, hint, code: FAILURE, silent: false }
    }
}

/// Says on the way up what was being done, and what helps.
pub trait Explain<T> {
    /// Puts `text` on top of the error.
    fn doing(self, text: impl fmt::Display) -> Outcome<T>;
    /// Adds a hint where there is none yet.
    fn help(self, hint: impl fmt::Display) -> Outcome<T>;
}

impl<T, E: Into<Failure>> Explain<T> for Result<T, E> {
    fn doing(self, text: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| error.into().context(text))
    }

    fn help(self, hint: impl fmt::Display) -> Outcome<T> {
        self.map_err(|error| {
            let failure = error.into();
            let hint = failure.hint.clone().or_else(|| Some(hint.to_string()));
            Failure { hint, ..failure }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_with_its_causes_and_its_hint() {
        let failure =
            Err::<(), _>(std::io::Error::other("disk full")).doing("writing the spec").help("make room").unwrap_err();
        assert_eq!(failure.to_string(), "error: writing the spec\n  caused by: disk full\nhint: make room\n");
        let json = failure.to_json();
        assert_eq!(json["error"], "writing the spec");
        assert_eq!(json["causes"][0], "disk full");
        assert_eq!(json["hint"], "make room");
    }

    #[test]
    fn the_hint_of_a_library_s_error_reaches_the_reader() {
        let failure = Failure::from(phala_sdk::NetworkError::Absent("/nowhere".into()));
        assert!(failure.hint().is_some_and(|hint| hint.contains("phala up")));
        let kept = Err::<(), _>(failure).help("another").unwrap_err();
        assert!(kept.hint().is_some_and(|hint| hint.contains("phala up")));
    }
}

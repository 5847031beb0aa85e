//! phala: the command line.
//!
//! One file per verb in `verbs/`; what a local network is made of in `local/`. A verb returns [`Outcome`]: it prints
//! its answer on stdout and leaves errors to `failure`, which tells them the same way everywhere.
//!
//! # Exit codes
//! 0 success · 1 the verb could not do its work, or a receipt is not valid · 2 the command line makes no sense · 22 the
//! program answered with a status of 400 or more and `--fail` was given.

mod arguments;
mod failure;
mod local;
mod output;
mod signer;
mod templates;
mod transact;
mod verbs;

use clap::{CommandFactory, Parser, Subcommand};
use failure::Outcome;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Runs private programs on confidential machines, and proves what they answered.
///
/// Five commands from nothing to an encrypted answer:
///
///   phala up --detach                     a network of your own, on this machine
///   phala new hello && cd hello           a program
///   phala build                           … as a WebAssembly component
///   phala deploy hello.wasm --name hello  … on the network
///   phala call hello /                    … answers, encrypted and verified
///
/// `phala doctor` finds out what is missing on this machine.
#[derive(Parser)]
#[command(name = "phala", version, verbatim_doc_comment, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    /// Print one JSON object on stdout instead of text for people.
    #[arg(long, global = true, display_order = 900)]
    json: bool,
    /// Directory of the network to speak to [default: ~/.phala/local]
    #[arg(long, global = true, env = "PHALA_DIR", hide_env_values = true, value_name = "D", display_order = 901)]
    dir: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Up(verbs::up::Up),
    Down(verbs::down::Down),
    Status(verbs::status::Status),
    Doctor(verbs::doctor::Doctor),
    Demo(verbs::demo::Demo),
    New(verbs::new::New),
    Build(verbs::build::Build),
    Deploy(verbs::deploy::Deploy),
    Upgrade(verbs::upgrade::Upgrade),
    Call(verbs::call::Call),
    Send(verbs::send::Send),
    Logs(verbs::logs::Logs),
    Programs(verbs::programs::Programs),
    Verify(verbs::verify::Verify),
    Worker(verbs::worker::Worker),
    Credit(verbs::credit::Credit),
    Pool(verbs::pool::Pool),
    Vault(verbs::vault::Vault),
    Stake(verbs::stake::Stake),
    Gov(verbs::gov::Gov),
    Gatekeeper(verbs::gatekeeper::Gatekeeper),
    Recovery(verbs::recovery::Recovery),
    Account(verbs::account::Account),
    Completions(verbs::completions::Completions),
}

/// What every verb gets.
pub(crate) struct Context {
    json: bool,
    dir: Option<PathBuf>,
}

impl Context {
    /// The network's directory.
    fn dir(&self) -> Outcome<PathBuf> {
        local::directory(self.dir.as_deref().filter(|dir| *dir != Path::new("")))
    }

    /// The network, followed by proof from its genesis.
    async fn connect(&self) -> Outcome<phala_sdk::Client> {
        Ok(phala_sdk::Client::connect(&self.dir()?).await?)
    }
}

/// Parses the command line, runs its verb and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is an error that clap words, with usage.
            let _ = error.print();
            if error.use_stderr() {
                output::note("hint: `phala --help` lists the verbs, `phala VERB --help` shows what one takes");
            }
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { failure::SUCCESS });
        }
    };
    let context = Context { json: cli.json, dir: cli.dir };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::from(error).tell(context.json),
    };
    match runtime.block_on(run(cli.verb, &context)) {
        Ok(()) => ExitCode::from(failure::SUCCESS),
        Err(failure) => failure.tell(context.json),
    }
}

async fn run(verb: Verb, context: &Context) -> Outcome {
    match verb {
        Verb::Up(verb) => verb.run(context).await,
        Verb::Down(verb) => verb.run(context),
        Verb::Status(verb) => verb.run(context).await,
        Verb::Doctor(verb) => verb.run(context).await,
        Verb::Demo(verb) => verb.run(context).await,
        Verb::New(verb) => verb.run(context),
        Verb::Build(verb) => verb.run(context),
        Verb::Deploy(verb) => verb.run(context).await,
        Verb::Upgrade(verb) => verb.run(context).await,
        Verb::Call(verb) => verb.run(context).await,
        Verb::Send(verb) => verb.run(context).await,
        Verb::Logs(verb) => verb.run(context).await,
        Verb::Programs(verb) => verb.run(context).await,
        Verb::Verify(verb) => verb.run(context),
        Verb::Worker(verb) => verb.run(context).await,
        Verb::Credit(verb) => verb.run(context).await,
        Verb::Pool(verb) => verb.run(context).await,
        Verb::Vault(verb) => verb.run(context).await,
        Verb::Stake(verb) => verb.run(context).await,
        Verb::Gov(verb) => verb.run(context).await,
        Verb::Gatekeeper(verb) => verb.run(context).await,
        Verb::Recovery(verb) => verb.run(context).await,
        Verb::Account(verb) => verb.run(context).await,
        Verb::Completions(verb) => verb.run(&mut Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_takes_json_and_a_directory() {
        for verb in Cli::command().get_subcommands().map(|verb| verb.get_name().to_owned()) {
            let arguments: &[&str] = match verb.as_str() {
                "new" => &["hello"],
                "deploy" => &["hello.wasm"],
                "upgrade" => &["hello", "hello.wasm", "--keep-state"],
                "call" | "send" => &["hello", "/"],
                "logs" => &["hello"],
                "credit" => &["show", "hello"],
                "verify" => &["receipt.json"],
                "account" => &["list"],
                "recovery" => &["status"],
                "stake" => &["validators"],
                "gov" => &["referenda"],
                "completions" => &["bash"],
                _ => &[],
            };
            let line = ["phala", &verb].into_iter().chain(arguments.iter().copied()).chain(["--json", "--dir", "/d"]);
            let cli = Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{verb}: {error}"));
            assert!(cli.json && cli.dir.as_deref() == Some(Path::new("/d")), "{verb}");
        }
    }

    #[test]
    fn every_verb_and_argument_says_what_it_is() {
        for verb in Cli::command().get_subcommands() {
            assert!(verb.get_about().is_some(), "{}", verb.get_name());
            for argument in verb.get_arguments().filter(|argument| !argument.is_hide_set()) {
                assert!(argument.get_help().is_some(), "{} {}", verb.get_name(), argument.get_id());
            }
        }
    }

    /// The verbs below `command` that do something, by what one types.
    fn leaves(command: &clap::Command, typed: &str, found: &mut Vec<(String, clap::Command)>) {
        if !command.has_subcommands() {
            found.push((typed.into(), command.clone()));
        }
        for verb in command.get_subcommands() {
            leaves(verb, &format!("{typed} {}", verb.get_name()), found);
        }
    }

    #[test]
    fn who_has_to_say_more_than_the_verb_is_shown_an_example_that_is_understood() {
        let mut found = Vec::new();
        for verb in Cli::command().get_subcommands() {
            if ["account", "pool", "vault", "stake", "gov"].contains(&verb.get_name()) {
                leaves(verb, &format!("phala {}", verb.get_name()), &mut found);
            }
        }
        assert!(found.len() > 50, "{}", found.len());
        for (typed, verb) in found {
            let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
            let example = about.split_once("For example: ").map(|(_, example)| example.to_owned());
            let asks = verb.get_arguments().any(|argument| argument.is_required_set());
            assert!(example.is_some() || !asks, "{typed} asks for something and shows no example");
            // What stands for something long is not typed so.
            let Some(example) = example.filter(|example| !example.contains('…')) else { continue };
            let mut words = Vec::new();
            for (place, part) in example.split('"').enumerate() {
                match place % 2 {
                    0 => words.extend(part.split_whitespace().map(str::to_owned)),
                    _ => words.push(part.to_owned()),
                }
            }
            assert!(example.starts_with("phala "), "{typed}: {example}");
            assert!(
                Cli::try_parse_from(&words).is_ok(),
                "{typed}: {example}: {:?}",
                Cli::try_parse_from(&words).err().map(|error| error.to_string())
            );
        }
    }
}

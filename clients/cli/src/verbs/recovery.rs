//! `phala recovery`: custodians, backups, and the ceremony for the day on which too many gatekeepers are lost.

use crate::{
    Context,
    failure::{self, Explain, Failure, Outcome},
    output,
    signer::SignerArguments,
};
use phala_messages::{CustodianKey, WorkerId, custody::RootGeneration, recovery::Custodian};
use phala_sdk::{Client, CustodianFile, CustodianKeys, RecoveryState};
use serde_json::{Value, json};
use std::{
    io::{BufRead, IsTerminal},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use zeroize::Zeroizing;

/// The longest passphrase that is read.
const PASSPHRASE_BYTES_MAX: u64 = 4 * 1024;

/// Keep, check and use the custodians' backups of key shares, for when too many gatekeepers are lost
#[derive(clap::Args)]
pub struct Recovery {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make or show a custodian's file
    Custodian {
        #[command(subcommand)]
        action: FileAction,
    },
    /// Appoint custodians, as the network's administrator: each epoch's key shares are backed up for them from then on
    Appoint {
        /// How many of them are needed: a majority, two at least
        #[arg(long)]
        threshold: u32,
        /// Custodians' files, or their public keys as SEALING:SIGNING
        #[arg(required = true)]
        custodians: Vec<String>,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Show custodians, backups, and the ceremony that stands
    Status {
        #[command(flatten)]
        root: RootArgument,
    },
    /// Check that every key share of the current epoch is backed up; with a custodian's file, that its own pieces open and fit
    Check {
        #[command(flatten)]
        root: RootArgument,
        /// The custodian's file: nothing secret leaves it
        #[arg(long, value_name = "FILE")]
        custodian: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgument,
    },
    /// Announce a ceremony for a root that is lost: as the administrator, or as one of the custodians that are needed
    Announce {
        #[command(flatten)]
        root: RootArgument,
        /// Call for it as this custodian instead
        #[arg(long, value_name = "FILE")]
        custodian: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseArgument,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Give a ceremony up, as the administrator
    Cancel {
        #[command(flatten)]
        root: RootArgument,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Say which fresh gatekeeper is to take a lost seat, as the administrator
    Bind {
        /// The seat: its number in `phala recovery status`
        seat: u32,
        /// The gatekeeper's id
        gatekeeper: WorkerId,
        #[command(flatten)]
        root: RootArgument,
        #[command(flatten)]
        signer: SignerArguments,
    },
    /// Hand a custodian's pieces to the gatekeepers that the finalised chain has bound to seats
    Release {
        /// The custodian's file
        #[arg(long, value_name = "FILE")]
        custodian: PathBuf,
        #[command(flatten)]
        root: RootArgument,
        #[command(flatten)]
        passphrase: PassphraseArgument,
    },
}

#[derive(clap::Subcommand)]
enum FileAction {
    /// Make a custodian: a secret in a file, sealed under a passphrase
    New {
        /// Where to write it
        file: PathBuf,
        #[command(flatten)]
        passphrase: PassphraseArgument,
    },
    /// Show a custodian's public keys
    Show {
        /// The custodian's file
        file: PathBuf,
    },
}

/// `--root`.
#[derive(clap::Args)]
struct RootArgument {
    /// The root, by its number [default: the one that takes programs]
    #[arg(long, value_name = "N")]
    root: Option<u32>,
}

impl RootArgument {
    fn generation(&self) -> Option<RootGeneration> {
        self.root.map(RootGeneration)
    }

    /// The root that is meant, as the chain has it now.
    async fn find(&self, client: &Client) -> Outcome<RootGeneration> {
        Ok(client.recovery(self.generation()).await?.epoch.root)
    }
}

/// `--passphrase-file`: a passphrase never stands on a command line.
#[derive(clap::Args)]
struct PassphraseArgument {
    /// Read the passphrase from the first line of a file; `-` is standard input [default: ask]
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgument {
    fn read(&self, twice: bool) -> Outcome<Zeroizing<Vec<u8>>> {
        let hint = "give it on the terminal, or with --passphrase-file FILE";
        match &self.passphrase_file {
            Some(path) if path == Path::new("-") => first_line(std::io::stdin().lock()).help(hint),
            Some(path) => {
                let file = std::fs::File::open(path).doing(format!("opening {}", path.display()))?;
                first_line(std::io::BufReader::new(file)).help(hint)
            }
            None if std::io::stdin().is_terminal() => {
                let first = ask("passphrase: ")?;
                if twice && ask("once more:  ")? != first {
                    return Err(Failure::new("the two are not the same", "try again"));
                }
                Ok(first)
            }
            None => Err(Failure::usage("there is no terminal to ask for a passphrase", hint)),
        }
    }
}

fn first_line(from: impl BufRead) -> Outcome<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(String::new());
    from.take(PASSPHRASE_BYTES_MAX + 1).read_line(&mut line).doing("reading the passphrase")?;
    if line.len() as u64 > PASSPHRASE_BYTES_MAX {
        return Err(Failure::new("the passphrase is longer than 4 KiB", "take a shorter one"));
    }
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec()))
}

/// Asks on the terminal, without showing what is typed.
fn ask(prompt: &str) -> Outcome<Zeroizing<Vec<u8>>> {
    let echo = |mode: &str| Command::new("stty").arg(mode).stdin(Stdio::inherit()).status();
    eprint!("{prompt}");
    let hidden = echo("-echo").is_ok_and(|status| status.success());
    if !hidden {
        return Err(Failure::new("the terminal cannot hide what is typed", "use --passphrase-file FILE"));
    }
    let line = first_line(std::io::stdin().lock());
    let _ = echo("echo");
    eprintln!();
    line
}

fn open(path: &Path, passphrase: &PassphraseArgument) -> Outcome<CustodianKeys> {
    let file = CustodianFile::read(path)?;
    Ok(file.open(path, &passphrase.read(false)?)?)
}

impl Recovery {
    /// Does what is asked.
    pub async fn run(self, context: &Context) -> Outcome {
        match self.action {
            Action::Custodian { action: FileAction::New { file, passphrase } } => new(context, &file, &passphrase),
            Action::Custodian { action: FileAction::Show { file } } => show(context, &file),
            Action::Appoint { threshold, custodians, signer } => {
                appoint(context, threshold, &custodians, &signer).await
            }
            Action::Status { root } => status(context, &root).await,
            Action::Check { root, custodian, passphrase } => {
                check(context, &root, custodian.as_deref(), &passphrase).await
            }
            Action::Announce { root, custodian, passphrase, signer } => {
                announce(context, &root, custodian.as_deref(), &passphrase, &signer).await
            }
            Action::Cancel { root, signer } => {
                let client = context.connect().await?;
                let key = signer.key(client.network())?;
                let root = root.find(&client).await?;
                client.cancel_recovery(&key, root).await?;
                told(context, json!({ "root": root.0, "cancelled": true }), "the ceremony is given up")
            }
            Action::Bind { seat, gatekeeper, root, signer } => {
                let client = context.connect().await?;
                let key = signer.key(client.network())?;
                let root = root.find(&client).await?;
                client.bind_seat(&key, root, seat, gatekeeper).await?;
                let object = json!({ "root": root.0, "seat": seat, "gatekeeper": gatekeeper });
                told(context, object, &format!("seat {seat} is bound; custodians can now `phala recovery release`"))
            }
            Action::Release { custodian, root, passphrase } => release(context, &root, &custodian, &passphrase).await,
        }
    }
}

fn told(context: &Context, object: Value, line: &str) -> Outcome {
    if context.json {
        output::object(&object);
    } else {
        output::line(line);
    }
    Ok(())
}

fn new(context: &Context, path: &Path, passphrase: &PassphraseArgument) -> Outcome {
    let file = CustodianFile::create(path, &passphrase.read(true)?)?;
    if context.json {
        output::object(&json!({ "file": path, "sealing": file.sealing, "signing": file.signing }));
        return Ok(());
    }
    print_keys(&file);
    output::line(format!(
        "file     {}\n\nkeep the file and the passphrase apart, and a copy of each: nobody can make them again. \
         Give the two public keys to whoever appoints custodians.",
        path.display()
    ));
    Ok(())
}

fn show(context: &Context, path: &Path) -> Outcome {
    let file = CustodianFile::read(path)?;
    if context.json {
        output::object(&json!({ "file": path, "sealing": file.sealing, "signing": file.signing }));
    } else {
        print_keys(&file);
    }
    Ok(())
}

fn print_keys(file: &CustodianFile) {
    output::line(format!("sealing  {}\nsigning  {}", file.sealing, file.signing));
}

/// A custodian's public keys, from its file or as they are.
fn custodian(text: &str) -> Outcome<Custodian> {
    let key = |text: &str| {
        text.parse::<CustodianKey>()
            .map_err(|_| Failure::usage(format!("`{text}` is no public key"), "a key is 0x and 64 hexadecimal digits"))
    };
    match text.split_once(':') {
        Some((sealing, signing)) => Ok(Custodian { sealing: key(sealing)?, signing: key(signing)? }),
        None => Ok(CustodianFile::read(Path::new(text))?.custodian()),
    }
}

async fn appoint(context: &Context, threshold: u32, custodians: &[String], signer: &SignerArguments) -> Outcome {
    let custodians = custodians.iter().map(|text| custodian(text)).collect::<Outcome<Vec<_>>>()?;
    let count = custodians.len();
    let client = context.connect().await?;
    let key = signer.key(client.network())?;
    let set = client.appoint_custodians(&key, threshold, custodians).await?;
    let line = format!(
        "{count} custodians are appointed, {threshold} of them are needed. Gatekeepers make backups for them within a few \
         blocks; `phala recovery check` shows it"
    );
    told(context, json!({ "set": set.number, "custodians": set.custodians.as_slice(), "threshold": threshold }), &line)
}

async fn status(context: &Context, root: &RootArgument) -> Outcome {
    let client = context.connect().await?;
    let state = client.recovery(root.generation()).await?;
    let now = client.head().await?.time.0;
    let checks = state.check(&client.genesis(), None);
    let backed = checks.iter().filter(|check| check.is_good()).count();
    if context.json {
        output::object(&to_json(&state, backed, now));
        return Ok(());
    }
    match &state.custodians {
        Some(set) => output::line(format!(
            "custodians  {}, {} of them are needed (set {})",
            set.custodians.len(),
            set.threshold,
            set.number.0
        )),
        None => output::line("custodians  none: `phala recovery appoint` appoints them"),
    }
    output::line(format!("root        {}, epoch {}", state.epoch.root.0, state.epoch.epoch.0));
    let output_kept = if state.output_is_kept() { "kept" } else { "missing" };
    output::line(format!("backups     {backed} of {} seats; what the epoch came to is {output_kept}", checks.len()));
    output::line(format!(
        "members     {} of {} admitted, {} are needed; key handed on {} blocks ago",
        state.admitted(now),
        state.seats.len(),
        state.epoch.threshold,
        state.height.saturating_sub(state.epoch.since.0)
    ));
    if let Some(outcome) = &state.outcome {
        let mark = if outcome.recovered { "; this root was recovered: rotate it" } else { "" };
        output::line(format!(
            "last        {} ended in block {}: {:?}{mark}",
            outcome.number, outcome.block.0, outcome.ending
        ));
    }
    if let Some(ceremony) = &state.ceremony {
        let phase = match ceremony.opens.0.checked_sub(state.height) {
            None | Some(0) => format!("open until block {}", ceremony.lapses.0),
            Some(blocks) => format!("announced; the delay ends in {blocks} blocks, in block {}", ceremony.opens.0),
        };
        output::line(format!("ceremony    {} ({:?}): {phase}", ceremony.number.0, ceremony.ground));
    }
    let rows = state.seats.iter().zip(&checks).map(|(seat, check)| {
        let binding = state.ceremony.iter().flat_map(|it| it.seats.iter()).find(|it| it.place == seat.place);
        let taker = binding.map_or(String::new(), |it| {
            format!("{}…{}", &it.gatekeeper.to_string()[..14], if it.taken { " (taken)" } else { "" })
        });
        let admitted = seat.record.as_ref().is_some_and(|record| record.expires_at.0 > now);
        [
            seat.place.to_string(),
            seat.gatekeeper.to_string()[..14].to_owned() + "…",
            if admitted { "yes" } else { "no" }.into(),
            if check.is_good() { "yes" } else { "no" }.into(),
            taker,
        ]
    });
    output::line(format!("\n{}", output::table(["SEAT", "GATEKEEPER", "ADMITTED", "BACKED UP", "BOUND TO"], rows)));
    Ok(())
}

fn to_json(state: &RecoveryState, backed: usize, now: u64) -> Value {
    json!({
        "root": state.epoch.root.0,
        "epoch": state.epoch.epoch.0,
        "height": state.height,
        "threshold": state.epoch.threshold,
        "admitted": state.admitted(now),
        "seats": state.seats.iter().map(|seat| json!({
            "seat": seat.place,
            "gatekeeper": seat.gatekeeper,
            "admitted": seat.record.as_ref().is_some_and(|record| record.expires_at.0 > now),
            "backup_epoch": seat.backup.as_ref().map(|backup| backup.epoch.0),
        })).collect::<Vec<_>>(),
        "backed_up": backed,
        "output_kept": state.output_is_kept(),
        "custodians": state.custodians.as_ref().map(|set| json!({
            "set": set.number, "threshold": set.threshold, "custodians": set.custodians.as_slice(),
        })),
        "ceremony": state.ceremony.as_ref().map(|ceremony| json!({
            "number": ceremony.number,
            "ground": ceremony.ground,
            "announced_height": ceremony.announced.0,
            "opens_height": ceremony.opens.0,
            "lapses_height": ceremony.lapses.0,
            "open": ceremony.is_open(phala_units::BlockNumber(state.height)),
            "bound": ceremony.seats.as_slice(),
        })),
        "last": state.outcome,
        "delay_blocks": state.parameters.delay_blocks,
        "silence_blocks": state.parameters.silence_blocks,
    })
}

async fn check(
    context: &Context,
    root: &RootArgument,
    custodian: Option<&Path>,
    passphrase: &PassphraseArgument,
) -> Outcome {
    let keys = custodian.map(|path| open(path, passphrase)).transpose()?;
    let client = context.connect().await?;
    let state = client.recovery(root.generation()).await?;
    let own = match &keys {
        Some(keys) => Some((keys, client.custodian_place(&state, keys)?)),
        None => None,
    };
    let checks = state.check(&client.genesis(), own);
    let good = checks.iter().all(|check| check.is_good()) && state.output_is_kept() && state.custodians.is_some();
    if context.json {
        let seats = checks.iter().map(
            |check| json!({ "seat": check.place, "backed_up": check.fresh, "fits": check.fits, "piece": check.piece }),
        );
        output::object(&json!({
            "good": good,
            "root": state.epoch.root.0,
            "epoch": state.epoch.epoch.0,
            "output_kept": state.output_is_kept(),
            "seats": seats.collect::<Vec<_>>(),
        }));
    } else {
        let word = |good: bool| if good { "yes" } else { "NO" }.to_owned();
        let rows = checks.iter().map(|check| {
            let piece = check.piece.map_or_else(|| "not looked at".into(), word);
            [check.place.to_string(), word(check.fresh), word(check.fits), piece]
        });
        output::line(output::table(["SEAT", "BACKED UP", "FITS ITS KEY SHARE", "OWN PIECE FITS"], rows));
        output::line(format!("\nwhat epoch {} came to is kept: {}", state.epoch.epoch.0, word(state.output_is_kept())));
    }
    if good {
        return Ok(());
    }
    // Programs have their object already.
    if context.json {
        return Err(Failure::silent(failure::FAILURE));
    }
    Err(Failure::new(
        "not every key share of the current epoch is backed up as it should be",
        "backups follow each epoch and each appointment within a few blocks; if one stays away, look at its gatekeeper's log",
    ))
}

async fn announce(
    context: &Context,
    root: &RootArgument,
    custodian: Option<&Path>,
    passphrase: &PassphraseArgument,
    signer: &SignerArguments,
) -> Outcome {
    let keys = custodian.map(|path| open(path, passphrase)).transpose()?;
    let client = context.connect().await?;
    let root = root.find(&client).await?;
    if let Some(keys) = keys {
        let announced = client.call_for_recovery(&keys, root).await?;
        let line = if announced { "the ceremony is announced" } else { "the call is counted; others are needed" };
        return told(context, json!({ "root": root.0, "announced": announced }), line);
    }
    let key = signer.key(client.network())?;
    let state = client.announce_recovery(&key, root).await?;
    let opens = state.ceremony.map_or(0, |ceremony| ceremony.opens.0);
    let line = format!(
        "a ceremony is announced. Until block {opens}, {} blocks from now, gatekeepers that return can stop it",
        opens.saturating_sub(state.height)
    );
    told(context, json!({ "root": root.0, "announced": true, "opens_height": opens }), &line)
}

async fn release(context: &Context, root: &RootArgument, custodian: &Path, passphrase: &PassphraseArgument) -> Outcome {
    let keys = open(custodian, passphrase)?;
    let client = context.connect().await?;
    let root = root.find(&client).await?;
    let released = client.release_pieces(&keys, root).await?;
    let all = released.iter().all(|(.., told)| told.is_ok());
    if context.json {
        let seats = released.iter().map(|(seat, gatekeeper, told)| match told {
            Ok(progress) => json!({
                "seat": seat, "gatekeeper": gatekeeper, "pieces": progress.pieces, "required": progress.required,
            }),
            Err(reason) => json!({ "seat": seat, "gatekeeper": gatekeeper, "refused": reason }),
        });
        output::object(&json!({ "root": root.0, "released": all, "seats": seats.collect::<Vec<_>>() }));
    } else {
        let rows = released.iter().map(|(seat, gatekeeper, told)| {
            let text = match told {
                Ok(progress) => format!("has {} of {} pieces", progress.pieces, progress.required),
                Err(reason) => reason.clone(),
            };
            [seat.to_string(), gatekeeper.to_string()[..14].to_owned() + "…", text]
        });
        output::line(output::table(["SEAT", "GATEKEEPER", "ANSWER"], rows));
    }
    if all {
        return Ok(());
    }
    if context.json {
        return Err(Failure::silent(failure::FAILURE));
    }
    Err(Failure::new("not every machine took its piece", "`phala recovery release` can be said again at any time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_a_line_of_at_most_so_many_bytes() {
        assert_eq!(*first_line(&b"correct horse\r\nbattery"[..]).unwrap(), b"correct horse");
        assert_eq!(*first_line(&b"no end"[..]).unwrap(), b"no end");
        let longest = vec![b'a'; PASSPHRASE_BYTES_MAX as usize];
        assert_eq!(*first_line(longest.as_slice()).unwrap(), longest);
        let longer = vec![b'a'; PASSPHRASE_BYTES_MAX as usize + 1];
        assert!(first_line(longer.as_slice()).unwrap_err().hint().is_some());
    }

    #[test]
    fn a_custodian_is_its_keys_or_its_file() {
        let key = |n: u8| format!("0x{}", hex::encode([n; 32]));
        let named = custodian(&format!("{}:{}", key(1), key(2))).unwrap();
        assert_eq!((named.sealing, named.signing), (CustodianKey([1; 32]), CustodianKey([2; 32])));
        assert!(custodian("0x12:0x34").unwrap_err().message().contains("no public key"));
        assert!(custodian("/nowhere/custodian.json").is_err());
    }
}

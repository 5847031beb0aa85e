//! `phala deploy`: a component becomes a program that answers.

use crate::{
    Context,
    arguments::{duration, setting, size},
    failure::{Explain, Failure, Outcome},
    output::{self, Progress, Report},
    signer::SignerArguments,
};
use phala_messages::{
    ClusterId, Manifest, ProgramLimits, address::outbound_host_is_well_formed, program::OutboundHost,
};
use phala_sdk::{Client, Deployed, Deployment, Step};
use serde_json::json;
use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Deploy a component: from then on it answers `phala call` and `phala send`
///
/// Puts the code's hash on chain, brings the code to the cluster's worker and waits until the chain calls the
/// program live. The manifest (limits, allowed hosts) is public; settings travel and rest encrypted.
#[derive(clap::Args)]
pub struct Deploy {
    /// The component, as `phala build` makes it
    file: PathBuf,
    /// What to call it [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Which cluster runs it [default: the network's]
    #[arg(long, value_name = "N")]
    cluster: Option<u32>,
    /// A setting for the program (wasi:config), sent sealed; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// A host that its queries may fetch from, as host, host:port or *.host; may be given several times
    #[arg(long = "allow-host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Memory of one instance
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = size)]
    memory: u32,
    /// Time that a query may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    /// Fuel that a command may burn, about one per instruction [default: 2000000000]
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,
    /// Fetches that one query may make [default: 16]
    #[arg(long, value_name = "N")]
    outbound_requests: Option<u32>,
    /// Queries that one instance serves; 1 gives each caller a fresh one
    #[arg(long, value_name = "N", default_value_t = 1)]
    reuse: u16,
    /// Make floating-point NaNs equal across processors (slower)
    #[arg(long)]
    canonical_nans: bool,
    /// How long the program may take to become live
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    wait: Duration,
    #[command(flatten)]
    signer: SignerArguments,
}

impl Deploy {
    /// Deploys.
    pub async fn run(self, context: &Context) -> Outcome {
        let component = std::fs::read(&self.file)
            .doing(format!("reading {}", self.file.display()))
            .help("`phala build` makes a component and prints where it is")?;
        let manifest = self.manifest()?;
        let client = context.connect().await?;
        let key = self.signer.key(client.network())?;
        let deployment = Deployment {
            component: component.into(),
            name: self.name()?,
            cluster: ClusterId(self.cluster.or(client.network().cluster).unwrap_or_default()),
            manifest,
            settings: self.settings.into_iter().collect(),
            timeout: self.wait,
        };
        let deployed = deploy(&client, &key, &deployment).await?;
        if context.json {
            output::object(&to_json(&deployed));
        } else {
            output::line(format!("program   {}", deployed.program));
            output::line(format!("name      {}", deployment.name));
            output::line(format!("code hash {}", deployed.code));
            output::line(format!("live after {} on {}", output::seconds(deployed.took), deployed.workers.join(", ")));
        }
        Ok(())
    }

    fn name(&self) -> Outcome<String> {
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.name.clone().or(stem).ok_or_else(|| Failure::usage("the program needs a name", "--name NAME"))
    }

    fn manifest(&self) -> Outcome<Manifest> {
        let usual = ProgramLimits::default();
        let limits = ProgramLimits {
            memory_bytes_max: self.memory,
            query_ms_max: u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX),
            command_fuel_max: self.fuel.unwrap_or(usual.command_fuel_max),
            outbound_requests_max: self.outbound_requests.unwrap_or(usual.outbound_requests_max),
        };
        limits.check().map_err(|error| Failure::usage(error, "choose a smaller value"))?;
        let mut hosts = Vec::new();
        for host in &self.hosts {
            let host = host.to_ascii_lowercase();
            if !outbound_host_is_well_formed(host.as_bytes()) {
                let hint = "write a name or IPv4 address, perhaps with a port: api.example.com:8443, *.example.com";
                return Err(Failure::usage(format!("`{host}` is not a host"), hint));
            }
            let too_long = |_| Failure::usage(format!("`{host}` is too long"), "a host has at most 128 bytes");
            hosts.push(OutboundHost::try_from(host.clone().into_bytes()).map_err(too_long)?);
        }
        let count = hosts.len();
        let too_many = |_| Failure::usage(format!("{count} hosts are too many"), "at most 32 can be allowed");
        let outbound_hosts = hosts.try_into().map_err(too_many)?;
        Ok(Manifest { limits, outbound_hosts, reuse: self.reuse, canonical_nans: self.canonical_nans })
    }
}

/// Deploys and shows how far it is.
pub async fn deploy(client: &Client, key: &phala_sdk::KeyPair, deployment: &Deployment) -> Outcome<Deployed> {
    let progress = Arc::new(Progress::new());
    let told = progress.clone();
    let last = Mutex::new(None);
    let deployed = client.deploy(key, deployment, move |step| {
        let text = match &step {
            Step::Ordering => "waiting for the chain to finalise the deployment".to_owned(),
            Step::Uploading { endpoint, .. } => format!("uploading the code to {endpoint}"),
            Step::Preparing(_) => "waiting until the worker has compiled it and the chain calls it live".into(),
            Step::Settings => "sending the settings, sealed".into(),
        };
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.as_ref() != Some(&text) {
            told.step(&text);
            *last = Some(text);
        }
        if let Step::Uploading { done, total, .. } = step {
            told.bytes(done, total);
        }
    });
    let deployed = deployed.await;
    progress.done();
    Ok(deployed?)
}

fn to_json(deployed: &Deployed) -> serde_json::Value {
    json!({
        "program": deployed.program,
        "code_hash": deployed.code,
        "workers": deployed.workers,
        "ready_ms": deployed.took.as_millis() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        deploy: Deploy,
    }

    fn parse(arguments: &[&str]) -> Deploy {
        let line = ["deploy", "target/hello.wasm"].iter().chain(arguments);
        Line::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).deploy
    }

    #[test]
    fn without_arguments_the_manifest_is_the_network_s_default() {
        let deploy = parse(&[]);
        assert_eq!(deploy.manifest().unwrap(), Manifest { reuse: 1, ..Manifest::default() });
        assert_eq!(deploy.name().unwrap(), "hello");
    }

    #[test]
    fn what_is_asked_for_stands_in_the_manifest() {
        let deploy = parse(&[
            "--memory",
            "256MiB",
            "--timeout",
            "30s",
            "--fuel",
            "5",
            "--outbound-requests",
            "3",
            "--allow-host",
            "API.example.com:8443",
            "--reuse",
            "7",
            "--canonical-nans",
            "--set",
            "a=b=c",
            "--name",
            "other",
        ]);
        let manifest = deploy.manifest().unwrap();
        assert_eq!((manifest.limits.memory_bytes_max, manifest.limits.query_ms_max), (256 << 20, 30_000));
        assert_eq!((manifest.limits.command_fuel_max, manifest.limits.outbound_requests_max), (5, 3));
        assert_eq!(&manifest.outbound_hosts[0][..], b"api.example.com:8443");
        assert!(manifest.canonical_nans && manifest.reuse == 7);
        assert_eq!(deploy.settings, [("a".to_string(), "b=c".to_string())]);
        assert_eq!(deploy.name().unwrap(), "other");
    }

    #[test]
    fn what_the_network_would_refuse_is_refused_before_anything_is_sent() {
        for arguments in [
            &["--memory", "2GiB"][..],
            &["--timeout", "10m"],
            &["--fuel", "0"],
            &["--allow-host", "https://example.com"],
            &["--outbound-requests", "257"],
        ] {
            assert!(parse(arguments).manifest().unwrap_err().hint().is_some(), "{arguments:?}");
        }
        let hosts: Vec<_> = (0..33).flat_map(|n| ["--allow-host".to_string(), format!("h{n}")]).collect();
        assert!(parse(&hosts.iter().map(String::as_str).collect::<Vec<_>>()).manifest().is_err());
    }
}

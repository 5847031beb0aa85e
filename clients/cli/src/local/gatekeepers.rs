//! Gatekeepers of a local network: started, bonded for, approved; then they make the master key among themselves.
//!
//! On a development network everybody is the same person, so the bonds and approvals that validators and
//! governance give elsewhere are given here by the well-known accounts.

use super::{
    binaries::Binaries,
    processes,
    start::{ADMINISTRATOR, ADMISSION_TIMEOUT, ANSWER_TIMEOUT, Running, local_http},
};
use crate::{failure::Outcome, output::Report};
use phala_messages::{Account, InstanceKey, ParticipantKey, WorkerId};
use phala_sdk::{Client, Consent, KeyPair, Network};
use serde::Deserialize;

/// The accounts that bond for gatekeepers, in order: those of the validators first.
pub const OPERATORS: [&str; 6] = ["//Alice", "//Bob", "//Charlie", "//Dave", "//Eve", "//Ferdie"];

/// The role of the machine under the gatekeeper `n`.
pub fn machine(n: usize) -> String {
    format!("machine-of-gatekeeper-{n}")
}

/// Who a gatekeeper says it is.
#[derive(Deserialize)]
struct Info {
    gatekeeper: WorkerId,
    instance: InstanceKey,
    consent: Signed,
}

/// Its consent that its operator bonds for it.
#[derive(Deserialize)]
struct Signed {
    account: Account,
    participant: ParticipantKey,
    signature: String,
}

impl Signed {
    fn consent(&self, gatekeeper: WorkerId) -> Option<Consent> {
        let bytes = hex::decode(self.signature.trim_start_matches("0x")).ok()?;
        Some(Consent { gatekeeper, participant: self.participant, signature: bytes.try_into().ok()? })
    }
}

/// Gatekeepers that are to hold a key share, by their processes.
pub struct Approved(Vec<(WorkerId, InstanceKey)>);

impl Running {
    pub(super) fn start_gatekeeper(&mut self, binaries: &Binaries, network: &Network, n: usize) -> Outcome {
        let role = format!("gatekeeper-{n}");
        let url = network.gatekeepers.get(n - 1).cloned().unwrap_or_default();
        let operator = KeyPair::parse(OPERATORS[n - 1])?;
        let mut command = processes::command(&self.layout, &role, &binaries.gatekeeper)?;
        command
            .arg("--data")
            .arg(self.layout.dir.join(&role))
            .args(["--listen", url.trim_start_matches("http://")])
            .args(["--endpoint", &url])
            .args(["--rpc", &phala_sdk::network::http_url(&network.rpc)])
            .args(["--genesis", &network.genesis.to_string()])
            .args(["--account", &operator.account().to_string()])
            .arg("--tee-socket")
            .arg(self.layout.socket(&machine(n)));
        self.spawn(&role, command)
    }

    /// Bonds for gatekeepers and approves them, as far as that has not been done.
    pub(super) async fn admit_gatekeepers(
        &mut self,
        client: &Client,
        network: &Network,
        report: &dyn Report,
    ) -> Outcome<Approved> {
        let http = local_http();
        let administrator = KeyPair::parse(ADMINISTRATOR)?;
        let mut approved = Approved(Vec::new());
        let mut candidates = Vec::new();
        for (n, url) in network.gatekeepers.iter().enumerate() {
            let ask = async || http.get(format!("{url}/v1/info")).send().await.ok()?.json::<Info>().await.ok();
            let info = self.until("starting the gatekeeper", ANSWER_TIMEOUT, ask).await?;
            approved.0.push((info.gatekeeper, info.instance));
            let operator = KeyPair::parse(OPERATORS[n])?;
            let known = client.candidate(&info.consent.account).await?;
            let consent = info.consent.consent(info.gatekeeper);
            if let (None, Some(consent)) = (known, consent) {
                candidates.push((operator, consent));
            }
        }
        if !candidates.is_empty() {
            report.step("bonding for the gatekeepers and approving them");
            client.submit_gatekeepers(&administrator, &candidates).await?;
        }
        Ok(approved)
    }

    /// Waits until the gatekeepers are admitted and programs can have keys.
    pub(super) async fn await_root(&mut self, client: &Client, approved: &Approved, report: &dyn Report) -> Outcome {
        if approved.0.is_empty() {
            return Ok(());
        }
        report.step("waiting for the gatekeepers to register");
        for (gatekeeper, instance) in &approved.0 {
            let registered = |record: &phala_messages::WorkerRecord| record.registration.instance == *instance;
            client.await_worker(*gatekeeper, ADMISSION_TIMEOUT, registered).await?;
        }
        report.step("waiting for the gatekeepers to make the master key");
        client.await_root(ADMISSION_TIMEOUT).await?;
        Ok(())
    }
}

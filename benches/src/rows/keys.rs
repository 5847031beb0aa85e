//! Master keys made and handed on, and a program's key released: all parties in one process and one after the other, on one core.
//!
//! # What is measured
//! - *a gatekeeper's part of a round*: the whole round's time over the number of gatekeepers, for each deals, receives, checks all
//!   logs and computes its key share.
//! - *end to end*: the whole round's time, all gatekeepers in turn on one core. Latency between machines and the chain's blocks
//!   come on top; machines work side by side, which takes most of it off again.
//! - *a key share's part of a key*: what a gatekeeper computes for one query.
//! - *released, all in turn*: the worker signs a query for each gatekeeper of a threshold, each verifies it, computes its part
//!   and seals it; the worker opens all and combines. In a network the gatekeepers work side by side, so this is more than the
//!   critical path; proofs from the chain and round trips are not in it.

use super::Times;
use crate::{
    Effort,
    table::{Figure, Goal, Row},
};
use anyhow::{Context, anyhow, ensure};
use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
use phala_crypto::{
    Secret, SigningKey,
    hpke::{self, KeyPair},
    verify_ed25519,
};
use phala_messages::{
    CodeEpoch, GenesisHash, InstanceKey, ProgramId, WorkerId,
    custody::RootGeneration,
    release::{KeyQuery, seal_info},
};
use phala_threshold::{
    Dealer, Identity, KeyIdentity, KeyShare, Output, PartialKey, ParticipantKey, Player, RoundTerms, Signer, combine,
    evaluate,
};
use phala_units::BlockNumber;
use std::{
    collections::BTreeMap,
    hint::black_box,
    time::{Duration, Instant},
};

/// Numbers of gatekeepers; goals are set for the second.
const SIZES: [u8; 4] = [4, 7, 16, 31];
const NETWORK: [u8; 32] = [1; 32];

type Shares = BTreeMap<ParticipantKey, KeyShare>;

fn signer(machine: u8) -> Signer {
    Signer::new(&Secret::new([machine; 32]))
}

fn keys(machines: impl Iterator<Item = u8>) -> Vec<ParticipantKey> {
    machines.map(|machine| signer(machine).key()).collect()
}

/// Measures.
pub fn measure(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for n in SIZES {
        let all = keys(1..=n);
        let terms =
            RoundTerms { network: NETWORK, number: 1, previous: None, dealers: all.clone(), players: all.clone() };
        let (made, output, shares) = round(&terms, &Shares::new())?;
        let next = |number, output: &Output, players| RoundTerms {
            network: NETWORK,
            number,
            previous: Some(output.clone()),
            dealers: all.clone(),
            players,
        };
        let (refreshed, output, shares) = round(&next(2, &output, all.clone()), &shares)?;
        // A third of the gatekeepers leaves, as many come.
        let change = (n - 1) / 3;
        let (reshared, _, _) = round(&next(3, &output, keys(1 + change..=n + change)), &shares)?;
        for (what, whole) in
            [("master key made", made), ("refreshed", refreshed), ("handed to a changed set", reshared)]
        {
            rows.push(Row::alone(format!("{what}: a gatekeeper's part, of {n}"), whole / u32::from(n), Goal::None));
            rows.push(Row::alone(format!("{what}: end to end, all {n} in turn"), whole, Goal::None));
        }
        rows.extend(release(&output, &shares, n, effort)?);
    }
    Ok(rows)
}

/// A whole round: how long it took all together, and what came out.
fn round(terms: &RoundTerms, old: &Shares) -> anyhow::Result<(Duration, Output, Shares)> {
    let round = terms.check()?;
    let signers: BTreeMap<_, _> = (1..=u8::MAX).map(|machine| (signer(machine).key(), signer(machine))).collect();
    let began = Instant::now();
    let mut players = BTreeMap::new();
    for key in &terms.players {
        let player = signers.get(key).and_then(|signer| Player::new(&round, signer));
        players.insert(*key, player.context("everybody plays")?);
    }
    let mut logs = Vec::new();
    for key in &terms.dealers {
        let signer = signers.get(key).context("everybody has a signer")?;
        let (mut dealer, dealings) = Dealer::start(&round, signer, &Secret::new([0x5e; 32]), old.get(key))?;
        for (player, dealing) in dealings {
            let ack = players.get_mut(&player).context("everybody plays")?.receive(&dealing);
            dealer.acknowledge(&player, &ack.map_err(|error| anyhow!("{error}"))?)?;
        }
        logs.push(dealer.finish());
    }
    let mut outcome = None;
    let mut shares = Shares::new();
    for (key, player) in players {
        let (output, share) = player.finish(&logs)?;
        shares.insert(key, share);
        outcome = Some(output);
    }
    Ok((began.elapsed(), outcome.context("somebody plays")?, shares))
}

fn release(output: &Output, shares: &Shares, n: u8, effort: Effort) -> anyhow::Result<Vec<Row>> {
    let genesis = GenesisHash(NETWORK);
    let program = ProgramId([2; 32]);
    let identity: Identity = KeyIdentity { genesis: NETWORK, cluster: 1, program: program.0, code_epoch: 0 }.into();
    let (instance, transport) = (SigningKey::new(&Secret::new([3; 32])), KeyPair::derive(&Secret::new([4; 32])));
    let threshold = output.threshold();
    let (mut part, mut whole) = (Times::default(), Times::default());
    let mut rng = ChaCha20Rng::from_seed([5; 32]);
    let mut first = None;
    for turn in 0..effort.scale(200) {
        let (_, share) = shares.iter().nth(turn % shares.len()).context("there are key shares")?;
        part.time(|| black_box(evaluate(share, &identity)));
        let key = whole.time(|| {
            let mut partials = Vec::with_capacity(threshold);
            for (member, share) in shares.iter().take(threshold) {
                let gatekeeper = InstanceKey(member.0);
                let query = KeyQuery {
                    worker: WorkerId(instance.public()),
                    instance: InstanceKey(instance.public()),
                    program,
                    root: RootGeneration(0),
                    code: CodeEpoch(0),
                    asked: BlockNumber(1),
                    nonce: [6; 16],
                };
                let hash = query.signing_hash(&genesis, &gatekeeper);
                let signature = instance.sign(&hash.0);
                ensure!(verify_ed25519(&query.instance.0, &hash.0, &signature), "the gatekeeper accepts it");
                let partial = evaluate(share, &identity).bytes_to_seal();
                let (sealed, _) = hpke::seal(&mut rng, &transport.public(), &seal_info(&hash), &partial)
                    .map_err(|error| anyhow!("{error:?}"))?;
                let (opened, _) = transport.open(&seal_info(&hash), &sealed).map_err(|error| anyhow!("{error:?}"))?;
                partials.push((*member, PartialKey::parse(&opened)?));
            }
            Ok(*combine(output, &identity, &partials)?.key.expose())
        })?;
        ensure!(*first.get_or_insert(key) == key, "every release gives the same key");
    }
    let goals = if n == 7 {
        [Goal::AtMost(Figure::Seconds(1e-3)), Goal::AtMost(Figure::Seconds(0.1))]
    } else {
        [Goal::None, Goal::None]
    };
    let [of_part, of_whole] = goals;
    let published = "NEAR publishes 777 µs a participant for its key derivation; that is not run here";
    let in_turn = "all gatekeepers of a threshold one after the other, without network and proofs";
    Ok(vec![
        Row::alone(format!("a key share's part of a key, of {n}"), part.median(), of_part).note(published),
        Row::alone(format!("a key released by {threshold} of {n}, all in turn"), whole.median(), of_whole)
            .note(in_turn),
    ])
}

//! Four machines on a bad network, from a seed: messages are dropped, repeated, reordered and corrupted, machines crash, and one
//! may sleep or lie. Safety always; progress whenever a threshold of machines is honest.

use crate::network::*;
use phala_crypto::Secret;
use phala_threshold::*;
use std::collections::BTreeMap;

const MACHINES: u8 = 4;

/// SplitMix64: enough to shuffle messages.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Villain {
    None,
    /// Machine 4 neither deals nor answers.
    Sleeper,
    /// Machine 4 signs a wrong share for machine 1.
    Liar,
}

enum Message {
    Dealing { to: u8, bytes: Vec<u8> },
    Ack { from: u8, to: u8, bytes: Vec<u8> },
}

/// A machine: what it has in memory, and what it stored.
struct Machine {
    dealer: Option<Dealer>,
    dealings: Vec<(ParticipantKey, Dealing)>,
    player: Option<Player>,
    stored: BTreeMap<ParticipantKey, Vec<u8>>,
    acked: Vec<u8>,
}

struct Simulation<'a> {
    dice: Dice,
    villain: Villain,
    round: Round,
    seed: u64,
    shares: Option<&'a BTreeMap<ParticipantKey, KeyShare>>,
    machines: BTreeMap<u8, Machine>,
    messages: Vec<Message>,
    complaints: Vec<Complaint>,
}

impl Simulation<'_> {
    /// Starts a machine, again if it was there before: from its seeds and its disk alone.
    fn start(&mut self, me: u8) {
        let old = self.machines.remove(&me);
        let stored = old.map(|machine| machine.stored).unwrap_or_default();
        let dealings: Vec<_> = stored.values().map(|b| Dealing::parse(b).unwrap()).collect();
        let player = Player::resume(&self.round, &signer(me), &dealings, &[]).unwrap();
        let (dealer, dealings) = self.deal(me);
        let (dealer, player) = (Some(dealer), Some(player));
        let machine = Machine { dealer, dealings, player, stored, acked: vec![] };
        self.machines.insert(me, machine);
        self.send_dealings(me);
    }

    fn deal(&self, me: u8) -> (Dealer, Vec<(ParticipantKey, Dealing)>) {
        let share = self.shares.map(|shares| &shares[&key(me)]);
        let mut seed = [me; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        Dealer::start(&self.round, &signer(me), &Secret::new(seed), share).unwrap()
    }

    /// Sends, again, to those who have not acknowledged.
    fn send_dealings(&mut self, me: u8) {
        let machine = &self.machines[&me];
        for (player, dealing) in &machine.dealings {
            let (_, to) = machines(&[*player]).next().unwrap();
            let mut bytes = dealing.bytes_to_seal().to_vec();
            if (self.villain, me, to) == (Villain::Liar, 4, 1) {
                let mut parts = take_apart(dealing);
                parts.share[31] ^= 1;
                bytes = sign_anything(me, &parts).bytes_to_seal().to_vec();
            }
            if !machine.acked.contains(&to) {
                self.messages.push(Message::Dealing { to, bytes });
            }
        }
    }

    /// Delivers everything that is under way, as badly as the dice say.
    fn deliver(&mut self) {
        while !self.messages.is_empty() {
            let pick = self.dice.roll(self.messages.len() as u64) as usize;
            let mut message = self.messages.swap_remove(pick);
            match self.dice.roll(10) {
                0 => continue,
                1 => {
                    let (Message::Dealing { bytes, .. } | Message::Ack { bytes, .. }) = &mut message;
                    let at = self.dice.roll(bytes.len() as u64) as usize;
                    bytes[at] ^= 1 << self.dice.roll(8);
                }
                2 => self.messages.push(match &message {
                    Message::Dealing { to, bytes } => Message::Dealing { to: *to, bytes: bytes.clone() },
                    Message::Ack { from, to, bytes } => Message::Ack { from: *from, to: *to, bytes: bytes.clone() },
                }),
                3 if self.dice.roll(12) == 0 => {
                    let machines: Vec<u8> = self.machines.keys().copied().collect();
                    let victim = self.dice.roll(machines.len() as u64) as usize;
                    self.start(machines[victim]);
                }
                _ => {}
            }
            self.receive(message);
        }
    }

    fn receive(&mut self, message: Message) {
        match message {
            Message::Dealing { to, bytes } => {
                let Some(machine) = self.machines.get_mut(&to) else { return };
                let Ok(dealing) = Dealing::parse(&bytes) else { return };
                match machine.player.as_mut().unwrap().receive(&dealing) {
                    Ok(ack) => {
                        machine.stored.insert(dealing.dealer(), bytes);
                        let (_, dealer) = machines(&[dealing.dealer()]).next().unwrap();
                        let bytes = codec::Encode::encode(&ack);
                        self.messages.push(Message::Ack { from: to, to: dealer, bytes });
                    }
                    Err(DealingError::Cheating(complaint)) => self.complaints.push(*complaint),
                    Err(_) => {}
                }
            }
            Message::Ack { from, to, bytes } => {
                let Some(machine) = self.machines.get_mut(&to) else { return };
                let ack: Ack = codec::Decode::decode(&mut bytes.as_slice()).unwrap();
                let dealer = machine.dealer.as_mut().unwrap();
                if dealer.acknowledge(&key(from), &ack).is_ok() && !machine.acked.contains(&from) {
                    machine.acked.push(from);
                }
            }
        }
    }
}

/// One round on the bad network. Checks what must hold whatever happens.
fn run(seed: u64, villain: Villain, terms: &RoundTerms, shares: Option<&BTreeMap<ParticipantKey, KeyShare>>) -> Epoch {
    let round = terms.check().unwrap();
    let mut simulation = Simulation {
        dice: Dice(seed),
        villain,
        round: round.clone(),
        seed,
        shares,
        machines: BTreeMap::new(),
        messages: vec![],
        complaints: vec![],
    };
    let awake = if villain == Villain::Sleeper { MACHINES - 1 } else { MACHINES };
    (1..=awake).for_each(|me| simulation.start(me));
    simulation.deliver();
    // Dealers ask again while somebody honest has not answered.
    for _ in 0..20 {
        let waiting: Vec<u8> = (1..=awake).filter(|me| simulation.machines[me].acked.len() < awake as usize).collect();
        if waiting.is_empty() {
            break;
        }
        waiting.iter().for_each(|me| simulation.send_dealings(*me));
        simulation.deliver();
    }
    for complaint in &simulation.complaints {
        assert_eq!(villain, Villain::Liar, "seed {seed}: an honest dealer was accused");
        let fault = complaint.verify(&round).unwrap();
        assert_eq!(fault, Fault { dealer: key(4), kind: FaultKind::WrongShare });
    }
    assert_eq!(villain == Villain::Liar, !simulation.complaints.is_empty(), "seed {seed}");
    let machines = simulation.machines.values_mut();
    let logs: Vec<_> = machines.map(|machine| machine.dealer.take().unwrap().finish()).collect();
    // Progress: at least a threshold of dealers is honest and awake.
    let output = observe(&round, &logs).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let mut shares = BTreeMap::new();
    for (me, machine) in simulation.machines {
        let (own, share) = machine.player.unwrap().finish(&logs).unwrap();
        assert_eq!(own, output, "seed {seed}");
        assert!(share.fits(&output, &key(me)), "seed {seed}");
        shares.insert(key(me), share);
    }
    Epoch { output, shares, logs }
}

fn simulate(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let villain = [Villain::None, Villain::Sleeper, Villain::Liar][(seed % 3) as usize];
        let first = run(seed, villain, &generation(1, 1..=MACHINES), None);
        let wanted = first.derived_key(&identity());
        // Every other seed hands the key on, among those who are there.
        if seed % 2 == 0 {
            let dealers = first.shares.len() as u8;
            let terms = first.next(1..=dealers, 1..=MACHINES);
            let second = run(seed, villain, &terms, Some(&first.shares));
            assert!(second.output.same_group_key(&first.output), "seed {seed}");
            assert_eq!(second.derived_key(&identity()), wanted, "seed {seed}");
        }
    }
}

#[test]
fn a_bad_network_costs_neither_safety_nor_progress_seeds_0_to_99() {
    simulate(0..100);
}

#[test]
fn a_bad_network_costs_neither_safety_nor_progress_seeds_100_to_199() {
    simulate(100..200);
}

//! No function returns the master secret. How this knows:
//!
//! 1. A master secret is a number, and comes from numbers: key shares added up, each weighted. The only code that names the curve
//!    or the key-sharing library at all, and so the only code that could add numbers up, is `wire/threshold`.
//! 2. Within it, the numbers have four names (the library's `Share` and `Private`, its dealer's private messages, and `blst`'s
//!    `SecretKey`). Each place that names one is listed here with what it does, and none adds. The words with which the library
//!    would put numbers together do not occur.
//! 3. Whatever a public function of `wire/threshold`, `enclave/gatekeeper` or `chain/custody` returns that could hold 32 bytes of a
//!    secret is listed here with what it is. A new one fails the test until it is listed.
//!
//! `wire/threshold/tests/threshold/secret.rs` holds the same against whole rounds: it computes the secret, which only a test does,
//! and looks for it in all that those functions gave.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

/// What can hold a secret: bytes, and our types around them.
const HOLDERS: [&str; 14] = [
    "[u8",
    "Vec<u8>",
    "Secret",
    "Zeroizing",
    "KeyShare",
    "PartialKey",
    "Dealing",
    "Dealer",
    "Combined",
    "Sensitive",
    "Loot",
    "Share",
    "Signer",
    "String",
];

/// Each public function that returns such a thing, and what that is.
const KNOWN: &[(&str, &str)] = &[
    ("enclave/gatekeeper/src/danger.rs bytes -> Zeroizing<Vec<u8>>", "one stolen key share, for drills"),
    (
        "enclave/gatekeeper/src/danger.rs partial -> PartialKey",
        "a stolen key share's part of one program's key, for drills",
    ),
    ("enclave/gatekeeper/src/gatekeeper.rs evidence -> Option<Arc<Vec<u8>>>", "a quote"),
    ("enclave/gatekeeper/src/gatekeeper.rs handle -> Result<Vec<u8>, Problem>", "an HTTP answer: sealed, or public"),
    ("enclave/gatekeeper/src/gatekeeper.rs run -> String", "why it stopped"),
    (
        "enclave/gatekeeper/src/peers.rs open -> Result<(Zeroizing<Vec<u8>>, ResponseSealer), Problem>",
        "a request: one share of one dealer at most",
    ),
    ("enclave/gatekeeper/src/peers.rs seal_answer -> Result<Vec<u8>, Problem>", "sealed"),
    ("enclave/gatekeeper/src/rounds.rs evaluate -> Option<PartialKey>", "its part of one identity's key"),
    ("enclave/gatekeeper/src/rounds.rs shares -> &Shares", "one key share of each root, which it does not give out"),
    (
        "wire/threshold/src/backup.rs bytes_to_seal -> &[u8; PIECE_BYTES]",
        "one custodian's point of the polynomial that backs one key share up",
    ),
    ("wire/threshold/src/backup.rs keepsake_key -> Secret<32>", "a hash of one key share, to seal what belongs to it"),
    (
        "wire/threshold/src/backup.rs restore -> Result<KeyShare, RestoreError>",
        "one key share, held against its public half: another value at zero is not returned",
    ),
    ("wire/threshold/src/backup.rs seat_public_key -> Option<[u8; POINT_BYTES]>", "the public half of a key share"),
    ("wire/threshold/src/combine.rs combine -> Result<Combined, CombineError>", "one identity's key"),
    ("wire/threshold/src/commitment.rs points -> &[[u8; POINT_BYTES]]", "points: numbers in the exponent, public"),
    ("wire/threshold/src/dealer.rs finish -> DealerLog", "shares of one dealer, of less than a third of the players"),
    (
        "wire/threshold/src/dealer.rs start -> Result<(Self, Vec<(ParticipantKey, Dealing)>), DealError>",
        "the shares of one dealer's own number",
    ),
    ("wire/threshold/src/dealing.rs bytes_to_seal -> Zeroizing<Vec<u8>>", "one share of one dealer"),
    ("wire/threshold/src/dealing.rs round -> [u8; 32]", "a hash"),
    ("wire/threshold/src/identity.rs as_bytes -> &[u8]", "a name"),
    ("wire/threshold/src/key_share.rs bytes_to_seal -> Zeroizing<Vec<u8>>", "one key share; of a partial key, a point"),
    ("wire/threshold/src/key_share.rs evaluate -> PartialKey", "a point: a key share's part of one identity's key"),
    ("wire/threshold/src/key_share.rs output -> [u8; 32]", "a hash"),
    (
        "wire/threshold/src/log.rs bytes_to_seal -> &Zeroizing<Vec<u8>>",
        "shares of one dealer, of less than a third of the players",
    ),
    ("wire/threshold/src/log.rs hash -> [u8; 32]", "a hash"),
    ("wire/threshold/src/log.rs log_list_hash -> [u8; 32]", "a hash"),
    ("wire/threshold/src/output.rs group_key -> [u8; POINT_BYTES]", "the master public key"),
    ("wire/threshold/src/output.rs hash -> [u8; 32]", "a hash"),
    ("wire/threshold/src/output.rs logs -> [u8; 32]", "a hash"),
    ("wire/threshold/src/output.rs network -> &[u8; 32]", "a hash"),
    ("wire/threshold/src/output.rs partial_key -> Option<[u8; POINT_BYTES]>", "the public half of a key share"),
    ("wire/threshold/src/output.rs terms -> [u8; 32]", "a hash"),
    ("wire/threshold/src/player.rs finish -> Result<(Output, KeyShare), FinishError>", "one key share: its own"),
    (
        "wire/threshold/src/player.rs receive -> Result<Ack, DealingError>",
        "a signature; at worst evidence with one wrong share",
    ),
    ("wire/threshold/src/round.rs hash -> [u8; 32]", "a hash"),
    ("wire/threshold/src/terms.rs round_hash -> [u8; 32]", "a hash"),
    ("wire/threshold/src/terms.rs sha256 -> [u8; 32]", "a hash"),
];

/// The file that shares a single key share out, and brings it back.
const BACKUP: &str = "/backup.rs";

/// Each line of `wire/threshold` that names a number, but for imports, and what it does with it.
const NUMBERS: &[(&str, &str)] = &[
    ("backup.rs Scalar::from(u64::from(place).saturating_add(1))", "a place, as a number"),
    (
        "backup.rs backend::decode::<Private>(self.0.expose(), &()).map(Private::expose_unwrap)",
        "a custodian's piece, read",
    ),
    ("backup.rs fn bytes_of(scalar: &Scalar) -> Secret<PIECE_BYTES> {", "a piece, or a key share that is hashed"),
    ("backup.rs fn point(place: u32) -> Scalar {", "a place, as a number"),
    ("backup.rs fn scalar(&self) -> Option<Scalar> {", "a custodian's piece, read"),
    ("backup.rs let constant = share.to_library().private.expose_unwrap();", "one key share, to be split"),
    ("backup.rs let mut good: Vec<(u32, Scalar)> = Vec::new();", "custodians' pieces"),
    ("backup.rs let number = bytes_of(&self.to_library().private.expose_unwrap());", "one key share, hashed"),
    ("backup.rs let private: Option<Private> = backend::decode(piece.0.expose(), &());", "a custodian's piece, read"),
    (
        "backup.rs let share = scalar.map(|scalar| KeyShare::of_library(output, Share::new(index, Private::new(scalar))));",
        "one key share, brought back; see `pieces_make_one_key_share_or_nothing`",
    ),
    (
        "backup.rs private.is_some_and(|private| Share::new(index, private).public::<MinSig>() == poly.eval(&point(place)))",
        "a custodian's piece, into the exponent",
    ),
    (
        "dealer.rs let (library, public, private) = feldman_desmedt::Dealer::start::<Faults>(",
        "one dealer's shares, one for each player",
    ),
    ("dealer.rs let dealings = private", "each goes into a dealing of its own"),
    (
        "exponent.rs SecretKey::from_bytes(share).is_ok_and(|share| share.sk_to_pk().to_bytes() == *point)",
        "a wrong share of one dealer, into the exponent",
    ),
    ("key_share.rs Ok(Self { output: *output, round, share: Share::new(index, private) })", "one key share, read"),
    (
        "key_share.rs let private: Private = backend::decode(secret, &()).ok_or(ParseError::Malformed)?;",
        "one key share, read",
    ),
    (
        "key_share.rs let signature = ops::sign_message::<MinSig>(&share.share.private, NAMESPACE, identity.as_bytes());",
        "one key share signs a name",
    ),
    (
        "key_share.rs pub(crate) fn of_library(output: &Output, share: Share) -> Self {",
        "one key share, from the library's player",
    ),
    ("key_share.rs pub(crate) fn to_library(&self) -> Share {", "one key share, to the library's dealer"),
    ("key_share.rs self.share.private.write(&mut *bytes);", "one key share, written to be sealed"),
    ("key_share.rs share: Share,", "one key share"),
    ("player.rs let Some(private) = backend::decode(dealing.share.expose(), &()) else {", "one dealer's share, read"),
    (
        "player.rs let ack = match self.library.dealer_message::<Faults>(key, public, private) {",
        "one dealer's share, to the library's player",
    ),
];

fn root() -> PathBuf {
    // Asked when it runs: build results are shared among checkouts.
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is")).join("..")
}

/// Product sources under a folder: path from the root, and text without comments and tests.
fn sources(folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root().join(folder)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let is_test = name.starts_with("tests") || ["mock.rs", "target", "examples"].contains(&name.as_str());
            if is_test {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).unwrap();
                let product = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                let code: String = product
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .map(|line| line.to_owned() + "\n")
                    .collect();
                found.insert(path.strip_prefix(root()).unwrap().display().to_string(), code);
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

/// Names of public functions, each with the type that it returns.
fn returned(code: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for marker in ["pub fn ", "pub const fn ", "pub async fn "] {
        for (at, _) in code.match_indices(marker) {
            let head = &code[at + marker.len()..];
            let mut depth = 0;
            let end = head.find(|c: char| {
                match c {
                    '(' | '[' => depth += 1,
                    ')' | ']' => depth -= 1,
                    _ => {}
                }
                depth == 0 && (c == '{' || c == ';')
            });
            let head = &head[..end.unwrap()];
            let name: String = head.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let kind = head.rsplit_once("->").map_or("", |(_, kind)| kind.split("\nwhere").next().unwrap());
            found.push((name, kind.split_whitespace().collect::<Vec<_>>().join(" ")));
        }
    }
    found
}

#[test]
fn whatever_a_public_function_returns_is_known_and_none_is_the_master_secret() {
    let mut found = BTreeSet::new();
    for folder in ["wire/threshold/src", "enclave/gatekeeper/src", "chain/custody/src"] {
        for (path, code) in sources(folder) {
            for (name, kind) in returned(&code) {
                if HOLDERS.iter().any(|holder| kind.replace("DealerFault", "").contains(holder)) {
                    found.insert(format!("{path} {name} -> {kind}"));
                }
            }
        }
    }
    let known: BTreeSet<String> = KNOWN.iter().map(|(name, _)| (*name).to_owned()).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let gone: Vec<_> = known.difference(&found).collect();
    assert!(new.is_empty(), "say what these return, and that it is not the master secret: {new:#?}");
    assert!(gone.is_empty(), "these are no more: {gone:#?}");
}

#[test]
fn only_the_crate_that_shares_keys_names_the_curve() {
    for folder in ["wire", "chain", "enclave", "services", "clients"] {
        for (path, code) in sources(folder) {
            let names = ["commonware_", "blst", "bls12381"].iter().any(|word| code.contains(word));
            assert!(!names || path.starts_with("wire/threshold/src/"), "{path} names the curve");
        }
    }
}

#[test]
fn numbers_are_named_where_they_are_known_and_never_put_together() {
    let mut found = BTreeSet::new();
    for (path, code) in sources("wire/threshold/src") {
        for word in ["Scalar", "interpolat", "agrange", "from_shares", "sum()", "Additive", "Ring", "Field"] {
            let is_ours = |line: &str| ["SCALAR_", "debug_struct"].iter().any(|name| line.contains(name));
            let line = code.lines().find(|line| line.contains(word) && !is_ours(line));
            assert!(line.is_none() || path.ends_with(BACKUP), "{path} could put numbers together: {line:?}");
        }
        let recovers = code.matches("recover").count();
        assert!(recovers == 0 || path.ends_with("/combine.rs"), "{path} recovers something");
        for line in code.lines().map(str::trim) {
            let is_import = ["use ", "group::", "min_sig::"].iter().any(|start| line.starts_with(start));
            let words: BTreeSet<_> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            let names = ["Private", "SecretKey", "private"].iter().any(|word| words.contains(word));
            // Elsewhere `Share` is a kind of evidence.
            let names = names || (words.contains("Share") && path.ends_with("/key_share.rs"));
            let names = names || (words.contains("Scalar") && path.ends_with(BACKUP));
            if names && !is_import {
                found.insert(format!("{} {line}", path.rsplit('/').next().unwrap()));
            }
        }
    }
    let known: BTreeSet<String> = NUMBERS.iter().map(|(line, _)| (*line).to_owned()).collect();
    assert_eq!(found, known, "say what is done with these numbers");
}

/// Custodians' pieces are put together in one place, and what comes of it is one key share or nothing: points of the master key's
/// polynomial put in as if they were pieces give a number whose public half is the master public key, and no player's.
#[test]
fn pieces_make_one_key_share_or_nothing() {
    let code = &sources("wire/threshold/src")["wire/threshold/src/backup.rs"];
    assert_eq!(code.matches("interpolate(").count(), 1);
    let restore = code.split("pub fn restore(").nth(1).unwrap().split("\n}\n").next().unwrap();
    let (_, after) = restore.split_once("interpolate(").unwrap();
    let last = after.trim_end().lines().last().unwrap().trim();
    assert!(last.starts_with("share.filter(|share| share.fits(output, player))"), "{last}");
}

#[test]
fn the_reader_of_signatures_reads() {
    let code = "pub fn a(x: [u8; 2], f: impl Fn() -> u8) -> Result<[u8; 32], E> {\n}\npub const fn b() -> u8 {\n}\n";
    let read: Vec<_> = returned(code);
    assert_eq!(read, [("a".into(), "Result<[u8; 32], E>".into()), ("b".into(), "u8".into())]);
    assert!(HOLDERS.iter().any(|holder| read[0].1.contains(holder)));
}

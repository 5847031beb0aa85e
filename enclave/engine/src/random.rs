//! `wasi:random`: from the machine for queries, from the command for commands.

use crate::{
    call::{CallError, Mode},
    host::{HasHost, Host},
};
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use wasmtime::component::Linker;
use wasmtime_wasi::{p2::bindings::random as p2, p3::bindings::random as p3};

/// Bytes that one call of `get-random-bytes` gives at most.
const RANDOM_BYTES_MAX: u64 = 1024 * 1024;

/// A stream of random bytes, seeded on first use.
pub(crate) struct Random {
    seed: Option<[u8; 32]>,
    rng: Option<ChaCha20Rng>,
}

impl Random {
    pub(crate) fn new(mode: &Mode) -> Self {
        let seed = match mode {
            Mode::Query => None,
            Mode::Command { seed, .. } => Some(*seed),
        };
        Self { seed, rng: None }
    }

    fn rng(&mut self) -> wasmtime::Result<&mut ChaCha20Rng> {
        if self.rng.is_none() {
            let seed = match self.seed {
                Some(seed) => seed,
                None => {
                    let mut seed = [0; 32];
                    getrandom::fill(&mut seed).map_err(|error| wasmtime::format_err!("no randomness: {error}"))?;
                    seed
                }
            };
            self.rng = Some(ChaCha20Rng::from_seed(seed));
        }
        Ok(self.rng.as_mut().expect("just filled"))
    }
}

impl Host {
    fn random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
        if length > RANDOM_BYTES_MAX {
            return Err(CallError::Trap(format!("more than {RANDOM_BYTES_MAX} random bytes at once")).into());
        }
        self.meter.charge(length as usize)?;
        let mut bytes = vec![0; length as usize];
        self.random.rng()?.fill_bytes(&mut bytes);
        Ok(bytes)
    }

    fn random_u64(&mut self) -> wasmtime::Result<u64> {
        Ok(self.random.rng()?.next_u64())
    }
}

/// Implements the three interfaces of one generation of WASI.
macro_rules! random {
    ($wasi:ident, $seed:ident) => {
        impl $wasi::random::Host for Host {
            fn get_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
                self.random_bytes(length)
            }

            fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
                self.random_u64()
            }
        }

        impl $wasi::insecure::Host for Host {
            fn get_insecure_random_bytes(&mut self, length: u64) -> wasmtime::Result<Vec<u8>> {
                self.random_bytes(length)
            }

            fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
                self.random_u64()
            }
        }

        impl $wasi::insecure_seed::Host for Host {
            fn $seed(&mut self) -> wasmtime::Result<(u64, u64)> {
                Ok((self.random_u64()?, self.random_u64()?))
            }
        }
    };
}

random!(p2, insecure_seed);
random!(p3, get_insecure_seed);

pub(crate) fn link_p2(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p2::random::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p2::insecure::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p2::insecure_seed::add_to_linker::<Host, HasHost>(linker, |host| host)
}

pub(crate) fn link_p3(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    p3::random::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p3::insecure::add_to_linker::<Host, HasHost>(linker, |host| host)?;
    p3::insecure_seed::add_to_linker::<Host, HasHost>(linker, |host| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_units::UnixMillis;

    fn first(mode: &Mode) -> u64 {
        Random::new(mode).rng().expect("there is randomness").next_u64()
    }

    #[test]
    fn a_command_fixes_what_is_random_and_a_query_does_not() {
        let command = |seed| Mode::Command { index: 0, time: UnixMillis(0), seed: [seed; 32] };
        assert_eq!(first(&command(1)), first(&command(1)));
        assert_ne!(first(&command(1)), first(&command(2)));
        assert_ne!(first(&Mode::Query), first(&Mode::Query));
    }
}

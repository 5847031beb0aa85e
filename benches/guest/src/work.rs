//! Work for the processor. One source, compiled into the guest and into the benchmark: whatever the difference
//! in time is, it is not the program's.
//!
//! Each kernel takes a number of rounds and returns a number that depends on all it did, so that no compiler
//! can leave it out and both sides can be compared.

/// Names of the kernels.
pub const KERNELS: [&str; 4] = ["sieve", "matrix", "hash", "sort"];

/// Runs `rounds` rounds of a kernel. None when there is no such kernel.
pub fn run(kernel: &str, rounds: u32) -> Option<u64> {
    let once: fn(u64) -> u64 = match kernel {
        "sieve" => sieve,
        "matrix" => matrix,
        "hash" => hash,
        "sort" => sort,
        _ => return None,
    };
    Some((0..rounds).fold(1, |result, _| once(result)))
}

/// Counts primes below half a million: byte stores with a stride.
fn sieve(seed: u64) -> u64 {
    const END: usize = 500_000;
    let mut composite = vec![false; END];
    let mut count = seed & 1;
    for n in 2..END {
        if !composite[n] {
            count += 1;
            (2 * n..END).step_by(n).for_each(|multiple| composite[multiple] = true);
        }
    }
    count
}

/// Multiplies two matrices of 128 × 128 doubles: floating point and strided loads.
fn matrix(seed: u64) -> u64 {
    const SIDE: usize = 128;
    let fill =
        |offset: u64| (0..SIDE * SIDE).map(|n| ((n as u64 * 7 + offset) % 100) as f64 / 100.0).collect::<Vec<_>>();
    let (a, b) = (fill(seed % 10), fill(3));
    let mut c = vec![0.0; SIDE * SIDE];
    for row in 0..SIDE {
        for k in 0..SIDE {
            let factor = a[row * SIDE + k];
            for column in 0..SIDE {
                c[row * SIDE + column] += factor * b[k * SIDE + column];
            }
        }
    }
    c.iter().sum::<f64>() as u64
}

/// SHA-256, as FIPS 180-4 writes it, over 64 KiB: rotations and additions in registers.
fn hash(seed: u64) -> u64 {
    let (primes, mut words) = (first_primes(), [0_u32; 64]);
    let constants = primes.map(|prime| fraction_of_root(prime, 3));
    let mut state: [u32; 8] = std::array::from_fn(|n| fraction_of_root(primes[n], 2));
    let mut next = seed as u32;
    for _block in 0..1_024 {
        for word in &mut words[..16] {
            next = next.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *word = next;
        }
        for n in 16..64 {
            let (a, b) = (words[n - 15], words[n - 2]);
            let low = a.rotate_right(7) ^ a.rotate_right(18) ^ (a >> 3);
            let high = b.rotate_right(17) ^ b.rotate_right(19) ^ (b >> 10);
            words[n] = words[n - 16].wrapping_add(low).wrapping_add(words[n - 7]).wrapping_add(high);
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for n in 0..64 {
            let high = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let choice = (e & f) ^ (!e & g);
            let one = h.wrapping_add(high).wrapping_add(choice).wrapping_add(constants[n]).wrapping_add(words[n]);
            let low = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let majority = (a & b) ^ (a & c) ^ (b & c);
            (h, g, f, e) = (g, f, e, d.wrapping_add(one));
            (d, c, b, a) = (c, b, a, one.wrapping_add(low.wrapping_add(majority)));
        }
        let round = [a, b, c, d, e, f, g, h];
        state.iter_mut().zip(round).for_each(|(state, word)| *state = state.wrapping_add(word));
    }
    u64::from(state[0]) << 32 | u64::from(state[7])
}

fn first_primes() -> [u32; 64] {
    let mut primes = [0; 64];
    let (mut found, mut n) = (0, 2);
    while found < primes.len() {
        if primes[..found].iter().all(|prime| n % prime != 0) {
            primes[found] = n;
            found += 1;
        }
        n += 1;
    }
    primes
}

/// The first 32 bits of the fractional part of a number's square or cube root.
fn fraction_of_root(n: u32, degree: u32) -> u32 {
    // The largest r with r^degree ≤ n · 2^(32 · degree).
    let (mut low, mut high) = (0_u128, 1_u128 << 40);
    while high - low > 1 {
        let middle = (low + high) / 2;
        let fits = match degree {
            2 => middle * middle <= u128::from(n) << 64,
            // middle³ ≤ n · 2⁹⁶, without leaving 128 bits.
            _ => middle * middle <= (u128::from(n) << 96) / middle,
        };
        if fits { low = middle } else { high = middle }
    }
    low as u32
}

/// Sorts 50,000 texts: comparisons, branches, allocation.
fn sort(seed: u64) -> u64 {
    let mut next = seed;
    let mut texts: Vec<String> = (0..50_000)
        .map(|_| {
            next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            format!("{:016x}", next)
        })
        .collect();
    texts.sort_unstable();
    texts.iter().step_by(1_000).fold(0, |sum, text| sum * 31 % 1_000_000_007 + u64::from(text.as_bytes()[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_compute_what_they_say() {
        assert_eq!(run("sieve", 1), Some(41_538 + 1));
        assert_eq!((fraction_of_root(2, 2), fraction_of_root(2, 3)), (0x6a09_e667, 0x428a_2f98));
        assert_eq!(run("nothing", 1), None);
        for kernel in KERNELS {
            assert_eq!(run(kernel, 2), run(kernel, 2), "{kernel}");
        }
    }
}

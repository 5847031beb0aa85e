//! Keeping memory where it is: no core dumps, no debugger.

use nix::sys::{
    prctl::set_dumpable,
    resource::{Resource, setrlimit},
};

/// Forbids core dumps, and, inside a real TEE, that other processes of the same user look into this one.
///
/// A simulated TEE measures this process through `/proc`, which the second would forbid; it keeps no secret anyway.
///
/// # Errors
/// The kernel's word.
pub fn harden(simulated: bool) -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    if !simulated {
        set_dumpable(false)?;
    }
    Ok(())
}

/// Whether the kernel can never move memory of this machine to a disk.
pub fn never_swaps() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() <= 1)
}

//! `phala`: see `phala_cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    phala_cli::main()
}

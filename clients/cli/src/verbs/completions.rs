//! `phala completions`: scripts that complete the command line.

use crate::failure::Outcome;

/// Print a script that completes `phala` in your shell
///
/// For bash: `phala completions bash > ~/.local/share/bash-completion/completions/phala`
#[derive(clap::Args)]
pub struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(self, command: &mut clap::Command) -> Outcome {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "phala", &mut script);
        // A reader that has gone away (`| head`) is no reason to fail.
        let _ = std::io::Write::write_all(&mut std::io::stdout().lock(), &script);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueEnum};

    #[test]
    fn every_shell_gets_a_script_with_every_verb() {
        for shell in clap_complete::Shell::value_variants() {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut crate::Cli::command(), "phala", &mut script);
            let script = String::from_utf8(script).unwrap();
            for verb in ["up", "deploy", "verify", "completions"] {
                assert!(script.contains(verb), "{shell}: {verb}");
            }
        }
    }
}

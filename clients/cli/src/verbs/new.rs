//! `phala new`: a project to start from.

use crate::{
    Context,
    failure::{Failure, Outcome},
    output, templates,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Make a new program in a folder of its own
#[derive(clap::Args)]
pub struct New {
    /// Name of the program and, unless --path says otherwise, of the folder
    name: String,
    /// Language to start from
    #[arg(long, default_value = "rust", value_parser = clap::builder::PossibleValuesParser::new(templates::names()))]
    template: String,
    /// Folder to make
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

impl New {
    /// Writes the project.
    pub fn run(self, context: &Context) -> Outcome {
        templates::check_name(&self.name).map_err(|error| {
            Failure::usage(format!("`{}` is not a name: {error}", self.name), "for example: phala new hello")
        })?;
        let dir = self.path.clone().unwrap_or_else(|| Path::new(&self.name).into());
        let files = templates::write(&self.template, &self.name, &dir)?;
        if context.json {
            output::object(&json!({ "name": self.name, "template": self.template, "dir": dir, "files": files }));
        } else {
            output::line(format!("made {} from the {} template\n", dir.display(), self.template));
            output::line(format!(
                "next: cd {} && phala build && phala deploy {}.wasm && phala call {} /",
                dir.display(),
                self.name,
                self.name
            ));
        }
        Ok(())
    }
}

//! Where figures come from: a folder of files, or what was fetched to a data directory.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use indicators::public::{Cache, Figure, Limits, Source};

use crate::cli::FiguresArguments;
use crate::hub_at;

/// What the release of a folder's files is called: nobody says which it is.
const UNNAMED: &str = "unnamed";

/// The figures of an indicator, of every release there is.
pub(super) fn read(arguments: &FiguresArguments, source: Source, code: &str) -> Result<Vec<Figure>> {
    match (&arguments.gho, &arguments.data) {
        (Some(folder), _) if source == Source::WhoGho => of_folder(folder, code),
        (Some(_), _) => bail!("--gho is a folder of the WHO's files; name --data for others"),
        (None, Some(data)) => {
            hub_at::must_exist(data)?;
            let figures = Cache::of(data).figures(source, code, &Limits::default())?;
            if figures.is_empty() {
                let source = source.name();
                bail!(
                    "{code} was not fetched; run yojigen indicator fetch {source} {code} --data {}",
                    data.display()
                );
            }
            Ok(figures)
        }
        (None, None) => bail!("say where the figures are: --gho DIR or --data DIR"),
    }
}

fn of_folder(folder: &Path, code: &str) -> Result<Vec<Figure>> {
    let is_plain = code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !is_plain || code.starts_with('.') {
        bail!("'{code}' is no code of an indicator");
    }
    for form in ["csv", "csv.gz", "json", "json.gz"] {
        let path = folder.join(format!("{code}.{form}"));
        match std::fs::read(&path) {
            Ok(bytes) => {
                let reading =
                    indicators::public::read(Source::WhoGho, code, UNNAMED, &bytes, &Limits::default());
                return Ok(reading.with_context(|| path.display().to_string())?.figures);
            }
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
            Err(why) => return Err(why).with_context(|| path.display().to_string()),
        }
    }
    bail!("there is no {code}.csv, {code}.csv.gz or {code}.json in {}", folder.display())
}

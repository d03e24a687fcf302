//! Settings from a file: TOML (<https://toml.io/en/v1.0.0>), a setting a line, without tables.
//!
//! Everything that is wrong is found at once, each with file, line and column. A path is taken from the file's folder.

use std::path::Path;

use fhir::issue::nearest;
use toml_edit::{Document, Item, Value as Toml};

use super::settings::{Kind, Setting};
use super::{Origin, Told, Values};

/// A file is not longer.
const MAX_BYTES: u64 = 1 << 20;

/// What a file says, or all that is wrong with it.
pub(super) fn read(path: &Path, settings: &'static [Setting]) -> Result<Values, Vec<String>> {
    let cannot = |error: std::io::Error| vec![format!("{}: {error}", path.display())];
    if std::fs::metadata(path).map_err(cannot)?.len() > MAX_BYTES {
        return Err(vec![format!("{}: it is longer than {MAX_BYTES} bytes", path.display())]);
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    parse(path, &text, settings)
}

fn parse(path: &Path, text: &str, settings: &'static [Setting]) -> Result<Values, Vec<String>> {
    let at = |span: Option<std::ops::Range<usize>>| {
        let (line, column) = line_and_column(text, span.map_or(0, |s| s.start));
        format!("{}:{line}:{column}", path.display())
    };
    let document = Document::parse(text).map_err(|e| {
        let message = e.message().trim().replace('\n', "; ");
        vec![format!("{}: this is not TOML: {message}", at(e.span()))]
    })?;
    let (mut told, mut findings) = (Values::new(), Vec::new());
    for (name, item) in document.as_table() {
        let key = document.as_table().key(name).and_then(toml_edit::Key::span).or_else(|| item.span());
        let Some(setting) = settings.iter().find(|s| s.name == name) else {
            findings.push(format!("{}: {}", at(key), unknown(name, item, settings)));
            continue;
        };
        let place = at(item.span().or(key.clone()));
        match values(setting, item) {
            Ok(mut values) => match values.iter().find_map(|value| setting.check(value).err()) {
                Some(finding) => findings.push(format!("{place}: {finding}")),
                None => {
                    if setting.kind == Kind::Path {
                        values = values.iter().map(|value| from_folder(path, value)).collect();
                    }
                    let line = line_and_column(text, key.map_or(0, |k| k.start)).0;
                    let origin = Origin::File { path: path.to_owned(), line };
                    told.insert(setting.name, Told { values, origin });
                }
            },
            Err(found) => findings.push(format!(
                "{place}: {name}: found {found}; allowed is {}: {}",
                setting.allowed(),
                setting.example()
            )),
        }
    }
    if findings.is_empty() { Ok(told) } else { Err(findings) }
}

fn unknown(name: &str, item: &Item, settings: &[Setting]) -> String {
    if item.is_table_like() || item.is_array_of_tables() {
        return format!("{name}: settings stand without tables: write {}", settings[0].example());
    }
    let near = nearest(name, settings.iter().map(|s| s.name));
    let hint = match near.is_empty() {
        true => "yojigen config list names all there are".to_owned(),
        false => format!("did you mean {}?", near.join(" or ")),
    };
    format!("{name}: there is no such setting; {hint}")
}

/// The values as the flag would be given them, or what was found instead.
fn values(setting: &Setting, item: &Item) -> Result<Vec<String>, String> {
    match item.as_value() {
        Some(Toml::Array(list)) if setting.is_list => list.iter().map(|v| value(setting, v)).collect(),
        Some(one) => Ok(vec![value(setting, one)?]),
        None => Err(format!("a {}", item.type_name())),
    }
}

fn value(setting: &Setting, found: &Toml) -> Result<String, String> {
    match (setting.kind, found) {
        (Kind::Truth, Toml::Boolean(truth)) => Ok(truth.value().to_string()),
        (Kind::Number, Toml::Integer(number)) => Ok(number.value().to_string()),
        (Kind::Text | Kind::Path, Toml::String(text)) => Ok(text.value().clone()),
        (_, Toml::String(_)) if setting.is_secret => Err("a text".to_owned()),
        (_, Toml::String(text)) => Err(format!("the text '{}'", text.value())),
        (_, Toml::Integer(number)) => Err(format!("the number {}", number.value())),
        (_, Toml::Boolean(truth)) => Err(truth.value().to_string()),
        (_, other) => Err(format!("a {}", other.type_name())),
    }
}

fn from_folder(path: &Path, value: &str) -> String {
    let folder = path.parent().unwrap_or(Path::new(""));
    folder.join(value).to_string_lossy().into_owned()
}

/// Both from 1; columns are characters.
fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};
    use proptest::prelude::*;

    use super::super::settings::all;
    use super::*;

    fn parsed(text: &str) -> Result<Values, Vec<String>> {
        parse(Path::new("/etc/hub/yojigen.toml"), text, all())
    }

    #[test]
    fn a_file_is_read_with_the_lines_of_its_values() {
        let told =
            parsed("# a hub\ndata = \"hub\"\nopen = true\n\nmax-count = 500\nreferences = \"refuse\"\n")
                .unwrap();
        assert_eq!(told["data"].values, ["/etc/hub/hub"]);
        assert_eq!(told["open"].values, ["true"]);
        assert_eq!(told["max-count"].origin.to_string(), "/etc/hub/yojigen.toml:5");
        assert_eq!(told["references"].values, ["refuse"]);
    }

    #[test]
    fn every_finding_is_told_with_its_place_and_the_way_out() {
        let text = "listn = \"127.0.0.1:80\"\nopen = \"yes\"\n  max-count = 0\nreferences = \"refus\"\n\
                    zone = \"Mars\"\n[serve]\nopen = true\n";
        let findings = parsed(text).unwrap_err();
        for (found, expected) in findings.iter().zip([
            "yojigen.toml:1:1: listn: there is no such setting; did you mean listen?",
            "yojigen.toml:2:8: open: found the text 'yes'; allowed is true or false: open = true",
            "yojigen.toml:3:15: max-count: '0' cannot be used; allowed is a whole number from 1 to 10000",
            "yojigen.toml:4:14: references: 'refus' cannot be used; allowed is one of off, record, refuse; did you mean refuse?",
            "yojigen.toml:5:8: zone: 'Mars' cannot be used; allowed is a text (name): this is not a time zone",
            "yojigen.toml:6:2: serve: settings stand without tables",
        ]) {
            assert!(found.contains(expected), "{found}\n{expected}");
        }
        assert_eq!(findings.len(), 6);
        let findings = parsed("open = true\nopen = false\n").unwrap_err();
        assert!(findings[0].contains("yojigen.toml:2:1: this is not TOML"), "{findings:?}");
    }

    /// What a flag that may be given several times, and one that holds a secret, become.
    #[test]
    fn lists_and_secrets_are_read_and_secrets_are_not_told() {
        let endpoint = Arg::new("endpoint").long("endpoint").action(ArgAction::Append).help("where");
        let short =
            |text: &str| if text.len() < 4 { Ok(text.to_owned()) } else { Err(format!("{text} is long")) };
        let key = Arg::new("key").long("key").value_parser(short).hide_env_values(true).help("a key");
        let settings: Vec<Setting> =
            [endpoint, key].iter().filter_map(super::super::settings::setting).collect();
        let settings: &'static [Setting] = settings.leak();
        let told = parse(Path::new("f"), "endpoint = [\"a\", \"b\"]\nkey = \"k\"\n", settings).unwrap();
        assert_eq!(told["endpoint"].values, ["a", "b"]);
        let findings = parse(Path::new("f"), "endpoint = [1]\nkey = \"s3cret\"\n", settings).unwrap_err();
        assert!(
            findings[0].contains("found the number 1") && findings[0].contains("a list of such"),
            "{findings:?}"
        );
        assert!(findings[1].starts_with("f:2:7: key:") && !findings[1].contains("s3cret"), "{findings:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(([a-z-]{1,8}|open|cache|data) ?= ?([0-9.-]{1,9}|\"[^\"]{0,9}\"|true|\\[.{0,9}\\]|\\{.{0,9}\\})\n?){0,4}.{0,20}") {
            let _ = parsed(&text);
        }
    }
}

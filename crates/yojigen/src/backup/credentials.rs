//! Credentials of an object storage from a file: the one that other programs of the same storage read.
//!
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>: sections in brackets, one a profile, with lines `name =
//! value`. `AWS_SHARED_CREDENTIALS_FILE` names it (else `~/.aws/credentials`), `AWS_PROFILE` the section (else `default`). A
//! file that others of the machine can read is refused. No message tells what stands in it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// A file is not longer.
const MAX_BYTES: u64 = 1 << 20;

/// What signs a request.
#[derive(PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// The credentials of the file that is named, or stands where such a file usually does.
pub(super) fn read() -> Result<Option<Credentials>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let profile = variable("AWS_PROFILE");
    let (path, is_named) = match (variable("AWS_SHARED_CREDENTIALS_FILE"), variable("HOME")) {
        (Some(path), _) => (PathBuf::from(path), true),
        (None, Some(home)) => (PathBuf::from(home).join(".aws/credentials"), profile.is_some()),
        (None, None) => return Ok(None),
    };
    if !is_named && !path.exists() {
        return Ok(None);
    }
    from_file(&path, profile.as_deref().unwrap_or("default"))
        .with_context(|| format!("the credentials file {}", path.display()))
        .map(Some)
}

fn from_file(path: &Path, profile: &str) -> Result<Credentials> {
    use std::os::unix::fs::PermissionsExt as _;
    let about = std::fs::metadata(path)?;
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!("others can read or write it (mode {mode:o}); let only its owner: chmod 600");
    }
    if about.len() > MAX_BYTES {
        bail!("it is longer than {MAX_BYTES} bytes");
    }
    parse(&std::fs::read_to_string(path)?, profile)
}

fn parse(text: &str, profile: &str) -> Result<Credentials> {
    let (mut key_id, mut secret, mut token) = (None, None, None);
    let (mut section, mut is_found) = (String::new(), false);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[') {
            let Some(name) = name.strip_suffix(']') else {
                bail!("line {}: a section's bracket is not closed", number + 1);
            };
            name.trim().clone_into(&mut section);
            is_found |= section == profile;
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            bail!("line {}: this is neither [profile] nor name = value", number + 1);
        };
        if section == profile {
            let value = Some(value.trim().to_owned()).filter(|v| !v.is_empty());
            match name.trim() {
                "aws_access_key_id" => key_id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => token = value,
                _ => {}
            }
        }
    }
    match (is_found, key_id, secret) {
        (false, ..) => {
            bail!("it has no section [{profile}]; add it, or name another profile with AWS_PROFILE")
        }
        (true, Some(key_id), Some(secret)) => Ok(Credentials { key_id, secret, token }),
        (true, key_id, _) => {
            let missing = if key_id.is_none() { "aws_access_key_id" } else { "aws_secret_access_key" };
            bail!("section [{profile}] has no {missing}; add it")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_profile_is_read_and_what_is_wrong_is_told_without_the_secret() {
        let text = "# mine\n[default]\naws_access_key_id = A\naws_secret_access_key=B=b\n\n[other]\naws_access_key_id=C\n";
        let found = parse(text, "default").unwrap();
        assert_eq!((found.key_id.as_str(), found.secret.as_str(), found.token), ("A", "B=b", None));
        let finding = |text: &str, profile: &str| parse(text, profile).err().unwrap().to_string();
        assert!(finding(text, "other").contains("[other] has no aws_secret_access_key"));
        assert!(finding(text, "none").contains("no section [none]"));
        assert_eq!(
            finding("[default]\ns3cret\n", "default"),
            "line 2: this is neither [profile] nor name = value"
        );
        assert!(finding("[default\n", "default").contains("line 1"));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials");
        std::fs::write(&path, "[default]\naws_access_key_id=A\naws_secret_access_key=B\n").unwrap();
        let with = |mode: u32| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            from_file(&path, "default")
        };
        assert!(with(0o640).err().unwrap().to_string().contains("mode 640"));
        assert!(with(0o604).is_err() && with(0o620).is_err());
        assert_eq!(with(0o600).ok().unwrap().key_id, "A");
    }
}

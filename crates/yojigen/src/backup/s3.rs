//! A backup in an object storage that speaks S3, by the crate `object_store`.
//!
//! * The bytes of every request are signed (Signature Version 4), so the storage refuses what changed on the way; the manifest
//!   has each file's hash, which is compared when it comes back.
//! * A file goes up in parts of [`PART_BYTES`], at most [`PARTS_AT_ONCE`] at a time, from a file without a name on this machine
//!   (`TMPDIR`); it comes back the same way. It is an object when its last part is there; the manifest is written after it.
//! * The manifest is replaced only if it is still the one that was read (`If-Match`): of two runs one is refused. The names of
//!   the files follow from their contents, so that neither can harm the other.
//! * Nothing but this file is asynchronous: a runtime of one thread waits for each request.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{
    ClientConfigKey, ClientOptions, Error as Refused, ObjectMeta, ObjectStore as _, ObjectStoreExt as _,
    PutMode, PutOptions, PutPayload, RetryConfig, UpdateVersion, WriteMultipart,
};
use store::{Error, Segment, Shelf};
use tokio::runtime::Runtime;

use super::credentials;

const PART_BYTES: usize = 8 << 20;
const PARTS_AT_ONCE: usize = 4;
/// Small enough to lie on this machine for a while, and to be sent again after an interruption.
const SEGMENT_BYTES: u64 = 256 << 20;
const MANIFEST: &str = "BACKUP";
/// A manifest names at most some thousands of files.
const MAX_MANIFEST: u64 = 64 << 20;
/// What a listing reads at most.
const MAX_LISTED: usize = 10_000;

/// A bucket, and where in it.
pub(crate) struct ObjectStorage {
    store: AmazonS3,
    runtime: Runtime,
    bucket: String,
    prefix: String,
    /// Which manifest was last read or written; `None` where there is none.
    known: RefCell<Option<UpdateVersion>>,
}

impl ObjectStorage {
    /// What stands behind `s3://`.
    pub(crate) fn at(rest: &str) -> Result<ObjectStorage> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.contains('@') || bucket.contains(':') || rest.contains('?') {
            bail!(
                "an address is s3://bucket/prefix and nothing else; credentials, region and endpoint stand in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL) or in a file (AWS_SHARED_CREDENTIALS_FILE)"
            );
        }
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if bucket.len() < 3 || bucket.len() > 63 || !bucket.chars().all(is_name) {
            bail!(
                "s3://{bucket}: a bucket's name has 3 to 63 lower-case letters, digits, points and hyphens"
            );
        }
        let prefix = prefix.trim_matches('/').to_owned();
        Key::parse(&prefix).with_context(|| format!("s3://{bucket}/{prefix}: the prefix cannot be used"))?;
        // Fails only if it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let store = connect(bucket)?;
        Ok(ObjectStorage { store, runtime, bucket: bucket.to_owned(), prefix, known: RefCell::new(None) })
    }

    fn key(&self, file: &str) -> Key {
        self.root().join(file)
    }

    fn root(&self) -> Key {
        self.prefix.split('/').filter(|p| !p.is_empty()).collect::<Key>()
    }

    /// Where no manifest is, nothing else lies; not every storage says at a file that its bucket is missing.
    fn must_be_empty(&self) -> Result<(), Error> {
        let here = self.runtime.block_on(self.store.list_with_delimiter(Some(&self.root())));
        let here = here.map_err(|e| self.failed(None, &e))?;
        match here.objects.first() {
            None => Ok(()),
            Some(object) => Err(Error::Backup(format!(
                "{} is neither empty nor a backup of yojigen ({} lies there); name another prefix",
                self.name(None),
                object.location
            ))),
        }
    }

    fn failed(&self, file: Option<&str>, error: &Refused) -> Error {
        Error::Backup(format!("{}: {}", self.name(file), finding(error)))
    }

    /// The addresses of the backups at this place and one level below.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let prefix = self.root();
        let root = format!("s3://{}/{}", self.bucket, self.prefix).trim_end_matches('/').to_owned();
        let found = self.runtime.block_on(async {
            let here = self.store.list_with_delimiter(Some(&prefix)).await?;
            if here.common_prefixes.len() > MAX_LISTED {
                return Ok(Err(here.common_prefixes.len()));
            }
            let mut all = vec![(root.clone(), here.objects)];
            for below in here.common_prefixes {
                let address = format!("{root}/{}", below.filename().unwrap_or_default());
                all.push((address, self.store.list_with_delimiter(Some(&below)).await?.objects));
            }
            Ok(Ok(all))
        });
        let all = match found.map_err(|e| self.failed(None, &e))? {
            Ok(all) => all,
            Err(many) => {
                bail!("{root}: {many} places lie below, at most {MAX_LISTED} are read; name a longer prefix")
            }
        };
        let has_manifest =
            |objects: &[ObjectMeta]| objects.iter().any(|o| o.location.filename() == Some(MANIFEST));
        Ok(all.into_iter().filter(|(_, objects)| has_manifest(objects)).map(|(address, _)| address).collect())
    }

    async fn upload(&self, key: &Key, staged: &mut File) -> Result<(), Sending> {
        let mut whole = WriteMultipart::new_with_chunk_size(self.store.put_multipart(key).await?, PART_BYTES);
        let mut send = async || -> Result<(), Sending> {
            loop {
                let mut piece = Vec::with_capacity(1 << 20);
                if (&mut *staged).take(1 << 20).read_to_end(&mut piece)? == 0 {
                    return Ok(());
                }
                whole.wait_for_capacity(PARTS_AT_ONCE).await?;
                whole.put(Bytes::from(piece));
            }
        };
        let sent = send().await;
        match sent {
            Ok(()) => whole.finish().await.map(drop).map_err(Sending::from),
            Err(error) => {
                // What the storage keeps of it costs money.
                let _ = whole.abort().await;
                Err(error)
            }
        }
    }
}

/// What can fail while a file goes up or comes down.
enum Sending {
    Here(std::io::Error),
    There(Refused),
}

impl From<std::io::Error> for Sending {
    fn from(error: std::io::Error) -> Sending {
        Sending::Here(error)
    }
}

impl From<Refused> for Sending {
    fn from(error: Refused) -> Sending {
        Sending::There(error)
    }
}

fn connect(bucket: &str) -> Result<AmazonS3> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(RetryConfig {
        max_retries: 6,
        retry_timeout: Duration::from_secs(90),
        ..RetryConfig::default()
    });
    let value = |builder: &AmazonS3Builder, key| builder.get_config_value(&key);
    let endpoint = value(&builder, AmazonS3ConfigKey::S3Endpoint)
        .or_else(|| value(&builder, AmazonS3ConfigKey::Endpoint))
        .unwrap_or_default();
    let is_allowed = value(&builder, AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp))
        .is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1");
    let mut options = ClientOptions::new()
        .with_connect_timeout(Duration::from_secs(10))
        .with_timeout(Duration::from_secs(300))
        .with_user_agent(reqwest::header::HeaderValue::from_static("yojigen"));
    if let Some(rest) = endpoint.strip_prefix("http://") {
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        if !is_allowed && !matches!(host, "localhost" | "127.0.0.1" | "[::1]") {
            bail!(
                "AWS_ENDPOINT_URL is {endpoint}: a backup would go over the network in the clear; use https://, or set AWS_ALLOW_HTTP=true where the way is safe"
            );
        }
        options = options.with_allow_http(true);
    }
    builder = builder.with_client_options(options);
    let (key, secret) = (
        value(&builder, AmazonS3ConfigKey::AccessKeyId),
        value(&builder, AmazonS3ConfigKey::SecretAccessKey),
    );
    match (key, secret) {
        (Some(_), None) => bail!("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not; set both"),
        (None, Some(_)) => bail!("AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not; set both"),
        (Some(_), Some(_)) => {}
        (None, None) => {
            if let Some(found) = credentials::read()? {
                builder = builder.with_access_key_id(found.key_id).with_secret_access_key(found.secret);
                if let Some(token) = found.token {
                    builder = builder.with_token(token);
                }
            }
        }
    }
    builder.build().map_err(|e| anyhow::anyhow!("s3://{bucket}: {e}"))
}

/// What the storage said, and the way out.
fn finding(error: &Refused) -> String {
    let said = told(error);
    let has = |code: &str| said.contains(code);
    if has("NoSuchBucket") {
        return "the bucket does not exist; make it, or name another".to_owned();
    }
    if has("SignatureDoesNotMatch") || has("InvalidAccessKeyId") || has("InvalidToken") {
        return "the storage does not know these credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the credentials file".to_owned();
    }
    if has("RequestTimeTooSkewed") {
        return "this machine's clock is not the storage's; set it".to_owned();
    }
    if has("instance credential") || has("latest/api/token") || has("meta-data") {
        return "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with AWS_SHARED_CREDENTIALS_FILE".to_owned();
    }
    match error {
        Refused::NotFound { .. } => "it is not there".to_owned(),
        Refused::PermissionDenied { .. } | Refused::Unauthenticated { .. } => {
            format!(
                "the storage refuses ({said}); give these credentials the right to read, list and write there"
            )
        }
        _ => format!("{said}; check AWS_ENDPOINT_URL, AWS_REGION and the network, and run it again"),
    }
}

/// The storage's code and message, or the innermost cause, short and without addresses' query parts.
fn told(error: &Refused) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut all = cause.to_string();
    while let Some(inner) = cause.source() {
        cause = inner;
        all = format!("{all}: {cause}");
    }
    let between = |name: &str| {
        let (_, rest) = all.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text.to_owned())
    };
    let text = match (between("Code"), between("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code,
        _ => all,
    };
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(400).collect()
}

impl Shelf for ObjectStorage {
    fn name(&self, file: Option<&str>) -> String {
        let (bucket, prefix) = (&self.bucket, &self.prefix);
        match file {
            Some(file) => format!("s3://{bucket}/{}", self.key(file)),
            None => format!("s3://{bucket}/{prefix}"),
        }
    }

    fn segment_bytes(&self) -> u64 {
        SEGMENT_BYTES
    }

    fn manifest(&self) -> Result<Option<Vec<u8>>, Error> {
        let key = self.key(MANIFEST);
        let read = self.runtime.block_on(async {
            let found = self.store.get(&key).await?;
            let version =
                UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            if found.meta.size > MAX_MANIFEST {
                return Ok(Err(found.meta.size));
            }
            Ok(Ok((found.bytes().await?, version)))
        });
        match read {
            Ok(Ok((bytes, version))) => {
                self.known.replace(Some(version));
                Ok(Some(bytes.to_vec()))
            }
            Ok(Err(size)) => Err(Error::Backup(format!(
                "{}: it has {size} bytes and is no manifest of yojigen; name another place",
                self.name(Some(MANIFEST))
            ))),
            Err(error @ Refused::NotFound { .. }) if !told(&error).contains("NoSuchBucket") => {
                self.known.replace(None);
                self.must_be_empty().map(|()| None)
            }
            Err(error) => Err(self.failed(Some(MANIFEST), &error)),
        }
    }

    fn set_manifest(&self, bytes: &[u8]) -> Result<(), Error> {
        let key = self.key(MANIFEST);
        let put = |mode: PutMode| {
            let payload = PutPayload::from(bytes.to_vec());
            let options = PutOptions { mode, ..PutOptions::default() };
            self.runtime.block_on(self.store.put_opts(&key, payload, options))
        };
        let mode = self.known.borrow().clone().map_or(PutMode::Create, PutMode::Update);
        let outcome = match put(mode) {
            // Some storages know no condition.
            Err(Refused::NotImplemented { .. } | Refused::NotSupported { .. }) => put(PutMode::Overwrite),
            Err(error) if told(&error).contains("NotImplemented") => put(PutMode::Overwrite),
            other => other,
        };
        match outcome {
            Ok(put) => {
                self.known.replace(Some(put.into()));
                Ok(())
            }
            Err(Refused::Precondition { .. } | Refused::AlreadyExists { .. }) => Err(Error::Backup(format!(
                "{}: another backup was written there meanwhile; what it has is whole, run this one again",
                self.name(None)
            ))),
            Err(error) => Err(self.failed(Some(MANIFEST), &error)),
        }
    }

    fn stage(&self) -> Result<File, Error> {
        tempfile::tempfile().map_err(|e| self.staging_failed(&e))
    }

    fn staging_failed(&self, error: &std::io::Error) -> Error {
        let folder = std::env::temp_dir();
        Error::Backup(format!(
            "{}: {error}; a part of the backup (up to {} MB) lies there on its way: make room, or name another folder with TMPDIR",
            folder.display(),
            SEGMENT_BYTES >> 20
        ))
    }

    fn keep(&self, mut staged: File, segment: &Segment) -> Result<(), Error> {
        staged.rewind().map_err(|e| self.staging_failed(&e))?;
        let key = self.key(&segment.file);
        match self.runtime.block_on(self.upload(&key, &mut staged)) {
            Ok(()) => self.check(segment),
            Err(Sending::Here(error)) => Err(self.staging_failed(&error)),
            Err(Sending::There(error)) => Err(self.failed(Some(&segment.file), &error)),
        }
    }

    fn discard(&self) {}

    fn files(&self) -> Result<Vec<String>, Error> {
        let here = self.runtime.block_on(self.store.list_with_delimiter(Some(&self.root())));
        let here = here.map_err(|e| self.failed(None, &e))?;
        Ok(here.objects.iter().filter_map(|o| Some(o.location.filename()?.to_owned())).collect())
    }

    fn remove(&self, file: &str) -> Result<(), Error> {
        let removed = self.runtime.block_on(self.store.delete(&self.key(file)));
        removed.map_err(|e| self.failed(Some(file), &e))
    }

    /// Its size; its hash is compared when it is read.
    fn check(&self, segment: &Segment) -> Result<(), Error> {
        let found = self.runtime.block_on(self.store.head(&self.key(&segment.file)));
        let found = found.map_err(|e| self.failed(Some(&segment.file), &e))?;
        if found.size == segment.bytes {
            return Ok(());
        }
        Err(Error::Backup(format!(
            "{}: it has {} bytes, {} were written; restore another backup",
            self.name(Some(&segment.file)),
            found.size,
            segment.bytes
        )))
    }

    fn open(&self, segment: &Segment) -> Result<File, Error> {
        let mut file = self.stage()?;
        let key = self.key(&segment.file);
        let mut fetch = async || -> Result<(), Sending> {
            let mut from = 0;
            // In pieces, so that one that breaks off is fetched again alone.
            while from < segment.bytes {
                let to = segment.bytes.min(from + PART_BYTES as u64);
                let piece = self.store.get_range(&key, from..to).await?;
                file.write_all(&piece)?;
                from = to;
            }
            Ok(())
        };
        match self.runtime.block_on(fetch()) {
            Ok(()) => {}
            Err(Sending::Here(error)) => return Err(self.staging_failed(&error)),
            Err(Sending::There(error)) => return Err(self.failed(Some(&segment.file), &error)),
        }
        store::compare(self, segment, &mut file)?;
        Ok(file)
    }
}
